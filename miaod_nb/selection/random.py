"""Random: every image is equally likely; what the others are measured against."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from miaod_nb.config import Config
from miaod_nb.runs.card import Card
from miaod_nb.selection.protocol import Candidates, Choice

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel


@dataclass(frozen=True)
class Random:
    """Every pool image is equally likely."""

    config: Config
    card = Card(
        name="random", label="random", words="drawn at random", reason="drawn at random",
        look="random",
    )  # fmt: skip

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        raise TypeError("random selection does not look at images")

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        """The order is drawn for all images that are not labeled: setting some aside moves no
        other."""
        drawn = rng.permutation(pool.total)
        first = budget if pool.costs is None else 0  # how many are asked for is no part of chance
        order = np.concatenate([drawn[:first][::-1], drawn[first:]])
        place_of = np.full(pool.total, -1)
        place_of[pool.positions] = np.arange(len(pool.positions))
        ranks = np.flatnonzero(place_of[order] >= 0)[:budget]
        return Choice([pool.ids[place] for place in place_of[order[ranks]]], (ranks + 1).tolist())
