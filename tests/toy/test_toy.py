"""The toy data set: readable VOC, the same bytes for the same seed, whole or not there at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from miaod_nb.data.layouts.voc import read_voc
from miaod_nb.data.records import FaultCounts, RawObject
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.errors import DataError
from miaod_nb.toy import toy
from miaod_nb.toy.scenes import FREQUENCIES, KINDS, LEAST_VISIBLE, paint_scene, take_photo
from miaod_nb.toy.shapes import CLASSES, COATS, LIGHT, draw_animal
from miaod_nb.toy.toy import make_toy

SMALL = {"num_pool": 40, "num_test": 12, "size": 64}
TINY = {"num_pool": 2, "num_test": 1, "size": 32}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_toy(tmp_path_factory.mktemp("data") / "toy", **SMALL)


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def ids_of(folder: Path, list_name: str) -> list[str]:
    return (folder / "ImageSets/Main" / f"{list_name}.txt").read_text().split()


def objects_of(folder: Path, image_id: str) -> list[RawObject]:
    labels = read_voc(folder / "Annotations" / f"{image_id}.xml")
    assert labels is not None
    return list(labels.objects)


def table_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "difficulty.csv", keep_default_na=False).set_index("id")


def test_its_lists_are_read_without_a_fault(made: Path) -> None:
    for list_name, count in (("trainval", 40), ("test", 12)):
        faults = FaultCounts()
        records = scan_list(open_source(made), list_name, faults)
        assert [record.id for record in records] == ids_of(made, list_name)
        assert len(records) == count
        assert {(record.width, record.height) for record in records} == {(64, 64)}
        assert not faults.as_dict()


def test_boxes_lie_inside_and_have_an_area(made: Path) -> None:
    objects = [item for image_id in table_of(made).index for item in objects_of(made, image_id)]
    assert len(objects) > 60
    for item in objects:
        x1, y1, x2, y2 = item.box
        assert 0 <= x1 < x2 <= 63 and 0 <= y1 < y2 <= 63


def test_every_class_is_found_in_a_small_test_list_and_in_a_small_pool(made: Path) -> None:
    for list_name in ("trainval", "test"):
        found = {
            item.name
            for image_id in ids_of(made, list_name)
            for item in objects_of(made, image_id)
            if not item.difficult
        }
        assert found == set(CLASSES)


def test_the_table_agrees_with_the_annotations(made: Path) -> None:
    table = table_of(made)
    assert list(table.index) == ids_of(made, "trainval") + ids_of(made, "test")
    assert list(table["list"]) == ["trainval"] * 40 + ["test"] * 12
    assert set(table["kind"]) <= {*KINDS, "near-duplicate"}
    for image_id, row in table.iterrows():
        objects = objects_of(made, str(image_id))
        assert row["objects"] == len(objects)
        assert (row["kind"] == "empty") <= (not objects)
        assert (row["note"] == "") == (row["kind"] == "easy")
        if objects:
            areas = [(x2 - x1 + 1) * (y2 - y1 + 1) for x1, y1, x2, y2 in (o.box for o in objects)]
            assert float(row["smallest"]) == pytest.approx(min(areas) ** 0.5 / 64, abs=1e-3)
            hidden = any(item.difficult for item in objects)
            assert (float(row["least_visible"]) < LEAST_VISIBLE) == hidden
        else:
            assert row["smallest"] == row["least_visible"] == ""


def test_one_seed_gives_the_same_bytes_and_another_one_other_images(tmp_path: Path) -> None:
    first, again, other = (
        bytes_of(make_toy(tmp_path / name, seed=seed, **TINY))
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    assert first == again
    assert not {name for name in first if name.endswith(".jpg")} & set(other)
    assert not set(first.values()) & {value for name, value in other.items() if "JPEG" in name}


def test_an_image_does_not_depend_on_how_many_are_made(made: Path, tmp_path: Path) -> None:
    few = bytes_of(make_toy(tmp_path / "few", num_pool=5, num_test=2, size=64))
    many = bytes_of(made)
    names = [name for name in few if name.endswith((".jpg", ".xml"))]
    assert len(names) == 2 * (5 + 2)
    assert all(few[name] == many[name] for name in names)


def thumbnail(folder: Path, image_id: str) -> np.ndarray:
    """Gray levels (16, 16) with mean 0 and norm 1: indifferent to brightness."""
    with Image.open(folder / "JPEGImages" / f"{image_id}.jpg") as image:
        gray = np.asarray(image.convert("L").resize((16, 16)), float)
    gray -= gray.mean()
    return gray / np.linalg.norm(gray)


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """The largest correlation of the two thumbnails' middles over moves of up to a pixel."""
    middle = first[1:-1, 1:-1]
    windows = [second[y : y + 14, x : x + 14] for y in range(3) for x in range(3)]
    return max(float(np.corrcoef(middle.ravel(), window.ravel())[0, 1]) for window in windows)


def test_near_duplicates_repeat_an_image_of_the_pool_and_none_of_the_test_list(made: Path) -> None:
    table = table_of(made)
    pool, test = ids_of(made, "trainval"), ids_of(made, "test")
    pictures = {image_id: thumbnail(made, image_id) for image_id in pool + test}
    repeats = table[table["kind"] == "near-duplicate"]
    assert len(repeats) >= 2 and set(repeats["list"]) == {"trainval"}
    alike = []
    for image_id, note in repeats["note"].items():
        original = note.removeprefix("same scene as ").split()[0]
        assert pool.index(original) < pool.index(image_id)
        alike.append(likeness(pictures[image_id], pictures[original]))
    across = [likeness(pictures[a], pictures[b]) for a in pool for b in test]
    assert min(alike) > max(across)


def test_a_box_is_tight_around_the_whole_silhouette() -> None:
    """Also where it is covered; and it moves against the camera, cut at the frame."""
    scene = paint_scene(KINDS["empty"], 64, None, np.random.default_rng(0))
    mask = np.zeros(scene.owner.shape, bool)
    mask[scene.margin + 10 : scene.margin + 20, scene.margin + 30 : scene.margin + 61] = True
    scene.names.append("crab")
    scene.masks.append(mask)
    scene.owner[mask] = 0
    scene.owner[scene.margin + 10 : scene.margin + 18] = -1  # 8 of 10 rows are covered
    rng = np.random.default_rng(0)
    still = take_photo(scene, (0, 0), 1.0, rng)[1][0]
    moved = take_photo(scene, (-scene.margin, 2), 1.0, rng)[1][0]
    assert still.box == (31, 11, 61, 20)  # counted from 1, the last pixel included
    assert still.visible == pytest.approx(0.2) and still.difficult
    assert moved.box == (31 + scene.margin, 9, 64, 18)


@pytest.mark.parametrize("name", CLASSES)
def test_an_animal_fills_its_radius_and_is_not_cut_off(name: str) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        opacity = draw_animal(name, 30, rng.uniform(0, 6), COATS[name][0], rng).opacity
        rows, columns = np.nonzero(opacity)
        middle = (len(opacity) - 1) / 2
        assert 0.8 * 30 < np.hypot(rows - middle, columns - middle).max() < 1.15 * 30
        assert min(*rows, *columns) > 0 and max(*rows, *columns) < len(opacity) - 1


def test_the_side_that_faces_the_sun_is_brighter() -> None:
    gray = (150.0, 150.0, 150.0)
    sprite = draw_animal("starfish", 30, 0.7, (gray, gray), np.random.default_rng(1))
    y, x = np.indices(sprite.opacity.shape) - (len(sprite.opacity) - 1) / 2
    toward = (x * LIGHT[0] + y * LIGHT[1])[sprite.opacity > 0.9]
    brightness = sprite.colors.mean(axis=2)[sprite.opacity > 0.9]
    assert brightness[toward > 5].mean() > 150 > brightness[toward < -5].mean()


def test_what_makes_it_hard_adds_up() -> None:
    assert sum(kind.share for kind in KINDS.values()) == pytest.approx(1)
    assert sum(FREQUENCIES.values()) == pytest.approx(1)
    assert list(FREQUENCIES) == list(CLASSES)
    assert toy.EMPTY in KINDS and "easy" in KINDS and toy.REPEATED not in KINDS


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.filterwarnings("error")
def test_scenes_of_every_kind_fit_into_the_smallest_images(name: str) -> None:
    low, high = KINDS[name].objects
    for seed in range(20):
        rng = np.random.default_rng(seed)
        image, objects = take_photo(paint_scene(KINDS[name], 32, None, rng), (0, 0), 1.0, rng)
        assert image.size == (32, 32)
        assert min(low, 1) <= len(objects) <= high


def test_a_complete_set_is_kept_as_it_is(tmp_path: Path) -> None:
    folder = make_toy(tmp_path / "toy", **TINY)
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert make_toy(folder, **TINY) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times


def test_an_empty_folder_is_filled_and_missing_ones_above_are_made(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "not/yet"):
        assert len(ids_of(make_toy(folder, **TINY), "trainval")) == 2


def foreign_folder(folder: Path) -> str:
    folder.mkdir()
    (folder / "mine.txt").write_text("precious")
    return "something else"


def foreign_file(folder: Path) -> str:
    folder.write_text("precious")
    return "something else"


def other_marker(folder: Path) -> str:
    foreign_folder(folder)
    (folder / toy.MARKER).write_text("[1]")
    return "something else"


def other_seed(folder: Path) -> str:
    make_toy(folder, seed=1, **TINY)
    return "another toy data set .*seed 1"


def other_size(folder: Path) -> str:
    make_toy(folder, **{**TINY, "size": 40})
    return "another toy data set .*size 40"


def lost_image(folder: Path) -> str:
    make_toy(folder, **TINY)
    (folder / "JPEGImages/s0-pool-0002.jpg").unlink()
    return "damaged: .*s0-pool-0002.jpg"


def emptied_list(folder: Path) -> str:
    make_toy(folder, **TINY)
    (folder / "ImageSets/Main/test.txt").write_text("")
    return "damaged: .*test.txt"


@pytest.mark.parametrize(
    "prepare",
    [
        foreign_folder,
        foreign_file,
        other_marker,
        other_seed,
        other_size,
        lost_image,
        emptied_list,
    ],
)
def test_anything_else_is_refused_and_left_alone(prepare, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    message = prepare(folder)
    before = bytes_of(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        make_toy(folder, **TINY)
    assert caught.value.where == folder and "another folder" in str(caught.value.remedy)
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (RuntimeError("bug"), RuntimeError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(errno.ENOSPC, "No space left on device"), DataError),
    ],
)
def test_what_ends_midway_leaves_nothing(
    fault: BaseException,
    raised: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(items: list, description: str) -> Iterator:
        yield items[0]
        assert len(list(tmp_path.rglob("*.jpg"))) == 1  # some of it had been written
        raise fault

    monkeypatch.setattr(toy, "progress", interrupted)
    with pytest.raises(raised):
        make_toy(tmp_path / "toy", **TINY)
    assert not list(tmp_path.iterdir())


def test_a_disk_without_space_or_permission_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code, message in ((errno.ENOSPC, "no space left"), (errno.EACCES, "no write permission")):

        def refuse(*args: object, code: int = code, **kwargs: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(Path, "mkdir", refuse)
        with pytest.raises(DataError, match=message) as caught:
            make_toy(tmp_path / "toy", **TINY)
        assert caught.value.where == tmp_path / "toy" and caught.value.remedy


def test_the_set_of_a_faster_process_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = make_toy(tmp_path / "ready", **TINY)
    folder, write = tmp_path / "toy", toy._write_set

    def overtaken(building: Path, recipe: dict[str, int]) -> None:
        write(building, recipe)
        shutil.copytree(ready, folder)

    monkeypatch.setattr(toy, "_write_set", overtaken)
    assert make_toy(folder, **TINY) == folder
    assert bytes_of(folder) == bytes_of(ready)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ready", "toy"]


def test_what_a_killed_run_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    old, young, foreign = (tmp_path / f".tmp-{name}" for name in ("1-toy", "2-toy", "1-other"))
    for folder in (old, young, foreign):
        folder.mkdir()
    for folder in (old, foreign):
        os.utime(folder, (0, 0))
    make_toy(tmp_path / "toy", **TINY)
    assert sorted(tmp_path.iterdir()) == sorted([foreign, young, tmp_path / "toy"])
