"""A learning curve and how it probably goes on."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from miaod_nb.evaluation import VOC12_AP
from miaod_nb.plots.look import looks

WIDE = 10  # times the fewest labeled images: from there on the axis is logarithmic


def continued_curve(
    axes: Axes, table: pd.DataFrame, strategy: str, continued: pd.DataFrame,
    marks: Mapping[str, float], metric: str = VOC12_AP, full: float | None = None,
) -> Axes:  # fmt: skip
    """What runs of one strategy were measured to have (points), the curve through it (line), and
    how both probably go on: dashed, with the band that holds 95 % of what would be measured.

    table: rows with `strategy` (all that have a look in the figures beside), `labeled_images` and
    `metric`; continued: `labeled_images` ascending, `mean`, `low` and `high`; marks: numbers of
    labeled images whose expected mAP is written at the curve, by their names. full: what all labels
    were measured to bring, a line.
    """
    look = looks(table["strategy"])[strategy]
    color, table = look["color"], table[table["strategy"] == strategy]
    axes.plot(table["labeled_images"], table[metric], look["marker"], color=color, zorder=3)
    last = table["labeled_images"].max()
    ahead = continued[continued["labeled_images"] >= last]
    behind = continued[continued["labeled_images"] <= last]
    axes.plot(behind["labeled_images"], behind["mean"], color=color)
    axes.plot(ahead["labeled_images"], ahead["mean"], "--", color=color)
    axes.fill_between(ahead["labeled_images"], ahead["low"], ahead["high"], color=color,
                      alpha=0.2, linewidth=0)  # fmt: skip
    if full is not None:
        axes.axhline(full, color="black", linewidth=1)
        axes.annotate(
            f"all labels, measured: {full:.2f}", (0, full), (4, 3), va="bottom",
            xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=8,
        )  # fmt: skip
    end = continued["labeled_images"].max()
    for name, images in marks.items():
        height = np.interp(images, continued["labeled_images"], continued["mean"])
        axes.plot(images, height, look["marker"], color=color, markerfacecolor="white", zorder=3)
        axes.annotate(
            f"{name}\n{height:.2f}", (images, height), (0 if images == end else 5, -8),
            textcoords="offset points", ha="center" if images == end else "left", va="top",
            fontsize=8,
        )  # fmt: skip
    top = max(continued["high"].max(), table[metric].max(), full or 0)
    axes.set(xlabel="labeled images", ylabel=metric, ylim=(0, max(1.1 * top, 0.1)))
    axes.set_title(look["label"], loc="left", fontsize=10, parse_math=False)
    axes.margins(x=0.09)
    first = continued["labeled_images"].min()
    if end > WIDE * first:
        axes.set_xscale("log")
        ticks = [*[first] * bool(last > 1.5 * first), last, end]  # numbers do not touch
        axes.set_xticks(ticks, [f"{one:.0f}" for one in ticks])
        axes.minorticks_off()
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(left=0)
    return axes
