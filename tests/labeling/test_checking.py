"""The labels of a run against detectors that were not trained on them."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from miaod_nb.boxes import Detections
from miaod_nb.data.records import FaultCounts
from miaod_nb.errors import RunFolderError
from miaod_nb.experiment import open_run
from miaod_nb.labeling import checking
from miaod_nb.labeling.checking import Judge, check_labels, judges_of
from miaod_nb.labeling.doubt_table import COLUMNS, SIDES
from miaod_nb.passes.kept_detections import keep_detections, kept_detections
from miaod_nb.runs.label_store import Answer, AnsweredObject, LabelStore
from tests.experiment.helpers import miaod


@pytest.fixture
def run(reference, tmp_path):
    """Four images to begin with, two chosen by cycle 0 and labeled, two chosen by cycle 1."""
    return open_run(run_dir=shutil.copytree(reference, tmp_path / "run"))


def objects_of(run, image_id):
    """The labels of an image, as the run reads them."""
    return run.dataset.oracle.read([image_id], run.record.classes, FaultCounts())[image_id]


def keep(run, cycle, image_id, objects, shift=0, other_class=False, score=0.9):
    """Keeps what a detector is said to find: these objects, moved or taken for others."""
    labels = 1 - objects.labels if other_class else objects.labels
    scores = np.full(len(labels), score, np.float32)
    boxes = objects.boxes + np.float32(shift)
    keep_detections(run.folder, cycle, {image_id: Detections(boxes, scores, labels)})


def with_objects(run, ids):
    return next(i for i in ids if len(objects_of(run, i)))


def test_the_newest_detector_that_was_not_trained_on_the_labels_is_asked(run):
    record = run.record
    first, second, chosen = record.labeled(0), record.selected(0), record.selected(1)
    found = judges_of(run, [*first, *second, *chosen, *record.test])
    assert {found[i] for i in first} == {Judge(1, seen=True)}
    assert {found[i] for i in second} == {Judge(0, seen=False)}
    assert {found[i] for i in [*chosen, *record.test]} == {Judge(1, seen=False)}


def test_images_held_out_or_labeled_late_were_not_trained_on(run):
    first = run.record.labeled(0)
    run.dataset = replace(run.dataset, held_out=np.array([run.record.pool.index(first[0])]))
    noted = run.record.labels(0)
    run.folder.save_json("cycle0/labels.json", {**noted, "asked": [first[1]]})
    found = judges_of(run, first)
    assert found[first[0]] == Judge(1, seen=False)
    assert found[first[1]] == Judge(0, seen=False)
    assert found[first[2]] == Judge(1, seen=True)


def test_a_row_tells_what_is_doubtful_and_where(run):
    image_id = with_objects(run, run.record.selected(0))
    labeled = objects_of(run, image_id)
    keep(run, 0, image_id, labeled, other_class=True)
    check = check_labels(run, ids=[image_id], only_kept=True)
    assert list(check.table) == list(COLUMNS)
    row = check.table.iloc[0]
    assert (row["image"], row["doubt"], row["score"]) == (image_id, "swapped class", 0.9)
    label, predicted = (
        run.record.classes[one] for one in (labeled.labels[0], 1 - labeled.labels[0])
    )
    assert {row["label"], row["predicted"]} == {label, predicted}
    assert row["what"] == f"labeled {row['label']}, found: {row['predicted']} (0.90)"
    assert (row["detector"], row["seen"]) == (0, False)
    sides = check.table[[f"label_{side}" for side in SIDES]].to_numpy()
    np.testing.assert_allclose(np.sort(sides, 0), np.sort(labeled.boxes, 0), atol=0.01)
    assert (check.images, check.labels, check.confirmed) == (1, len(labeled), 0)
    assert check.summary() == f"{len(labeled)} to look at again: {len(labeled)} swapped class"


def test_each_image_is_judged_alone_and_in_any_order(run):
    ids = [i for i in run.record.labeled(0) if len(objects_of(run, i))]
    for image_id, score in zip(ids, (0.9, 0.9, 0.7, 0.6), strict=False):
        keep(run, 1, image_id, objects_of(run, image_id), other_class=True, score=score)
    whole = check_labels(run, ids=ids, only_kept=True).table
    assert set(whole["image"]) == set(ids) and whole["seen"].all()
    pd.testing.assert_frame_equal(check_labels(run, ids=ids[::-1], only_kept=True).table, whole)
    for image_id in ids:
        alone = check_labels(run, ids=[image_id], only_kept=True).table
        expected = whole[whole["image"] == image_id].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_dtype=False)


def test_labels_that_are_confirmed_are_not_listed(run):
    image_id = with_objects(run, run.record.selected(0))
    labeled = objects_of(run, image_id)
    keep(run, 0, image_id, labeled)
    check = check_labels(run, ids=[image_id], only_kept=True)
    assert len(check.table) == 0 and check.confirmed == len(labeled) == check.labels
    assert check.summary() == "0 to look at again"


def test_what_is_not_kept_is_detected_once_and_kept(run, monkeypatch):
    check = check_labels(run, least=0.0)
    labeled = run.record.labeled(1)
    assert check.images == len(labeled) + len(run.record.test) and not check.unchecked
    assert check.seen == run.record.labeled(0)
    assert "images, and tends to repeat their errors" in "\n".join(check.lines())
    monkeypatch.setattr(checking, "detect_images", None)  # is not called again
    pd.testing.assert_frame_equal(check_labels(run, least=0.0).table, check.table)


def test_labels_of_images_that_were_not_asked_for_stay_closed(run):
    check_labels(run)
    assert set(run.dataset.oracle.opened).isdisjoint(run.record.selected(1))


def test_a_class_that_joined_later_is_counted_and_not_doubted(run):
    image_id, other = run.record.selected(1)
    box = AnsweredObject(name="star", box=(2, 2, 30, 30))
    answers = [Answer(id=i, objects=(box,), by="", source="", time=0.0) for i in (image_id, other)]
    LabelStore(run.folder).answer(answers, run.record.pool)
    keep(run, 1, image_id, objects_of(run, run.record.labeled(0)[0]), score=0.1)
    check = check_labels(run, ids=[image_id, other], only_kept=True)
    assert check.faults.count("label of a class that the detector does not know") == 1
    assert len(check.table) == 0 and check.unchecked == [other]
    assert any("does not know" in line for line in check.lines())


def test_without_a_detector_it_is_said_what_to_do(run):
    for path in run.folder.root.glob("cycle*/weights.pt"):
        path.unlink()
    with pytest.raises(RunFolderError, match="no detector is trained yet"):
        check_labels(run)
    assert checking.imported_lines(run, run.record.labeled(0)) == []


def test_an_import_tells_what_is_doubtful_in_what_came_back(asking):
    root = asking.folder.root
    assert miaod("export", root, "--to", "label-studio").code == 0
    assert set(kept_detections(asking.folder, 0, ())) == set(asking.record.selected(0))
    first, second = asking.record.selected(0)[:2]
    tasks = [{"data": {"image_id": i}, "annotations": [{"result": []}]} for i in (first, second)]
    (root / "back.json").write_text(json.dumps(tasks))
    nothing, box = np.zeros((0, 4), np.float32), np.array([[2, 2, 30, 30]], np.float32)
    keep_detections(asking.folder, 0, {
        first: Detections(box, np.array([0.8], np.float32), np.array([0])),
        second: Detections(nothing, np.zeros(0, np.float32), np.zeros(0, np.int64)),
    })  # fmt: skip
    out = miaod("import", root, root / "back.json").out
    name = asking.record.classes[0]
    assert (f"labels of 2 images compared: 1 to look at again: 1 missed object; first {first}: "
            f"not labeled, found: {name} (0.80)") in out  # fmt: skip
    assert f"to see which may be wrong: miaod review {root} --labels" in out


def test_a_missed_object_that_was_suggested_is_told_from_others(asking):
    image_id, other = asking.record.selected(0)[:2]
    box, name = (2.0, 2.0, 30.0, 30.0), asking.record.classes[0]
    asking.folder.save_json("labels/exported/cycle0.json", {"images": {image_id: [[name, box, 1]]}})
    answers = [Answer(id=i, objects=(), by="", source="", time=0.0) for i in (image_id, other)]
    LabelStore(asking.folder).answer(answers, asking.record.pool)
    found = Detections(np.array([box], np.float32), np.array([0.9], np.float32), np.array([0]))
    keep_detections(asking.folder, 0, {image_id: found, other: found})
    table = check_labels(asking, ids=[image_id, other], only_kept=True).table.set_index("image")
    assert table.loc[other, "what"] == f"not labeled, found: {name} (0.90)"
    assert table.loc[image_id, "what"] == f"not labeled, found: {name} (0.90), which was suggested"


def test_labels_made_without_an_export_are_not_compared_at_once(asking):
    root = asking.folder.root
    task = {"data": {"image_id": asking.record.selected(0)[0]}, "annotations": [{"result": []}]}
    (root / "back.json").write_text(json.dumps([task]))
    out = miaod("import", root, root / "back.json").out
    assert "labels of 1 images not compared with a detector yet" in out and "--labels" in out


def test_the_command_shows_the_list_and_writes_all_of_it(run, tmp_path):
    image_id = with_objects(run, run.record.selected(0))
    keep(run, 0, image_id, objects_of(run, image_id), other_class=True)
    root, out = run.folder.root, tmp_path / "doubts.csv"
    outcome = miaod("review", root, "--labels", "--score", "0.6", "--out", out)
    assert outcome.code == 0, outcome.err
    assert f"  0.90  {image_id}: labeled " in outcome.out
    table = pd.read_csv(out, dtype={"image": str})
    assert list(table) == list(COLUMNS) and set(table["image"]) == {image_id}


@pytest.mark.parametrize(
    "options",
    [["--labels", "--cycle", "0"], ["--labels", "--no-replace"], ["--score", "0.5"],
     ["--out", "doubts.csv"]],
)  # fmt: skip
def test_options_of_the_other_review_are_refused(run, options):
    outcome = miaod("review", run.folder.root, *options)
    assert outcome.code == 1 and "where: labels" in outcome.err
