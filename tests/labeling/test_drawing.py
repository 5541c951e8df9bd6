"""What people draw in the notebook: kept at once, handed in as a label tool's file, taken back."""

import json

import pytest

from miaod_nb.errors import DataError, DecisionError, MiaodError
from miaod_nb.experiment import open_run
from miaod_nb.labeling import drawing
from miaod_nb.labeling.agreement import Agreement
from miaod_nb.labeling.drawing import (
    batch_to_draw,
    drawing_file,
    drawings_of,
    hand_in,
    keep_drawings,
)
from miaod_nb.labeling.exporting import export_batch, exported_file, suggested, tool_of
from miaod_nb.labeling.importing import format_of
from miaod_nb.labeling.imports import undo_import
from miaod_nb.labeling.ingest import notebook
from miaod_nb.labeling.ingest.notebook import Drawing, Drawings
from miaod_nb.runs.label_store import LabelStore
from miaod_nb.selection.decisions import decisions_of
from tests.experiment.helpers import miaod
from tests.labeling.batches import bring_back, error_of
from tests.labeling.batches import make_batch as photos_of

BOX = (3.25, 4.5, 30.0, 21.125)


def made(state, *boxes, note="", seconds=4.0):
    """What the view tells of an image; boxes: (name, sides, score)."""
    return {
        "state": state, "note": note, "seconds": seconds,
        "boxes": [{"name": name, "box": box, "score": score,
                   "origin": "drawn" if score is None else "accepted"}
                  for name, box, score in boxes],
    }  # fmt: skip


@pytest.fixture
def batch(asking):
    """Six images, two boxes suggested for each."""
    ids = asking.record.selected(0)
    boxes = [["disc", BOX, 0.9], ["square", (1.0, 1.0, 20.0, 20.0), 0.4]]
    asking.folder.save_json(exported_file(0), {"images": dict.fromkeys(ids, boxes)})
    found, left_out = batch_to_draw(asking, 0)
    assert [task.id for task in found.tasks] == ids and left_out == []
    return found


def test_every_state_is_handed_in_as_what_it_is(asking, batch):
    done, empty, skipped, begun, waits, absent = (task.id for task in batch.tasks)
    keep_drawings(asking, batch, {
        done: made("done", ("disc", BOX, 0.9), ("owl", (2, 2, 9, 9), None)),
        empty: made("done"),
        skipped: made("skip", ("disc", BOX, 0.9), note="too dark"),
        begun: made("begun", ("disc", (5, 5, 9, 9), None)),
        waits: made("waits", ("disc", BOX, 0.9)),
    })  # fmt: skip
    result = hand_in(asking, 0)
    assert (result.labeled, result.empty, result.skipped) == ([done, empty], [empty], [skipped])
    assert result.untouched == [begun, waits] and result.missing == [begun, waits, absent]
    assert result.faults.count("begun and not done") == 1
    assert result.agreement == Agreement(accepted=1, deleted=3, added=1)
    assert result.new_classes == ["owl"] and result.seconds == 4
    answers = LabelStore(asking.folder).answers()
    boxes = [(one.name, one.box) for one in answers[done].objects]
    short = (*BOX[:2], BOX[2] - 1, BOX[3] - 1)  # as the run's labels, which are VOC's own
    assert boxes == [("disc", short), ("owl", (2, 2, 8, 8))]
    assert answers[done].source == "notebook" and answers.keys() == {done, empty}
    (decision,) = decisions_of(asking.record, 0)
    assert (decision.id, decision.action, decision.note) == (skipped, "skip", "too dark")
    assert hand_in(asking, 0).name == ""  # nothing new


def test_what_was_handed_in_is_not_asked_again_unless_it_is_taken_back(asking, batch):
    first, *others = (task.id for task in batch.tasks)
    keep_drawings(asking, batch, {first: made("done", ("disc", BOX, None))})
    name = hand_in(asking, 0).name
    again, left_out = batch_to_draw(asking, 0)
    assert [task.id for task in again.tasks] == others
    assert left_out == [f"1 x image labeled already ({first})"]
    assert undo_import(asking)[:2] == (name, [first])
    assert [task.id for task in batch_to_draw(asking, 0)[0].tasks] == [first, *others]
    assert drawings_of(asking.record, 0)[first].boxes[0].box == BOX  # as it was drawn


def test_a_change_leaves_what_was_made_of_other_images(asking, batch):
    """Also what another notebook on the same run made of them meanwhile."""
    first, second, *_ = (task.id for task in batch.tasks)
    keep_drawings(asking, batch, {first: made("done")})
    keep_drawings(open_run(run_dir=asking.folder.root), batch, {second: made("begun")})
    keep_drawings(asking, batch, {first: made("skip")})
    states = {i: one.state for i, one in drawings_of(asking.record, 0).items()}
    assert states == {first: "skip", second: "begun"}


def test_the_detector_suggests_what_no_export_has(asking):
    """With the first change the run notes it, so that a hand-in is compared with it."""
    asked, _ = batch_to_draw(asking, 0)
    assert not asking.folder.exists(exported_file(0))
    keep_drawings(asking, asked, {asked.tasks[0].id: made("begun")})
    noted = suggested(asking.folder, 0)
    assert noted == {task.id: list(task.suggestions) for task in asked.tasks}
    (event,) = map(json.loads, asking.folder.load_text("ledger.jsonl").splitlines())
    assert (event["event"], event["tool"]) == ("exported", "notebook")


def test_what_was_suggested_by_an_export_is_suggested_here(asking):
    out = asking.folder.root / "out"
    exported, _ = export_batch(asking, tool_of("coco"), 0, {"": 0.0}, out)
    assert any(task.suggestions for task in exported.tasks)
    here, _ = batch_to_draw(asking, 0)
    assert [(task.id, [*task.suggestions]) for task in here.tasks] == [
        (task.id, [*task.suggestions]) for task in exported.tasks
    ]


def test_a_large_batch_comes_in_parts(asking, batch, monkeypatch):
    monkeypatch.setattr(drawing, "MOST", 4)
    ids = [task.id for task in batch.tasks]
    part, left_out = batch_to_draw(asking, 0)
    assert [task.id for task in part.tasks] == ids[:4]
    assert left_out == [
        f"2 x image beyond the first 4: it comes when these are labeled ({ids[4]}, {ids[5]})"
    ]


def test_the_file_is_recognized_as_that_of_a_label_tool(asking, batch):
    first = batch.tasks[0].id
    keep_drawings(asking, batch, {first: made("done", ("disc", BOX, None))})
    path = asking.folder.path(drawing_file(0))
    assert format_of(path) is notebook.FORMAT
    outcome = miaod("import", asking.folder.root, path)
    assert outcome.code == 0 and "1 images labeled" in outcome.out


def test_all_names_boxes_and_turned_photos_come_back_as_they_were(tmp_path):
    """Those that the tests of label tools use: as the view writes them, nothing moves."""
    photos = photos_of(tmp_path)
    images = {
        task.id: Drawing(**made("done", *((n, b, s) for n, b, s in task.suggestions)), time=1.0)
        for task in photos.tasks
    }
    path = tmp_path / "drawn.json"
    whole = Drawings(tool="miaod-notebook", run=photos.fingerprint, cycle=0, images=images)
    path.write_text(whole.model_dump_json(indent=1), encoding="utf-8")
    states, boxes, counts = bring_back(path, photos)
    assert set(states.values()) == {"labeled"} and counts == {} and error_of(boxes, photos) == 0


def test_it_is_too_late_once_the_next_cycle_has_begun(asking, batch):
    keep_drawings(asking, batch, {task.id: made("done") for task in batch.tasks})
    hand_in(asking, 0)
    outcome = miaod("run", "--run-dir", asking.folder.root, "--set", "cycles=2")
    assert outcome.code == 0, outcome.err
    with pytest.raises(DecisionError, match="Cycle 1 has begun with the batch of cycle 0"):
        hand_in(open_run(run_dir=asking.folder.root), 0)


@pytest.mark.parametrize("text", ["", "{", '{"tool": "miaod-notebook"}', "[1]"])
def test_a_damaged_file_is_named_and_stays(asking, batch, text):
    asking.folder.save_text(drawing_file(0), text)
    with pytest.raises(DataError, match="not what the notebook writes"):
        keep_drawings(asking, batch, {batch.tasks[0].id: made("done")})
    assert asking.folder.load_text(drawing_file(0)) == text
    with pytest.raises(MiaodError):
        hand_in(asking, 0)
