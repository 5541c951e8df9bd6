"""Labels come back: merged, compared, counted, taken back, and trained on by the next cycle."""

import json

import numpy as np
import pytest

from miaod_nb.boxes import Detections
from miaod_nb.errors import DataError, RunFolderError
from miaod_nb.experiment import open_run
from miaod_nb.labeling import exporting, importing
from miaod_nb.labeling.agreement import Agreement
from miaod_nb.labeling.importing import format_of, import_labels
from miaod_nb.labeling.imports import undo_import
from miaod_nb.runs.label_store import LabelStore
from tests.experiment.helpers import miaod


def export(run):
    """The tasks that a person gets: [(id, task)], with a box for each of the first three."""
    out = run.folder.root / "out"
    exporting.export_batch(run, exporting.tool_of("label-studio"), 0, {"": 0.0}, out)
    return [
        (task["data"]["image_id"], task) for task in json.loads((out / "tasks.json").read_text())
    ]


def suggested_by(task):
    return [region for one in task.get("predictions", ()) for region in one["result"]]


def region(x, y, width, height, name="disc", **more):
    value = {"x": x, "y": y, "width": width, "height": height, "rectanglelabels": [name]}
    return {"type": "rectanglelabels", "value": value, **more}


def annotation(*regions, **more):
    return {"result": list(regions), "was_cancelled": False, "completed_by": 7, "lead_time": 9.5,
            "updated_at": "2026-11-28T06:00:00Z", **more}  # fmt: skip


def give_back(run, tasks, name="back.json"):
    path = run.folder.root / name
    path.write_text(json.dumps(tasks))
    return path


def bring_in(run, path, **how):
    return import_labels(run, path, format_of(path), 0, **how)


@pytest.fixture
def worked_on(asking):
    """Six images: boxes, empty, skipped, untouched, a draft, and one that does not come back."""
    tasks = export(asking)
    assert len(tasks) == 6
    boxes, empty, skipped, untouched, draft = (task for _, task in tasks[:5])
    boxes["annotations"] = [annotation(region(10, 20, 50, 25, origin="manual"))]
    empty["annotations"] = [annotation()]
    skipped["annotations"] = [annotation(region(0, 0, 50, 50), was_cancelled=True)]
    untouched["annotations"] = []
    draft["annotations"], draft["drafts"] = [], [{"result": []}]
    back = give_back(asking, [boxes, empty, skipped, untouched, draft])
    return asking, [image_id for image_id, _ in tasks], back


def test_every_state_comes_back_as_what_it_is(worked_on):
    run, (boxes, empty, skipped, untouched, draft, absent), path = worked_on
    result = bring_in(run, path)
    assert (result.labeled, result.empty, result.skipped) == ([boxes, empty], [empty], [skipped])
    assert result.untouched == [untouched, draft]
    assert result.missing == [untouched, draft, absent]
    assert result.faults.count("begun and not submitted (draft)") == 1
    assert result.seconds == 9.5
    answers = LabelStore(run.folder).answers()
    width, height = run.image(boxes).width, run.image(boxes).height
    (found,) = answers[boxes].objects
    assert found.name == "disc"
    drawn = (0.1 * width, 0.2 * height, 0.6 * width, 0.45 * height)
    as_others = (*drawn[:2], drawn[2] - 1, drawn[3] - 1)  # the first labels are VOC's own
    assert found.box == pytest.approx(as_others)
    assert (answers[boxes].by, answers[boxes].seconds) == ("7", 9.5)
    assert answers[empty].objects == ()
    assert skipped not in run.record.selected(0) and len(run.record.selected(0)) == 5


def test_the_next_cycle_trains_on_what_came_back(worked_on):
    run, (boxes, empty, *_), path = worked_on
    assert miaod("import", run.folder.root, path).code == 0
    outcome = miaod("run", "--run-dir", run.folder.root, "--set", "cycles=2")
    assert outcome.code == 0, outcome.err
    labels = json.loads((run.folder.root / "cycle1/labels.json").read_text())
    before = run.record.labels(0)
    assert labels["labeled"] == before["labeled"] + 2
    assert labels["empty"] == before["empty"] + 1
    assert {boxes, empty} < set(open_run(run_dir=run.folder.root).record.labeled(1))


BOXES = [(5.0, 6.0, 24.0, 39.0), (30.3, 20.7, 39.3, 29.7)]  # as the run has them


@pytest.mark.parametrize("pixels_from", [1, 0])
def test_boxes_stay_where_they_are_however_often_they_go_out_and_come_back(
    asking, monkeypatch, pixels_from
):
    """VOC's own annotations are read a pixel short. Boxes that a detector learned of them go out
    as people see the objects, 6 7 25 40 as [5, 6, 25, 40], and come back short."""
    if pixels_from == 0:  # then nothing is short
        monkeypatch.setattr(type(asking.dataset.oracle), "pixels_short", lambda *_: 0)
    out = asking.folder.root / "out"
    boxes = BOXES
    for _ in range(5):
        found = Detections(np.float32(boxes), np.float32([0.9, 0.8]), np.int64([0, 0]))
        with monkeypatch.context() as patch:
            patch.setattr(exporting, "detect_images", lambda _, images, *__, f=found: {
                image.id: f for image in images})  # fmt: skip
            exporting.export_batch(asking, exporting.tool_of("label-studio"), 0, {}, out)
        (task, *_) = json.loads((out / "tasks.json").read_text())
        shown = task["predictions"][0]["result"]
        size = shown[0]["original_width"], shown[0]["original_height"]
        value = shown[0]["value"]
        assert (value["width"] * size[0] / 100, value["height"] * size[1] / 100) == pytest.approx(
            (19 + pixels_from, 33 + pixels_from)
        )
        task["annotations"] = [annotation(*shown)]
        result = bring_in(asking, give_back(asking, [task]))
        assert result.agreement == Agreement(accepted=2)
        kept = LabelStore(asking.folder).answers()[task["data"]["image_id"]]
        boxes = [one.box for one in kept.objects]
        np.testing.assert_allclose(boxes, BOXES, atol=1e-4)
        undo_import(asking)  # the image goes out again


def test_the_same_file_again_brings_nothing(worked_on):
    run, _, path = worked_on
    first = bring_in(run, path)
    lines = (run.folder.root / "labels/answers.jsonl").read_text()
    again = bring_in(run, path)
    assert first.name and again.name == "" and again.replaced == []
    assert (run.folder.root / "labels/answers.jsonl").read_text() == lines
    events = [json.loads(line) for line in run.folder.load_text("ledger.jsonl").splitlines()]
    assert [event["event"] for event in events] == ["exported", "imported"]
    assert events[1]["import"] == first.name


def test_an_import_that_was_cut_off_is_completed_by_the_same_file(worked_on, monkeypatch):
    run, (boxes, empty, *_), path = worked_on

    def cut(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LabelStore, "answer", cut)
        bring_in(run, path)
    assert bring_in(run, path).labeled == [boxes, empty]
    events = run.folder.load_text("ledger.jsonl")
    assert events.count('"imported"') == 1


@pytest.mark.parametrize("place", ["decide_all", "apply_decisions"])
def test_an_image_skipped_in_an_import_that_was_cut_off_leaves_the_batch(
    worked_on, monkeypatch, place
):
    run, (boxes, empty, skipped, *_), path = worked_on

    def cut(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(importing, place, cut)
        bring_in(run, path)
    assert skipped in run.record.selected(0)
    again = bring_in(run, path)
    assert again.skipped == [skipped] and skipped not in run.record.selected(0)


def test_undo_brings_back_what_was_answered_before(worked_on):
    run, (boxes, empty, skipped, *_), path = worked_on
    first = bring_in(run, path)
    task = {"data": {"image_id": boxes}, "annotations": [annotation(region(1, 1, 9, 9))]}
    second = bring_in(run, give_back(run, [task], "second.json"))
    assert second.replaced == [boxes]
    now = LabelStore(run.folder).answers()[boxes]
    assert undo_import(run) == (second.name, [boxes], [], "")
    assert LabelStore(run.folder).answers()[boxes] != now
    assert undo_import(run, first.name) == (first.name, [boxes, empty], [skipped], "")
    assert skipped in run.record.selected(0) and len(run.record.selected(0)) == 6
    assert LabelStore(run.folder).answers() == {}
    with pytest.raises(DataError, match="no import to take back"):
        undo_import(run)
    assert bring_in(run, path).name == first.name  # and it can come again


def test_suggestions_are_compared_with_what_came_back(asking):
    tasks = export(asking)
    for _, task in tasks:
        accepted = [{**one, "origin": "prediction"} for one in suggested_by(task)]
        task["annotations"] = [annotation(*accepted)]
    result = bring_in(asking, give_back(asking, [task for _, task in tasks]))
    boxes = sum(len(suggested_by(task)) for _, task in tasks)
    assert boxes > 0 and result.agreement == Agreement(accepted=boxes)


@pytest.mark.parametrize("how", ["accepted in bulk", "looked at"])
def test_boxes_that_nobody_looked_at_are_no_agreement(asking, how):
    tasks = export(asking)
    for _, task in tasks:
        done = {"lead_time": None} if how == "accepted in bulk" else {}
        task["annotations"] = [annotation(*suggested_by(task), **done)]
    result = bring_in(asking, give_back(asking, [task for _, task in tasks]))
    with_boxes = [i for i, task in tasks if suggested_by(task)]
    if how == "looked at":
        assert not result.in_bulk and result.agreement.accepted
    else:
        assert set(result.in_bulk) == set(with_boxes) and not result.agreement.suggested


def test_another_spelling_of_a_class_is_refused_or_renamed(asking):
    image_id = asking.record.selected(0)[0]
    task = {"data": {"image_id": image_id}, "annotations": [annotation(region(9, 9, 9, 9, "Disc"))]}
    path = give_back(asking, [task])
    with pytest.raises(DataError, match="'Disc' is another spelling of the class 'disc'") as error:
        bring_in(asking, path)
    assert "--rename 'Disc=disc'" in str(error.value)
    assert not asking.folder.exists("labels/answers.jsonl")
    assert bring_in(asking, path, rename={"Disc": "disc"}).new_classes == []
    assert LabelStore(asking.folder).answers()[image_id].objects[0].name == "disc"


def test_a_new_class_is_said(asking):
    image_id = asking.record.selected(0)[0]
    task = {"data": {"image_id": image_id}, "annotations": [annotation(region(9, 9, 9, 9, "crab"))]}
    assert bring_in(asking, give_back(asking, [task])).new_classes == ["crab"]


def test_images_of_others_are_counted(asking):
    record = asking.record
    other = next(i for i in record.pool if i not in {*record.selected(0), *record.labeled(0)})
    tasks = [
        {"data": {"image_id": name}, "annotations": [annotation()]}
        for name in (other, "nobody", record.test[0])
    ]
    result = bring_in(asking, give_back(asking, tasks))
    assert result.labeled == [other]
    assert result.faults.count("image unknown to this run") == 2
    assert result.faults.count("labeled, but not asked for: used once a cycle chooses it") == 1


@pytest.mark.parametrize("whose", ["its own", "another"])
def test_labels_of_another_run_are_said(asking, whose):
    (_, task), *_ = export(asking)
    task["annotations"] = [annotation(region(9, 9, 9, 9))]
    if whose == "another":
        task["data"]["run"] = "0123"
    result = bring_in(asking, give_back(asking, [task]))
    said = result.faults.count("exported by another run: used for the image of that id")
    assert (len(result.labeled), said) == (1, int(whose == "another"))


def test_an_image_that_comes_twice_has_its_newest_labels(asking):
    image_id = asking.record.selected(0)[0]
    tasks = [
        {"data": {"image_id": image_id},
         "annotations": [annotation(region(x, 9, 9, 9), updated_at=f"2026-11-2{day}T06:00:00Z")]}
        for x, day in ((1, 3), (2, 7), (3, 5))
    ]  # fmt: skip
    result = bring_in(asking, give_back(asking, tasks))
    width = asking.image(image_id).width
    (found,) = LabelStore(asking.folder).answers()[image_id].objects
    assert found.box[0] == pytest.approx(0.02 * width)
    assert result.faults.count("image returned more than once: the newest labels count") == 2


def test_what_was_skipped_too_late_stays(worked_on):
    run, (boxes, empty, skipped, *others), path = worked_on
    tasks = json.loads(path.read_text())
    assert miaod("import", run.folder.root, give_back(run, tasks[:2], "some.json")).code == 0
    assert miaod("run", "--run-dir", run.folder.root, "--set", "cycles=2").code == 0
    later = open_run(run_dir=run.folder.root)
    result = import_labels(later, path, format_of(path), 0)
    assert result.skipped == [] and result.name == ""
    assert any("skipped too late" in line for line in result.faults.lines())


def test_another_process_at_work_is_named(worked_on):
    run, _, path = worked_on
    with run.folder.lock(), pytest.raises(RunFolderError, match="in use by process"):
        import_labels(open_run(run_dir=run.folder.root), path, format_of(path), 0)
    assert not run.folder.exists("labels/answers.jsonl")


def test_a_file_of_no_format_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(DataError, match="not recognized"):
        format_of(path)
    with pytest.raises(DataError, match="no such file"):
        format_of(tmp_path / "gone.json")


def test_an_import_of_skipped_images_alone_is_taken_back_too(asking):
    (first, task), (second, other), *_ = export(asking)
    for one in (task, other):
        one["annotations"] = [annotation(was_cancelled=True)]
    result = bring_in(asking, give_back(asking, [task, other]))
    assert result.name and result.skipped == [first, second]
    assert not {first, second} & {*asking.record.selected(0)}
    again = bring_in(asking, give_back(asking, [task, other]))
    assert again.name == "" and again.skipped == [first, second]
    outcome = miaod("import", asking.folder.root, "--undo")
    assert f"import {result.name} is taken back: 0 images labeled, 2 skipped" in outcome.out
    assert asking.record.selected(0)[:2] == [first, second]
    with pytest.raises(DataError, match="no import to take back"):
        undo_import(asking)


def test_what_was_skipped_stays_so_once_the_next_cycle_has_begun(worked_on):
    run, (_, _, skipped, *_), path = worked_on
    bring_in(run, path)
    assert miaod("run", "--run-dir", run.folder.root, "--set", "cycles=2").code == 0
    before = run.record.selected(0)
    undone = undo_import(open_run(run_dir=run.folder.root))
    assert undone.labeled and undone.skipped == [] and "cycle 1 has begun" in undone.why_closed
    assert run.record.selected(0) == before and skipped not in before
