"""No look-alikes: any strategy, but of images that look alike only one is labeled."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from miaod_nb.config import Config
from miaod_nb.runs.card import Card
from miaod_nb.selection.features import directions, mean_features, standardized
from miaod_nb.selection.parts import Wanted, how_many, remarks_of, seen_by, wanted_by
from miaod_nb.selection.protocol import Candidates, Choice, Strategy
from miaod_nb.wording import number_text

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel

LOOKS = "looks"  # the column
EQUAL = 0.9999  # the least similarity of copies of one image
TOGETHER = 128  # images that are compared at once: one product of matrices is faster than many
AS_ALL_LEFT = "; it looks like an image chosen or labeled, as all that are left do"


def without_look_alikes(config: Config, strategy: Strategy) -> Strategy:
    """The strategy as `max_similarity` asks for it."""
    is_on = config.max_similarity < 1 and not strategy.card.labels_all
    return NoLookAlikes(strategy, config.max_similarity) if is_on else strategy


class Walked(NamedTuple):
    """What became of images in the order of want. taken: how many were passed over directly before
    each, by id; passed: ids of those passed over."""

    taken: dict[str, int]
    passed: list[str]


@dataclass(frozen=True)
class NoLookAlikes:
    """Another strategy's choice without images whose similarity to a more wanted or a labeled one
    is `max_similarity` or more; these come last, copies of one image at the very end.

    Similarity is the cosine of the mean features of all levels, standardized over the pool and
    what is labeled. Memory grows with the pool times features, time with those walked over times
    labeled and chosen images.
    """

    inner: Strategy
    max_similarity: float

    @cached_property
    def card(self) -> Card:
        card = self.inner.card
        return replace(
            card, label=f"{card.label} + no look-alikes",
            words=f"{card.words}; of those that look alike only the first (similarity "
            f"{number_text(self.max_similarity)} or more, also to labeled ones)",
            passes_over=card.ranks_by is not None, columns=(*card.columns, LOOKS),
            observes_labeled=True, settings=(*card.settings, "max_similarity"), look="",
        )  # fmt: skip

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        looks = mean_features(model, batch)["features"]
        return {**seen_by(self.inner, model, batch), LOOKS: looks}

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        if not len(pool.ids):
            return Choice([])
        whole = pool.whole or pool
        units, labeled = _units(whole)
        place_of = dict(zip(whole.ids, range(len(whole.ids)), strict=True))
        taken: list[Wanted] = []
        for limit in (self.max_similarity, EQUAL, math.inf):
            if len(taken) == budget:
                break
            chosen = [one.id for one in taken]
            known = np.concatenate([labeled, units[[place_of[i] for i in chosen]]])
            unlike = partial(_unlike, known=known, units=units, place_of=place_of, limit=limit)
            more = self._more(pool.without(chosen), budget - len(taken), unlike, rng)
            end = "" if limit == self.max_similarity else AS_ALL_LEFT
            taken += [one._replace(reason=one.reason + end) for one in more]
        taken.sort(key=lambda one: one.rank or 0)  # without ranks they stay as they are
        return Choice(
            [one.id for one in taken], [one.rank for one in taken if one.rank],
            [one.reason for one in taken],
        )  # fmt: skip

    def remarks(self, pool: Candidates, ids: Sequence[str]) -> list[str]:
        """What the other strategy says of the batch."""
        return remarks_of(self.inner, pool, ids)

    def _more(
        self, pool: Candidates, count: int, unlike: Callable[..., Walked], rng: np.random.Generator
    ) -> list[Wanted]:
        """`count` images of the pool, or all that `unlike` does not pass over. A strategy that
        compares images is asked again without these, each time for twice as many."""
        asked = how_many(self.inner.card, pool, count)
        passed: set[str] = set()
        after: dict[str, int] = {}  # by id, how many were passed over directly before it
        while True:
            wanted = wanted_by(self.inner, pool.without(passed), asked, deepcopy(rng))
            walked = unlike(wanted, count)
            after = {i: max(n, after.get(i, 0)) for i, n in walked.taken.items()}
            if len(walked.taken) == count or not walked.passed:
                by_id = {one.id: one for one in wanted}
                return [_explained(by_id[i], n) for i, n in after.items()]
            passed.update(walked.passed)
            asked *= 2


def _units(pool: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """`directions` of the pool's images and of the labeled ones, standardized together."""
    looks = pool.columns[LOOKS].reshape(len(pool.ids), -1)
    labeled = pool.labeled.get(LOOKS, looks[:0])
    units = directions(standardized(np.concatenate([looks, labeled]))).astype(np.float32)
    return units[: len(looks)], units[len(looks) :]


def _unlike(
    wanted: Sequence[Wanted], count: int, known: np.ndarray, units: np.ndarray,
    place_of: Mapping[str, int], limit: float,
) -> Walked:  # fmt: skip
    """Walks over images in the order of want until `count` are taken, those whose similarity to
    the known ones (K, F) and to each other is below the limit."""
    vectors = np.concatenate([known, np.zeros((count, known.shape[1]), known.dtype)])
    taken: dict[str, int] = {}
    passed: list[str] = []
    since = 0  # the last one that was taken
    for start in range(0, len(wanted), TOGETHER):
        if len(taken) == count:
            break
        some, end = wanted[start : start + TOGETHER], len(known) + len(taken)
        own = units[[place_of[one.id] for one in some]]
        is_like_known = (own @ vectors[:end].T >= limit).any(axis=1)
        is_alike, chosen = own @ own.T >= limit, list[int]()
        for place, one in enumerate(some):
            if len(taken) == count:
                break
            if is_like_known[place] or is_alike[place, chosen].any():
                passed.append(one.id)
                since += 1
            else:
                chosen.append(place)
                taken[one.id], since = since, 0
        vectors[end : end + len(chosen)] = own[chosen]
    return Walked(taken, passed)


def _explained(one: Wanted, passed: int) -> Wanted:
    """With a word about the images that were passed over before it."""
    if not passed:
        return one
    like = "that looks like an image" if passed == 1 else "that look like images"
    return one._replace(reason=f"{one.reason}; next best after {passed} {like} chosen or labeled")
