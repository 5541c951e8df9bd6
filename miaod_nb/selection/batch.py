"""The batch of a cycle: what a strategy chooses when people have set some images aside."""

import operator
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from miaod_nb.errors import ConfigError
from miaod_nb.plugins import own_code_explained, place_of
from miaod_nb.selection.protocol import Candidates, Choice, Strategy, ordered

MEND = (
    "mend it: `choose` returns a Choice of as many different ids of the pool it is given as the "
    "budget says, or of all if there are fewer (docs/extending.md)"
)


class Chosen(NamedTuple):
    """An image of the batch. position: its place among all images that are not labeled."""

    id: str
    position: int
    rank: int
    reason: str


def choose_batch(
    strategy: Strategy, pool: Candidates, budget: int, seed: Sequence[int],
    barred: Collection[str] = (), now: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Chosen]:  # fmt: skip
    """The batch, most wanted first. Raises ConfigError for a choice that cannot be one.

    pool: all images that are not labeled. barred: ids not to choose, which the strategy never
    sees: those that it wants next take their places. now: rank and reason by id of the images
    that the batch has, where none may take a place: then it is what the strategy chooses with
    none barred, and what the batch has.
    An image keeps its rank whatever is decided about others, where a column or chance ranks it.
    """
    allowed = pool if now is not None else pool.without(barred)
    choice = _choose(strategy, allowed, budget, np.random.default_rng(seed))
    _refuse_faulty(strategy, choice, allowed, pool, budget)
    own = set(choice.ids)
    kept = [image_id for image_id in now or () if image_id not in own]
    ids = [image_id for image_id in [*choice.ids, *kept] if image_id not in barred][:budget]
    places = _places(pool.ids, ids)
    ranks = _ranks(strategy, choice, pool, places, now or {})
    given = dict(zip(choice.ids, choice.reasons, strict=False))
    reasons = {image_id: str((now or {})[image_id]["reason"]) for image_id in kept} | given
    return [
        Chosen(i, places[i], ranks.get(i, number), reasons.get(i, strategy.card.reason))
        for number, i in enumerate(ids, start=1)
    ]


def _ranks(
    strategy: Strategy, choice: Choice, pool: Candidates, places: Mapping[str, int],
    now: Mapping[str, Mapping[str, Any]],
) -> dict[str, int]:  # fmt: skip
    """Ranks by id; {} for a choice whose order is all that there is to say."""
    if choice.ranks:
        before = {image_id: int(row["rank"]) for image_id, row in now.items()}
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
    """What the strategy chooses, as plain lists of texts and numbers. Raises ConfigError."""
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
    ids, expected = list(choice.ids), min(budget, len(allowed.ids))
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
    elif not _are_highest(strategy.card.ranks_by, ids, allowed):
        fault = f"did not choose the highest values of {strategy.card.ranks_by}, as its card says"
    if fault:
        raise ConfigError(
            f"the strategy '{strategy.card.name}' {fault}",
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
