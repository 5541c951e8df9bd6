"""A folder without lists: all its images are the pool, and what else lies there is counted."""

import shutil
from pathlib import Path

import pytest

from miaod_nb.data.layouts.voc import VocSource
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import lists_without, open_source, scan_list
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


def test_remedies_name_the_images_where_there_is_no_list(folder, tmp_path):
    """What is proposed works; a list that is not there is never named."""
    run_dir = tmp_path / "run"
    outcome = miaod(*run_arguments(folder, run_dir, train_list="train"))
    assert outcome.code == 1 and "there is no image list 'train'" in outcome.err
    assert f"name 'trainval', which stands for all images of {folder / 'JPEGImages'}" in outcome.err
    outcome = miaod(*run_arguments(folder, run_dir, test_list="tset"))
    assert outcome.code == 1 and "what to do: leave test_list out" in outcome.err
    for image in (folder / "JPEGImages").iterdir():
        image.write_text("no image")
    outcome = miaod(*run_arguments(folder, run_dir))
    assert outcome.code == 1 and " list" not in outcome.err.replace("trainval", "")
    assert f"put images into {folder / 'JPEGImages'}" in outcome.err and not run_dir.exists()


def test_years_without_a_list_have_none_to_name(tmp_path):
    for year in ("VOC2007", "VOC2012"):
        (tmp_path / year / "ImageSets/Main").mkdir(parents=True)
    outcome = miaod("info", tmp_path)
    place = tmp_path / "VOC2007/ImageSets/Main/trainval.txt"
    assert outcome.code == 1 and f"write one image id a line into {place}" in outcome.err
    place.write_text("")
    assert "the list is empty" in miaod("info", tmp_path).err


def test_a_year_that_is_passed_over_is_said(folder, make_voc):
    root = folder.parent / "devkit"
    make_voc(root / "VOC2012", num_trainval=3)
    shutil.move(folder, root / "VOC2007")
    said = miaod("info", root).out
    assert "3 usable images from 12" in said
    assert "1 x folder of images passed over, because it has no lists (VOC2007)" in said
    assert "passed over" not in miaod("info", root / "VOC2012").out


def test_lists_are_offered_that_have_no_image_of_the_pool(make_voc, tmp_path):
    root = make_voc(tmp_path / "voc", num_trainval=4, num_test=2)
    lists = root / "ImageSets/Main"
    pool = (lists / "trainval.txt").read_text().split()
    (lists / "train.txt").write_text("\n".join(pool[:2]))
    (lists / "val.txt").write_text("\n".join(pool[2:]))
    (lists / "cat_val.txt").write_text("\n".join(pool[2:]))
    paths = {image.image_path for image in open_source(root).images("train", FaultCounts())}
    assert lists_without(root, paths) == ["test", "val"]
    paths = {image.image_path for image in open_source(root).images("trainval", FaultCounts())}
    assert lists_without(root, paths) == ["test"]
