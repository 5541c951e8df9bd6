"""Bars: how many, which share, how the scores spread, and the hand-computed example."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from miaod_nb.plots.letters import drawable
from miaod_nb.plots.look import HATCHES, STYLES, legend_columns, level_colors, looks

POOL_LOOK: dict[str, Any] = {"color": "white", "edgecolor": "black", "label": "pool"}
NAMED = 4  # bars of a group that are named beside it
GROUP = 0.84  # of the distance between two groups of bars; the rest is white


def class_counts(axes: Axes, table: pd.DataFrame, xlabel: str = "objects") -> Axes:
    """How often each class occurs in each list: a group of bars a class, with its numbers.

    table: counts indexed by class, a column a list (named in the first group). The class that the
    first list holds most of stands on top. More than about 24 bars want a taller figure.
    """
    table = table.sort_values(table.columns[0], ascending=False, kind="stable")
    styles = [{"color": color, "label": name} for name, color in
              zip(table.columns, level_colors(len(table.columns)), strict=True)]  # fmt: skip
    _grouped_bars(axes, table, styles, "{:.0f}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(xlabel)
    return axes


def share_bars(axes: Axes, table: pd.DataFrame, xlabel: str = "share of the images") -> Axes:
    """Which share of the chosen images is of each kind, against the share in the pool.

    table: shares from 0 to 1, indexed by kind, a column a strategy; the column `pool` is drawn as
    an outline.
    """
    styles = _bar_styles(name for name in table if name != "pool") | {"pool": POOL_LOOK}
    _grouped_bars(axes, table, [styles[name] for name in table], "{:.0%}")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel(xlabel)
    return axes


def batch_costs(axes: Axes, table: pd.DataFrame) -> Axes:
    """What the batches of several strategies take and cost.

    table: numbers indexed by their units, such as images, boxes, minutes; a column a strategy.
    """
    _grouped_bars(axes, table.round(1), list(_bar_styles(table).values()), "{:g}")
    axes.set_xlabel("expected for the batch")
    return axes


def true_positive_counts(
    axes: Axes, table: pd.DataFrame, xlabel: str = "true positives in the evaluated images"
) -> Axes:
    """How many objects each cycle's detector finds (as figure 7 of the paper): a group of bars for
    each number of labeled images, a bar a strategy.

    table: counts indexed by labeled images, a column a strategy; NaN where it has no such cycle.
    """
    _grouped_bars(axes, table, list(_bar_styles(table).values()), "{:.0f}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=xlabel, ylabel="labeled images")
    return axes


def score_histogram(
    axes: Axes, scores: np.ndarray, selected: np.ndarray, xlabel: str = "image uncertainty",
    strategy: str = "mi_aod",
) -> Axes:  # fmt: skip
    """How the scores of the pool spread, and where the selected images lie.

    scores: (N,) finite; selected: bool (N,). Selected images stand on top of the others, in the
    color of the strategy.
    """
    edges = np.histogram_bin_edges(scores, bins=30)
    rest, chosen = (np.histogram(part, edges)[0] for part in (scores[~selected], scores[selected]))
    look: dict[str, Any] = {
        "align": "edge",
        "width": np.diff(edges),
        "edgecolor": "white",
        "linewidth": 0.5,
    }
    color = looks([strategy])[strategy]["color"]
    axes.bar(edges[:-1], rest, color=STYLES["random"]["color"],
             label=f"{rest.sum()} not selected", **look)  # fmt: skip
    axes.bar(edges[:-1], chosen, bottom=rest, color=color, hatch="////",
             label=f"{chosen.sum()} selected", **look)  # fmt: skip
    axes.set(xlabel=xlabel, ylabel="images of the pool")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))  # the numbers are long
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return axes


def instance_bars(axes: Axes, names: Sequence[str], series: Mapping[str, Sequence[float]]) -> Axes:
    """Several quantities of the same few anchors, a row of bars a quantity, on one scale.

    names: anchors, from left to right; series: values >= 0 of each quantity, rows from the top.
    The number stands above its bar; the largest of each row has MI-AOD's color and is bold.
    """
    highest = max(max(values) for values in series.values()) or 1
    places = np.arange(len(names))
    for row, values in enumerate(reversed(list(series.values()))):
        best = int(np.argmax(values))
        for place, value in zip(places, values, strict=True):
            look = STYLES["mi_aod" if place == best else "random"]
            axes.bar(place, 0.66 * value / highest, 0.6, bottom=row, color=look["color"])
            axes.annotate(
                f"{value:.3g}", (place, row + 0.66 * value / highest), (0, 1.5), ha="center",
                textcoords="offset points", weight="bold" if place == best else "normal",
            )  # fmt: skip
        axes.axhline(row, color="black", linewidth=0.8)
    axes.set_xticks(places, [drawable(name) for name in names])
    axes.set_yticks(np.arange(len(series)) + 0.3, list(series)[::-1])
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set(ylim=(-0.02, len(series)))
    axes.grid(False)
    return axes


def _bar_styles(names: Iterable[object]) -> dict[str, dict[str, Any]]:
    """Color and label of the bars of each strategy, and a hatch where a color comes again."""
    styles: dict[str, dict[str, Any]] = {}
    for name, look in looks(names).items():
        found = {"color": look["color"], "label": look["label"]}
        again = sum(other["color"] == look["color"] for other in styles.values())
        styles[name] = found | ({"hatch": HATCHES[again % len(HATCHES)]} if again else {})
    return styles


def _grouped_bars(
    axes: Axes, table: pd.DataFrame, styles: Sequence[Mapping[str, Any]], text: str
) -> None:
    """Horizontal bars, a group a row of the table from the top, a bar a column, with its value.

    styles: color and label of each column; up to four labels stand at the bars of the first group,
    more of them above.
    """
    height = GROUP / len(styles)
    inches = axes.get_window_extent().height / axes.figure.dpi * height / (len(table) + 0.25)
    size = min(max(0.9 * 72 * inches, 5), 9)  # as high as the bar, but readable
    for position, (column, look) in enumerate(zip(table.columns, styles, strict=True)):
        places = np.arange(len(table)) - GROUP / 2 + (position + 0.5) * height
        bars = axes.barh(places, table[column].fillna(0), 0.9 * height, **look)
        numbers = ["–" if pd.isna(value) else text.format(value) for value in table[column]]
        numbers[0] += f"  {look['label']}" * (len(styles) <= NAMED)
        axes.bar_label(bars, numbers, padding=3, fontsize=size, parse_math=False)
    if len(styles) > NAMED:
        columns = legend_columns(axes, [look["label"] for look in styles])
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)
    names = [drawable(str(name)) for name in table.index]
    axes.set_yticks(np.arange(len(table)), names, parse_math=False)
    axes.set(ylim=(len(table) - 0.5, -0.75), xlim=(0, 1.25 * table.max().max() or 1))
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
