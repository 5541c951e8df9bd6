"""Curves: losses over steps, discrepancy over stages, mAP over labeled images."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from miaod_nb.evaluation import VOC12_AP
from miaod_nb.evaluation.band import band_in_words, band_warning
from miaod_nb.evaluation.statistics import half_width
from miaod_nb.plots.letters import drawable
from miaod_nb.plots.look import (
    STYLES,
    LineEnd,
    are_full,
    label_ends,
    legend_columns,
    level_colors,
    looks,
)

DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)))
STAGE_MARKERS = {"minimize": "v", "maximize": "^"}

# MI-AOD and "all labels": the table of results in the README of the authors' code. The others:
# read off the authors' figure of the same experiment, right to about 0.4.
PUBLISHED = pd.DataFrame(
    {
        "MI-AOD": [47.18, 58.41, 64.02, 67.72, 69.79, 71.07, 72.27],
        "CDAL": [29.1, 48.2, 58.5, 64.0, 67.2, 67.7, 69.1],
        "entropy": [29.1, 50.6, 58.8, 61.7, 62.1, 65.2, 67.0],
        "random": [29.1, 49.7, 55.7, 59.4, 64.4, 66.0, 67.5],
        "all labels": 77.28,
    },
    index=pd.Index([5, 7.5, 10, 12.5, 15, 17.5, 20], name="labeled percent"),
)


def training_curves(axes: Axes, table: pd.DataFrame) -> Axes:
    """Loss terms over training steps, a line a term, each with its own dash.

    table: `step` and one column a term; NaN where a step does not have the term. The loss axis is
    logarithmic when all values are positive and the largest is over 30 times the smallest.
    """
    terms = [column for column in table.columns if column != "step"]
    lowest, highest = table[terms].min().min(), table[terms].max().max()
    wide = lowest > 0 and highest > 30 * lowest
    axes.set(xlabel="training step", ylabel="loss, logarithmic" if wide else "loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_yscale("log" if wide else "linear")
    ends = {}
    for position, (term, color) in enumerate(zip(terms, level_colors(len(terms)), strict=True)):
        rows = table[["step", term]].dropna()
        dash = DASHES[position % len(DASHES)]
        marker = "o" if len(rows) == 1 else None  # a line of one point is not seen
        axes.plot(rows["step"], rows[term], color=color, linestyle=dash, linewidth=1.5,
                  marker=marker)  # fmt: skip
        if len(rows):
            ends[term.replace("_", " ")] = LineEnd(
                rows["step"].iloc[-1], rows[term].iloc[-1], color
            )
    if not wide:
        axes.set_ylim(bottom=0)
    label_ends(axes, ends)
    return axes


def stage_values(
    axes: Axes, names: Sequence[str], values: Sequence[float], ylabel: str = "mean |p1 − p2|"
) -> Axes:
    """A value after each stage in the order they ran, and the change that each stage made.

    names: stages (`label_set`, `minimize`, `maximize`, or any others); values: as many, >= 0.
    """
    color = STYLES["mi_aod"]["color"]
    axes.plot(values, color=color)
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        axes.plot(place, value, STAGE_MARKERS.get(name, "o"), color=color, markersize=9)
    top = 1.2 * max(values) or 1
    for place, (before, after) in enumerate(pairwise(values), start=1):
        sign = "▲ +" if after > before else "▼ −" if after < before else "± "
        above = after > before or after < 0.1 * top  # below it, the axis would be in the way
        axes.annotate(
            f"{sign}{abs(after - before):#.2g}", (place, after), (0, 9 if above else -9),
            textcoords="offset points", ha="center", va="bottom" if above else "top",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0},
        )  # fmt: skip
    axes.set(ylabel=ylabel, xlabel="after stage", ylim=(0, top), xlim=(-0.4, len(names) - 0.6))
    axes.set_xticks(range(len(names)), [name.replace("_", "-") for name in names])
    return axes


def learning_curves(
    axes: Axes, table: pd.DataFrame, metric: str = VOC12_AP, over: str = "labeled_images"
) -> Axes:
    """mAP over labeled images: a thin line a run, a thick one for the mean of a strategy's runs,
    and from three runs on the 95 % confidence interval of the mean over seeds, on these test images
    (Student's t) as a band, which is told below.

    table: rows of `metrics.csv` files, with `strategy`, `run`, `cycle` where `over` may differ
    between runs, `evaluated_on` for how many test images, `metric` (mAP from 0 to 1, or its ratio
    to full supervision) and `over`, the column of the horizontal axis. Each kind of full
    supervision is a horizontal line. The metric's axis begins at 0.
    """
    partial = table[~are_full(table["strategy"])]
    styles = looks(table["strategy"])
    for strategy, rows in partial.groupby("strategy", sort=False):
        color = styles[str(strategy)]["color"]
        _add_interval(axes, rows, metric, over, color)
        runs = [run for _, run in rows.groupby("run")]
        for run in runs if len(runs) > 1 else []:
            axes.plot(run[over], run[metric], color=color, linewidth=0.8)
    axes.set(xlabel=over.replace("_", " "), ylabel=metric, ylim=_from_zero(table[metric]))
    if axes.collections:
        _tell_band(axes, partial)
    label_ends(axes, _mean_lines(axes, table, metric, styles, over))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    counts = np.unique(partial[over])
    if len(counts) < 2 or np.diff(counts).min() > 0.06 * np.ptp(counts):  # numbers do not touch
        axes.set_xticks(counts)
    return axes


def per_class_curves(panels: np.ndarray, table: pd.DataFrame, metric: str = VOC12_AP) -> np.ndarray:
    """AP over labeled images of every class: one panel a class, all with the same axes.

    panels: array of Axes, at least as many as classes; those left over are hidden. table: `class`,
    `strategy`, `labeled_images` and `metric`; several runs of a strategy are averaged, and AP is
    NaN for a class without test objects. Panels stand in the order of the classes in the table.
    """
    classes = list(table["class"].unique())
    if len(classes) > panels.size:
        raise ValueError(f"{len(classes)} classes do not fit into {panels.size} panels")
    counts = table.loc[~are_full(table["strategy"]), "labeled_images"]
    margin = max(0.06 * (counts.max() - counts.min()), 1)
    columns, shown = panels.shape[-1], _some(sorted(counts.unique()))
    styles = looks(table["strategy"])
    for place, (panel, name) in enumerate(zip(panels.flat, classes, strict=False)):
        left, bottom = place % columns == 0, place + columns >= len(classes)
        panel.set_title(drawable(str(name)), fontsize=9, loc="left", parse_math=False)
        panel.set(xlim=(counts.min() - margin, counts.max() + margin))
        panel.set(ylim=_from_zero(table[metric]), ylabel="AP" if left else "")
        panel.set_xlabel("labeled images" if bottom else "", fontsize=8)
        panel.tick_params(labelleft=left, labelbottom=bottom, labelsize=8)
        panel.set_xticks(shown)
        if not _mean_lines(panel, table[table["class"] == name], metric, styles):
            panel.text(0.5, 0.5, "no test objects", transform=panel.transAxes, ha="center")
    for panel in panels.flat[len(classes) :]:
        panel.set_visible(False)
    _name_strategies(panels.flat[0], styles, metric)
    return panels


def _some(counts: Sequence[int]) -> list[int]:
    """The first, the middle and the last of ascending counts, for axes that have little room."""
    return sorted({counts[0], counts[len(counts) // 2], counts[-1]})


def published_curve(axes: Axes, table: pd.DataFrame = PUBLISHED) -> Axes:
    """The curves that the authors published for PASCAL VOC, titled as theirs.

    table: mAP in percent, a column a method, indexed by the percentage of labeled images.
    """
    roles = {look["label"]: role for role, look in STYLES.items()}
    styles = looks(roles.get(method, method) for method in table.columns)
    ends = {}
    for method, look in zip(table.columns, styles.values(), strict=True):
        axes.plot(table.index, table[method], **look)
        ends[method] = LineEnd(table.index[-1], table[method].iloc[-1], look["color"])
    axes.set_title(
        "The authors' results (Yuan et al., CVPR 2021), not measured here\n"
        "VOC07+12 trainval (16,551 images) and VOC07 test, RetinaNet R50, 1000 × 600",
        loc="left", fontsize=10,
    )  # fmt: skip
    axes.text(
        0.98, 0.04, "MI-AOD, all labels: table of the authors' README\n"
        "others: read off the authors' figure, ± 0.4",
        transform=axes.transAxes, ha="right", fontsize=8,
    )  # fmt: skip
    axes.set(xlabel="labeled images, percent", ylabel="VOC07 AP@0.5 (11 points), percent")
    axes.set_ylim(0, 1.1 * table.max().max())
    axes.set_xticks(table.index, [f"{share:g}" for share in table.index])
    label_ends(axes, ends)
    return axes


def _mean_lines(
    axes: Axes, table: pd.DataFrame, metric: str, styles: Mapping[str, dict[str, Any]],
    over: str = "labeled_images",
) -> dict[str, LineEnd]:  # fmt: skip
    """Ends of the lines that it draws: the mean of each strategy, and of each kind of full
    supervision."""
    table = table.dropna(subset=metric)
    is_full = are_full(table["strategy"])
    ends = {}
    for strategy, rows in table[~is_full].groupby("strategy", sort=False):
        look = styles[str(strategy)]
        mean = rows.groupby(_same_point(rows, over))[[over, metric]].mean()
        axes.plot(mean[over], mean[metric], **look)
        ends[look["label"]] = LineEnd(mean[over].iloc[-1], mean[metric].iloc[-1], look["color"])
    for strategy, rows in table[is_full].groupby("strategy", sort=False):
        look, height = styles[str(strategy)], rows[metric].mean()
        axes.axhline(height, **look | {"marker": "", "linewidth": STYLES["full"]["linewidth"]})
        ends[look["label"]] = LineEnd(axes.get_xlim()[1], height, look["color"])
    return ends


def _same_point(rows: pd.DataFrame, over: str) -> str:
    """The column by which rows of several runs belong together: runs that chose other images have
    other numbers of boxes in one cycle, and of images where the budget is in boxes or minutes."""
    if over != "labeled_images":
        return "cycle"
    differ = "cycle" in rows and (rows.groupby("cycle")[over].nunique() > 1).any()
    return "cycle" if differ else over


def _add_interval(axes: Axes, rows: pd.DataFrame, metric: str, over: str, color: str) -> None:
    """Draws the confidence interval of the mean of one strategy's runs, where there are three."""
    points = rows.dropna(subset=metric).groupby(_same_point(rows, over))
    table = points[metric].agg(["mean", "std", "count"]).assign(x=points[over].mean())
    table = table[table["count"] >= 3]
    if not len(table):
        return
    half = [half_width(std, int(n)) for std, n in zip(table["std"], table["count"], strict=True)]
    axes.fill_between(table["x"], table["mean"] - half, table["mean"] + half, color=color,
                      alpha=0.15, linewidth=0)  # fmt: skip


def _tell_band(axes: Axes, table: pd.DataFrame) -> None:
    """Says below the axis what the bands are. table: rows of runs on the same test images."""
    evaluated_on = str(table["evaluated_on"].iloc[0]) if "evaluated_on" in table else ""
    warning = band_warning(evaluated_on)
    told = f"Band: {band_in_words(evaluated_on)}" + f"; {warning}" * bool(warning) + "."
    axes.annotate(
        textwrap.fill(told, 95), (0, 0), (0, -4), xycoords=("axes fraction", axes.xaxis.label),
        textcoords="offset points", va="top", fontsize=8,
    )  # fmt: skip


def _from_zero(values: pd.Series) -> tuple[float, float]:
    """Limits that begin at 0 and leave room above the highest value."""
    highest = values.max()
    return 0.0, max(1.1 * highest, 0.1) if highest > 0 else 1.0


def _name_strategies(first: Axes, styles: Mapping[str, dict[str, Any]], metric: str) -> None:
    """Puts the look of each strategy, and what is measured, above the first of several panels."""
    lines = [Line2D([], [], **look) for look in styles.values()]
    above_title = ScaledTranslation(0, 22 / 72, first.figure.dpi_scale_trans)
    first.figure.legend(
        handles=lines, title=metric, alignment="left", loc="lower left",
        ncols=legend_columns(first, [look["label"] for look in styles.values()]),
        bbox_to_anchor=(0, 1), bbox_transform=first.transAxes + above_title, borderpad=0,
        borderaxespad=0,
    )  # fmt: skip
