"""What `miaod info` says of a run folder."""

import textwrap
from collections.abc import Mapping
from typing import Any

from miaod_nb.config import changes, spell
from miaod_nb.data.records import FaultCounts
from miaod_nb.errors import DataError
from miaod_nb.runs.record import RunRecord
from miaod_nb.runs.steps import shown, stage_names, step_names
from miaod_nb.runs.tables import metric_lines
from miaod_nb.selection.choosing import cost_text, why_empty
from miaod_nb.selection.registry import card_of_run

WIDTH = 80


def describe_run(record: RunRecord) -> list[str]:
    """Settings, progress and metrics of a run folder, and what comes next. Raises
    RunFolderError."""
    settings = {"preset": record.config.preset} | changes(record.config)
    lines = [
        f"{record.root}: run folder",
        *line_of("settings", pairs(settings)),
        *_weight_of_discrepancy(record),
        f"  data        {record.data_root or '(unknown)'}: "
        f"{len(record.pool)} pool images, {len(record.test)} to test on",
        *line_of("classes", ", ".join(_named_classes(record))),
        *_waiting(record),
        *_batch(record),
        *_progress(record),
    ]
    metrics = metric_lines(record.metrics())
    return [*lines, *_outlook(record), "", *metrics] if metrics else lines


def _outlook(record: RunRecord) -> list[str]:
    """What the next batch and all labels would probably bring."""
    from miaod_nb.compare.outlook import outlook_of  # loads more than the rest needs

    return line_of("outlook", outlook_of(record))


def _named_classes(record: RunRecord) -> list[str]:
    """The classes, each with the cycle that had the first labels of it if that was a later one, and
    with the class that it may be a misspelling of."""
    first = record.first_labeled(record.cycles - 1)
    if not first:  # not begun, or a run of a version that did not count labels
        return list(record.classes)
    said = {name: f" (labeled from cycle {cycle})" * bool(cycle) for name, cycle in first.items()}
    near = {name: f" (a misspelled '{other}'?)" for name, other in record.near_names.items()}
    return [
        name + said.get(name, " (no label yet)") + near.get(name, "") for name in record.classes
    ]


def line_of(name: str, text: str) -> list[str]:
    """The text behind its name, in as many lines as it takes."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"  {name:<11} ",
        subsequent_indent=" " * 14,
        break_long_words=False,
        break_on_hyphens=False,
    )


def pairs(settings: Mapping[str, Any]) -> str:
    """The settings as they may be given to `--set`."""
    return " ".join(f"{name}={spell(value)}" for name, value in settings.items())


def _weight_of_discrepancy(record: RunRecord) -> list[str]:
    """What discrepancy_weight=auto was in each cycle so far."""
    cycles: dict[str, list[str]] = {}
    for cycle, weight in record.weights_of_discrepancy().items():
        cycles.setdefault(f"{weight:.4g}", []).append(str(cycle))
    if not cycles:
        return []
    found = [
        f"{weight} in cycle{'s' * (len(of_it) > 1)} {', '.join(of_it)}"
        for weight, of_it in cycles.items()
    ]
    return line_of("lambda", f"discrepancy_weight=auto was {'; '.join(found)}")


def _waiting(record: RunRecord) -> list[str]:
    """The images that people were asked for and that had no labels when the newest cycle began."""
    newest = record.cycles - 1
    asked = record.labels(newest).get("asked", []) if record.labels_noted(newest) else []
    if not asked:
        return []
    text = f"{len(asked)} images have no labels yet, of {len(record.labeled(newest))} asked for: "
    return line_of("waiting", text + ", ".join(asked[:10]) + (", ..." if asked[10:] else ""))


def _batch(record: RunRecord) -> list[str]:
    """What the newest batch is expected to cost, where the budget is not in images."""
    cycle = record.last_selection
    if cycle is None or not (text := cost_text(record.selection(cycle))):
        return []
    return line_of("batch", f"{len(record.selected(cycle))} images of cycle {cycle}, {text}")


def _to_label(record: RunRecord) -> list[str]:
    """What people are asked for by the newest cycle; [] if it has not chosen, or labels are there,
    or nobody knows where the data are."""
    from miaod_nb.data.sources import open_source
    from miaod_nb.runs.to_label import how_to_label

    if record.last_selection != record.cycles - 1 or record.data_root is None:
        return []
    try:
        source = open_source(record.data_root)
        there = {one.id for one in source.images(record.config.train_list, FaultCounts())}
    except (DataError, OSError):  # the data are not where they were
        return []
    if not there.issuperset(record.selected(record.cycles - 1)):  # or are others
        return []
    heads = ("  to label    ", "  next        ", " " * 14)
    return [head + line for head, line in zip(heads, how_to_label(record, source), strict=False)]


def _progress(record: RunRecord) -> list[str]:
    """A line for each cycle that was begun, and one for what comes next."""
    config, card = record.config, card_of_run(record)
    names = step_names(
        stage_names(config, card.training_of(config.training) == "mi_aod"),
        evaluates=bool(record.test),
        scores=bool(card.columns),
        chooses=not card.labels_all,
    )
    lines: list[str] = []
    wanted = _to_label(record)
    for cycle in range(config.cycles):
        if reason := _why_over(record, cycle - 1):
            return [*lines, f"  next        nothing: {reason}"]
        done = record.done(cycle)
        missing = [name for name in names if name not in done]
        if done:
            what = ", ".join(map(shown, done)) if missing else "finished"
            lines.append(f"  cycle {cycle:<5} {what}")
        if missing:
            goes_on = f"miaod run --run-dir {record.root}"
            what = f"{shown(missing[0])} of cycle {cycle}"
            return [*lines, *(wanted or [f"  next        {what}: {goes_on}"])]
    more = f"miaod run --run-dir {record.root} --set cycles={config.cycles + 1}"
    all_done = f"  next        nothing: all {config.cycles} cycles are done; for more: {more}"
    return [*lines, *(wanted or [all_done])]


def _why_over(record: RunRecord, cycle: int) -> str:
    """Why a finished cycle left nothing to label for the next; "" if it did."""
    if cycle < 0:
        return ""
    return why_empty(record.selection(cycle)) if record.has_chosen(cycle) else "the pool is empty"
