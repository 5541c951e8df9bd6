"""The part of a report about mAP: curves, tables, classes."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from miaod_nb import plots
from miaod_nb.compare.comparison import class_results
from miaod_nb.evaluation.band import band_in_words, band_warning
from miaod_nb.plots.look import are_full
from miaod_nb.report.beginning import shown_label
from miaod_nb.report.drawing import drawn, drawn_panels
from miaod_nb.report.measured import Measured, metric_names
from miaod_nb.report.more_labels import more_labels
from miaod_nb.report.pieces import Caution, Picture, Piece, Section, Table, Text
from miaod_nb.report.reported import ReportedRun

COLUMNS = 4  # panels of a row
MOST_PANELS = 24  # classes in a figure; the tables in the run folders have all


def results(groups: Sequence[Measured]) -> Section:
    """What the labels bought."""
    pieces: list[Piece] = []
    for group in groups:
        if len(groups) > 1:
            names = ", ".join(run.name for run in group.runs)
            pieces.append(Text(f"Evaluated on the {group.evaluated_on}: {names}."))
        pieces += [_over_images(group), *_few_images(group), *_over_boxes(group),
                   *more_labels(group), *_tables(group), *_per_class(group)]  # fmt: skip
    pieces = pieces or [Text("No cycle was evaluated: there is no mAP to show.")]
    return Section("Results", pieces)


def _over_images(group: Measured) -> Picture:
    return drawn(
        lambda axes: plots.learning_curves(axes, group.table, group.metric),
        f"{group.metric} over the number of labeled images: {_ends(group)}",
        "More labeled images to the right, better detectors upwards. A strategy is worth its name "
        "if its curve lies above that of random choice. Where all runs have the same first "
        "labels, a difference at the first point comes from training, not from choosing."
        + _seeds(group),
    )  # fmt: skip


def _ends(group: Measured) -> str:
    """Where each curve begins and ends, in words."""
    known = group.table.dropna(subset=group.metric)
    ends = [
        f"{shown_label(str(label))} from {means.iloc[0]:.3f} at {means.index[0]} to "
        f"{means.iloc[-1]:.3f} at {means.index[-1]}"
        for label, rows in known.groupby("strategy", sort=False)
        for means in [rows.groupby("labeled_images")[group.metric].mean()]
    ]
    return "; ".join(ends)


def _seeds(group: Measured) -> str:
    if _most_runs(group) < 2:
        return ""
    text = " A thick line is the mean of several runs, the thin ones are the runs."
    if _most_runs(group) < 3:
        return text
    return f"{text} The band is the {band_in_words(group.evaluated_on)}."


def _few_images(group: Measured) -> list[Caution]:
    """What a band over seeds does not say, where the images are few."""
    warning = band_warning(group.evaluated_on)
    is_due = warning and _most_runs(group) >= 3
    return [Caution(f"The band is over seeds alone: {warning}.")] if is_due else []


def _most_runs(group: Measured) -> int:
    """How many runs the strategy with the most has."""
    return int(group.table.groupby("strategy")["run"].nunique().max())


def _over_boxes(group: Measured) -> list[Piece]:
    """The curves over boxes, for the runs whose labels can be read."""
    table = group.boxes
    if not len(table):
        return [Text("The labels cannot be read, so the boxes that they took are not counted.")]
    return [drawn(
        lambda axes: plots.learning_curves(axes, table, group.metric, over="labeled_boxes"),
        f"{group.metric} over the number of labeled boxes",
        "The same over the boxes that people drew. Whoever is paid by the box looks here: a "
        "strategy that prefers crowded images looks better in the figure above.",
    )]  # fmt: skip


def _tables(group: Measured) -> list[Table]:
    """Every metric of every evaluated cycle, and what it is of full supervision."""
    names = metric_names(group.table)
    table = group.table.assign(strategy=group.table["strategy"].map(shown_label))
    columns = ["run", "strategy", "cycle", "labeled_images", *names]
    found = [Table(
        f"Every metric of every evaluated cycle on the {group.evaluated_on}, from 0 to 1.",
        table[columns].rename(columns={"labeled_images": "labeled images"}),
    )]  # fmt: skip
    for label, full in group.full.items():
        if full > 0:
            partial = group.partial.assign(strategy=group.partial["strategy"].map(shown_label))
            ratio = partial.assign(ratio=partial[group.metric] / full)
            wide = ratio.pivot_table("ratio", "labeled_images", "strategy").reset_index()
            wide = wide.rename(columns={"labeled_images": "labeled images"})
            what = f"{shown_label(str(label))} reach ({full:.3f})"
            found.append(Table(f"{group.metric} as a share of what {what}.", wide))
    return found


def _per_class(group: Measured) -> list[Piece]:
    table = class_results([run.record for run in group.runs], [run.label for run in group.runs])
    if group.metric not in table:
        return [Text("AP of the single classes is not recorded.")]
    if are_full(table["strategy"]).all():
        return [Text("AP of the single classes is in per_class.csv of the run folder: all images "
                     "are labeled from the start, so there is no curve to draw.")]  # fmt: skip
    classes = list(table["class"].unique())
    shown = table[table["class"].isin(classes[:MOST_PANELS])]
    count = min(len(classes), MOST_PANELS)
    columns = min(COLUMNS, count)
    late = [Text(sentence) for run in group.runs if (sentence := _labeled_later(run))]
    rows = -(-count // columns)
    more = f" The {MOST_PANELS} most frequent of {len(classes)} classes are shown."
    return [*late, drawn_panels(
        partial(_draw_classes, table=shown, metric=group.metric), (rows, columns),
        f"{group.metric} of every class over the number of labeled images",
        "AP of each class, those with the most objects among the evaluated images first. Rare "
        "classes have few objects to be evaluated on, so their curves jump."
        + more * (len(classes) > MOST_PANELS),
        (max(2.3 * columns, 5), 2 * rows + 0.8),
    )]  # fmt: skip


def _labeled_later(run: ReportedRun) -> str:
    """From which cycle on the numbers of a class say something; "" if all were there at once."""
    record = run.record
    first = record.first_labeled(record.cycles - 1)
    late = [f"{name} from cycle {cycle} on" for name, cycle in first.items() if cycle]
    never = [f"{name} not yet" for name in record.classes if name not in first]
    if not late + never:
        return ""
    return (
        f"{run.name} did not have labels of all classes from the start: "
        f"{', '.join(late + never)}. Until then no detector of it could find them: where evaluated "
        "images show such a class, its AP is 0; where none does, no metric counts it."
    )


def _draw_classes(panels: np.ndarray, table: pd.DataFrame, metric: str) -> None:
    plots.per_class_curves(panels, table, metric)
