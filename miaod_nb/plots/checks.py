"""How far a detector's scores can be trusted, and what the labels were of."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from miaod_nb.plots.letters import drawable
from miaod_nb.plots.look import LineEnd, label_ends, looks

LEAST = 10  # detections that a point of the calibration stands for: fewer say nothing
DARK = 0.55  # of the color scale: white numbers below, black ones above


def calibration(axes: Axes, tables: Mapping[str, pd.DataFrame]) -> Axes:
    """Which share of the detections of a score is right, against that score: on the diagonal a
    score of 0.7 is right in 7 of 10 cases; below it the detector is too sure of itself.

    tables: of `reliability`, by strategy. Points of fewer than 10 detections are left out.
    """
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.04), xlabel="score of a detection",
             ylabel="share that is right")  # fmt: skip
    ends = {"as right as it says": LineEnd(1, 1, "black")}
    for look, table in zip(looks(tables).values(), tables.values(), strict=True):
        rows = table[table["detections"] >= LEAST]
        axes.plot(rows["score"], rows["precision"], **look)
        if len(rows):
            last = rows.iloc[-1]
            ends[look["label"]] = LineEnd(last["score"], last["precision"], look["color"])
    label_ends(axes, ends)
    return axes


def class_mix(axes: Axes, table: pd.DataFrame, xlabel: str = "labeled images") -> Axes:
    """Which share of the objects is of each class: a row a class, a column a set, its numbers in
    the cells and as colors.

    table: counts of objects indexed by class; a column of zeros (no object) stays empty.
    """
    totals = table.sum()
    shares = (table / totals.where(totals > 0)).to_numpy(dtype=float)  # (classes, sets)
    highest = np.nanmax(shares, initial=0) or 1
    axes.imshow(np.ma.masked_invalid(shares), cmap="cividis", vmin=0, vmax=highest, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if np.isfinite(share):
            color = "white" if share < DARK * highest else "black"
            axes.text(column, row, f"{share:.0%}", ha="center", va="center", color=color)
    axes.set_xticks(range(len(table.columns)), [str(name) for name in table])
    names = [drawable(str(name)) for name in table.index]
    axes.set_yticks(range(len(table)), names, parse_math=False)
    axes.set_xlabel(xlabel)
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    return axes
