"""Features of images before any detector: each by itself, kept by content, and near for copies."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from miaod_nb.data.checked import CheckedImages
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.data.sources import check_images, open_source, scan_list
from miaod_nb.errors import DataError
from miaod_nb.passes import image_features as module
from miaod_nb.passes.image_features import image_features
from miaod_nb.toy.toy import make_toy


@pytest.fixture
def records(data_root) -> list[ImageRecord]:
    return scan_list(open_source(data_root), "trainval", FaultCounts())[:6]


@pytest.fixture
def looked_at(monkeypatch) -> list[str]:
    """Contents of the images that were decoded, in order."""
    ids: list[str] = []
    original = module.inference_loader

    def noted(plan, records, **settings):
        for batch in original(plan, records, **settings):
            ids.extend(batch.ids)
            yield batch

    monkeypatch.setattr(module, "inference_loader", noted)
    return ids


def records_of(*paths: Path) -> list[ImageRecord]:
    listed = [ImageRecord(path.stem, "own", path) for path in paths]
    return check_images(listed, FaultCounts(), CheckedImages(Path()))


def test_each_image_is_seen_by_itself(records):
    together = image_features(records)
    assert together.shape == (6, 320) and together.dtype == np.float32
    assert np.isfinite(together).all()
    np.testing.assert_array_equal(image_features(records[3:4])[0], together[3])
    np.testing.assert_array_equal(image_features(records[::-1]), together[::-1])
    assert image_features([]).shape == (0, 320)


def test_a_picture_turned_by_its_file_is_the_picture(tmp_path):
    pixels = (np.arange(100 * 64 * 3) % 251).astype(np.uint8).reshape(64, 100, 3)
    picture = Image.fromarray(pixels)
    picture.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    upright, turned = image_features(records_of(tmp_path / "upright.png", tmp_path / "turned.png"))
    np.testing.assert_array_equal(upright, turned)


def test_a_copy_in_other_light_looks_alike_and_others_do_not(tmp_path):
    data = make_toy(tmp_path / "toy", num_pool=8, num_test=1)
    records = scan_list(open_source(data), "trainval", FaultCounts())
    copy = tmp_path / "copy.jpg"
    scene = Image.open(records[0].image_path).convert("RGB")
    scene.point(lambda value: int(0.8 * value)).save(copy, quality=90)
    first, *others, again = image_features([*records, *records_of(copy)])

    def cosine(other: np.ndarray) -> float:
        return float(first @ other / np.linalg.norm(first) / np.linalg.norm(other))

    assert cosine(again) > 0.9 > max(map(cosine, others))


def test_what_is_kept_is_not_computed_again(records, tmp_path, looked_at):
    kept = tmp_path / "kept"
    plain = image_features(records)
    image_features(records[:2], kept)
    del looked_at[:]
    np.testing.assert_array_equal(image_features(records, kept), plain)
    assert len(looked_at) == 4
    moved = tmp_path / "elsewhere.jpg"  # it is the content that counts
    moved.write_bytes(records[5].image_path.read_bytes())
    np.testing.assert_array_equal(image_features(records_of(moved), kept)[0], plain[5])
    assert len(looked_at) == 4


def test_a_pass_that_was_cut_off_goes_on(records, tmp_path, monkeypatch, looked_at):
    kept, original, left = tmp_path / "kept", module.level_means, [3]

    def interrupted(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(module, "level_means", interrupted)
    with pytest.raises(KeyboardInterrupt):
        image_features(records, kept)
    monkeypatch.setattr(module, "level_means", original)
    del looked_at[:]
    image_features(records, kept)
    assert len(looked_at) == 3


def test_parts_are_kept_on_the_way(records, tmp_path, monkeypatch, looked_at):
    """Each image in a part of its own, and none twice."""
    monkeypatch.setattr(module, "SECONDS_BETWEEN_PARTS", -1.0)
    plain = image_features(records, tmp_path)
    assert len(list(tmp_path.iterdir())) == len(records)
    del looked_at[:]
    np.testing.assert_array_equal(image_features(records, tmp_path), plain)
    assert not looked_at


def test_a_damaged_file_of_features_is_made_anew(records, tmp_path, capsys):
    kept = tmp_path / "kept"
    before = image_features(records, kept)
    (damaged,) = kept.iterdir()
    damaged.write_bytes(damaged.read_bytes()[:-20])
    np.testing.assert_array_equal(image_features(records, kept), before)
    assert f"{damaged} is made anew" in capsys.readouterr().out
    image_features(records, kept)
    assert "made anew" not in capsys.readouterr().out


def test_an_image_that_is_gone_is_named(records, tmp_path):
    lost = tmp_path / "lost.png"
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(lost)
    found = records_of(lost)
    lost.unlink()
    with pytest.raises(DataError) as caught:
        image_features([*records, *found])
    assert str(lost) in str(caught.value)
