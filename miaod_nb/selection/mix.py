"""A mix: several strategies that share the batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from miaod_nb.runs.card import Card
from miaod_nb.selection.parts import Wanted, seen_by, wanted_by
from miaod_nb.selection.protocol import Candidates, Choice, Columns, Strategy
from miaod_nb.wording import number_text

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel


@dataclass(frozen=True)
class Mix:
    """Each strategy chooses its share of the batch from what those before it left.

    parts: the strategies with their shares, which sum to 1. Their columns stand side by side, as
    "entropy.score"; images that one of them would compare with labeled ones are looked at for all.
    """

    parts: Sequence[tuple[Strategy, float]]

    @cached_property
    def card(self) -> Card:
        cards = [strategy.card for strategy, _ in self.parts]
        shares = [f"{number_text(100 * share)} %" for _, share in self.parts]
        told = list(zip(shares, cards, strict=True))
        return Card(
            name="mix", label=" + ".join(f"{share} {card.label}" for share, card in told),
            words="; ".join(f"{share}: {card.words}" for share, card in told),
            reason="chosen by a mix of strategies",
            columns=tuple(_column(card, name) for card in cards for name in card.columns),
            observes_labeled=any(card.observes_labeled for card in cards),
            trains_adversarially=any(card.trains_adversarially for card in cards),
            settings=("mix", *dict.fromkeys(name for card in cards for name in card.settings)),
        )  # fmt: skip

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        return {
            _column(strategy.card, name): values
            for strategy, _ in self.parts
            for name, values in seen_by(strategy, model, batch).items()
        }

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        chosen: list[tuple[float, Wanted]] = []  # and how far down its part's list each stands
        for (strategy, _), count in zip(self.parts, self._counts(budget), strict=True):
            card, left = strategy.card, pool.without([one.id for _, one in chosen])
            found = wanted_by(strategy, _as_seen_by(card, left), count, rng)
            chosen += [
                ((n + 0.5) / len(found), one._replace(reason=f"{card.label}: {one.reason}"))
                for n, one in enumerate(found)
            ]
        chosen.sort(key=lambda pair: pair[0])
        return Choice([one.id for _, one in chosen], reasons=[one.reason for _, one in chosen])

    def _counts(self, budget: int) -> list[int]:
        """How many images each strategy chooses: its share, rounded so that the sum is right."""
        ends = np.round(budget * np.cumsum([share for _, share in self.parts])).astype(int)
        return np.diff(ends, prepend=0).tolist()


def _column(card: Card, name: str) -> str:
    """What a column of a part is called in the mix."""
    return f"{card.name}.{name}"


def _as_seen_by(card: Card, pool: Candidates) -> Candidates:
    """The pool with the columns of one strategy alone, under its own names for them."""

    def own(columns: Mapping[str, np.ndarray]) -> Columns:
        return Columns(card.columns, lambda name: columns[_column(card, name)])

    labeled = own(pool.labeled) if card.observes_labeled else {}
    return replace(pool, columns=own(pool.columns), labeled=labeled)
