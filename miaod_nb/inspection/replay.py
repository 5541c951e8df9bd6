"""The batch that other rules would have chosen, from the table of a cycle's inspected images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from miaod_nb.errors import ConfigError
from miaod_nb.inspection.table import column_of

STRATEGIES = ("mi_aod", "entropy", "random")
AGGREGATES = ("mean", "max", "sum")


@dataclass(frozen=True)
class Difference:
    """How a batch differs from an earlier one: ids that came in and that fell out, and how many of
    all ids both have (Jaccard; of two empty batches 1)."""

    added: list[str]
    dropped: list[str]
    jaccard: float


def replay(
    table: pd.DataFrame, *, strategy: str = "mi_aod", aggregate: str = "mean", k: int | None = None,
    weighted: bool = False, budget: int, seed: int = 0, own: str = "",
) -> list[str]:  # fmt: skip
    """Ids of the batch that these rules choose among the images of the table, most wanted first.

    table: of `keep_anchor_values`. aggregate ("mean" over the k most uncertain anchors, "max",
    "sum") and weighted belong to mi_aod, seed to random, which draws an image of the sample as
    often as it draws any of those that it stands for. own: the strategy of the run, whose order is
    that of the ranks, where it is none of STRATEGIES; one that compares images has no more ranks
    than it chose. Raises ConfigError.
    """
    _refuse("strategy", strategy, [*STRATEGIES, *filter(None, [own])])
    _refuse("aggregate", aggregate, AGGREGATES)
    if not 1 <= budget <= len(table):
        raise ConfigError(
            f"budget = {budget} of the {len(table)} images that are kept is not possible",
            where="budget",
            remedy=f"choose a whole number from 1 to {len(table)}",
        )
    if strategy == "random":
        shares = table["stands_for"] / table["stands_for"].sum()
        rng = np.random.default_rng(seed)
        return table["id"].iloc[rng.choice(len(table), budget, replace=False, p=shares)].tolist()
    if strategy not in STRATEGIES:
        known = table.dropna(subset="rank").sort_values("rank")["id"]
        if budget > len(known):
            raise ConfigError(
                f"the strategy '{strategy}' compares images: which it would take beyond the "
                f"{len(known)} that it chose is not known",
                where=f"budget = {budget}",
                remedy=f"choose a budget up to {len(known)}, or another strategy",
            )
        return known.iloc[:budget].tolist()
    column = column_of(strategy, aggregate, k, weighted)
    if column not in table:
        known = ", ".join(map(str, kept_counts(table)))
        raise ConfigError(f"no mean over {k} anchors is kept", where=f"k = {k}",
                          remedy=f"choose one of {known}")  # fmt: skip
    ordered = table.sort_values([column, "rank"], ascending=[False, True])
    return ordered["id"].iloc[:budget].tolist()


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
