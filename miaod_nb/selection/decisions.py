"""What people decided about the images that a cycle chose: JSON lines in a file that only grows."""

import json
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from miaod_nb.errors import DecisionError
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.record import RunRecord

Action = Literal["accept", "skip", "defer", "undecided", "note"]

ALLOWED = {
    "id": "the id of an image, a text",
    "action": "accept, skip, defer, undecided or note",
    "note": "a text, or leave it out",
    "fingerprint": "what stands in the run's fingerprint.txt",
    "cycle": "a whole number from 0",
    "time": "seconds since 1970, a number",
}
MEND = "mend or remove that line"


def _encodable(text: str) -> str:
    text.encode()  # half a surrogate pair raises a ValueError
    return text


Text = Annotated[str, AfterValidator(_encodable)]


class Decision(BaseModel):
    """One line of a decision file: what became of an image, or a note about it.

    accept: it is wanted in the batch, whether the strategy chose it or not. skip: it is in neither
    this batch nor a later one. defer: not in this batch, perhaps in a later one. undecided: as if
    nothing had been decided, but for notes. note: text alone. fingerprint, cycle: of the run. time:
    seconds since 1970.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Annotated[Text, Field(min_length=1)]
    action: Action
    note: Text = ""
    fingerprint: str
    cycle: Annotated[int, Field(ge=0)]
    time: Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class Expected:
    """Which run and cycle decisions have to be about; ids: of the run's pool."""

    fingerprint: str
    cycle: int
    ids: Container[str]


def decision_file(cycle: int) -> str:
    """Where a run folder keeps the decisions of a cycle."""
    return f"cycle{cycle}/decisions.jsonl"


def make_decision(
    values: Mapping[str, Any], expected: Expected | None = None, place: str = ""
) -> Decision:
    """The decision with these values; expected: what it has to be about. place: of the values.

    Raises DecisionError naming the faulty field.
    """
    try:
        decision = Decision.model_validate(dict(values))
    except ValidationError as error:
        raise _faulty_field(error, values, place) from None
    if expected:
        _check(decision, expected, place)
    return decision


def append_decision(folder: RunFolder, decision: Decision) -> None:
    """Adds a line to the decision file of the decision's cycle. Raises RunFolderError."""
    line = json.dumps(decision.model_dump(), ensure_ascii=False)
    folder.append_line(decision_file(decision.cycle), line)


def read_decisions(
    path: Path, expected: Expected | None = None, defaults: Mapping[str, Any] | None = None
) -> list[Decision]:
    """The decisions in a file, in order; empty lines are passed over.

    expected: what they have to be about. defaults: values of fields that lines may leave out.
    Raises DecisionError naming the first faulty line and its field.
    """
    return [
        _decision(line, f"{path}, line {number}", expected, defaults or {})
        for number, line in _lines(path)
    ]


def latest(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """The decision that holds for each image: the last one.

    A note keeps the action of the line before, and an action without a note keeps its note.
    """
    found: dict[str, Decision] = {}
    for decision in decisions:
        before = found.get(decision.id)
        if before and decision.action == "note":
            decision = decision.model_copy(update={"action": before.action})
        elif before and not decision.note:
            decision = decision.model_copy(update={"note": before.note})
        found[decision.id] = decision
    return found


@dataclass(frozen=True)
class Verdicts:
    """What decisions mean for a cycle: which images it may not choose, with the action that says
    so ("skip" or "defer"), which have to be in its batch, and the notes about images."""

    barred: Mapping[str, Action]
    wanted: Collection[str]
    notes: Mapping[str, str]

    def action_of(self, image_id: str) -> Action:
        """What holds for an image."""
        return self.barred.get(image_id, "accept" if image_id in self.wanted else "undecided")


def verdicts(before: Sequence[Decision], now: Sequence[Decision]) -> Verdicts:
    """What the decisions of earlier cycles and of this one mean for it."""
    of_all, of_this = latest([*before, *now]), latest(now)
    barred: dict[str, Action] = {i: "defer" for i, d in of_this.items() if d.action == "defer"}
    barred |= {i: "skip" for i, d in of_all.items() if d.action == "skip"}
    wanted = {i for i, d in of_this.items() if d.action == "accept"}
    return Verdicts(barred, wanted, {i: d.note for i, d in of_all.items() if d.note})


def stored_decisions(folder: RunFolder, expected: Expected) -> list[Decision]:
    """The decisions about a cycle in the run folder; [] if there are none."""
    relative = decision_file(expected.cycle)
    return read_decisions(folder.path(relative), expected) if folder.exists(relative) else []


def expected_of(record: RunRecord, cycle: int) -> Expected:
    """What decisions about a cycle of a run have to be about."""
    return Expected(record.fingerprint, cycle, frozenset(record.pool))


def decisions_of(record: RunRecord, cycle: int) -> list[Decision]:
    """What people decided about a cycle's images. Raises DecisionError for a faulty file."""
    return stored_decisions(record.folder, expected_of(record, cycle))


def verdicts_of(record: RunRecord, cycle: int, more: Sequence[Decision] = ()) -> Verdicts:
    """What the decisions up to a cycle, and perhaps `more` about it, mean for it."""
    before = [one for earlier in range(cycle) for one in decisions_of(record, earlier)]
    return verdicts(before, [*decisions_of(record, cycle), *more])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise DecisionError(
            f"the decision file cannot be read: {reason}", where=path,
            remedy="name a file of JSON lines, an object with id and action each",
        ) from None  # fmt: skip
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _decision(
    line: str, place: str, expected: Expected | None, defaults: Mapping[str, Any]
) -> Decision:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        raise DecisionError("the line is torn, or no JSON", where=place, remedy=MEND) from None
    if not isinstance(values, dict):
        raise DecisionError("the line is no JSON object", where=place,
                            remedy='write it as {"id": ..., "action": ...}')  # fmt: skip
    return make_decision({**defaults, **values}, expected, place)


def _faulty_field(error: ValidationError, values: Mapping[str, Any], place: str) -> DecisionError:
    first = error.errors()[0]
    name = str(first["loc"][0])
    where = _field(place, name)
    if first["type"] == "missing":
        return DecisionError(f"{name} is missing", where=where, remedy=f"give {ALLOWED[name]}")
    if first["type"] == "extra_forbidden":
        return DecisionError(f"there is no field '{name}'", where=where,
                             remedy=f"the fields are: {', '.join(ALLOWED)}")  # fmt: skip
    return DecisionError(f"{name} = {values[name]!r} is not allowed", where=where,
                         remedy=f"give {ALLOWED[name]}")  # fmt: skip


def _check(decision: Decision, expected: Expected, place: str) -> None:
    """Raises DecisionError for a decision about another run, cycle or pool."""
    if decision.fingerprint != expected.fingerprint:
        raise DecisionError(
            f"the decision is about another run ({decision.fingerprint[:12]}..., this one is "
            f"{expected.fingerprint[:12]}...)",
            where=_field(place, "fingerprint"),
            remedy="give the decisions of this run; lines to take over (--decisions) may leave the "
            "field out",
        )
    if decision.cycle != expected.cycle:
        raise DecisionError(
            f"the decision is about cycle {decision.cycle}, not {expected.cycle}",
            where=_field(place, "cycle"),
            remedy=f"give the decision file of cycle {expected.cycle}, or another cycle (--cycle)",
        )
    if decision.id not in expected.ids:
        raise DecisionError(
            f"no image of the pool has the id '{decision.id}'", where=_field(place, "id"),
            remedy="give an id as it stands in selection.json or in the image list",
        )  # fmt: skip


def _field(place: str, name: str) -> str:
    return f"{place}, field {name}" if place else name
