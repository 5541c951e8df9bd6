"""A folder without lists: all its images are the pool, and what else lies there is counted."""

import shutil
from pathlib import Path

import pytest

from miaod_nb.data.layouts.voc import VocSource
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.errors import DataError
from tests.coco import write_coco
from tests.experiment.helpers import miaod, run_arguments


@pytest.fixture
def folder(data_root: Path, tmp_path: Path) -> Path:
    """The images and annotations of a data set, without its lists."""
    data = shutil.copytree(data_root, tmp_path / "mine")
    shutil.rmtree(data / "ImageSets")
    return data


def test_all_images_are_the_pool_in_the_order_of_their_names(folder):
    source, faults = open_source(folder), FaultCounts()
    images = sorted((folder / "JPEGImages").iterdir())
    records = scan_list(source, "trainval", faults)
    assert [record.image_path for record in records] == images and not faults.as_dict()
    assert source.list_names() == ["trainval"]
    assert scan_list(source, "test", faults, required=False) == []


def test_what_else_lies_there_is_counted(folder):
    for name in ("Thumbs.db", "more/notes.txt"):
        (folder / "JPEGImages" / name).parent.mkdir(exist_ok=True)
        (folder / "JPEGImages" / name).write_bytes(b"something")
    (folder / "Annotations/no_image.xml").write_text("<annotation/>")
    faults = FaultCounts()
    scan_list(open_source(folder), "trainval", faults)
    counts = {reason: one["count"] for reason, one in faults.as_dict().items()}
    assert counts == {
        "file that is no image": 2, "annotation of an image that is not there": 1,
    }  # fmt: skip


def test_a_list_that_is_there_holds(folder):
    lists = folder / "ImageSets/Main"
    lists.mkdir(parents=True)
    assert len(scan_list(open_source(folder), "trainval", FaultCounts())) > 2  # no list yet
    ids = sorted(path.stem for path in (folder / "JPEGImages").iterdir())[:2]
    (lists / "train.txt").write_text("\n".join(ids))
    assert len(scan_list(open_source(folder), "train", FaultCounts())) == 2
    with pytest.raises(DataError, match="no image list 'trainval'"):
        scan_list(open_source(folder), "trainval", FaultCounts())


def test_a_coco_folder_is_no_such_folder(data_root, tmp_path):
    data = write_coco(tmp_path / "coco", data_root)
    (data / "JPEGImages").mkdir()
    assert VocSource.found_in(data) is None


def test_a_run_says_what_its_pool_is(folder, tmp_path):
    settings = {"cycles": 1, "rounds": 0, "min_epoch_steps": 1, "training": "label_set"}
    outcome = miaod(*run_arguments(folder, tmp_path / "run", **settings))
    assert outcome.code == 0, outcome.err
    number = len(list((folder / "JPEGImages").iterdir()))
    assert f"the pool is all {number} images of {folder / 'JPEGImages'}" in outcome.out
