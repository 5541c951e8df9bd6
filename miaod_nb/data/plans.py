"""Plans: which images form each batch, in training and in inference."""

import math
from collections.abc import Sequence
from itertools import cycle, islice
from typing import TypeVar

import numpy as np

from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize

Item = TypeVar("Item")


def training_plan(
    ids: Sequence[str],
    is_landscape: Sequence[bool],
    batch_size: int,
    rng: np.random.Generator,
    *,
    passes: int = 1,
    min_steps: int = 0,
) -> list[list[str]]:
    """The ids of each batch of an epoch, after the authors' sampler.

    is_landscape: for each id, whether width / height > 1; a batch holds one orientation. The set is
    repeated `passes` times, each orientation is shuffled, filled up to whole batches with random
    ones of its own, and the batches are mixed. Where that gives less than `min_steps` batches the
    set is repeated oftener and the plan cut at `min_steps`.
    """

    groups = [
        np.array([i for i, landscape in zip(ids, is_landscape, strict=True) if landscape == wanted])
        for wanted in (False, True)
    ]
    groups = [group for group in groups if len(group)]
    steps = max(_num_batches(groups, passes, batch_size), min_steps)
    while groups and _num_batches(groups, passes, batch_size) < steps:
        passes += 1
    batches: list[list[str]] = []
    for group in groups:
        order = rng.permutation(np.tile(group, passes))
        filling = rng.choice(group, -len(order) % batch_size)
        batches += np.concatenate([order, filling]).reshape(-1, batch_size).tolist()
    return [batches[i] for i in rng.permutation(len(batches))[:steps]]


def _num_batches(groups: Sequence[np.ndarray], passes: int, batch_size: int) -> int:
    return sum(math.ceil(len(group) * passes / batch_size) for group in groups)


def pair_plans(labeled: Sequence[Item], unlabeled: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Both plans at the length of the longer one; the shorter starts over as often as needed.

    Raises ValueError when one of them is empty.
    """
    if not labeled or not unlabeled:
        raise ValueError(f"cannot pair {len(labeled)} labeled, {len(unlabeled)} unlabeled batches")
    length = max(len(labeled), len(unlabeled))
    return list(islice(cycle(labeled), length)), list(islice(cycle(unlabeled), length))


def inference_plan(
    records: Sequence[ImageRecord], input_size: InputSize, batch_size: int
) -> list[list[int]]:
    """Places in `records` of each batch; a batch holds images of one padded size.

    So no image gets more padding than alone, and results do not depend on the batch size. Each
    record stands in one batch; batches are ordered by their first image.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for index, padded in enumerate(padded_sizes(records, input_size)):
        groups.setdefault(padded, []).append(index)
    return sorted(
        group[start : start + batch_size]
        for group in groups.values()
        for start in range(0, len(group), batch_size)
    )


def padded_sizes(records: Sequence[ImageRecord], input_size: InputSize) -> list[tuple[int, int]]:
    """(h, w) of each image after resizing, with its own padding."""
    fitted = [input_size.fitted(record.width, record.height) for record in records]
    return [(input_size.padded(height), input_size.padded(width)) for width, height in fitted]
