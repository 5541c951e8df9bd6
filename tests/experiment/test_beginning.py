"""A run on a folder of one's own: begun by one call that says what it found, and gone on with."""

import json
import shutil
from pathlib import Path

import pytest

from miaod_nb.errors import ConfigError, DataError, RunFolderError
from miaod_nb.experiment.beginning import describe_data, new_run
from miaod_nb.runs import identity
from tests.experiment.helpers import SETTINGS, miaod

QUICK = {**SETTINGS, "cycles": 1, "rounds": 0, "min_epoch_steps": 1, "training": "label_set",
         "holdout": 0.5}  # fmt: skip


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(identity, "project_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def photos(data_root: Path, tmp_path: Path) -> Path:
    """Twelve photos in a folder, five of them labeled in another one."""
    for name in ("photos/2026", "labels"):
        (tmp_path / name).mkdir(parents=True)
    for number, image_id in enumerate(
        (data_root / "ImageSets/Main/trainval.txt").read_text().split()
    ):
        (picture,) = (data_root / "JPEGImages").glob(f"{image_id}.*")
        shutil.copy(picture, tmp_path / "photos/2026")
        if number < 5:
            shutil.copy(data_root / f"Annotations/{image_id}.xml", tmp_path / "labels")
    return tmp_path / "photos"


def test_a_new_run_says_what_it_found_and_goes_on(photos, tmp_path):
    run = new_run("mine", photos, tmp_path / "labels", "tiny", QUICK)
    said = describe_data(run)
    assert said[0] == "layout: image folder"
    assert said[1].startswith("images: 12 usable (12 .")
    assert said[2] == "labels: 5 images have some (VOC XML)"
    assert "first labeled images: 5, those that have labels" in said
    assert "each cycle asks for 2 images (budget=2)" in said
    outcome = miaod("run", "--run-dir", tmp_path / "runs/mine")
    assert outcome.code == 0, outcome.err
    assert "to label next: 2 images: 2026/0000" in outcome.out


def test_a_budget_in_boxes_is_told_as_one(photos, tmp_path):
    run = new_run("mine", photos, tmp_path / "labels", "tiny", QUICK | {"budget": "400 boxes"})
    assert "each cycle asks for images of about 400 boxes (budget=400boxes)" in describe_data(run)


def test_a_run_that_is_there_is_kept(photos, tmp_path):
    new_run("mine", photos, tmp_path / "labels", "tiny", QUICK)
    with pytest.raises(RunFolderError, match="there is a run already"):
        new_run("mine", photos, tmp_path / "labels", "tiny", QUICK)


@pytest.mark.parametrize("name", ["", "a/b", "../a"])
def test_a_name_is_no_path(photos, name):
    with pytest.raises(ConfigError, match="is no name of a run"):
        new_run(name, photos)


def test_a_folder_that_is_not_there_is_named_and_nothing_is_written(photos, tmp_path):
    with pytest.raises(DataError, match="(?s)no such folder of labels.*did you mean .*labels"):
        new_run("mine", photos, tmp_path / "lables", "tiny", QUICK)
    assert not (tmp_path / "runs").exists()


def test_what_cannot_be_begun_leaves_nothing(photos, tmp_path):
    with pytest.raises(ConfigError, match="budgett"):
        new_run("mine", photos, tmp_path / "labels", "tiny", QUICK | {"budgett": 1})
    assert not (tmp_path / "runs/mine").exists()


def test_the_lists_that_a_data_set_has_are_taken(data_root, tmp_path):
    data = shutil.copytree(data_root, tmp_path / "data")
    for old, new in (("trainval", "train"), ("test", "val")):
        shutil.move(data / f"ImageSets/Main/{old}.txt", data / f"ImageSets/Main/{new}.txt")
    run = new_run("mine", data, None, "tiny", QUICK)
    assert (run.config.train_list, run.config.test_list) == ("train", "val")
    assert any(line.startswith("measured on: val list (4 images)") for line in describe_data(run))


def test_a_run_without_any_label_begins_with_what_a_tool_gives_back(photos, tmp_path):
    """Out and back before there is a class, a detector or a cycle."""
    run = new_run("mine", photos, None, "tiny", QUICK)
    root = tmp_path / "runs/mine"
    assert "classes: none yet" in describe_data(
        run
    ) and "measured on: nothing yet" in describe_data(run)
    outcome = miaod("run", "--run-dir", root)
    assert outcome.code == 1 and "there is no label to begin with" in outcome.err
    outcome = miaod("export", root, "--to", "label-studio")
    assert outcome.out.startswith("4 images of the first batch, 0 suggested boxes")
    tasks = json.loads((root / "labels/first-label-studio/tasks.json").read_text())
    region = {"type": "rectanglelabels", "value": {"x": 20, "y": 20, "width": 50, "height": 50,
                                                   "rectanglelabels": ["crab"]}}  # fmt: skip
    for task in tasks:
        task["annotations"] = [{"result": [region]}]
    (root / "back.json").write_text(json.dumps(tasks))
    outcome = miaod("import", root, root / "back.json")
    assert outcome.code == 0, outcome.err
    assert "4 images labeled (0 of them show nothing)" in outcome.out
    outcome = miaod("run", "--run-dir", root)
    assert outcome.code == 0, outcome.err
    labels = json.loads((root / "cycle0/labels.json").read_text())
    assert labels["boxes"] == {"crab": 4} and labels["labeled"] == 4
