"""The review of a batch: what people decide about the images that a cycle chose is applied."""

import time
from pathlib import Path

import pandas as pd

from miaod_nb.errors import DecisionError
from miaod_nb.experiment.choosing import Selection
from miaod_nb.experiment.opening import open_run
from miaod_nb.experiment.run import Run
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.identity import refuse_another
from miaod_nb.selection.decisions import (
    Action,
    Decision,
    append_decision,
    decision_file,
    make_decision,
    read_decisions,
)
from miaod_nb.selection.words import counted


def open_reviewed(run_dir: Path) -> Run:
    """The run in a folder that has one. Raises DecisionError, and what `open_run` raises."""
    if not RunFolder(run_dir).exists("config.json"):
        raise DecisionError("there is no run in this folder", where=run_dir,
                            remedy="name the run folder of `miaod run`")  # fmt: skip
    return open_run(run_dir=run_dir)


def newest_batch(run: Run) -> int:
    """The newest cycle that has chosen images. Raises DecisionError if none has."""
    _refuse_full(run)
    for cycle in reversed(range(run.config.cycles)):
        if "select" in run.folder.done_steps(cycle):
            return cycle
    raise DecisionError("no cycle of this run has chosen images yet", where=run.folder.root,
                        remedy=f"miaod run --run-dir {run.folder.root}")  # fmt: skip


def decide(run: Run, cycle: int, image_id: str, action: Action, note: str = "") -> Decision:
    """Notes a decision in the cycle's decision file; `apply_decisions` makes it count.

    Raises ConfigError for a cycle that the run does not have, and DecisionError for an image that
    its pool does not have and for an unknown action.
    """
    run.refuse_cycle(cycle)
    expected = run.expected(cycle)
    values = {
        "id": image_id, "action": action, "note": note, "fingerprint": expected.fingerprint,
        "cycle": cycle, "time": time.time(),
    }  # fmt: skip
    decision = make_decision(values, expected)
    append_decision(run.folder, decision)
    return decision


def apply_decisions(
    run: Run, cycle: int, replace: bool = True, file: Path | None = None
) -> Selection:
    """Writes the cycle's selection.json anew as its decisions say, and returns what stands there.

    The images that the strategy wants next take the places of those that are skipped or deferred;
    with replace=False none do, and the batch shrinks. What the strategy itself chose comes back
    once it is accepted again. An image keeps its rank. file: lines to take over into the decision
    file first; they may leave out fingerprint, cycle and time.

    Raises DecisionError for faulty lines, when the next cycle has begun or this one has not chosen
    yet, and when no image would be left; nothing is written then.
    """
    _refuse_unreviewable(run, cycle)
    with run.session.held():
        _refuse_unreviewable(run, cycle)  # another process may have gone on meanwhile
        refuse_another(run.folder, run.config, run.dataset.identity)
        more = _new_lines(run, cycle, file) if file else []
        before = {row["id"]: row for row in _stored(run, cycle)["selected"]}
        verdicts = run.verdicts(cycle, more)
        selection = run.choose(cycle, verdicts, None if replace else before)
        _refuse_empty(run, cycle, selection)
        for decision in more:
            append_decision(run.folder, decision)
        run.folder.save_json(f"cycle{cycle}/selection.json", selection)
        now = {row["id"] for row in selection["selected"]}
        run.session.log(
            cycle, "review", selected=len(now), set_aside=selection.get("set_aside", {}),
            added=sorted(now - before.keys()), dropped=sorted(before.keys() - now),
        )  # fmt: skip
        return selection


def batch_lines(selection: Selection, most: int) -> list[str]:
    """The batch as a table of at most `most` rows, and what it holds in a line."""
    rows, budget = selection["selected"], selection["budget"]
    lines: list[str] = []
    if rows:
        table = pd.DataFrame(rows[:most]).drop(columns="index").replace({"": None})
        table = table.dropna(axis=1, how="all").fillna("")  # without empty notes
        lines = table.to_string(index=False, float_format="{:.3g}".format).splitlines()
    if len(rows) > most:
        lines.append(f"... and {len(rows) - most} more")
    parts = [f"cycle {selection['cycle']}: {len(rows)} images to label"]
    if len(rows) < budget:
        parts[0] += f" of a budget of {budget}"
    if beyond := sum(row["rank"] > budget for row in rows):
        parts.append(f"{beyond} of them in the place of others")
    return [*lines, ", ".join([*parts, *counted(selection)])]


def _stored(run: Run, cycle: int) -> Selection:
    return dict(run.folder.load_json(f"cycle{cycle}/selection.json"))


def _new_lines(run: Run, cycle: int, file: Path) -> list[Decision]:
    """The decisions in the file that the run folder does not have yet."""
    expected = run.expected(cycle)
    changed = file.stat().st_mtime if file.is_file() else 0.0  # so that a line remains the same
    about = {"fingerprint": expected.fingerprint, "cycle": cycle, "time": changed}
    stored = set(run.decisions(cycle))
    return [one for one in read_decisions(file, expected, about) if one not in stored]


def _refuse_full(run: Run) -> None:
    if run.strategy.card.labels_all:
        raise DecisionError(
            f"this run labels every image from the start (strategy={run.config.strategy}): there "
            "is no batch to review",
            where=run.folder.path("config.json"),
            remedy="name a run with another strategy",
        )


def _refuse_unreviewable(run: Run, cycle: int) -> None:
    """Raises DecisionError or ConfigError for a cycle whose batch cannot be changed now."""
    _refuse_full(run)
    run.refuse_cycle(cycle)
    run.refuse_imported(cycle)
    folder = run.folder
    if "select" not in folder.done_steps(cycle):
        raise DecisionError(
            f"cycle {cycle} has not chosen images yet",
            where=folder.path(f"cycle{cycle}"),
            remedy=f"miaod run --run-dir {folder.root}, then review its batch",
        )
    if "split" in folder.done_steps(cycle + 1):
        raise DecisionError(
            f"cycle {cycle + 1} has begun with the batch of cycle {cycle}: it cannot be changed "
            "any more",
            where=folder.path(f"cycle{cycle}/selection.json"),
            remedy="review the newest batch; what is skipped there comes in no later one",
        )


def _refuse_empty(run: Run, cycle: int, selection: Selection) -> None:
    """Raises DecisionError for a batch that decisions leave nothing of: no cycle could follow."""
    if selection["selected"] or "set_aside" not in selection:
        return
    raise DecisionError(
        f"no image would be left to label: {', '.join(counted(selection))}",
        where=run.folder.path(decision_file(cycle)),
        remedy="accept some of them, or let others take their places (replace=True; without "
        "--no-replace)",
    )
