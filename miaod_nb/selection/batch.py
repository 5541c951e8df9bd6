"""The batch of a cycle: what a strategy chooses when people set images aside or ask for some."""

import operator
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from miaod_nb.errors import ConfigError, DecisionError
from miaod_nb.plugins import own_code_explained, place_of
from miaod_nb.selection.protocol import Candidates, Choice, Strategy, ordered

MEND = (
    "mend it: `choose` returns a Choice of as many different ids of the pool it is given as the "
    "budget says, or of all if there are fewer (docs/extending.md)"
)

ASKED = "asked for by a person"  # the reason of an image that the strategy would not have chosen


class Chosen(NamedTuple):
    """An image of the batch. position: its place among all images that are not labeled."""

    id: str
    position: int
    rank: int
    reason: str


def choose_batch(
    strategy: Strategy, pool: Candidates, budget: int, seed: Sequence[int],
    barred: Collection[str] = (), now: Mapping[str, Mapping[str, Any]] | None = None,
    wanted: Collection[str] = (),
) -> list[Chosen]:  # fmt: skip
    """The batch, most wanted first. Raises ConfigError for a choice that cannot be one, and
    DecisionError for wishes that cannot be met.

    pool: all images that are not labeled. barred: ids not to choose, which the strategy never
    sees: those that it wants next take their places. now: rank and reason by id of the images
    that the batch has, where none may take a place: then it is what the strategy chooses with
    none barred, and what the batch has.
    wanted: ids that people want in the batch. Those that the strategy did not choose take the
    places of the last ones that it chose and nobody wants, so that the budget holds.
    An image keeps its rank whatever is decided about others, where a column or chance ranks it.
    """
    allowed = pool if now is not None else pool.without(barred)
    choice = _choose(strategy, allowed, budget, np.random.default_rng(seed))
    _refuse_faulty(strategy, choice, allowed, pool, budget)
    own = set(choice.ids)
    kept = [i for i, row in (now or {}).items() if i not in own and row["reason"] != ASKED]
    ids = [image_id for image_id in [*choice.ids, *kept] if image_id not in barred]
    asked = _asked(wanted, ids, pool, budget) if wanted else []
    ids = _that_fit([*ids, *asked], wanted, budget)
    places = _places(pool.ids, ids)
    ranks = _ranks(strategy, choice, pool, places, now or {})
    given = dict(zip(choice.ids, choice.reasons, strict=False))
    reasons = {image_id: str((now or {})[image_id]["reason"]) for image_id in kept} | given
    reasons |= dict.fromkeys(asked, ASKED)
    batch: list[Chosen] = []
    for i in ids:  # one without a rank follows the one before
        rank = ranks.get(i, batch[-1].rank + 1 if batch else 1)
        batch.append(Chosen(i, places[i], rank, reasons.get(i, strategy.card.reason)))
    return sorted(batch, key=lambda one: one.rank)


def _asked(
    wanted: Collection[str], ids: Collection[str], pool: Candidates, budget: int
) -> list[str]:
    """Those wanted that are not among the ids, in the order of the pool; the labeled ones need no
    wish. Raises DecisionError for one that cannot be chosen, and for more than the budget."""
    free, chosen = _places(pool.ids, wanted), set(ids)
    unknown = sorted(set(wanted) - free.keys() - set(pool.labeled_ids))
    if unknown:
        raise DecisionError(
            f"'{unknown[0]}' is accepted, but the cycle did not look at it",
            where="decisions.jsonl",
            remedy="take that back, or write a line with the action `undecided` for it: a cycle "
            "looks at the share score_fraction of the pool alone",
        )
    refuse_too_many(len(free), budget)
    return [image_id for image_id in free if image_id not in chosen]


def refuse_too_many(wanted: int, budget: int) -> None:
    """Raises DecisionError for more wanted images than a batch has."""
    if wanted > budget:
        raise DecisionError(
            f"{wanted} images are accepted or asked for, and a batch has {budget}",
            where="decisions.jsonl",
            remedy=f"take back, skip or defer at least {wanted - budget} of them",
        )


def _that_fit(ids: Sequence[str], wanted: Collection[str], budget: int) -> list[str]:
    """The ids without the last unwanted ones that a batch has no room for."""
    others = [image_id for image_id in ids if image_id not in wanted]
    leaving = set(others[max(len(others) + budget - len(ids), 0) :])
    return [image_id for image_id in ids if image_id not in leaving]


def _ranks(
    strategy: Strategy, choice: Choice, pool: Candidates, places: Mapping[str, int],
    now: Mapping[str, Mapping[str, Any]],
) -> dict[str, int]:  # fmt: skip
    """Ranks by id; {} for a choice whose order is all that there is to say."""
    if choice.ranks:
        # The place of an image that was asked for is not its own: others may have it again.
        before = {i: int(row["rank"]) for i, row in now.items() if row["reason"] != ASKED}
        return before | dict(zip(choice.ids, choice.ranks, strict=True))
    if strategy.card.ranks_by is None:
        return {}
    order = ordered(pool.columns[strategy.card.ranks_by])
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(1, len(order) + 1)
    return {image_id: int(ranks[place]) for image_id, place in places.items()}


def _places(ids: Iterable[str], wanted: Collection[str]) -> dict[str, int]:
    """The places of the wanted ids."""
    among = set(wanted)
    return {image_id: place for place, image_id in enumerate(ids) if image_id in among}


def _choose(strategy: Strategy, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
    """What the strategy chooses, as plain lists of texts and numbers; it is not asked about no
    images, of which a table does not say how long their vectors are. Raises ConfigError."""
    if not pool.ids:
        return Choice([])
    whose = f"the strategy '{strategy.card.name}'"
    with own_code_explained(whose, type(strategy), MEND):
        choice = strategy.choose(pool, budget, rng)
        if not isinstance(choice, Choice):
            raise TypeError(f"it chose {type(choice).__name__}, no Choice")
        ids, reasons = list(choice.ids), list(choice.reasons)
        are_texts = all(isinstance(one, str) for one in [*ids, *reasons])
        if not are_texts or isinstance(choice.reasons, str):
            raise TypeError("ids and reasons are not lists of texts")
        return Choice(ids, [operator.index(rank) for rank in choice.ranks], reasons)


def _refuse_faulty(
    strategy: Strategy, choice: Choice, allowed: Candidates, pool: Candidates, budget: int
) -> None:
    """Raises ConfigError for a choice that is not of `budget` different images it may choose, in
    the order that its card says."""
    ids, expected, card = list(choice.ids), min(budget, len(allowed.ids)), strategy.card
    repeated = [image_id for image_id, times in Counter(ids).items() if times > 1]
    absent = sorted(set(ids) - _places(allowed.ids, ids).keys())
    counts = {"ranks": len(choice.ranks), "reasons": len(choice.reasons)}
    wrong = [f"{n} {name}" for name, n in counts.items() if n not in (0, len(ids))]
    fault = ""
    if repeated:
        fault = f"chose '{repeated[0]}' more than once"
    elif absent:
        fault = f"chose '{absent[0]}', {_what_it_is(absent[0], pool)}"
    elif len(ids) != expected:
        fault = f"chose {len(ids)} images instead of {expected}"
    elif wrong:
        fault = f"gave {wrong[0]} for {len(ids)} images"
    elif choice.ranks and not _are_ranks(choice.ranks, pool.total):
        fault = f"gave ranks that do not rise from 1 on, to {pool.total} at most"
    elif not card.passes_over and not _are_highest(card.ranks_by, ids, allowed):
        fault = f"did not choose the highest values of {card.ranks_by}, as its card says"
    if fault:
        raise ConfigError(
            f"the strategy '{card.name}' {fault}",
            where=f"{place_of(strategy)}.choose",
            remedy=MEND,
        )


def _are_ranks(ranks: Sequence[int], total: int) -> bool:
    """Whether each is higher than the one before, from 1 to the number of all images."""
    return all(a < b for a, b in pairwise([0, *ranks])) and ranks[-1] <= total


def _are_highest(column: str | None, ids: Sequence[str], pool: Candidates) -> bool:
    """Whether the ids have the highest values of the column, the highest first; equal values may
    stand in any order."""
    if column is None or not ids:
        return True
    values, places = pool.columns[column], _places(pool.ids, ids)
    highest = np.sort(values)[::-1][: len(ids)]
    return np.array_equal(values[[places[image_id] for image_id in ids]], highest)


def _what_it_is(image_id: str, pool: Candidates) -> str:
    if image_id in pool.labeled_ids:
        return "which is labeled already"
    if _places(pool.ids, [image_id]):
        return "which people have set aside"
    return "which is no image of the pool"
