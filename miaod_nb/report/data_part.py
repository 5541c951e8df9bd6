"""The part of a report about the images: how many, of which classes, which were left out."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from miaod_nb import plots
from miaod_nb.boxes import Objects, count_labels
from miaod_nb.labeling.checking import check_labels
from miaod_nb.report.drawing import drawn
from miaod_nb.report.measured import one_of_each
from miaod_nb.report.pieces import Caution, Picture, Piece, Section, Table, Text
from miaod_nb.report.reported import ReportedRun

MOST_DOUBTS = 10  # labels that may be wrong
MOST_CLASSES = 40  # in a figure; tables have all


def the_data(runs: Sequence[ReportedRun]) -> Section:
    """Counts of every run, and what was left out of the first."""
    counts = [
        {"run": run.name, "data": Path(run.record.data_root or "").name,
         "pool": len(run.record.pool),
         "to evaluate on": len(run.record.test), "classes": len(run.record.classes),
         "labeled now": len(run.record.labeled(run.record.cycles - 1)) if run.record.cycles else 0,
         "boxes of these": _num_boxes(run)}
        for run in runs
    ]  # fmt: skip
    pieces: list[Piece] = [
        Table("Images; labels are read of the labeled ones and of those to evaluate on, of no "
              "others.", pd.DataFrame(counts)),
        Text(_classes(runs)),
    ]  # fmt: skip
    pieces += [
        Caution(f"{run.name}: the class '{name}' joined with later labels and is almost called "
                f"'{near}'; perhaps a label is misspelled.")
        for run in runs for name, near in run.record.near_names.items()
    ]  # fmt: skip
    faults = [row for run in one_of_each(runs) for row in _exclusions(run)]
    if faults:
        pieces.append(Table("What is special about images and labels, counted by reason.",
                            pd.DataFrame(faults)))  # fmt: skip
    return Section("The data", [*pieces, *_doubts(runs[0])])


def _doubts(run: ReportedRun) -> list[Piece]:
    """The labels of a run that may be wrong, the most doubtful first, as far as it is known what a
    detector finds in their images."""
    if run.experiment is None or run.trouble or not run.record.trained:
        return []
    check = check_labels(run.experiment, only_kept=True)
    if not len(check.table):
        return []
    shown = check.table.head(MOST_DOUBTS)
    return [Table(
        f"Labels of {run.name} to look at again: the {len(shown)} most doubtful of "
        f"{len(check.table)}, in {check.images} images. A detector sees something else there; "
        "`miaod review RUN --labels` has all.", shown[["score", "image", "what"]],
    )]  # fmt: skip


def _classes(runs: Sequence[ReportedRun]) -> str:
    """The classes of all runs, and which of them have others."""
    names = [run.record.classes for run in runs]
    common = [name for name in names[0] if all(name in others for others in names)]
    more = [
        f"{run.name} also has {', '.join(others)}" for run, its in zip(runs, names, strict=True)
        if (others := [name for name in its if name not in common])
    ]  # fmt: skip
    whose = " of all runs" * bool(more)
    return "; ".join([f"Classes{whose}: {', '.join(common) or 'none'}", *more]) + "."


def _num_boxes(run: ReportedRun) -> int | None:
    """How many objects the labeled images of the newest cycle show, where that is known."""
    boxes = run.boxes(run.record.cycles - 1) if run.record.cycles else None
    return None if boxes is None else sum(boxes.values())


def class_mixes(runs: Sequence[ReportedRun]) -> list[Picture]:
    """Which classes the labels were of, cycle by cycle: a figure for each kind of run."""
    return [mix for run in one_of_each(runs) if (mix := _class_mix(run))]


def _class_mix(run: ReportedRun) -> Picture | None:
    counts = {str(len(run.record.labeled(cycle))): run.boxes(cycle)
              for cycle in range(run.record.cycles)}  # fmt: skip
    if not counts or None in counts.values():
        return None
    table = pd.DataFrame(counts, index=list(run.record.classes)).fillna(0)
    evaluated = run.experiment.dataset.test_objects if run.experiment and not run.trouble else {}
    if evaluated:
        table["evaluated\nimages"] = _class_counts(run, evaluated, evaluated)
    table = table.sort_values(table.columns[-1], ascending=False).head(MOST_CLASSES)
    left_out = len(run.record.classes) - len(table)
    caption = (
        f"{run.name}: share of the boxes that is of each class, among the labeled images of each "
        "cycle"
        + " and, in the last column, among the images evaluated on" * bool(evaluated)
        + f". {_growth(run)}"
    )
    return drawn(
        lambda axes: plots.class_mix(axes, table, "labeled images"),
        f"Class mix of {run.name}",
        caption + f" {left_out} rarer classes are left out." * bool(left_out),
        (7, 1 + 0.3 * len(table)),
    )


def _growth(run: ReportedRun) -> str:
    """What it means when a class's share grows."""
    if run.card.labels_all:
        return "All images are labeled; none was chosen."
    if run.draws_by_lot:
        return "Images were drawn by lot, so shares move by chance alone."
    return "A class that grows is one that the choice prefers."


def _class_counts(
    run: ReportedRun, objects: Mapping[str, Objects], ids: Iterable[str]
) -> np.ndarray:
    """How many objects of each class these images show, as far as their objects are there."""
    return count_labels((objects[i].labels for i in ids if i in objects), len(run.record.classes))


def _exclusions(run: ReportedRun) -> list[dict[str, object]]:
    cycle = run.record.cycles - 1
    if cycle < 0:
        return []
    found = [("labeled images", run.record.exclusions(cycle))]
    if metrics := run.record.metrics_of(cycle):
        found.append(("evaluated images", metrics["exclusions"]))
    return [
        {"run": run.name, "in": where, "reason": reason, "count": one["count"],
         "for example": ", ".join(one["examples"][:2])}
        for where, reasons in found for reason, one in reasons.items()
    ]  # fmt: skip
