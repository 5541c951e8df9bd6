"""The review of a batch: what people decide about the images that a cycle chose is applied.

All of it works on the run folder alone: no data set is opened and no detector asked.
"""

import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from miaod_nb.errors import ConfigError, DecisionError
from miaod_nb.runs.record import RunRecord, refuse_cycle
from miaod_nb.runs.schema import SelectedImage, Selection
from miaod_nb.runs.session import Session
from miaod_nb.selection.choosing import (
    candidates_of,
    cost_text,
    counted,
    prices_of,
    select,
    strategy_of,
    with_notes,
)
from miaod_nb.selection.decisions import (
    Action,
    Decision,
    Verdicts,
    append_decision,
    decision_file,
    decisions_of,
    expected_of,
    make_decision,
    read_decisions,
    verdicts_of,
)
from miaod_nb.selection.registry import card_of_run
from miaod_nb.wording import number_text


def newest_batch(record: RunRecord) -> int:
    """The newest cycle that has chosen images. Raises DecisionError if none has."""
    _refuse_full(record)
    for cycle in reversed(range(record.config.cycles)):
        if "select" in record.done(cycle):
            return cycle
    raise DecisionError("no cycle of this run has chosen images yet", where=record.root,
                        remedy=f"miaod run --run-dir {record.root}")  # fmt: skip


def why_closed(record: RunRecord, cycle: int) -> str:
    """Why nothing can be decided about a batch any more, in words; "" if it can."""
    if "split" not in record.done(cycle + 1):
        return ""
    return (
        f"cycle {cycle + 1} has begun with the batch of cycle {cycle}: it cannot be changed any "
        "more"
    )


def decide(
    record: RunRecord, cycle: int, image_id: str, action: Action, note: str = ""
) -> Decision:
    """Notes a decision in the cycle's decision file; `apply_decisions` makes it count.

    Raises ConfigError for a cycle that the run does not have, and DecisionError for one whose batch
    the next cycle has begun with, for an image that its pool does not have and for an unknown
    action.
    """
    (decision,) = decide_all(record, cycle, {image_id: action}, note)
    return decision


def decide_all(
    record: RunRecord, cycle: int, actions: Mapping[str, Action], note: str = ""
) -> list[Decision]:
    """As `decide`, about several images: if one is refused, nothing is written."""
    refuse_cycle(cycle, record.config)
    _refuse_gone_on(record, cycle)
    expected = expected_of(record, cycle)
    about = {"fingerprint": expected.fingerprint, "cycle": cycle, "time": time.time()}
    decisions = [
        make_decision({"id": image_id, "action": action, "note": note, **about}, expected)
        for image_id, action in actions.items()
    ]
    for decision in decisions:
        append_decision(record.folder, decision)
    return decisions


def apply_decisions(
    record: RunRecord, cycle: int, replace: bool = True, file: Path | None = None
) -> Selection:
    """Writes the cycle's selection.json anew as its decisions say, and returns what stands there.

    The images that the strategy wants next take the places of those that are skipped or deferred;
    with replace=False none do, and the batch shrinks. What the strategy itself chose comes back
    once it is accepted again. Another image that is accepted takes a free place, or that of the
    last one that nobody accepted, so that the budget holds. An image keeps its rank. file: lines to
    take over into the decision file first; they may leave out fingerprint, cycle and time.

    Raises DecisionError for faulty lines, when the next cycle has begun or this one has not chosen
    yet, when more images are accepted than a batch has, or one that the cycle did not look at, and
    when no image would be left; nothing is written then.
    """
    _refuse_unreviewable(record, cycle)
    session = Session(record.folder, record.config.save_every)
    with session.held():
        _refuse_unreviewable(record, cycle)  # another process may have gone on meanwhile
        more = _new_lines(record, cycle, file) if file else []
        stored = record.selection(cycle)
        before = {row["id"]: row for row in stored["selected"]}
        selection = _chosen_anew(
            record, stored, verdicts_of(record, cycle, more), None if replace else before
        )
        _refuse_empty(record, cycle, selection)
        for decision in more:
            append_decision(record.folder, decision)
        now = {row["id"] for row in selection["selected"]}
        session.log(
            cycle, "review", selected=len(now), set_aside=selection.get("set_aside", {}),
            added=sorted(now - before.keys()), dropped=sorted(before.keys() - now),
        )  # fmt: skip
        # Last: what a crash cut off before it is all done again.
        record.folder.save_json(f"cycle{cycle}/selection.json", selection)
        return selection


def batch_to_be(record: RunRecord, cycle: int) -> list[str]:
    """Ids of the batch as `apply_decisions` would write it now. Raises what it raises."""
    stored = record.selection(cycle)
    selection = _chosen_anew(record, stored, verdicts_of(record, cycle), None)
    return [row["id"] for row in selection["selected"]]


def _chosen_anew(
    record: RunRecord, stored: Selection, verdicts: Verdicts,
    now: Mapping[str, SelectedImage] | None,
) -> Selection:  # fmt: skip
    """What the cycle chooses with these verdicts; now: rows of the only images that may be in it.
    A batch that nobody ever took from or added to needs no strategy: it stays."""
    cycle, rows = stored["cycle"], stored["selected"]
    is_own = "set_aside" not in stored and "asked_for" not in stored
    if is_own and not verdicts.barred and {row["id"] for row in rows}.issuperset(verdicts.wanted):
        return {**stored, "selected": with_notes(rows, verdicts) if verdicts.notes else rows}
    indices, pool = candidates_of(record, cycle)
    return select(
        strategy_of(record), cycle, record.config.seed, stored["budget"],
        stored["pool"] + len(pool.labeled_ids), indices, pool, verdicts,
        record.classes_of(cycle), now, prices_of(stored),
    )  # fmt: skip


def batch_lines(selection: Selection, most: int) -> list[str]:
    """The batch as a table of at most `most` rows, and what it holds in a line."""
    rows, budget = selection["selected"], selection["budget"]
    lines: list[str] = []
    if rows:
        table = pd.DataFrame(rows[:most]).drop(columns="index").replace({"": None})
        table = table.dropna(axis=1, how="all").fillna("")  # without empty notes
        lines = table.to_string(index=False, float_format=number_text).splitlines()
    if len(rows) > most:
        lines.append(f"... and {len(rows) - most} more")
    parts = [f"cycle {selection['cycle']}: {len(rows)} images to label"]
    if text := cost_text(selection):
        parts[0] += f", {text}"
    elif len(rows) < budget:
        parts[0] += f" of a budget of {budget}"
    if beyond := sum(row["rank"] > budget for row in rows):
        parts.append(f"{beyond} of them in the place of others")
    if "asked_for" in selection:
        parts.append(f"{selection['asked_for']} asked for")
    return [*lines, ", ".join([*parts, *counted(selection)])]


def _new_lines(record: RunRecord, cycle: int, file: Path) -> list[Decision]:
    """The decisions in the file that the run folder does not have yet."""
    expected = expected_of(record, cycle)
    changed = file.stat().st_mtime if file.is_file() else 0.0  # so that a line remains the same
    about = {"fingerprint": expected.fingerprint, "cycle": cycle, "time": changed}
    stored = set(decisions_of(record, cycle))
    return [one for one in read_decisions(file, expected, about) if one not in stored]


def _refuse_full(record: RunRecord) -> None:
    if card_of_run(record).labels_all:
        raise DecisionError(
            "this run labels every image from the start "
            f"(strategy={record.config.strategy}): there is no batch to review",
            where=record.folder.path("config.json"),
            remedy="name a run with another strategy",
        )


def _refuse_unreviewable(record: RunRecord, cycle: int) -> None:
    """Raises DecisionError or ConfigError for a cycle whose batch cannot be changed now."""
    _refuse_full(record)
    refuse_cycle(cycle, record.config)
    folder = record.folder
    if cycle < record.first_cycle:
        raise ConfigError(
            f"cycle {cycle} was imported: its batch was labeled before this run began",
            where=folder.path(f"cycle{cycle}"),
            remedy=f"choose cycle={record.first_cycle}, this run's first, or later",
        )
    if "select" not in folder.done_steps(cycle):
        raise DecisionError(
            f"cycle {cycle} has not chosen images yet",
            where=folder.path(f"cycle{cycle}"),
            remedy=f"miaod run --run-dir {folder.root}, then review its batch",
        )
    _refuse_gone_on(record, cycle)


def _refuse_gone_on(record: RunRecord, cycle: int) -> None:
    """Raises DecisionError for a batch that the next cycle has begun with."""
    if what := why_closed(record, cycle):
        raise DecisionError(
            what,
            where=record.folder.path(f"cycle{cycle}/selection.json"),
            remedy="review the newest batch; what is skipped there comes in no later one",
        )


def _refuse_empty(record: RunRecord, cycle: int, selection: Selection) -> None:
    """Raises DecisionError for a batch that decisions leave nothing of: no cycle could follow."""
    if selection["selected"] or "set_aside" not in selection:
        return
    raise DecisionError(
        f"no image would be left to label: {', '.join(counted(selection))}",
        where=record.folder.path(decision_file(cycle)),
        remedy="accept some of them, or let others take their places (replace=True; without "
        "--no-replace)",
    )
