"""The batch that other rules would have chosen, from the table of a cycle's inspected images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from miaod_nb.config import validated
from miaod_nb.config.budget import Unit
from miaod_nb.errors import ConfigError
from miaod_nb.inspection.table import column_of
from miaod_nb.runs.card import Card
from miaod_nb.selection.batch import choose_batch
from miaod_nb.selection.choosing import ByColumn
from miaod_nb.selection.class_coverage import CLASS_BOXES, covering_classes
from miaod_nb.selection.costs import BoxEstimate, Prices, Seconds
from miaod_nb.selection.look_alikes import LOOKS, without_look_alikes
from miaod_nb.selection.mix import Mix
from miaod_nb.selection.protocol import Candidates, Choice, Strategy
from miaod_nb.selection.random import Random

STRATEGIES = ("mi_aod", "entropy", "least_confidence", "random")
AGGREGATES = ("mean", "max", "sum")
UNITS: tuple[Unit, ...] = ("images", "boxes", "minutes")


class Seen(NamedTuple):
    """What rules may ask besides the table. features: (N, F) of its images, and of labeled ones
    (L, F); labeled_boxes: (L, C), `class_boxes` of these. estimate: of boxes, by the sum of scores;
    None: there are as many as the detector sees. seconds: how long people work."""

    features: np.ndarray | None = None
    labeled_features: np.ndarray | None = None
    labeled_boxes: np.ndarray | None = None
    estimate: BoxEstimate | None = None
    seconds: Seconds = Seconds(1.0, 1.0)


@dataclass(frozen=True)
class Difference:
    """How a batch differs from an earlier one: ids that came in and that fell out, and how many of
    all ids both have (Jaccard; of two empty batches 1)."""

    added: list[str]
    dropped: list[str]
    jaccard: float


@dataclass(frozen=True)
class Drawn(Random):
    """Random, where an image of a sample is drawn as often as any of those that it stands for."""

    stands_for: Mapping[str, float]

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        shares = np.array([self.stands_for[image_id] for image_id in pool.ids])
        count = min(budget, len(shares))
        drawn = rng.choice(len(shares), count, replace=False, p=shares / shares.sum())
        return Choice([pool.ids[place] for place in drawn])


def replay(
    table: pd.DataFrame, *, budget: float, strategy: str = "mi_aod", aggregate: str = "mean",
    k: int | None = None, weighted: bool = False, unit: Unit = "images", second: str = "",
    share: float = 50, max_similarity: float = 1.0, class_target: str = "", seed: int = 0,
    own: str = "", seen: Seen | None = None,
) -> list[str]:  # fmt: skip
    """Ids of the batch that these rules choose among the images of the table, most wanted first.

    table: of `keep_anchor_values`. aggregate ("mean" over the k most uncertain anchors, "max",
    "sum") and weighted belong to mi_aod, seed to random. budget: in `unit`, as the detections let
    expect. second: a strategy that shares the batch; share: of the first, in percent.
    max_similarity, class_target: as the settings. seen: what these and costs ask for. own: the
    strategy of the run, whose order is that of the ranks, where it is none of STRATEGIES; one that
    compares images has no more ranks than it chose. Raises ConfigError.
    """
    names = [strategy, *filter(None, [second])]
    for name in names:
        _refuse("strategy", name, [*STRATEGIES, *filter(None, [own])])
    _refuse("aggregate", aggregate, AGGREGATES)
    _refuse("unit", unit, UNITS)
    ranks = table["rank"].fillna(np.inf).to_numpy(float)
    rows = np.argsort(-ranks, kind="stable")  # of equal values the later one is taken
    if not set(names) <= {*STRATEGIES}:
        rows = rows[np.isfinite(ranks[rows])]
    _refuse_budget(budget, unit, len(table), len(rows), own)
    columns = {
        f"{name}.score": -ranks if name not in STRATEGIES
        else _values(table, column_of(name, aggregate, k, weighted), k)
        for name in names if name != "random"
    }  # fmt: skip
    drawn = Drawn(validated({}), dict(zip(table["id"], table["stands_for"], strict=True)))
    parts = [drawn if name == "random" else _by(name) for name in names]
    chooser = Mix([(parts[0], share / 100), (parts[-1], 1 - share / 100)]) if second else parts[0]
    columns["score"] = columns.get(f"{strategy}.score", -ranks)
    return _chosen(table, rows, chooser, columns, seen or Seen(), budget, unit, seed,
                   {"max_similarity": max_similarity, "class_target": class_target})  # fmt: skip


def _chosen(
    table: pd.DataFrame, rows: np.ndarray, chooser: Strategy, columns: dict[str, np.ndarray],
    seen: Seen, budget: float, unit: Unit, seed: int, added: Mapping[str, object],
) -> list[str]:  # fmt: skip
    """What a strategy chooses among rows of the table, with what settings add to it."""
    config = validated(added)
    chooser = without_look_alikes(config, covering_classes(config, chooser))
    boxes, labeled = table.filter(like="boxes ").to_numpy(float), dict[str, np.ndarray]()
    columns = columns | {CLASS_BOXES: boxes}
    if seen.features is not None and seen.labeled_features is not None:
        columns, labeled[LOOKS] = columns | {LOOKS: seen.features}, seen.labeled_features
    if seen.labeled_boxes is not None:
        labeled[CLASS_BOXES] = seen.labeled_boxes
    pool = Candidates.of_all(
        table["id"].iloc[rows].tolist(), columns={n: values[rows] for n, values in columns.items()},
        labeled=labeled,
        classes=[name.removeprefix("boxes ") for name in table if name.startswith("boxes ")],
    )  # fmt: skip
    if unit != "images":
        pool = replace(pool, costs=costs_of(table.iloc[rows], seen, unit))
    return [one.id for one in choose_batch(chooser, pool, budget, [seed])]


def costs_of(table: pd.DataFrame, seen: Seen, unit: Unit) -> np.ndarray:
    """What the labels of images of the table are expected to cost, (N,) in boxes or minutes."""
    counted = table.filter(like="boxes " if seen.estimate else "class ").sum(axis=1)
    prices = Prices(1, unit, seen.estimate or BoxEstimate(1.0), seen.seconds)
    return prices.costs(counted.to_numpy(float))


def _by(name: str) -> Strategy:
    """A strategy of the table, which ranks by its column."""
    return ByColumn(Card(name, name, name, name, ranks_by="score", columns=("score",)))


def _values(table: pd.DataFrame, column: str, k: int | None) -> np.ndarray:
    """A column of the table. Raises ConfigError for one that is not kept."""
    if column not in table:
        known = ", ".join(map(str, kept_counts(table)))
        raise ConfigError(f"no mean over {k} anchors is kept", where=f"k = {k}",
                          remedy=f"choose one of {known}")  # fmt: skip
    return table[column].to_numpy(float)


def _refuse_budget(budget: float, unit: Unit, images: int, known: int, own: str) -> None:
    """Raises ConfigError for a budget that is none, or more than is known."""
    if unit != "images":
        if budget > 0:
            return
        raise ConfigError(f"budget = {budget} {unit} is not possible", where="budget",
                          remedy="choose a number above 0")  # fmt: skip
    if not 1 <= budget <= images:
        raise ConfigError(
            f"budget = {budget} of the {images} images that are kept is not possible",
            where="budget",
            remedy=f"choose a whole number from 1 to {images}",
        )
    if budget > known:
        raise ConfigError(
            f"the strategy '{own}' compares images: which it would take beyond the "
            f"{known} that it chose is not known",
            where=f"budget = {budget}",
            remedy=f"choose a budget up to {known}, or another strategy",
        )


def kept_counts(table: pd.DataFrame) -> list[int]:
    """The counts of anchors that the table has means for, ascending."""
    return [int(name.removeprefix("mean ")) for name in table if name.startswith("mean ")]


def difference(before: Sequence[str], after: Sequence[str]) -> Difference:
    """How `after` differs from `before`; ids in their order there."""
    old, new = set(before), set(after)
    return Difference(
        added=[image_id for image_id in after if image_id not in old],
        dropped=[image_id for image_id in before if image_id not in new],
        jaccard=len(old & new) / len(old | new) if old | new else 1.0,
    )


def _refuse(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ConfigError(f"there is no {name} '{value}'", where=name,
                          remedy="choose one of: " + ", ".join(known))  # fmt: skip
