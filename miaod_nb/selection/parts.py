"""A strategy inside another one: what it sees there, and what it wants."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from miaod_nb.errors import TrainingError
from miaod_nb.plugins import own_code_explained
from miaod_nb.runs.card import Card
from miaod_nb.selection.batch import checked_choice
from miaod_nb.selection.protocol import Candidates, Strategy

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel

MEND = "mend it: `observe` returns a dict of tensors, one for each of the card's columns"


class Wanted(NamedTuple):
    """An image that a strategy wants: why, and its rank where the strategy gives one."""

    id: str
    reason: str
    rank: int | None


@runtime_checkable
class Remarking(Protocol):
    """A strategy that has something to say of a whole batch."""

    def remarks(self, pool: Candidates, ids: Sequence[str]) -> list[str]:
        """Of a batch with these images, what its reasons do not say: [] if there is nothing."""
        ...


def remarks_of(strategy: Strategy, pool: Candidates, ids: Sequence[str]) -> list[str]:
    """What a strategy says of a batch; most say nothing."""
    return strategy.remarks(pool, ids) if isinstance(strategy, Remarking) else []


def seen_by(
    strategy: Strategy, model: "DetectionModel", batch: "UnlabeledBatch"
) -> "dict[str, Tensor]":
    """What a strategy sees in a batch; {} for one that looks at nothing. Raises TrainingError where
    code of one's own fails."""
    if not strategy.card.columns:
        return {}
    whose = f"the strategy '{strategy.card.name}'"
    with own_code_explained(whose, type(strategy), MEND, TrainingError):
        return strategy.observe(model, batch)


def wanted_by(
    strategy: Strategy, pool: Candidates, count: int, rng: np.random.Generator
) -> list[Wanted]:
    """The images that a strategy wants, most wanted first. Raises ConfigError for a choice that
    cannot be one."""
    choice = checked_choice(strategy, pool, count, rng)
    reasons = choice.reasons or [strategy.card.reason] * len(choice.ids)
    ranks: Sequence[int | None] = choice.ranks or [None] * len(choice.ids)
    return [Wanted(*one) for one in zip(choice.ids, reasons, ranks, strict=True)]


def how_many(card: Card, pool: Candidates, few: int) -> int:
    """How many images to ask a strategy for: all of one that ranks by a column or chance, which
    costs no more than a batch, so that its order does not depend on what people set aside. Of one
    that compares images a few: its time may grow with pool x number."""
    compares = card.ranks_by is None or card.passes_over
    return few if compares and card.columns else pool.total
