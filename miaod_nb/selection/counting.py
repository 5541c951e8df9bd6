"""Any strategy that also counts boxes: for budgets that are not in images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from miaod_nb.config import Budget, Config
from miaod_nb.errors import ConfigError
from miaod_nb.plugins import place_of
from miaod_nb.runs.card import BOXES, Card
from miaod_nb.selection.outputs import Outputs, OutputStrategy, outputs_of
from miaod_nb.selection.parts import remarks_of
from miaod_nb.selection.protocol import Candidates, Choice, Strategy

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel


@dataclass(frozen=True)
class Counting:
    """A strategy, and the column BOXES, `boxes_seen` of pool and labeled images, from which
    `fit_boxes` learns how many boxes that means. What it chooses is the strategy's own choice."""

    config: Config
    inner: Strategy

    @cached_property
    def card(self) -> Card:
        card = self.inner.card
        return replace(card, columns=(*card.columns, BOXES), observes_labeled=True)

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        import torch

        outputs, inner = outputs_of(model, batch, self.config), self.inner
        seen: dict[str, Tensor] = {}
        if isinstance(inner, OutputStrategy):
            seen = inner.seen(outputs)
        elif inner.card.columns:
            seen = inner.observe(model, batch)
        return {**seen, BOXES: torch.tensor([boxes_seen(one) for one in outputs])}

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        return self.inner.choose(pool, budget, rng)

    def remarks(self, pool: Candidates, ids: Sequence[str]) -> list[str]:
        """What the strategy says of the batch."""
        return remarks_of(self.inner, pool, ids)


def boxes_seen(outputs: Outputs) -> float:
    """The sum of the scores of an image's boxes: how many objects a detector sees there whose
    scores are probabilities."""
    return float(outputs.found.scores.astype(np.float64).sum())


def counting_boxes(config: Config, strategy: Strategy) -> Strategy:
    """The strategy, which counts boxes where the budget is not in images. Raises ConfigError for
    one that has a column of that name."""
    if Budget.of(config.budget).in_images or strategy.card.labels_all:
        return strategy
    if BOXES in strategy.card.columns:
        raise ConfigError(
            f"the strategy '{strategy.card.name}' has a column '{BOXES}', which a budget in "
            f"{Budget.of(config.budget).unit} needs for itself",
            where=place_of(strategy), remedy="give that column another name",
        )  # fmt: skip
    return Counting(config, strategy)
