"""Faults of single files and short pools: counted, said, and no reason to stop."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.experiment.helpers import log_of, miaod, run_arguments

BOMB = '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><annotation>&z;</annotation>'
QUICK = {"strategy": "random", "rounds": 0, "min_epoch_steps": 1}  # trains for two steps


@pytest.fixture
def data(data_root: Path, tmp_path: Path) -> Path:
    """A data set that the test may damage."""
    return shutil.copytree(data_root, tmp_path / "VOC2007")


def damage(data: Path, voc_xml) -> dict[str, int]:
    """Damages eight of the images or annotations; returns how often each reason is to be found."""
    annotations, images = data / "Annotations", data / "JPEGImages"
    square = ("square", (5, 5, 20, 20))
    (annotations / "000001.xml").write_text("<annotation><object>")
    (annotations / "000002.xml").write_text(BOMB)
    (annotations / "000003.xml").unlink()
    boxes = [
        square, square, ("square", (9, 9, 9, 20)), ("disc", (20, 9, 9, 20)),
        ("disc", (80, 5, 90, 20)), ("disc", (50, 5, 90, 20)), ("blob", (5, 5, 20, 20)),
    ]  # fmt: skip
    (annotations / "000005.xml").write_text(voc_xml(boxes))
    (images / "000006.jpg").unlink()
    (images / "000007.jpg").write_bytes((images / "000007.jpg").read_bytes()[:900])
    (images / "000008.jpg").write_text("no image")
    without_size = voc_xml([square]).replace("<size>", "<nosize>").replace("</size>", "</nosize>")
    (annotations / "000009.xml").write_text(without_size)  # the image itself has it: no fault
    list_file = data / "ImageSets/Main/trainval.txt"
    list_file.write_text(list_file.read_text() + "000001\nabsent\n")
    return {
        "annotation malformed: not well-formed XML": 1,
        "annotation malformed: entity definitions are refused": 1,
        "annotation missing": 1,
        "exact duplicate box": 1,
        "box smaller than a pixel": 1,
        "inverted box": 1,
        "box outside the image": 1,
        "box clipped to the image": 1,
        "object of a class left out by `classes`": 1,
        "image without objects": 1,
        "listed image missing": 2,
        "image truncated": 1,
        "image unreadable": 1,
        "listed twice": 1,
    }


def test_every_kind_of_fault_is_counted(data, voc_xml, tmp_path):
    expected = damage(data, voc_xml)
    settings = QUICK | {"strategy": "full", "classes": "square,disc"}
    outcome = miaod(*run_arguments(data, tmp_path / "run", **settings))
    assert outcome.code == 0
    exclusions = json.loads((tmp_path / "run/cycle0/exclusions.json").read_text())
    assert {reason: entry["count"] for reason, entry in exclusions.items()} == expected
    for reason, count in expected.items():
        assert f"  {count} x {reason} (" in outcome.out
    (split,) = log_of(tmp_path / "run", "split")
    # 12 - 3 images, of which 3 have no usable annotation
    assert (split["labeled"], split["asked"], split["trained"]) == (6, 3, 6)
    assert split["exclusions"] == exclusions


def test_faults_of_test_images_are_counted_apart(data, tmp_path):
    (data / "Annotations/000013.xml").write_text("<annotation>")
    (data / "JPEGImages/000014.jpg").unlink()
    outcome = miaod(*run_arguments(data, tmp_path / "run", **QUICK, cycles=1))
    assert outcome.code == 0
    expected = {"listed image missing": 1, "annotation malformed: not well-formed XML": 1}
    metrics = json.loads((tmp_path / "run/cycle0/metrics.json").read_text())
    assert {reason: entry["count"] for reason, entry in metrics["exclusions"].items()} == expected
    assert metrics["about"]["evaluated_on"] == "test list (2 images)"
    for reason in expected:
        assert f"evaluated images: 1 x {reason} (" in outcome.out
    (record,) = log_of(tmp_path / "run", "evaluate")
    assert record["exclusions"] == metrics["exclusions"]


def test_pool_that_runs_empty(data_root, tmp_path):
    """The last selection is cut short; one cycle learns from all images, later ones are left out,
    and asking again says so again without adding to the log."""
    settings = QUICK | {"strategy": "mi_aod", "training": "label_set", "budget": 5, "cycles": 9}
    arguments = run_arguments(data_root, tmp_path / "run", **settings)
    outcome = miaod(*arguments)
    assert outcome.code == 0
    assert "cut short: 3 images are left, the budget is 5" in outcome.out
    assert "cycle 3 and later ones are left out: the pool is empty" in outcome.out
    labeled = [len(np.load(tmp_path / f"run/X_L_{cycle}.npy")) for cycle in range(3)]
    assert labeled == [4, 9, 12] and not (tmp_path / "run/cycle3").exists()
    (select, *_, last) = log_of(tmp_path / "run", "select")
    assert (select["selected"], select["pool"], select["budget"]) == (5, 8, 5)
    assert (last["selected"], last["pool"], last["budget"]) == (0, 0, 5)
    assert "the pool is empty" in miaod(*arguments).out
    assert len(log_of(tmp_path / "run", "pool empty")) == 1


def test_one_class_is_said(data_root, tmp_path):
    settings = QUICK | {"classes": "square", "cycles": 1, "strategy": "mi_aod"}
    outcome = miaod(*run_arguments(data_root, tmp_path / "run", **settings))
    assert outcome.code == 0
    assert "one class: an implicit class 'none' takes part" in outcome.out
    assert "object of a class left out by `classes`" in outcome.out
    assert "image_classification" in log_of(tmp_path / "run", "step")[0]["terms"]
