"""Runs of a grid as curves, and as pairs: equal seed, equal first labels, equally many cycles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from miaod_nb.compare.grid_results import CURRENCIES, KEYS, REMEDY
from miaod_nb.errors import DataError
from miaod_nb.evaluation import VOC12_AP

LEAST_POINTS = 3  # of a curve whose area means something


@dataclass(frozen=True)
class Curve:
    """The mAP of one run over what its labels cost.

    first: cycle, images and boxes at its first point. x: (points,), never falling. y: (1 + B,
    points): on the test images, and on each of B resamples of them.
    """

    first: tuple[float, ...]
    x: np.ndarray
    y: np.ndarray


Cell = Mapping[int, Curve]  # the runs of one recipe and selection, by their seeds


def check_unit(by: str) -> None:
    """Raises DataError for anything but one of CURRENCIES."""
    if by not in CURRENCIES:
        raise DataError(f"labels are not counted in {by}", where="by",
                        remedy=f"choose one of: {', '.join(CURRENCIES)}")  # fmt: skip


def curves_of(
    table: pd.DataFrame, resampled: pd.DataFrame | None, recipe: str, selection: str, by: str
) -> dict[int, Curve]:
    """The curves of one recipe and selection by their seeds; {} if it has none.

    by: what labels are counted in, of CURRENCIES. Raises DataError where a run has not counted it,
    or has fewer labels in a later cycle.
    """
    check_unit(by)
    rows = _runs_of(table, recipe, selection).sort_values(["seed", "cycle"])
    points = rows[[VOC12_AP]].to_numpy(float)
    if resampled is not None:
        drawn = _drawn(_runs_of(resampled, recipe, selection), rows, f"{recipe}, {selection}")
        points = np.concatenate([points, drawn], axis=1)  # (rows, 1 + B)
    labels, firsts = rows[by].to_numpy(float), rows[["cycle", "images", "boxes"]].to_numpy(float)
    curves = {}
    for seed in rows["seed"].unique():
        own = (rows["seed"] == seed).to_numpy()
        x, name = labels[own], f"{recipe}, {selection}, seed {seed}"
        if not np.isfinite(x).all():
            raise DataError(f"the {by} of this run's labels are not known", where=name,
                            remedy="leave it out, or compare by images")  # fmt: skip
        if (np.diff(x) < 0).any():
            raise DataError(f"this run has fewer {by} in a later cycle", where=name, remedy=REMEDY)
        first = tuple(np.nan_to_num(firsts[own][0], nan=-1).tolist())
        curves[int(seed)] = Curve(first, x, points[own].T)
    return curves


def _runs_of(table: pd.DataFrame, recipe: str, selection: str) -> pd.DataFrame:
    return table[(table["recipe"] == recipe) & (table["selection"] == selection)]


def _drawn(resampled: pd.DataFrame, rows: pd.DataFrame, name: str) -> np.ndarray:
    """The resamples of some rows, in their order: (rows, B)."""
    keys = zip(resampled["seed"], resampled["cycle"], strict=True)
    places = {key: place for place, key in enumerate(keys)}
    wanted = list(zip(rows["seed"], rows["cycle"], strict=True))
    if not places.keys() >= set(wanted):
        raise DataError("some runs have no resamples", where=name, remedy=REMEDY)
    values = resampled.drop(columns=KEYS).to_numpy(float)
    return np.asarray(values[[places[key] for key in wanted]])


def paired(cells: Mapping[str, Cell]) -> tuple[list[Cell], list[str]]:
    """The cells with the seeds that all have, in as many cycles as all have, and what was left out.

    cells: by their names. Of runs that have come to different cycles those seeds and cycles stay
    that leave most to compare. Raises DataError where no seed is in all of them, and where runs of
    one seed began with other labels: their difference would be that of the labels.
    """
    every = [set(cell) for cell in cells.values()]
    seeds = sorted(set.intersection(*every))
    if not seeds:
        raise DataError("no seed has a run of each: nothing is left to pair", where=_listed(cells),
                        remedy="run them with the same seeds")  # fmt: skip
    for seed in seeds:
        _refuse_other_first({name: cell[seed].first for name, cell in cells.items()}, seed)
    lengths = {seed: min(len(cell[seed].x) for cell in cells.values()) for seed in seeds}
    points = max(
        lengths.values(), key=lambda n: (sum(one >= n for one in lengths.values()) * (n - 1), n)
    )
    kept = [seed for seed in seeds if lengths[seed] >= points]
    longest = max(len(cell[seed].x) for cell in cells.values() for seed in kept)
    left_out = {
        "seeds that not all runs have": sorted(set.union(*every) - {*seeds}),
        "seeds that have not come as far as others": sorted({*seeds} - {*kept}),
        "cycles that not all runs have": range(points, longest),
    }
    notes = [
        f"left out are {what}: {', '.join(map(str, which))}"
        for what, which in left_out.items() if which
    ]  # fmt: skip
    return [{seed: _begun(cell[seed], points) for seed in kept} for cell in cells.values()], notes


def _begun(curve: Curve, points: int) -> Curve:
    return Curve(curve.first, curve.x[:points], curve.y[:, :points])


def _refuse_other_first(firsts: Mapping[str, tuple[float, ...]], seed: int) -> None:
    (name, first), *others = firsts.items()
    for other, their in others:
        if their != first:
            raise DataError(
                f"with seed {seed} these runs begin with other labels: {_told(first)}, and "
                f"{_told(their)}; they are no pair", where=f"{name}; {other}",
                remedy="run both with the same split_seed and data",
            )  # fmt: skip


def _told(first: Sequence[float]) -> str:
    cycle, images, boxes = first
    return f"{images:g} images with {boxes:g} boxes in cycle {cycle:g}"


def _listed(cells: Mapping[str, Cell]) -> str:
    return "; ".join(
        f"{name}: seeds {', '.join(map(str, cell)) or 'none'}" for name, cell in cells.items()
    )


def common_range(cells: Sequence[Cell]) -> tuple[tuple[float, float] | None, list[str]]:
    """From where to where all the curves reach, and in words why there is no area."""
    curves = [curve for cell in cells for curve in cell.values()]
    if min(len(curve.x) for curve in curves) < LEAST_POINTS:
        return None, [f"a curve has fewer than {LEAST_POINTS} points: no area"]
    starts, ends = {c.x[0] for c in curves}, {c.x[-1] for c in curves}
    low, high = float(max(starts)), float(min(ends))
    if low >= high:
        return None, ["the curves have no range in common: no area"]
    return (low, high), []


def height(curve: Curve, place: float) -> np.ndarray:
    """The piecewise linear curve at a place that it covers: (1 + B,)."""
    weights = np.array([np.interp(place, curve.x, unit) for unit in np.eye(len(curve.x))])
    return np.asarray(curve.y @ weights)
