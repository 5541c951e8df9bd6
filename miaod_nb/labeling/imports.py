"""The imports of a run as its ledger has them, and how one is taken back."""

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from miaod_nb.errors import DataError
from miaod_nb.experiment.run import Run
from miaod_nb.labeling.reviewing import apply_decisions, decide_all, why_closed
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.label_store import ANSWERS, LabelStore, Undo
from miaod_nb.runs.pool_file import LEDGER
from miaod_nb.selection.decisions import verdicts_of


class Imported(NamedTuple):
    """An import as its line in the ledger has it: of which cycle's batch, and ids of the images
    that it set aside. undone: whether it was taken back since."""

    cycle: int
    skipped: list[str]
    undone: bool = False


class Undone(NamedTuple):
    """What came of taking an import back.

    labeled: ids of the images whose labels it brought. skipped: ids of those that it had set aside,
    and about which nothing is decided any more; why_closed: why they stay set aside, in words.
    """

    name: str
    labeled: list[str]
    skipped: list[str]
    why_closed: str


def note_event(folder: RunFolder, event: Mapping[str, Any]) -> None:
    """Adds a line to the ledger."""
    folder.append_line(LEDGER, json.dumps({**event, "time": time.time()}))


def imports_of(folder: RunFolder) -> dict[str, Imported]:
    """The imports of a run by name, the newest last."""
    found: dict[str, Imported] = {}
    lines = folder.load_text(LEDGER).splitlines() if folder.exists(LEDGER) else []
    for line in lines:
        try:
            event = json.loads(line)
            what, name = event["event"], event["import"]
        except (ValueError, KeyError, TypeError, RecursionError):  # of something else, or torn
            continue
        if what == "imported":
            found.pop(name, None)
            found[name] = Imported(event["cycle"], event.get("skipped", []))
        elif name in found:
            found[name] = found[name]._replace(undone=True)
    return found


def undo_import(run: Run, name: str = "") -> Undone:
    """Takes an import back, the newest if none is named: its answers, so that what was answered
    before holds again, and what it set aside. Raises DataError where there is none.

    A rerun after a crash goes on, since the answers go last.
    """
    store, imports = LabelStore(run.folder), imports_of(run.folder)
    held = {one: found for one in imports if any(found := _held(run, store, one, imports[one]))}
    name = name or next(reversed(held), "")
    if name not in held:
        raise DataError(
            f"there is no import '{name}' to take back" if name
            else "there is no import to take back",
            where=run.folder.path(ANSWERS),
            remedy=f"choose one of {', '.join(held)}" if held
            else "nothing was imported, or all of it was taken back",
        )  # fmt: skip
    (labeled, skipped), cycle = held[name], imports[name].cycle
    closed = why_closed(run.record, cycle) if imports[name].skipped else ""
    skipped = [] if closed else skipped
    with run.folder.lock():  # refused before anything is written
        if skipped:
            decide_all(run.record, cycle, dict.fromkeys(skipped, "undecided"))
    if imports[name].skipped and not closed:  # or decided before a crash
        apply_decisions(run.record, cycle, replace=False)
    with run.folder.lock():
        note_event(run.folder, {"event": "import undone", "import": name,
                                "images": [*labeled, *skipped]})  # fmt: skip
        if labeled:
            store.undo(Undo(undo=name, time=time.time()))
    return Undone(name, labeled, skipped, closed)


def _held(run: Run, store: LabelStore, name: str, one: Imported) -> tuple[list[str], list[str]]:
    """Ids of the images whose labels from this import hold, and of those that it set aside and that
    still are."""
    labeled = [i for i, answer in store.answers().items() if answer.imported == name]
    skipped = [] if one.undone else one.skipped
    barred = verdicts_of(run.record, one.cycle).barred if skipped else {}
    return labeled, [i for i in skipped if barred.get(i) == "skip"]
