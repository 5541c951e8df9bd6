"""How things look: one role, one color, line and marker in every figure, and labels at the line."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from statistics import fmean
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

STYLE_SHEET = "miaod_nb.plots.miaod"  # plots/miaod.mplstyle, in matplotlib's spelling
PIXEL = 0.72  # points a pixel has at the style's 100 dpi

FULL = "full"  # the role of runs on all labels: lines without points

# Line and marker tell the roles apart without color. Gray is for lines and bars, never for text.
STYLES: dict[str, dict[str, Any]] = {
    "mi_aod": {"color": "#0072B2", "linestyle": "-", "marker": "o", "label": "MI-AOD"},
    "entropy": {"color": "#D55E00", "linestyle": "--", "marker": "s", "label": "entropy"},
    "random": {"color": "#999999", "linestyle": ":", "marker": "^", "label": "random"},
    "full": {"color": "#000000", "linestyle": "-", "linewidth": 1, "label": "all labels"},
}
# For all others, in the order in which a figure names them.
OTHERS: tuple[dict[str, Any], ...] = (
    {"color": "#882255", "linestyle": "-.", "marker": "D"},
    {"color": "#56B4E9", "linestyle": (0, (5, 1)), "marker": "v"},
    {"color": "#E69F00", "linestyle": (0, (3, 1, 1, 1)), "marker": "P"},
    {"color": "#332288", "linestyle": (0, (1, 1)), "marker": "X"},
    {"color": "#661100", "linestyle": (0, (8, 2)), "marker": "<"},
    {"color": "#6D4C41", "linestyle": (0, (4, 1, 1, 1, 1, 1)), "marker": "*"},
)
# What tells a second and a third round of these from the first; in bars, their hatches.
ROUNDS: tuple[dict[str, Any], ...] = ({}, {"markerfacecolor": "white"}, {"fillstyle": "left"})
HATCHES = (None, "////", "....")


class LineEnd(NamedTuple):
    """Where a line stops, in data units, and its color."""

    x: float
    y: float
    color: str


def use_style() -> None:
    """Gives every figure that is drawn from now on the project's look."""
    plt.style.use(STYLE_SHEET)


def style() -> AbstractContextManager[None]:
    """A context in which figures have the project's look."""
    return plt.style.context(STYLE_SHEET)


def looks(names: Iterable[object]) -> dict[str, dict[str, Any]]:
    """Color, line, marker and label of each name, in the order in which they first come.

    A name is a role of STYLES, a role with what sets it apart ("random (seed=1)"), the first of
    which has the role's look, or any other: these get the looks of OTHERS one after the other.
    """
    found: dict[str, dict[str, Any]] = {}
    roles, others = set(), 0
    distinct = list(dict.fromkeys(map(str, names)))
    for name in distinct:
        role, _, extra = name.partition(" (")
        label = STYLES[role]["label"] + (f" ({extra}" if extra else "") if role in STYLES else name
        if role in STYLES and role not in roles and (not extra or role not in distinct):
            look = STYLES[role]
            roles.add(role)
        else:
            look = OTHERS[others % len(OTHERS)] | ROUNDS[others // len(OTHERS) % len(ROUNDS)]
            others += 1
        found[name] = look | {"label": label}
    return found


def role_of(name: str) -> str:
    """What a name begins with, before what sets it apart: "random" of "random (seed=1)"."""
    return name.partition(" (")[0]


def are_full(names: pd.Series) -> pd.Series:
    """Which of the names are of runs on all labels; there may be several kinds of them."""
    return names.map(lambda name: role_of(str(name)) == FULL).astype(bool)


def label_of(name: str) -> str:
    """A name as figures write it."""
    return str(looks([name])[name]["label"])


def level_colors(count: int) -> list[str]:
    """`count` colors from dark to light for things that have an order but no role.

    They stop short of the light end, which cannot be seen on white.
    """
    return [to_hex(plt.get_cmap("cividis")(place)) for place in np.linspace(0, 0.72, count)]


def legend_columns(axes: Axes, labels: Sequence[str]) -> int:
    """How many of these labels a legend holds in a row, so that it is no wider than the figure."""
    widest = 0.6 + 0.08 * max(map(len, labels))  # inches: of a line, and of a letter about
    fitting = int(0.9 * axes.figure.bbox.width / axes.figure.dpi / widest)
    return min(max(fitting, 1), len(labels))


def label_ends(axes: Axes, ends: Mapping[str, LineEnd]) -> None:
    """Writes a label right of the axes for every line end, with a hair line between the two.

    The limits of the axes stay as they are now. Labels keep their order and do not overlap.
    """
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    size = float(plt.rcParams["font.size"])
    gap = 1.25 * size / 72 / (axes.get_window_extent().height / axes.figure.dpi)
    to_axes = axes.transData + axes.transAxes.inverted()
    heights = {label: to_axes.transform((end.x, end.y))[1] for label, end in ends.items()}
    for label, height in apart(heights, gap).items():
        end = ends[label]
        axes.annotate(
            label, (end.x, end.y), (1.04, height), textcoords="axes fraction", va="center",
            annotation_clip=False, parse_math=False,  # a name with two $ is no formula
            arrowprops={"arrowstyle": "-", "color": end.color, "linewidth": 0.8,
                        "shrinkA": 0, "shrinkB": 3, "relpos": (0, 0.5)},
        )  # fmt: skip


def apart(heights: Mapping[str, float], gap: float) -> dict[str, float]:
    """Heights at least `gap` apart and not below 0, in the same order and as near to the given ones
    as possible.

    Near: least sum of squared shifts, by pooling neighbors that would overlap.
    """
    labels = sorted(heights, key=lambda label: heights[label])
    groups: list[list[float]] = []  # heights less the room that the labels below take
    for rank, label in enumerate(labels):
        groups.append([heights[label] - rank * gap])
        while len(groups) > 1 and fmean(groups[-2]) > fmean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    floors = [max(fmean(group), 0.0) for group in groups for _ in group]
    return {label: floors[rank] + rank * gap for rank, label in enumerate(labels)}
