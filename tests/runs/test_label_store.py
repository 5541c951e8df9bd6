"""Answers about images: kept whole, the last one holds, lines of another kind are named."""

import json
from pathlib import Path

import pytest

from miaod_nb.data.labels import AnswersFirst, Oracle
from miaod_nb.data.records import FaultCounts, Labels, RawObject
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.errors import DataError, RunFolderError
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.label_store import ANSWERS, Answer, AnsweredObject, LabelStore, Undo

POOL = ("a", "b")


def answer(image_id: str, *boxes: tuple[float, float, float, float], name: str = "disc") -> Answer:
    objects = tuple(AnsweredObject(name=name, box=box) for box in boxes)
    return Answer(id=image_id, objects=objects, by="me", source="test", time=1.5)


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore(RunFolder(tmp_path / "run"))


def test_nothing_is_known_before_somebody_answers(store, tmp_path):
    assert store.labels("a") is None
    assert not (tmp_path / "run").exists()


def test_an_answer_may_say_that_nothing_is_there(store):
    store.answer([answer("a"), answer("b", (1.5, 2, 30.25, 40))], POOL)
    assert store.labels("a") == Labels([])
    assert store.labels("b") == Labels([RawObject("disc", (1.5, 2, 30.25, 40))])


def test_the_last_answer_holds_for_everybody(store, tmp_path):
    other = LabelStore(RunFolder(tmp_path / "run"))
    store.answer([answer("a", (1, 2, 3, 4))], POOL)
    assert other.labels("a") == store.labels("a") != Labels([])
    other.answer([answer("a", (5, 6, 7, 8)), answer("a")], POOL)
    assert store.labels("a") == Labels([])


def test_marks_are_kept(store):
    marked = AnsweredObject(name="disc", box=(1, 2, 3, 4), difficult=True, crowd=True)
    store.answer([answer("a").model_copy(update={"objects": (marked,)})], POOL)
    assert store.labels("a") == Labels([RawObject("disc", (1, 2, 3, 4), True, True)])


def test_an_unknown_image_is_refused_and_nothing_is_written(store):
    with pytest.raises(DataError, match="no image 'c'"):
        store.answer([answer("a"), answer("c")], POOL)
    assert store.labels("a") is None


@pytest.mark.parametrize("torn", ['{"id": "b", "obj', "", '{"id": "b", "objects": [], "by": "m'])
def test_a_torn_line_is_passed_over(store, tmp_path, torn):
    store.answer([answer("a", (1, 2, 3, 4))], POOL)
    with (tmp_path / "run" / ANSWERS).open("a") as file:
        file.write(torn)
    assert store.labels("b") is None
    store.answer([answer("b")], POOL)
    assert store.labels("b") == Labels([]) and store.labels("a") != Labels([])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"objects": None}, "objects"),
        ({"id": ""}, "id"),
        ({"id": 3}, "id"),
        ({"objects": [{"name": "disc", "box": [1, 2, 3]}]}, "objects.0.box.3"),
        ({"objects": [{"name": "", "box": [1, 2, 3, 4]}]}, "objects.0.name"),
        ({"objects": [{"name": "disc", "box": [1, 2, 3, "4"]}]}, "objects.0.box.3"),
        ({"objects": [{"name": "disc", "box": [1, 2, 3, 1e999]}]}, "objects.0.box.3"),
        ({"score": 0.5}, "score"),
    ],
)
def test_a_line_of_another_kind_is_named(store, tmp_path, change, field):
    store.answer([answer("a")], POOL)
    line = json.dumps(answer("b").model_dump(mode="json") | change)
    with (tmp_path / "run" / ANSWERS).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(RunFolderError, match=f"{field}: ") as error:
        store.labels("a")
    assert str(error.value.where).endswith("answers.jsonl, line 2")
    assert error.value.remedy == "mend or remove that line"


def test_the_oracle_asks_answers_first(make_voc, tmp_path):
    year = make_voc(tmp_path / "VOC2007", num_trainval=4)
    source, faults = open_source(year), FaultCounts()
    records = scan_list(source, "trainval", faults)
    store = LabelStore(RunFolder(tmp_path / "run"))
    oracle = Oracle(AnswersFirst(store, source), records)
    before = oracle.read(oracle.records, ["disc", "square"], faults)
    store.answer([answer("000001"), answer("000002", (1, 2, 33, 44))], oracle.records)
    found = oracle.read(oracle.records, ["disc", "square"], faults)
    assert len(before["000001"].boxes) > 0 == len(found["000001"].boxes)
    assert found["000002"].boxes.tolist() == [[1, 2, 33, 44]]
    assert (found["000003"].boxes == before["000003"].boxes).all()
    assert oracle.labels_at("000001") == tmp_path / "run" / ANSWERS
    assert oracle.labels_at("000003") == year / "Annotations/000003.xml"
    assert oracle.any_certain(["000001"])


def test_an_import_that_is_taken_back_leaves_what_was_answered_before(store):
    first, second = answer("a", (1, 2, 3, 4)), answer("a", (5, 6, 7, 8))
    imported = [one.model_copy(update={"imported": "1"}) for one in (second, answer("b"))]
    store.answer([first], POOL)
    store.answer(imported, POOL)
    assert store.answers() == {"a": imported[0], "b": imported[1]}
    store.undo(Undo(undo="1", time=2.5))
    assert store.answers() == {"a": first} and store.labels("b") is None
    store.answer(imported, POOL)  # the same again
    assert store.answers()["b"] == imported[1]


def test_an_undo_of_another_kind_is_named(store, tmp_path):
    store.answer([answer("a")], POOL)
    with open(tmp_path / "run" / ANSWERS, "a") as file:
        file.write('{"undo": 3, "time": 1.0}\n')
    with pytest.raises(RunFolderError, match="undo: input should be a valid string") as error:
        store.labels("a")
    assert "line 2" in str(error.value)
