"""What stands in a cycle's selection.json: the images to label next, and why these."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from miaod_nb.data.pool import Indices
from miaod_nb.experiment.dataset import Dataset
from miaod_nb.selection.batch import choose_around
from miaod_nb.selection.decisions import Verdicts
from miaod_nb.selection.strategies import Strategy

ASIDE = {"skip": "skipped", "defer": "deferred"}
Selection = dict[str, Any]  # cycle, strategy, budget, pool, scored, selected, perhaps set_aside


def select(
    dataset: Dataset, strategy: Strategy, cycle: int, num_labeled: int, indices: Indices,
    values: np.ndarray, verdicts: Verdicts, present: Container[str] | None = None,
) -> Selection:  # fmt: skip
    """The selection of a cycle.

    indices, values: pool indices to choose among, and their scores. present: ids of the only
    images that may take the place of one that was set aside; None: any.
    """
    ids = dataset.ids(indices) if verdicts.barred or present is not None else []
    barred = _among(ids, verdicts.barred) if verdicts.barred else np.zeros(len(indices), dtype=bool)
    among = None if present is None else _among(ids, present)
    rng = np.random.default_rng([dataset.config.seed, cycle])
    budget = min(dataset.budget, len(indices))
    chosen, ranks = choose_around(strategy, values, budget, rng, barred, among)
    rows = [
        _row(dataset, strategy, int(indices[position]), float(values[position]), int(rank))
        for position, rank in zip(chosen, ranks, strict=True)
    ]
    if verdicts.notes:
        rows = [row | {"note": verdicts.notes.get(row["id"], "")} for row in rows]
    aside = Counter(ASIDE[verdicts.barred[i]] for i in ids if i in verdicts.barred)
    return {
        "cycle": cycle, "strategy": dataset.config.strategy, "budget": dataset.budget,
        "pool": dataset.num_images(cycle) - num_labeled,
        "scored": len(indices) if strategy.scores_images else 0,
        **({"set_aside": dict(aside)} if aside else {}),
        "selected": rows,
    }  # fmt: skip


def _row(
    dataset: Dataset, strategy: Strategy, index: int, score: float, rank: int
) -> dict[str, Any]:
    return {
        "rank": rank,
        "id": dataset.pool[index].id,
        "index": index,
        "score": score if strategy.scores_images else None,
        "reason": strategy.reason,
    }


def counted(selection: Mapping[str, Any]) -> list[str]:
    """How many images to choose from were set aside, in words: 2 skipped, 1 deferred."""
    aside = selection.get("set_aside", {})
    return [f"{aside[word]} {word}" for word in ASIDE.values() if word in aside]


def why_empty(selection: Mapping[str, Any]) -> str:
    """Why a selection has no image, in words; "" if it has some."""
    if selection["selected"]:
        return ""
    if parts := counted(selection):
        return f"all images to choose from are set aside ({', '.join(parts)}; see miaod review)"
    return "the pool is empty"


def shortage(selection: Mapping[str, Any]) -> str:
    """What to say of a selection that is smaller than the budget; "" if it is not."""
    count, budget = len(selection["selected"]), selection["budget"]
    if count == budget:
        return ""
    besides = "".join(f", {part}" for part in counted(selection))
    return f"cut short: {count} images are left{besides}, the budget is {budget}"


def _among(ids: Sequence[str], those: Container[str]) -> np.ndarray:
    return np.array([image_id in those for image_id in ids], dtype=bool)
