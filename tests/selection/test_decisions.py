"""Decision files: what is written is read again, and every fault is named with line and field."""

import json
from pathlib import Path

import pytest

from miaod_nb.errors import DecisionError, RunFolderError
from miaod_nb.runs.files import ReadOnlyRunFolder, RunFolder
from miaod_nb.selection.decisions import (
    Decision,
    Expected,
    append_decision,
    decision_file,
    latest,
    read_decisions,
    stored_decisions,
    verdicts,
)

EXPECTED = Expected("f" * 64, 0, {"a", "b", "c"})


def decision(image_id: str, action: str, note: str = "", cycle: int = 0) -> Decision:
    return Decision.model_validate(
        {"id": image_id, "action": action, "note": note, "fingerprint": "f" * 64, "cycle": cycle,
         "time": 1.5}
    )  # fmt: skip


def line(**changes: object) -> str:
    values = decision("a", "skip").model_dump() | changes
    return json.dumps({key: value for key, value in values.items() if value is not None})


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "decided.jsonl"
    path.write_text("\n".join(lines))
    return path


# ------------------------------------------------------------------------------- writing, reading


def test_appended_decisions_are_read_in_order(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert stored_decisions(folder, EXPECTED) == []
    given = [decision("a", "skip", "zu dunkel: ä\n☂"), decision("b", "accept"),
             decision("a", "defer")]  # fmt: skip
    for one in given:
        append_decision(folder, one)
    assert stored_decisions(folder, EXPECTED) == given
    assert len(folder.load_text(decision_file(0)).splitlines()) == 3


def test_a_line_of_another_cycle_goes_to_its_own_file(tmp_path):
    append_decision(RunFolder(tmp_path), decision("a", "skip", cycle=2))
    assert (tmp_path / "cycle2/decisions.jsonl").exists()


def test_appending_keeps_what_was_there(tmp_path):
    """Bytes only grow; a last line without its end is not glued to the next one."""
    folder = RunFolder(tmp_path)
    append_decision(folder, decision("a", "skip"))
    path = folder.path(decision_file(0))
    before = path.read_bytes()
    path.write_bytes(before[:-1])  # as some editors leave it: whole, without its end
    append_decision(folder, decision("b", "skip"))
    assert path.read_bytes().startswith(before)
    assert [one.id for one in stored_decisions(folder, EXPECTED)] == ["a", "b"]
    path.write_bytes(path.read_bytes()[:-9])  # torn
    append_decision(folder, decision("c", "skip"))
    with pytest.raises(DecisionError, match="torn") as error:
        stored_decisions(folder, EXPECTED)
    assert str(error.value.where) == f"{path}, line 2"


def test_a_process_that_may_only_read_writes_nothing(tmp_path):
    append_decision(ReadOnlyRunFolder(tmp_path), decision("a", "skip"))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_is_an_error_for_people(tmp_path):
    (tmp_path / "cycle0").write_text("a file where the folder belongs")
    with pytest.raises(RunFolderError, match="cannot be written"):
        append_decision(RunFolder(tmp_path), decision("a", "skip"))


def test_defaults_fill_what_lines_leave_out(tmp_path):
    path = written(tmp_path, '{"id": "a", "action": "skip"}', "", line(id="b", time=3))
    about = {"fingerprint": "f" * 64, "cycle": 0, "time": 2.0}
    found = read_decisions(path, EXPECTED, about)
    assert [(one.id, one.time, one.note) for one in found] == [("a", 2.0, ""), ("b", 3.0, "")]


# ----------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("faulty", "field", "words"),
    [
        ('{"id": "a", "act', "", "torn, or no JSON"),
        ("skip a", "", "torn, or no JSON"),
        ("[" * 100_000, "", "torn, or no JSON"),
        ('["a", "skip"]', "", "no JSON object"),
        (line(id=None), "id", "id is missing"),
        (line(id=""), "id", "id = '' is not allowed"),
        (line(id=7), "id", "id = 7 is not allowed"),
        (line(id="d"), "id", "no image of the pool has the id 'd'"),
        (line(action="delete"), "action", "action = 'delete' is not allowed"),
        (line(action=["skip"]), "action", "is not allowed"),
        (line(note=3), "note", "note = 3 is not allowed"),
        (line(note="\ud800"), "note", "is not allowed"),
        (line(why="dark"), "why", "there is no field 'why'"),
        (line(fingerprint=None), "fingerprint", "fingerprint is missing"),
        (line(fingerprint="e" * 64), "fingerprint", "about another run (eeeeeeeeeeee..., "),
        (line(cycle="0"), "cycle", "cycle = '0' is not allowed"),
        (line(cycle=True), "cycle", "cycle = True is not allowed"),
        (line(cycle=-1), "cycle", "cycle = -1 is not allowed"),
        (line(cycle=1), "cycle", "about cycle 1, not 0"),
        (line(time="now"), "time", "time = 'now' is not allowed"),
        (line(time=float("nan")), "time", "time = nan is not allowed"),
    ],
)
def test_a_faulty_line_is_named(tmp_path, faulty, field, words):
    path = written(tmp_path, line(), "", faulty, line())
    with pytest.raises(DecisionError) as error:
        read_decisions(path, EXPECTED)
    assert words in error.value.what and error.value.remedy
    assert str(error.value.where) == f"{path}, line 3" + (f", field {field}" if field else "")


def test_a_file_that_is_no_text_or_not_there(tmp_path):
    (tmp_path / "picture.jsonl").write_bytes(b"\xff\xd8\xff")
    for name, words in (("picture.jsonl", "no UTF-8 text"), ("none.jsonl", "No such file"),
                        (".", "Is a directory")):  # fmt: skip
        with pytest.raises(DecisionError, match=words):
            read_decisions(tmp_path / name)


# --------------------------------------------------------------------------------- what they mean


def test_the_last_line_holds_and_a_note_leaves_the_action():
    found = latest([
        decision("a", "skip"), decision("a", "note", "blurred"),
        decision("b", "note", "rare"), decision("b", "accept"),
        decision("c", "defer", "later"), decision("c", "skip", "never"), decision("c", "accept"),
        decision("d", "skip", "dim"), decision("d", "undecided"),
    ])  # fmt: skip
    assert {i: (d.action, d.note) for i, d in found.items()} == {
        "a": ("skip", "blurred"), "b": ("accept", "rare"), "c": ("accept", "never"),
        "d": ("undecided", "dim"),
    }  # fmt: skip
    meant = verdicts([], list(found.values()))
    assert meant.barred == {"a": "skip"} and meant.wanted == {"b", "c"}
    assert [meant.action_of(i) for i in "abcde"] == [
        "skip", "accept", "accept", "undecided", "undecided",
    ]  # fmt: skip


def test_skips_last_and_deferrals_end_with_their_cycle():
    before = [decision("a", "skip"), decision("b", "defer"), decision("c", "skip"),
              decision("d", "skip", "dark")]  # fmt: skip
    now = [decision("c", "accept", cycle=1), decision("d", "defer", cycle=1),
           decision("e", "defer", cycle=1), decision("b", "note", "odd", cycle=1)]  # fmt: skip
    assert verdicts([], before).barred == {"a": "skip", "b": "defer", "c": "skip", "d": "skip"}
    found = verdicts(before, now)
    assert found.barred == {"a": "skip", "d": "defer", "e": "defer"}
    assert found.notes == {"d": "dark", "b": "odd"}
    assert found.wanted == {"c"}
    later = verdicts([*before, *now], [])
    assert later.barred == {"a": "skip"} and not later.wanted
