"""The table of a run's images: what is in it, what joins, and what is refused."""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from miaod_nb.experiment import Run, open_run
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.pool_file import read_pool
from miaod_nb.runs.record import RunRecord
from miaod_nb.toy.toy import make_toy
from tests.experiment.helpers import SETTINGS, log_of, miaod, run_arguments
from tests.runs.test_record import BEFORE

QUICK = {"rounds": 0, "min_epoch_steps": 1, "training": "label_set"}


@pytest.fixture
def data(data_root: Path, tmp_path: Path) -> Path:
    return shutil.copytree(data_root, tmp_path / "data")


def add_image(data: Path, image_id: str, first: bool = False) -> None:
    """Puts another labeled image into the data set, at the end or the beginning of the list."""
    shutil.copy(data / "Annotations/000001.xml", data / f"Annotations/{image_id}.xml")
    with Image.open(data / "JPEGImages/000001.jpg") as image:
        image.rotate(180).save(data / f"JPEGImages/{image_id}.jpg")
    path = data / "ImageSets/Main/trainval.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([image_id, *lines] if first else [*lines, image_id]) + "\n")


def begun(data: Path, run_dir: Path, cycles: int = 1, **settings: Any) -> Path:
    outcome = miaod(*run_arguments(data, run_dir, **QUICK | settings, cycles=cycles))
    assert outcome.code == 0, outcome.err
    return run_dir


def opened(data: Path, run_dir: Path, **settings: Any) -> Run:
    overrides = SETTINGS | QUICK | settings
    return open_run("tiny", data_root=data, run_dir=run_dir, overrides=overrides)


def table_of(run_dir: Path) -> pd.DataFrame:
    return pd.read_parquet(run_dir / "pool.parquet")


def sets_of(run_dir: Path, cycles: int) -> list[list[int]]:
    names = [f"X_{letter}_{cycle}.npy" for cycle in range(cycles) for letter in "LU"]
    return [np.load(run_dir / name).tolist() for name in names]


# --------------------------------------------------------------------------------------- the table


def test_the_table_has_both_lists_and_the_identity_only_their_digests(data, tmp_path):
    run_dir = begun(data, tmp_path / "run")
    table = table_of(run_dir)
    assert table["list"].tolist() == ["pool"] * 12 + ["test"] * 4
    assert table["joined"].unique().tolist() == [0]
    row = table.iloc[2]
    assert (row["id"], row["source"], row["path"]) == ("000003", "data", "JPEGImages/000003.jpg")
    assert (row["width"], row["height"]) == (64, 48)
    identity = json.loads((run_dir / "config.json").read_text())["identity"]["data"]
    assert identity["pool"]["images"] == 12 and identity["test"]["images"] == 4
    assert identity["classes"] == ["disc", "square"]
    record = RunRecord.open(run_dir)
    assert record.pool == tuple(f"{number:06d}" for number in range(1, 13))
    image = record.image("000003")
    assert image is not None and image.image_path == data.resolve() / "JPEGImages/000003.jpg"
    assert record.image("nobody") is None


def test_a_lost_table_is_named(data, tmp_path):
    run_dir = begun(data, tmp_path / "run")
    (run_dir / "pool.parquet").unlink()
    outcome = miaod(*run_arguments(data, run_dir, **QUICK))
    assert outcome.code == 1 and "the table of the run's images is missing" in outcome.err
    assert "pool.parquet" in outcome.err
    pd.DataFrame({"id": ["a"]}).to_parquet(run_dir / "pool.parquet")
    outcome = miaod(*run_arguments(data, run_dir, **QUICK))
    assert outcome.code == 1 and "does not describe the images" in outcome.err


def test_a_run_of_an_earlier_version_gets_a_table(tmp_path):
    """Its fingerprint stays; before it goes on, its images are read from its config.json."""
    with tarfile.open(BEFORE) as archive:
        archive.extractall(tmp_path, filter="data")
    run_dir = tmp_path / "before"
    data = make_toy(tmp_path / "data", num_pool=48, num_test=16, size=64)
    before = RunRecord.open(run_dir)
    old = json.loads((run_dir / "config.json").read_text())["identity"]["data"]
    run = open_run(data_root=data, run_dir=run_dir, overrides={"device": "cpu"})
    assert run.fingerprint == before.fingerprint
    assert not (run_dir / "pool.parquet").exists()
    assert not before.has_places and before.image(before.pool[0]) is None
    with run.hold():
        pass
    after = RunRecord.open(run_dir)
    assert after.pool == before.pool and after.test == before.test
    assert after.image(after.pool[0]) is not None
    now = json.loads((run_dir / "config.json").read_text())["identity"]["data"]
    assert now["classes"] == old["classes"] and now["pool"]["images"] == len(old["pool"]) == 48
    again = open_run(run_dir=run_dir, overrides={"device": "cpu"})
    assert again.fingerprint == before.fingerprint
    with again.hold():
        pass


# ------------------------------------------------------------------------------------------ growth


def test_new_images_join_the_first_cycle_that_is_not_begun(data, tmp_path):
    run_dir = begun(data, tmp_path / "run")
    sets, fingerprint = sets_of(run_dir, 1), (run_dir / "fingerprint.txt").read_text()
    add_image(data, "new", first=True)  # its place in the list does not matter
    outcome = miaod(*run_arguments(data, run_dir, **QUICK, cycles=2))
    assert outcome.code == 0, outcome.err
    assert "1 new images joined the pool, first new: they take part from cycle 1" in outcome.out
    assert sets_of(run_dir, 1) == sets
    assert (run_dir / "fingerprint.txt").read_text() == fingerprint
    record = RunRecord.open(run_dir)
    assert record.pool[:12] == tuple(f"{number:06d}" for number in range(1, 13))
    assert record.pool[12] == "new" and len(record.pool) == 13
    assert [len(record.scores(cycle)) for cycle in (0, 1)] == [8, 7]
    assert "new" in set(record.scores(1)["id"]) and "new" not in set(record.scores(0)["id"])
    assert [record.selection(cycle)["pool"] for cycle in (0, 1)] == [8, 7]
    (line,) = (run_dir / "ledger.jsonl").read_text().splitlines()
    event = json.loads(line)
    assert (event["event"], event["cycle"], event["images"]) == ("joined", 1, ["new"])
    assert [split["pool"] for split in log_of(run_dir, "split")] == [8, 7]


def test_a_run_that_grew_goes_on_as_if_it_had_been_so(data, tmp_path):
    """Sets are made anew at each start; more images later do not change those of before."""
    run_dir = begun(data, tmp_path / "run")
    add_image(data, "b")
    begun(data, run_dir, 2)
    sets = sets_of(run_dir, 2)
    add_image(data, "a", first=True)
    run = opened(data, run_dir, cycles=3)
    assert [run.dataset.num_images(cycle) for cycle in range(4)] == [12, 13, 14, 14]
    found = [run.sets(cycle) for cycle in (0, 1)]
    assert [s.tolist() for one in found for s in (one.labeled, one.unlabeled_sample)] == sets
    begun(data, run_dir, 3)
    assert sets_of(run_dir, 2) == sets
    assert table_of(run_dir)["joined"].tolist() == [0] * 12 + [1, 2] + [0] * 4
    assert len((run_dir / "ledger.jsonl").read_text().splitlines()) == 2
    begun(data, run_dir, 3)
    assert len((run_dir / "ledger.jsonl").read_text().splitlines()) == 2


def test_images_that_come_before_the_first_cycle_are_of_the_first_data(data, tmp_path):
    """What a call noted that did not get as far as the first set binds nobody."""
    run_dir = tmp_path / "run"
    with opened(data, run_dir).hold():
        pass
    add_image(data, "new")
    with opened(data, run_dir).hold() as run:
        assert run.dataset.num_images(0) == 13
    assert table_of(run_dir)["joined"].tolist() == [0] * 17
    assert not (run_dir / "ledger.jsonl").exists()


def test_the_order_of_the_list_does_not_matter_any_more(data, tmp_path):
    run_dir = begun(data, tmp_path / "run")
    path = data / "ImageSets/Main/trainval.txt"
    path.write_text("\n".join(path.read_text().split()[::-1]))
    begun(data, run_dir, 2)
    assert len(table_of(run_dir)) == 16 and not (run_dir / "ledger.jsonl").exists()


def test_a_look_at_a_run_lets_nothing_join(data, tmp_path):
    run_dir = begun(data, tmp_path / "run")
    before = (run_dir / "pool.parquet").read_bytes()
    add_image(data, "new")
    run = opened(data, run_dir)
    assert len(run.dataset.pool) == 13
    assert (run_dir / "pool.parquet").read_bytes() == before


def test_a_cycle_that_another_process_began_is_not_joined(data, tmp_path):
    run_dir = begun(data, tmp_path / "run")
    add_image(data, "new")
    late = opened(data, run_dir, cycles=2)
    assert late.dataset.joined == {1: 1}
    shutil.move(data / "JPEGImages/new.jpg", tmp_path / "new.jpg")
    begun(data, run_dir, 2)
    with pytest.raises(Exception, match="another process has begun cycle 1"), late.hold():
        pass


def test_a_control_of_a_run_that_grew_begins_with_the_same_images(data, tmp_path):
    run_dir = begun(data, tmp_path / "run")
    add_image(data, "a", first=True)
    begun(data, run_dir, 2)
    control = opened(data, run_dir, cycles=2).control("random")
    control.run()
    beside = control.folder.root
    assert sets_of(beside, 1) == sets_of(run_dir, 1)
    assert RunRecord.open(beside).pool == RunRecord.open(run_dir).pool
    assert table_of(beside)["joined"].tolist() == table_of(run_dir)["joined"].tolist()


# --------------------------------------------------------------------------------- what is refused


def test_an_image_that_joined_keeps_its_size(data, tmp_path):
    run_dir = begun(data, tmp_path / "run")
    add_image(data, "new")
    begun(data, run_dir, 2)
    before = table_of(run_dir)
    path = data / "JPEGImages/new.jpg"
    with Image.open(path) as image:
        size = f"{image.width}x{image.height}"
        image.resize((100, 80)).save(path)
    outcome = miaod(*run_arguments(data, run_dir, **QUICK, cycles=3))
    assert outcome.code == 1
    assert f"the image 'new' was {size} when it joined this run, and is 100x80 now" in outcome.err
    pd.testing.assert_frame_equal(table_of(run_dir), before)


def test_a_start_that_was_killed_tells_of_new_images_once(data, tmp_path):
    run_dir = begun(data, tmp_path / "run")
    add_image(data, "new")
    before = (run_dir / "pool.parquet").read_bytes()
    opened(data, run_dir, cycles=2).advance(1, ["split"])
    (run_dir / "pool.parquet").write_bytes(before)  # as if it had died between the two files
    (run_dir / "cycle1/steps.json").unlink()
    opened(data, run_dir, cycles=2).advance(1, ["split"])
    assert len((run_dir / "ledger.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("joined", [False, True])
def test_images_that_vanished_are_named(data, tmp_path, joined):
    run_dir = begun(data, tmp_path / "run")
    if joined:
        add_image(data, "new")
        begun(data, run_dir, 2)
    gone = "new" if joined else "000003"
    (data / f"JPEGImages/{gone}.jpg").rename(tmp_path / "gone.jpg")
    outcome = miaod(*run_arguments(data, run_dir, **QUICK, cycles=3))
    assert outcome.code == 1
    assert f"1 images of this run's pool cannot be used now: {gone}" in outcome.err
    assert "put them back" in outcome.err
    (tmp_path / "gone.jpg").rename(data / f"JPEGImages/{gone}.jpg")
    begun(data, run_dir, 3)


def test_another_data_set_is_another_experiment(data, tmp_path, make_voc):
    run_dir = begun(data, tmp_path / "run")
    other = make_voc(tmp_path / "other/VOC2007", num_trainval=12, num_test=4, prefix="x")
    outcome = miaod(*run_arguments(other, run_dir, **QUICK))
    assert outcome.code == 1 and "holds another experiment; pool: 12 there" in outcome.err


def test_the_test_list_may_not_grow(data, tmp_path):
    run_dir = begun(data, tmp_path / "run")
    add_image(data, "new")
    path = data / "ImageSets/Main/trainval.txt"
    path.write_text(path.read_text().replace("new\n", ""))
    with (data / "ImageSets/Main/test.txt").open("a") as file:
        file.write("\nnew\n")
    outcome = miaod(*run_arguments(data, run_dir, **QUICK))
    assert outcome.code == 1 and "test: 4 there, 5 now" in outcome.err


def test_a_folder_without_a_run_has_no_table(tmp_path):
    assert read_pool(RunFolder(tmp_path)) is None
