"""Labels that people already have are the first labeled set; what failed before binds nobody."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from miaod_nb.evaluation import VOC12_AP
from miaod_nb.experiment import open_run
from miaod_nb.report import make_report
from miaod_nb.report.pieces import Report
from miaod_nb.report.summary import as_markdown
from miaod_nb.runs.label_store import Answer, LabelStore
from miaod_nb.runs.record import RunRecord
from tests.coco import change, write_coco
from tests.conftest import write_voc
from tests.experiment.helpers import SETTINGS, miaod, run_arguments

QUICK = {"rounds": 0, "min_epoch_steps": 1, "training": "label_set"}
CHOSEN = ("000005", "000003", "000011", "000008", "000002")  # by a person, of 12
LAST = {"cycles": 1} | QUICK


@pytest.fixture
def data(data_root: Path, tmp_path: Path) -> Path:
    """A data set of which a person has labeled five images."""
    data = shutil.copytree(data_root, tmp_path / "data")
    keep_labels(data, CHOSEN)
    return data


def keep_labels(data: Path, ids: tuple[str, ...]) -> None:
    for image_id in (data / "ImageSets/Main/trainval.txt").read_text().split():
        if image_id not in ids:
            (data / f"Annotations/{image_id}.xml").unlink(missing_ok=True)


def labels_of(run_dir: Path) -> dict:
    return json.loads((run_dir / "cycle0/labels.json").read_text())


def test_a_run_begins_with_what_is_labeled(data, tmp_path):
    run_dir = tmp_path / "run"
    outcome = miaod(*run_arguments(data, run_dir, **LAST))
    assert outcome.code == 0, outcome.err
    assert "begins with the 5 of 12 images that are labeled already" in outcome.out
    record = RunRecord.open(run_dir)
    assert set(record.labeled(0)) == set(CHOSEN)
    assert labels_of(run_dir)["labeled"] == 5 and labels_of(run_dir)["asked"] == []
    assert not set(record.sample(0)) & set(CHOSEN) and len(record.sample(0)) == 5
    assert not set(record.selected(0)) & set(CHOSEN)
    first, second = record.selected(0)
    assert f"to label next: 2 images: {first}, {second} (why: " in outcome.out
    assert f"{first}.xml, of the others alike, or: miaod export {run_dir}" in outcome.out
    # It stays so when labels have come, and controls begin with the same images.
    for image_id in record.selected(0):
        shutil.copy(data / "Annotations/000005.xml", data / f"Annotations/{image_id}.xml")
    outcome = miaod(*run_arguments(data, run_dir, **QUICK, cycles=2))
    assert outcome.code == 0 and "begins with" not in outcome.out, outcome.err
    assert set(RunRecord.open(run_dir).labeled(0)) == set(CHOSEN)
    control = open_run(run_dir=run_dir).control("random")
    control.advance(0, ["split"])
    assert set(control.record.labeled(0)) == set(CHOSEN)
    assert control.record.sample(0) == record.sample(0)


def test_what_to_label_is_the_last_word_of_run_and_info(data, tmp_path):
    """How many, where the list is and what to do; every command named works as it stands."""
    run_dir, decided = tmp_path / "run", tmp_path / "decided.jsonl"
    out = miaod(*run_arguments(data, run_dir, **LAST)).out
    *before, listed, how, leaving_out = out.splitlines()
    assert any("VOC12" in line for line in before)  # the table of metrics
    chosen = RunRecord.open(run_dir).selected(0)
    assert listed.startswith(f"to label next: 2 images: {', '.join(chosen)}")
    assert str(run_dir / "cycle0/selection.json") in listed
    described = miaod("info", run_dir).out
    for line in (listed.removeprefix("to label next: "), how, leaving_out):
        assert line.strip() in described
    assert "nothing: all" not in described
    decided.write_text(json.dumps({"id": chosen[0], "action": "skip"}))
    command = leaving_out.partition(" decisions: miaod ")[2].replace("FILE", str(decided))
    assert miaod(*command.split()).code == 0
    chosen = RunRecord.open(run_dir).selected(0)
    for image_id in chosen:
        shutil.copy(data / "Annotations/000005.xml", data / f"Annotations/{image_id}.xml")
    described = miaod("info", run_dir).out
    assert "to label" not in described and "nothing: all 1 cycles" in described
    outcome = miaod(*how.partition("then: miaod ")[2].split())
    assert outcome.code == 0 and RunRecord.open(run_dir).labels(1)["asked"] == []


def test_labels_of_others_are_not_opened(data, tmp_path):
    run = open_run("tiny", data_root=data, run_dir=tmp_path / "run", overrides=SETTINGS | LAST)
    assert set() < set(run.dataset.oracle.opened) <= set(CHOSEN)


def test_a_first_set_is_drawn_where_all_is_labeled(data_root, tmp_path):
    outcome = miaod(*run_arguments(data_root, tmp_path / "all", **LAST))
    assert len(RunRecord.open(tmp_path / "all").labeled(0)) == SETTINGS["initial"]
    assert "to label next" not in outcome.out and "begins with" not in outcome.out


def test_a_drawn_first_set_needs_more_labels_than_it_lacks(data, tmp_path):
    """Seed 3 draws images 2, 3, 5 and 6, of which one has no labels; seed 4 draws 4, 5, 7 and 10,
    of which three have none."""
    run_dir = begin(data, tmp_path / "three", first_labels="drawn", split_seed=3)
    assert RunRecord.open(run_dir).labeled(0) == ["000002", "000003", "000005", "000006"]
    assert labels_of(run_dir)["asked"] == ["000006"] and labels_of(run_dir)["labeled"] == 3
    settings = LAST | {"first_labels": "drawn", "split_seed": 4}
    outcome = miaod(*run_arguments(data, tmp_path / "four", **settings))
    assert outcome.code == 1, outcome.out
    assert "3 of the 4 images drawn first have no usable labels" in outcome.err
    assert "label them (000004, 000007, 000010)" in outcome.err
    assert "first_labels=labeled" in outcome.err and "000004.xml" in outcome.err
    assert not (tmp_path / "four/cycle0/weights.pt").exists()


def begin(data: Path, run_dir: Path, **settings: object) -> Path:
    outcome = miaod(*run_arguments(data, run_dir, **LAST | settings))
    assert outcome.code == 0, outcome.err
    return run_dir


def test_labels_of_what_was_drawn_change_nothing(data_root, tmp_path):
    """Who labels the images that a call without labels names begins with these, as before."""
    drawn = tuple(RunRecord.open(begin(data_root, tmp_path / "all")).labeled(0))
    data = shutil.copytree(data_root, tmp_path / "data")
    keep_labels(data, drawn)
    run_dir = begin(data, tmp_path / "run")
    for name in ("X_L_0.npy", "X_U_0.npy", "fingerprint.txt"):
        assert (run_dir / name).read_bytes() == (tmp_path / "all" / name).read_bytes()


def test_more_than_half_may_be_asked_for(data_root, tmp_path):
    data = shutil.copytree(data_root, tmp_path / "data")
    labeled = tuple(f"{number:06d}" for number in range(1, 9))
    keep_labels(data, labeled)
    run_dir = begin(data, tmp_path / "run", first_labels="labeled")
    assert set(RunRecord.open(run_dir).labeled(0)) == set(labeled)


def test_nothing_to_begin_with_is_said(data, tmp_path):
    keep_labels(data, ())
    settings = LAST | {"first_labels": "labeled"}
    outcome = miaod(*run_arguments(data, tmp_path / "run", **settings))
    assert outcome.code == 1 and "no image has labels to begin with" in outcome.err


def test_coco_annotations_are_labels(data_root, tmp_path):
    root = write_coco(tmp_path / "coco", data_root)
    file = root / "annotations/instances_trainval.json"

    def edit(content: dict) -> None:
        kept = {image["id"] for image in content["images"][:4]}
        content["annotations"] = [a for a in content["annotations"] if a["image_id"] in kept]

    change(root, edit)
    annotated = {a["image_id"] for a in json.loads(file.read_text())["annotations"]}
    run = open_run("tiny", data_root=root, run_dir=tmp_path / "run", overrides=SETTINGS | LAST)
    assert len(run.dataset.first.labeled) == len(annotated)
    run.run()
    first, second = run.to_label()

    def label_one(content: dict) -> None:
        number = next(i["id"] for i in content["images"] if first in i["file_name"])
        content["annotations"].append(content["annotations"][0] | {"id": 999, "image_id": number})

    change(root, label_one)  # a COCO file cannot say that the other one is unlabeled, not empty
    assert open_run(run_dir=run.folder.root).to_label() == []


# ------------------------------------------------------------------------------- what failed before


def test_a_call_that_failed_for_want_of_labels_freezes_nothing(tmp_path):
    """Neither settings nor classes nor images: what is labeled is asked anew."""
    data = write_voc(tmp_path / "VOC2007", num_test=0)
    (data / "ImageSets/Main/test.txt").unlink()
    stored = shutil.copytree(data / "Annotations", tmp_path / "labels")
    keep_labels(data, ("000005",))  # one of the four that are drawn
    run_dir = tmp_path / "run"
    settings = LAST | {"first_labels": "drawn", "holdout": 0}
    outcome = miaod(*run_arguments(data, run_dir, **settings))
    assert outcome.code == 1 and "3 of the 4 images drawn first" in outcome.err
    assert (run_dir / "config.json").is_file()
    for number in (2, 3, 4):
        shutil.copy(stored / f"{number:06d}.xml", data / f"Annotations/{number:06d}.xml")
    (data / "ImageSets/Main/trainval.txt").write_text(
        "".join(f"{number:06d}\n" for number in range(1, 11))
    )
    settings = LAST | {"seed": 5, "holdout": 0, "classes": "disc,square"}
    outcome = miaod(*run_arguments(data, run_dir, **settings))
    assert outcome.code == 0, outcome.err
    record = RunRecord.open(run_dir)
    assert set(record.labeled(0)) == {f"{number:06d}" for number in (2, 3, 4, 5)}
    assert len(record.pool) == 10 and record.config.seed == 5
    assert record.classes == ("disc", "square")
    outcome = miaod(*run_arguments(data, run_dir, **settings | {"seed": 6}))
    assert outcome.code == 1 and "seed: 5 there, 6 now" in outcome.err


def test_first_sets_of_a_call_that_came_to_nothing_are_forgotten(data_root, tmp_path):
    data = shutil.copytree(data_root, tmp_path / "data")
    stored = shutil.copytree(data / "Annotations", tmp_path / "labels")
    keep_labels(data, CHOSEN)
    for image_id in CHOSEN:
        (data / f"Annotations/{image_id}.xml").write_text("<annotation>")
    run_dir = tmp_path / "run"
    outcome = miaod(*run_arguments(data, run_dir, **LAST))
    assert outcome.code == 1 and (run_dir / "imported.json").is_file(), outcome.err
    shutil.copytree(stored, data / "Annotations", dirs_exist_ok=True)
    for folder in (run_dir, tmp_path / "fresh"):
        begin(data, folder)
        assert miaod("run", "--run-dir", folder, "--set", "cycles=2").code == 0
    for name in ("X_L_0.npy", "X_L_1.npy", "X_U_1.npy", "fingerprint.txt"):
        assert (run_dir / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()
    assert not (run_dir / "imported.json").exists()


# ---------------------------------------------------------------------------------- unknown classes


def test_a_class_that_no_label_has_yet_may_be_named(data_root, tmp_path):
    """It turns up with a batch, trains from then on, and is measured where the test images show
    it."""
    data = shutil.copytree(data_root, tmp_path / "data")
    keep_labels(data, CHOSEN)
    run_dir = tmp_path / "run"
    outcome = miaod(*run_arguments(data, run_dir, **LAST, classes="disc,square,crab"))
    assert outcome.code == 0, outcome.err
    assert "no label has these classes yet: crab" in outcome.out
    assert RunRecord.open(run_dir).classes == ("disc", "square", "crab")
    text = (data / f"Annotations/{CHOSEN[0]}.xml").read_text().replace("disc", "crab")
    text = text.replace("square", "crab")
    for image_id in RunRecord.open(run_dir).selected(0):
        (data / f"Annotations/{image_id}.xml").write_text(text)
    outcome = miaod(*run_arguments(data, run_dir, **QUICK, cycles=2, classes="disc,square,crab"))
    assert outcome.code == 0, outcome.err
    record = RunRecord.open(run_dir)
    assert record.labels(0)["boxes"]["crab"] == 0 < record.labels(1)["boxes"]["crab"]
    per_class = record.per_class(1).set_index("class")
    assert list(per_class.index) == ["disc", "square", "crab"]
    assert np.isnan(per_class.loc["crab", VOC12_AP])  # no test object: no AP, and none in the mean
    assert np.isfinite(record.metrics()[VOC12_AP]).all()


# --------------------------------------------------------------------------------- the report


def test_a_report_of_own_data_begins_with_the_images_to_label(data, tmp_path):
    run_dir = begin(data, tmp_path / "run")
    wanted = open_run(run_dir=run_dir).to_label()
    assert wanted == RunRecord.open(run_dir).selected(0)
    report = make_report([run_dir])
    assert report.sections[0].title == "To label next"
    said = as_markdown(Report("", report.sections[:2]))
    assert all(image_id in said for image_id in wanted)
    assert "mAP is measured on the test list (4 images); one image is 25% of them." in said
    answers = [
        Answer(id=wanted[0], objects=(), by="me", source="test", time=time.time()),
    ]
    run = open_run(run_dir=run_dir)
    LabelStore(run.folder).answer(answers, run.dataset.records)
    shutil.copy(data / f"Annotations/{CHOSEN[0]}.xml", data / f"Annotations/{wanted[1]}.xml")
    assert open_run(run_dir=run_dir).to_label() == wanted[2:]
