"""The annotator: what its script is given, what its events write down, and what is handed in."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from miaod_nb import views
from miaod_nb.data.upright import TURNS
from miaod_nb.errors import DecisionError
from miaod_nb.experiment import open_run
from miaod_nb.experiment.beginning import new_run
from miaod_nb.labeling.drawing import drawing_file, drawings_of
from miaod_nb.labeling.exporting import exported_file
from miaod_nb.runs.label_store import LabelStore
from miaod_nb.views.stills import opened

BOX = {"name": "disc", "box": [3.25, 4.5, 30, 21.125], "score": None, "origin": "drawn"}


def stroke(n, image_id, state="done", boxes=(BOX,), note=""):
    return {"n": n, "id": image_id, "state": state, "boxes": list(boxes), "note": note,
            "seconds": 2.5}  # fmt: skip


@pytest.fixture
def run(copied):
    """The run, whose batch comes with a suggested box an image."""
    boxes = [["square", [1.0, 2.0, 20.0, 30.0], 0.7]]
    suggested = dict.fromkeys(copied.record.selected(1), boxes)
    copied.folder.save_json(exported_file(1), {"images": suggested})
    return copied


@pytest.fixture
def view(run):
    made = views.annotator(run)
    assert made.message == ""
    return made


def test_the_batch_is_shown_in_the_order_of_its_ranks(run, view):
    rows = run.record.selection(1)["selected"]
    shown = [(task["rank"], task["id"], task["reason"]) for task in view.tasks]
    assert shown == [(row["rank"], row["id"], row["reason"]) for row in rows]
    assert [one["score"] for task in view.tasks for one in task["suggested"]] == [0.7] * len(rows)
    assert view.classes == list(run.record.classes_of(1)) and view.wanted == rows[0]["id"]


def test_a_change_is_in_the_run_folder_at_once(run, view):
    first, second, _ = (task["id"] for task in view.tasks)
    view.events = [stroke(1, first)]
    kept = json.loads(run.folder.load_text(drawing_file(1)))["images"]
    assert kept[first]["boxes"] == [BOX] and view.saved == 1
    view.events = [stroke(1, first), stroke(2, second, "skip", note="too dark")]
    again = views.annotator(open_run(run_dir=run.folder.root))
    assert again.drawings == view.drawings and again.drawings[second]["note"] == "too dark"
    assert again.wanted == view.tasks[2]["id"]  # it goes on where it was


def test_what_cannot_be_written_waits_and_comes_with_the_next(run, view):
    first, second, _ = (task["id"] for task in view.tasks)
    run.folder.save_text(drawing_file(1), "{")
    view.events = [stroke(1, first)]
    assert view.saved == 0 and "not what the notebook writes" in view.message
    run.folder.delete(drawing_file(1))
    view.events = [stroke(1, first), stroke(2, second, "begun")]
    assert view.saved == 2 and view.message == ""
    assert drawings_of(run.record, 1).keys() == {first, second}


def test_one_picture_is_held_at_a_time(view):
    for task in view.tasks:
        view.wanted = task["id"]
        assert view.picture["id"] == task["id"]
        assert json.dumps(view.get_state(), default=str).count("data:image") == 1
        picture = opened(view.picture["source"])
        assert [picture.height, picture.width] == task["size"]


def test_an_image_that_was_deleted_is_said(run, view):
    image_id = view.tasks[1]["id"]
    run.dataset.records[image_id].image_path.rename(run.folder.root / "elsewhere")
    view.wanted = image_id
    (run.folder.root / "elsewhere").rename(run.dataset.records[image_id].image_path)
    assert view.picture["source"] == "" and "what to do" in view.picture["fault"]


def test_handing_in_tells_what_came_of_it(run, view):
    first, second, _ = (task["id"] for task in view.tasks)
    view.events = [stroke(1, first), stroke(2, second, "begun")]
    view.handing = 1
    assert view.handed == 1 and view.message == ""
    text = "\n".join(view.result)
    assert "1 images labeled (0 of them show nothing)" in text
    assert "0 accepted, 0 moved, 0 renamed, 1 deleted, 1 added" in text
    assert "1 x begun and not done" in text and "2 images" in text and "still to label" in text
    assert "--undo" in text and "--set cycles=3" in text
    assert LabelStore(run.folder).answers().keys() == {first}
    assert view.hand_in().name == "" and view.result[0] == "Nothing new was handed in"
    assert [task["id"] for task in views.annotator(run).tasks] == run.record.selected(1)[1:]


def test_nothing_is_handed_in_where_nothing_was_drawn(run, view):
    view.handing = 1
    assert view.handed == 1 and "cannot be read" in view.message
    assert not run.folder.exists("labels/answers.jsonl")


def test_what_cannot_be_opened_is_said_and_cannot_be_handed_in(run):
    run.folder.save_text(drawing_file(1), "{")
    view = views.annotator(run)
    assert "not what the notebook writes" in view.message and view.tasks == []
    with pytest.raises(DecisionError, match="no batch here"):
        view.hand_in()
    assert "cycle 7" in views.annotator(run, 7).message


def test_looking_writes_nothing_but_what_the_detector_finds(copied):
    before = {*copied.folder.root.rglob("*")}
    view = views.annotator(copied)
    assert view.message == "" and view.tasks
    new = {path.name for path in {*copied.folder.root.rglob("*")} - before}
    assert new <= {"detections_asked.npz"}


def test_a_batch_that_is_trained_on_is_closed(run):
    assert "Cycle 1 has begun with the batch of cycle 0" in views.annotator(run, 0).closed


def test_images_to_begin_with_are_upright(tmp_path, monkeypatch):
    """Before there is a class, a detector or a cycle; photos turned by their EXIF entry."""
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :32] = 255  # white in the upper left corner, as people see it
    for number in range(10):
        orientation = number % 8 + 1
        picture, exif = Image.fromarray(pixels), Image.Exif()
        exif[0x0112] = orientation
        if orientation > 1:
            picture = picture.transpose(TURNS[{6: 8, 8: 6}.get(orientation, orientation)])
        picture.save(photos / f"{number}.png", exif=exif)
    run = new_run("mine", photos, None, "tiny", {"initial": 8, "budget": 2, "holdout": 0})
    view = views.annotator(run)
    assert view.message == "" and view.heading == "The first batch, mine" and view.classes == []
    assert len(view.tasks) == 8
    for task in view.tasks:
        assert task["size"] == [48, 64] and task["suggested"] == []
        view.wanted = task["id"]
        content = base64.b64decode(view.picture["source"].partition(",")[2])
        shown = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
        assert shown.shape == (48, 64) and shown[:20, :28].min() > 200 > 60 > shown[28:].max()
    view.events = [stroke(n, task["id"]) for n, task in enumerate(view.tasks, 1)]
    result = view.hand_in()
    assert len(result.labeled) == len(view.tasks) and list(result.new_classes) == ["disc"]
