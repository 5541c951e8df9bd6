"""Label Studio's JSON: what becomes of each region and each annotation, and of anything else."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.errors import DataError
from miaod_nb.labeling.exchange import Returned
from miaod_nb.labeling.ingest.label_studio import fits, read
from miaod_nb.labeling.names import Images

SIZE = (320, 240)
IMAGES = Images({"a": ImageRecord("a", "s", Path("a.jpg"), *SIZE)})
NOON, LATER = "2026-11-28T12:00:00.500000Z", "2026-11-28T13:00:00Z"


def region(x: Any = 10, y: Any = 20, width: Any = 30, height: Any = 40, **more: Any) -> dict:
    """A rectangle of 96 x 96 pixels at (32, 48) that is labeled "cat", unless told otherwise."""
    value = {"x": x, "y": y, "width": width, "height": height, "rectanglelabels": ["cat"]}
    return {"id": "r", "type": "rectanglelabels", "value": value | more.pop("value", {}), **more}


def apart(kind: str, *labels: str) -> dict:
    """Labels of the rectangle of that id."""
    return {"id": "r", "type": kind, "value": {kind: list(labels)}}


PLAIN = region(type="rectangle", value={"rectanglelabels": None})


def annotation(*regions: Any, **more: Any) -> dict:
    return {"result": list(regions), "lead_time": 2.5, "updated_at": NOON, "completed_by": 7,
            "was_cancelled": False, **more}  # fmt: skip


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """Reads a file with this text: what became of its tasks, and what was counted."""
    path = tmp_path_factory.mktemp("back") / "back.json"

    def read_text(text: str | bytes) -> tuple[list[Returned], list[str]]:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        faults = FaultCounts()
        return read(path, IMAGES, faults), [*faults.as_dict()]

    return read_text


@pytest.fixture
def outcome(reading):
    """Reads a task with these annotations."""

    def read_task(*annotations: Any, **task: Any) -> tuple[Returned, list[str]]:
        task = {"data": {"image_id": "a"}, "annotations": list(annotations), **task}
        (found,), counted = reading(json.dumps([task]))
        return found, counted

    return read_task


@pytest.mark.parametrize(
    ("regions", "boxes", "reason"),
    [
        ([region()], [("cat", 32, 48, 128, 144)], None),
        ([PLAIN, apart("labels", "cat")], [("cat", 32, 48, 128, 144)], None),
        ([apart("choices", "cat"), PLAIN], [("cat", 32, 48, 128, 144)], None),
        ([PLAIN, apart("labels", "cat"), apart("choices", "blurred")],
         [("cat", 32, 48, 128, 144)], None),
        ([PLAIN], [], "rectangle without a label, or with several: left out"),
        ([region(value={"rectanglelabels": ["cat", "dog"]})], [],
         "rectangle without a label, or with several: left out"),
        ([region(value={"rectanglelabels": [" "]})], [],
         "rectangle without a label, or with several: left out"),
        # a quarter turn about the upper left corner, in pixels: 80 wide becomes 80 high
        ([region(50, 50, 25, 12.5, value={"rotation": 90})], [("cat", 130, 120, 160, 200)],
         "rotated rectangle: the upright box around it is taken"),
        ([region(90, -5, 20, 30)], [("cat", 288, 0, 320, 60)],
         "rectangle over the edge of the image: clipped"),
        ([region(0, 0, 100.00001, 100)], [("cat", 0, 0, 320, 240)], None),
        ([region(120)], [], "rectangle without area, or outside the image: left out"),
        ([region(width=0)], [], "rectangle without area, or outside the image: left out"),
        ([region(width="9")], [], "rectangle without numbers: left out"),
        ([region(width=10**400)], [], "rectangle without numbers: left out"),
        ([region(math.nan)], [], "rectangle without numbers: left out"),
        ([region(value={"rotation": "a bit"})], [], "rectangle without numbers: left out"),
        ([region(), {"type": "polygonlabels", "value": {"polygonlabels": ["cat"]}}],
         [("cat", 32, 48, 128, 144)], "region that is no rectangle (polygonlabels): left out"),
        ([apart("choices", "blurred")], [], "region that is no rectangle (choices): left out"),
    ],
)  # fmt: skip
def test_regions(outcome, regions, boxes, reason):
    found, counted = outcome(annotation(*regions))
    assert [(box.name, *box.box) for box in found.boxes] == [
        (name, *map(pytest.approx, sides)) for name, *sides in boxes
    ]
    assert counted == ([reason] if reason else [])
    # what was left out is no sign that nothing is there
    assert found.state == ("labeled" if boxes else "untouched")


def test_what_a_person_did_with_a_box_is_kept(outcome):
    origins = {"prediction": "accepted", "prediction-changed": "changed", "manual": "drawn"}
    found, _ = outcome(annotation(*(region(origin=one) for one in origins)))
    assert [box.origin for box in found.boxes] == [*origins.values()]


def test_a_size_that_the_editor_tells_is_the_scale(outcome):
    found, _ = outcome(annotation(region(original_width=640, original_height=480)))
    assert found.size == (640, 480) and found.boxes[0].box == pytest.approx((64, 96, 256, 288))


def test_who_when_and_how_long(outcome):
    found, _ = outcome(annotation(region()))
    assert (found.by, found.seconds, found.time) == ("7", 2.5, 1795867200.5)
    found, _ = outcome(annotation(region(), completed_by={"id": 7, "email": "me@example.org"}))
    assert found.by == "me@example.org"


SKIPPED = annotation(region(), was_cancelled=True)


@pytest.mark.parametrize(
    ("annotations", "state", "reason"),
    [
        ([annotation()], "labeled", None),
        ([SKIPPED], "skipped", None),
        ([SKIPPED, annotation(region())], "labeled",
         "skipped, but annotated too: the annotation counts"),
        ([], "untouched", None),
    ],
)  # fmt: skip
def test_states(outcome, annotations, state, reason):
    found, counted = outcome(*annotations)
    assert (found.state, counted) == (state, [reason] if reason else [])


def test_a_draft_is_no_answer(outcome):
    found, counted = outcome(drafts=[{"result": [region()]}])
    assert (found.state, counted) == ("untouched", ["begun and not submitted (draft)"])


def test_of_two_annotations_the_newest_counts_or_the_ground_truth(outcome):
    old, new = annotation(region(10)), annotation(region(50), updated_at=LATER)
    for pair, left in (((old, new), 160), ((new, old), 160),
                       (({**old, "ground_truth": True}, new), 32)):  # fmt: skip
        found, (reason,) = outcome(*pair)
        assert [box.box[0] for box in found.boxes] == pytest.approx([left])
        assert reason == "annotated more than once: the ground truth, else the newest, counts"


@pytest.mark.parametrize("regions", [[region()], []], ids=["boxes", "nothing"])
def test_what_a_command_accepted_nobody_has_looked_at(outcome, regions):
    assert outcome(annotation(*regions, lead_time=None))[0].in_bulk
    assert not outcome(annotation(*regions))[0].in_bulk
    drawn = [region(origin="manual")]
    assert not outcome(annotation(*drawn, lead_time=None))[0].in_bulk


@pytest.mark.parametrize(
    ("data", "name", "run"),
    [
        ({"image_id": "a", "image": "b.jpg", "run": "f"}, "a", "f"),
        ({"image": "/data/upload/1/0badcafe-b.jpg"}, "/data/upload/1/0badcafe-b.jpg", ""),
        ({"image_id": 7}, "7", ""),
        ({}, "task 3", ""),
    ],
)
def test_names(outcome, data, name, run):
    found, _ = outcome(data=data, id=3)
    assert (found.name, found.run) == (name, run)


def test_a_first_task_with_many_boxes_is_recognized(tmp_path):
    path = tmp_path / "back.json"
    path.write_bytes(json.dumps([
        {"id": 1, "annotations": [annotation(*[region()] * 1000)], "data": {"image": "a.jpg"}}
    ]).encode("utf-8-sig"))  # fmt: skip
    assert fits(path)
    assert len(read(path, IMAGES, FaultCounts())[0].boxes) == 1000


# --------------------------------------------------------------------------- whatever a file holds

WHOLE = [{
    "id": 1, "data": {"image_id": "a", "image": "a.jpg", "run": "f"}, "drafts": [],
    "annotations": [annotation(
        region(origin="manual", original_width=640, original_height=480, value={"rotation": 5}),
        {"id": "q", "type": "rectangle", "value": {"x": 1, "y": 2, "width": 3, "height": 4}},
        {"id": "q", "type": "labels", "value": {"labels": ["dog"]}},
    )],
}]  # fmt: skip
ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9),
        st.sampled_from([10**400, -1, 1e308, "\ud800", "\0", NOON, "labels", "http://["]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)  # fmt: skip
FUZZ = settings(max_examples=2000, deadline=None, derandomize=True, database=None)


def paths_of(value: Any, path: tuple = ()) -> list[tuple]:
    """Where the parts of a value are, the whole first."""
    inner = value.items() if isinstance(value, dict) else []
    inner = enumerate(value) if isinstance(value, list) else inner
    return [path, *(found for key, one in inner for found in paths_of(one, (*path, key)))]


def exchanged(value: Any, path: tuple, other: Any) -> Any:
    """The value with something else at a place."""
    if not path:
        return other
    value, (key, *rest) = value.copy(), path
    value[key] = exchanged(value[key], tuple(rest), other)
    return value


@pytest.mark.slow
@FUZZ
@given(st.lists(st.tuples(st.sampled_from(paths_of(WHOLE)), ANYTHING), max_size=3))
def test_a_file_with_wrong_parts_is_read_or_refused(reading, changes):
    tasks: Any = WHOLE
    for path, other in sorted(changes, key=lambda change: len(change[0]), reverse=True):
        tasks = exchanged(tasks, path, other)
    check(reading, json.dumps(tasks).encode(errors="surrogatepass"))


@pytest.mark.slow
@FUZZ
@given(st.one_of(ANYTHING.map(lambda value: json.dumps([value]).encode()), st.binary()))
def test_any_file_is_read_or_refused(reading, content):
    check(reading, content)


@pytest.mark.parametrize("depth", [100, 900, 1000, 100_000])
@pytest.mark.parametrize("before", ["", '[{"data": ', '[{"annotations": [{"result": '])
def test_depth_is_refused_or_read(reading, before, depth):
    after = {"": "", "[": "}]", "[{": "}]}]"}[before[:1] + before[1:2] * ("result" in before)]
    check(reading, f"{before}{'[' * depth}{']' * depth}{after}".encode())


def check(reading, content: bytes) -> None:
    """Whatever comes of it can be written and lies in its picture."""
    try:
        found, counted = reading(content)
    except DataError as error:
        str(error).encode()
        return
    for one in found:
        "".join([one.name, one.by, one.run, *(box.name for box in one.boxes), *counted]).encode()
        for x1, y1, x2, y2 in (box.box for box in one.boxes):
            width, height = one.size or SIZE
            assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
        assert one.seconds is None or math.isfinite(one.seconds)
