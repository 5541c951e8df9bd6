"""Core-set: images that are farthest, for the detector, from all that are labeled."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from miaod_nb.config import Config
from miaod_nb.runs.card import Card
from miaod_nb.selection.features import mean_of_last_level
from miaod_nb.selection.k_center import k_center
from miaod_nb.selection.protocol import Candidates, Choice
from miaod_nb.wording import number_text

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel


@dataclass(frozen=True)
class CoreSet:
    """k-center greedy on the mean of the last feature level, from all labeled images on.

    Time grows with the pool times labeled and chosen images at most, memory with the pool alone.
    """

    config: Config
    card = Card(
        name="coreset", label="core-set",
        words="those that look least like anything labeled or chosen before",
        reason="farthest from what is labeled",
        paper="Sener and Savarese, ICLR 2018", columns=("feature",), observes_labeled=True,
    )  # fmt: skip

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        return mean_of_last_level(model, batch)

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        features = pool.columns["feature"]
        labeled = pool.labeled.get("feature", features[:0])
        taken, distances = k_center(features, labeled, budget)
        return Choice([pool.ids[p] for p in taken], reasons=[self._reason(d) for d in distances])

    def _reason(self, distance: float) -> str:
        shown = f" (distance {number_text(distance)})" if math.isfinite(distance) else ""
        return self.card.reason + shown
