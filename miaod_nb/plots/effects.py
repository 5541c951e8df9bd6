"""What a gain is worth: differences with their intervals, beside the curves that they come from."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from miaod_nb.evaluation import VOC12_AP
from miaod_nb.plots.letters import drawable
from miaod_nb.plots.look import LineEnd, label_ends, looks

DIFFERENCE = "difference of mAP"
# A training is told by its line and the filling of its marker, a selection by color and marker.
TRAININGS: dict[str, dict[str, Any]] = {
    "label_set": {"label": "label-set", "linestyle": "--", "markerfacecolor": "white"},
    "mi_aod": {"label": "MI-AOD", "linestyle": "-"},
}
UNITS = {"images": "o", "boxes": "s", "minutes": "D"}


def two_by_two(
    panels: Sequence[Axes], cells: pd.DataFrame, effects: pd.DataFrame, over: str = "images",
    metric: str = VOC12_AP, among: Iterable[str] = (),
) -> Sequence[Axes]:  # fmt: skip
    """Two trainings times two selections in one look: the curves, and what makes them differ.

    panels: two Axes, of a figure with constrained layout, which leaves room for labels. cells:
    training, selection, seed, cycle, `over` and `metric`, a row a run and cycle: a line is the mean
    of the seeds, a small point one of them. effects: effect, by, mean, low, high (NaN: no
    interval), decided, a row each, from the top. among: the selections of other figures beside this
    one, so that each has one look in all.
    """
    left, right = panels
    styles, ends = looks([*among, *cells["selection"]]), {}
    for (training, selection), rows in cells.groupby(["training", "selection"], sort=False):
        choice, kind = styles[str(selection)], TRAININGS[str(training)]
        look = choice | kind
        left.plot(rows[over], rows[metric], ls="", marker=look["marker"], color=look["color"],
                  markerfacecolor=look.get("markerfacecolor"), markersize=3, alpha=0.7)  # fmt: skip
        mean = rows.groupby("cycle")[[over, metric]].mean()
        left.plot(mean[over], mean[metric], **look)
        name = drawable(f"{kind['label']} + {choice['label']}")
        ends[name] = LineEnd(mean[over].iloc[-1], mean[metric].iloc[-1], look["color"])
    xlabel = f"labeled {over}" if over != "minutes" else "minutes of labeling"
    left.set(xlabel=xlabel, ylabel=metric)
    left.set_title("training + choice", loc="left", fontsize=10)
    label_ends(left, ends)

    names = [f"{row.effect}\nby {row.by}" for row in effects.itertuples()]
    marks = [{"color": "black", "marker": UNITS[by]} for by in effects["by"]]
    differences(right, effects, names, marks)
    right.set_title("what each is worth", loc="left", fontsize=10)
    return panels


def forest(panels: Sequence[Axes], table: pd.DataFrame, against: str = "random") -> Sequence[Axes]:
    """Every selection against one: a panel a unit that labels are counted in, a row a selection.

    panels: one for each value of `by`, side by side. table: recipe, selection, by, mean, low, high
    (NaN: no interval), decided.
    """
    styles = looks([against, *table["selection"]])
    several = table["recipe"].nunique() > 1
    keys = table[["recipe", "selection"]].drop_duplicates()
    for axes, (by, _) in zip(panels, table.groupby("by", sort=False), strict=True):
        rows = keys.merge(table[table["by"] == by], how="left")
        marks = [styles[name] for name in rows["selection"]]
        names = [look["label"] + f" ({recipe})" * several
                 for look, recipe in zip(marks, rows["recipe"], strict=True)]  # fmt: skip
        differences(axes, rows, names, marks, reach_of(table))
        axes.set_title(f"by {by}", loc="left", fontsize=10)
        axes.tick_params(labelleft=axes is panels[0])
    return panels


def differences(
    axes: Axes, table: pd.DataFrame, names: Sequence[str], marks: Sequence[dict[str, Any]],
    reach: float = 0,
) -> Axes:  # fmt: skip
    """Differences as points with their 95 % intervals around a line at zero, a row each from the
    top: a full point where that is decided, else a hollow one; the number beside it.

    table: mean, low, high, decided (NaN: no interval; no mean: nothing in this row). reach: how far
    from zero the axis goes; 0: as far as the table.
    """
    axes.axvline(0, color="black", linewidth=0.8)
    for place, (row, mark) in enumerate(zip(table.itertuples(), marks, strict=True)):
        if np.isnan(row.mean):
            continue
        axes.plot([row.low, row.high], [place, place], color=mark["color"], linewidth=1.5)
        axes.plot(row.mean, place, marker=mark["marker"], color=mark["color"], markersize=7,
                  markerfacecolor=mark["color"] if row.decided else "white")  # fmt: skip
        axes.text(1.02, place, signed(row.mean, ".3f"), transform=axes.get_yaxis_transform(),
                  va="center", fontsize=9, weight="bold" if row.decided else "normal")  # fmt: skip
    reach = reach or reach_of(table)
    axes.set(xlim=(-reach, reach), ylim=(len(table) - 0.5, -0.5), xlabel=DIFFERENCE)
    axes.set_yticks(range(len(table)), [drawable(name) for name in names], parse_math=False)
    step = MaxNLocator(nbins=2).tick_values(0, reach)[1]  # few ticks: panels may be narrow
    axes.set_xticks([-step, 0, step], [signed(-step, ".3g"), "0", signed(step, ".3g")])
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return axes


def reach_of(table: pd.DataFrame) -> float:
    """How far from zero an axis goes that holds all means and intervals."""
    values = np.abs(table[["mean", "low", "high"]].to_numpy(float))
    return 1.2 * float(np.nanmax(values, initial=1e-3))


def signed(value: float, digits: str) -> str:
    """A difference with its sign, the minus as wide as the plus."""
    return f"{value:+{digits}}".replace("-", "−")
