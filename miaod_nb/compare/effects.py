"""Does MI-AOD's training pay, and does its choice? The two gains apart, each with its interval."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from miaod_nb.compare.grid_results import CURRENCIES
from miaod_nb.compare.pairs import (
    Cell,
    Curve,
    check_unit,
    common_range,
    curves_of,
    height,
    paired,
)
from miaod_nb.errors import DataError
from miaod_nb.evaluation.statistics import (
    Interval,
    area_under_curve,
    labels_needed,
    paired_interval,
)
from miaod_nb.plots.look import FULL

TRAININGS = ("label_set", "mi_aod")
RANDOM = "random"
# What each effect adds up of the cells (label-set, random), (label-set, selection),
# (MI-AOD, random) and (MI-AOD, selection): main effects are averaged over the other factor.
EFFECTS = {
    "training gain": (-0.5, -0.5, 0.5, 0.5),
    "selection gain": (-0.5, 0.5, -0.5, 0.5),
    "interaction": (1, -1, -1, 1),
}


@dataclass(frozen=True)
class Effect:
    """A difference of mAP between runs of equal seeds.

    name: one of EFFECTS, or a selection that is held against another. recipe: within which; "" for
    those of two recipes. by: what labels are counted in. low, high: from where to where the mean
    height of the curves is compared; equal for a comparison at one place. cycle: of this place.
    """

    name: str
    recipe: str
    by: str
    low: float
    high: float
    interval: Interval
    cycle: int | None = None


@dataclass(frozen=True)
class TwoByTwo:
    """Two trainings times two selections.

    recipes: of each training; cells: rows of the long table, of the paired seeds and the cycles
    that all runs have. effects: at the first labels (of training alone), at every later cycle, and
    of the area under the curve (`cycle` is None). notes: what was left out, and why.
    """

    selection: str
    by: str
    recipes: tuple[str, str]
    cells: pd.DataFrame
    effects: tuple[Effect, ...]
    notes: tuple[str, ...]


def table_of(effects: Iterable[Effect]) -> pd.DataFrame:
    """Effects as rows: effect, recipe, by, cycle, from, to, mean, low, high (NaN: no interval),
    decided, seeds, left_out (resamples of the test images), reason (why no interval)."""
    rows = [
        {"effect": one.name, "recipe": one.recipe, "by": one.by, "cycle": one.cycle,
         "from": one.low, "to": one.high, "mean": one.interval.mean, "low": one.interval.low,
         "high": one.interval.high, "decided": one.interval.decided, "seeds": one.interval.seeds,
         "left_out": one.interval.left_out, "reason": one.interval.reason}
        for one in effects
    ]  # fmt: skip
    names = ["effect", "recipe", "by", "cycle", "from", "to", "mean", "low", "high", "decided",
             "seeds", "left_out", "reason"]  # fmt: skip
    return pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[4:9], float))


def two_by_two(
    table: pd.DataFrame, resampled: pd.DataFrame | None, selection: str, by: str = "images"
) -> TwoByTwo:
    """Training gain, selection gain and their interaction, paired by seed.

    At a cycle all four curves are read where the last of them has arrived, so that they are
    compared at equal labels; their areas over the range that all of them cover. The interaction
    is how much more the selection gains with MI-AOD's training than with label-set training. Raises
    DataError where one of the four cells is missing, and for runs that are no pairs.
    """
    check_asked(table, selection, by)
    recipes, notes = _recipes_of(table, selection)
    names = [(recipe, one) for recipe in recipes for one in (RANDOM, selection)]
    cells = {", ".join(n): curves_of(table, resampled, *n, by) for n in names}
    four, left_out = paired(cells)
    cycles = min(len(curve.x) for curve in four[0].values())

    effects = [_effect("training gain", EFFECTS["training gain"], four, by, 0)]
    for cycle in range(1, cycles):
        effects += [_effect(n, parts, four, by, cycle) for n, parts in EFFECTS.items()]
    range_, problem = common_range(four)
    if range_:
        effects += [_area(n, parts, four, by, range_) for n, parts in EFFECTS.items()]
    rows = table[
        table["recipe"].isin(recipes) & table["selection"].isin([RANDOM, selection])
        & table["seed"].isin(list(four[0]))
    ]  # fmt: skip
    rows = rows[rows.groupby(["recipe", "selection", "seed"])["cycle"].rank() <= cycles]
    return TwoByTwo(selection, by, recipes, rows, tuple(effects), (*notes, *left_out, *problem))


def check_asked(table: pd.DataFrame, selection: str, by: str) -> None:
    """Raises DataError for a selection that the grid has not beside random, and for a unit that no
    labels are counted in."""
    check_unit(by)
    others = dict.fromkeys(table.loc[~table["selection"].isin([RANDOM, FULL]), "selection"])
    if selection not in others:
        raise DataError(f"the grid has no selection '{selection}' beside random",
                        where="selection", remedy=f"choose one of: {_list(others)}")  # fmt: skip


def _recipes_of(table: pd.DataFrame, selection: str) -> tuple[tuple[str, str], list[str]]:
    """The recipe of each training that has both selections; of several the first, which is said."""
    both = table.groupby("recipe", sort=False)["selection"].agg(set)
    whole = table[table["recipe"].map(both).map(lambda has: {RANDOM, selection} <= has)]
    found: list[str] = []
    notes = []
    for training in TRAININGS:
        first, *more = [*dict.fromkeys(whole.loc[whole["training"] == training, "recipe"]), ""]
        if not first:
            raise DataError(
                f"no recipe trains by {training} with both random and {selection}",
                where="recipe", remedy="two trainings times two selections need all four: add "
                "what is missing to the grid",
            )  # fmt: skip
        found.append(first)
        if len(more) > 1:
            notes.append(f"of the recipes that train by {training} the first counts: {first}, "
                         f"not {_list(more[:-1])}")  # fmt: skip
    return (found[0], found[1]), notes


def comparisons(
    table: pd.DataFrame, resampled: pd.DataFrame | None, against: str = RANDOM,
    by: Iterable[str] = CURRENCIES,
) -> tuple[list[Effect], list[str]]:  # fmt: skip
    """Every selection against one of them within each recipe: differences of the area under the
    curve, and what was left out and why.

    Each pair is compared over the range that its own runs cover. Raises DataError where nothing
    can be compared, and for runs that are no pairs.
    """
    found: list[Effect] = []
    comparable, notes = pairs_of(table, against)
    for recipe, one in comparable:
        for unit in by:
            cells, said = _paired(table, resampled, recipe, (against, one), unit)
            range_, problem = common_range(cells)
            notes += [f"{one}, {recipe}: {text}" for text in (*said, *problem)]
            if range_:
                found.append(_area(one, (-1, 1), cells, unit, range_, recipe))
    return found, list(dict.fromkeys(notes))


def pairs_of(table: pd.DataFrame, against: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Recipe and selection of all that share a seed with one selection of their recipe, and in
    words which do not. Raises DataError where none does."""
    runs = table.groupby(["recipe", "selection"], sort=False)["seed"].agg(set).to_dict()
    others = [key for key in runs if key[1] not in (against, FULL)]
    found = [key for key in others if runs[key] & runs.get((key[0], against), set())]
    if not found:
        raise DataError(f"there is nothing to hold against the selection '{against}'",
                        where="selection", remedy="run it and another one with the same recipe and "
                        "seeds")  # fmt: skip
    alone = [f"{one}, {recipe}: no seed in common with {against}, left out"
             for recipe, one in others if (recipe, one) not in found]  # fmt: skip
    return found, alone


def needs(
    table: pd.DataFrame, against: str = RANDOM, by: Iterable[str] = CURRENCIES
) -> pd.DataFrame:
    """How many labels each selection needs for the mAP at which the curve of `against` ends.

    On the mean curves of the paired seeds: recipe, selection, by, level (the mAP), needed (NaN: not
    reached by the last cycle), against (what the other one needs), ratio of the two, seeds.
    """
    rows = []
    for recipe, one in pairs_of(table, against)[0]:
        for unit in by:
            cells, _ = _paired(table, None, recipe, (against, one), unit)
            other, own = map(_mean_curve, cells)
            level = float(other[1][-1])
            needed, there = labels_needed(*own, level), labels_needed(*other, level)
            rows.append({"recipe": recipe, "selection": one, "by": unit, "level": level,
                         "needed": needed, "against": there, "seeds": len(cells[0])})  # fmt: skip
    found = pd.DataFrame(rows).astype({"needed": float, "against": float})
    return found.assign(ratio=found["needed"] / found["against"])


def _paired(
    table: pd.DataFrame, resampled: pd.DataFrame | None, recipe: str, selections: Sequence[str],
    by: str,
) -> tuple[list[Cell], list[str]]:  # fmt: skip
    """The runs of some selections, of the seeds that all have, and what was left out."""
    return paired({
        f"{recipe}, {one}": curves_of(table, resampled, recipe, one, by) for one in selections
    })  # fmt: skip


def _effect(
    name: str, parts: Sequence[float], cells: Sequence[Cell], by: str, cycle: int
) -> Effect:  # fmt: skip
    """An effect at a cycle, where the last of the curves of each seed has arrived."""
    places = {seed: min(cell[seed].x[cycle] for cell in cells) for seed in cells[0]}
    interval = _interval(parts, cells, lambda curve, seed: height(curve, places[seed]))
    place = float(np.mean(list(places.values())))
    return Effect(name, "", by, place, place, interval, cycle)


def _area(
    name: str, parts: Sequence[float], cells: Sequence[Cell], by: str,
    range_: tuple[float, float], recipe: str = "",
) -> Effect:  # fmt: skip
    """An effect on the mean height of the curves over a range."""
    interval = _interval(
        parts, cells, lambda curve, seed: area_under_curve(curve.x, curve.y, *range_)
    )
    return Effect(name, recipe, by, *range_, interval)


def _interval(
    parts: Sequence[float], cells: Sequence[Cell], measure: Callable[[Curve, int], Any]
) -> Interval:
    """The interval of a sum of the cells' measures, taken seed by seed.

    measure: of a curve and its seed, (1 + B,): on the test images, and on resamples of them.
    """
    values = np.array([
        sum(part * np.asarray(measure(cell[seed], seed))
            for part, cell in zip(parts, cells, strict=True))
        for seed in cells[0]
    ])  # (seeds, 1 + B)  # fmt: skip
    return paired_interval(values[:, 0], values[:, 1:] if values.shape[1] > 1 else None)


def _mean_curve(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the seeds: labels and mAP."""
    return (np.mean([curve.x for curve in cell.values()], axis=0),
            np.mean([curve.y[0] for curve in cell.values()], axis=0))  # fmt: skip


def _list(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))
