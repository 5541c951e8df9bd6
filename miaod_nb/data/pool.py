"""Which images are labeled: the index sets of every cycle, as the authors' code draws them.

Images are named by their place in the pool's list of records. The functions are pure: the same
arguments give the same sets, and every draw starts from a seed of its own.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from miaod_nb.config import count_of
from miaod_nb.errors import ConfigError

if TYPE_CHECKING:  # reviewing a batch chooses without torch, which records need
    from miaod_nb.data.records import ImageRecord

Indices = NDArray[np.int64]


def initial_sets(
    num_images: int, num_labeled: int, seed: int, first_unlabeled: str = "end"
) -> tuple[Indices, Indices, Indices]:
    """(all_indices, labeled, unlabeled_sample) of cycle 0.

    all_indices: (num_images,) in shuffled order; keep it, later cycles start from it. labeled: the
    first num_labeled of them, sorted. unlabeled_sample: equally many to train on without labels,
    sorted. "end": the last of the shuffle, or, where those would reach into the labeled ones, all
    other images topped up with labeled ones. "second": those after the labeled ones, or as many as
    there are; where all are labeled, those.
    """
    generator = RandomState(seed)
    all_indices = np.arange(num_images)
    generator.shuffle(all_indices)
    labeled = all_indices[:num_labeled]
    if first_unlabeled == "second" and num_labeled < num_images:
        sample = np.sort(all_indices[num_labeled : 2 * num_labeled])
    elif 2 * num_labeled <= num_images:
        sample = np.sort(all_indices[num_images - num_labeled :])
    else:
        sample = _sample(all_indices[num_labeled:], np.sort(labeled), generator)
    return all_indices, np.sort(labeled), sample


def labeled_sets(num_images: int, labeled: Indices, seed: int) -> tuple[Indices, Indices]:
    """(labeled, unlabeled_sample) of cycle 0 for images that have labels already, both sorted. The
    sample is drawn from the others, and is topped up with labeled ones where they are too few."""
    labeled = np.sort(labeled)
    rest = np.setdiff1d(np.arange(num_images), labeled)
    return labeled, _sample(rest, labeled, RandomState(seed))


def remaining_pool(all_indices: Indices, labeled: Indices) -> Indices:
    """The indices that are not labeled, in the order of CPython's set difference.

    The order matters: the shuffle of `next_sets` and ties among equal scores start from it.
    """
    ascending = np.sort(all_indices[~np.isin(all_indices, labeled)])
    # The hash table of a set has more than 5/3 places for each member. Where that is more than the
    # largest index, every index lies in a place of its own number: no set need be made.
    if 5 * len(ascending) >= 3 * all_indices.max(initial=0):
        return ascending
    remaining = list(set(all_indices.tolist()) - set(labeled.tolist()))
    return np.array(remaining, dtype=np.int64)


def next_sets(
    all_indices: Indices, labeled: Indices, selected: Indices, seed: int, top_up: bool = True
) -> tuple[Indices, Indices]:
    """(labeled, unlabeled_sample) after a selection, both sorted and equally long.

    labeled: the sorted labeled indices so far. selected: those just chosen, by ascending score.
    The sample is drawn from the remaining pool; where that is too small, labeled ones fill it.
    top_up=False: they do so only where nothing is left of the pool.
    """
    generator = RandomState(seed)
    labeled = np.concatenate([labeled, selected])
    sample = _sample(remaining_pool(all_indices, labeled), labeled, generator, top_up)
    return np.sort(labeled), sample


def scored_part(pool: Indices, count: int, seed: int, cycle: int) -> Indices:
    """`count` of the pool's indices, or all where it has no more, in the order of the pool: those
    that a cycle scores, drawn anew in each."""
    if count >= len(pool):
        return pool
    places = np.random.default_rng([seed, cycle]).choice(len(pool), count, replace=False)
    return pool[np.sort(places)]


def _sample(
    pool: Indices, labeled: Indices, generator: RandomState, top_up: bool = True
) -> Indices:
    """As many indices as are labeled, sorted: shuffled pool first, then shuffled labeled ones."""
    pool, labeled = pool.copy(), labeled.copy()
    generator.shuffle(pool)
    missing = max(len(labeled) - len(pool), 0)
    if missing and not top_up and len(pool):
        missing = 0
    if missing:
        generator.shuffle(labeled)
    return np.sort(np.concatenate([pool[: len(labeled)], labeled[:missing]]))


def resolve_count(value: float, total: int, setting: str = "budget") -> int:
    """The number of images that `value` means: a count, or below 1 a fraction, rounded down, but at
    least one image.

    Raises ConfigError naming `setting` when that is none of the `total` images or more than all.
    """
    count = max(count_of(value, total), int(0 < value < 1))
    if 1 <= count <= total:
        return count
    fault = "no image" if count < 1 else f"{count} images, more than there are"
    raise ConfigError(
        f"{setting} = {value:g} of {total} images means {fault}",
        where=setting,
        remedy=f"choose 1 to {total} images, or a fraction that gives so many",
    )


def ids_by_source(records: "Sequence[ImageRecord]", indices: Iterable[int]) -> dict[str, list[str]]:
    """The ids of the images at `indices`, in that order, under the name of their source.

    Every source of `records` is there, with an empty list if need be.
    """
    ids: dict[str, list[str]] = {record.source: [] for record in records}
    for index in indices:
        ids[records[index].source].append(records[index].id)
    return ids
