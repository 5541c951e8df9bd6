"""Typicality: images that stand for many others, for the smallest budgets."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from miaod_nb.config import Config
from miaod_nb.progress import progress
from miaod_nb.runs.card import Card
from miaod_nb.selection.features import mean_of_last_level
from miaod_nb.selection.k_means import k_means, members_of
from miaod_nb.selection.protocol import Candidates, Choice

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel

MOST_CLUSTERS = 500
NEIGHBORS = 20
ROWS = 256  # images whose distances to all of a cluster are in memory at once


@dataclass(frozen=True)
class Typicality:
    """The densest image of each of the largest clusters without a labeled image.

    As TypiClust does it with features of the detector: see `most_typical`.
    """

    config: Config
    card = Card(
        name="typicality", label="typicality",
        words="those that are typical of many images, of a kind that is not labeled yet",
        reason="typical of many images",
        paper="Hacohen et al., ICML 2022", columns=("feature",), observes_labeled=True,
    )  # fmt: skip

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        return mean_of_last_level(model, batch)

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        features = pool.columns["feature"]
        labeled = pool.labeled.get("feature", features[:0])
        taken, reasons = most_typical(features, labeled, budget, rng, pool.ids)
        return Choice([pool.ids[place] for place in taken], reasons=reasons)


def most_typical(
    features: np.ndarray, labeled: np.ndarray, count: int, rng: np.random.Generator,
    ids: Sequence[str],
) -> tuple[list[int], list[str]]:  # fmt: skip
    """`count` images, or all, most wanted first, and why each. Hacohen et al., ICML 2022.

    All images are put into as many clusters as will be labeled, MOST_CLUSTERS at most. The clusters
    with the fewest labeled images come first, of these the largest; each gives its densest image,
    then each its second densest, and so on. Dense is one whose NEIGHBORS nearest in its cluster
    are near, on average. Of images with equal features, labeled ones included, only the first by
    id is taken before all others are. (The release leaves out clusters of less than five images,
    does not count labeled images as neighbors, and has MiniBatchKMeans beyond 50 clusters.)

    features: finite (N, F), of images whose different `ids` make the order in which chance draws;
    labeled: (L, F).
    """
    order, known = np.argsort(np.array(ids, dtype=object), kind="stable"), len(labeled)
    count = min(count, len(order))
    if not count:
        return [], []
    points = features[order]
    if known:
        points = np.concatenate([labeled[np.lexsort(labeled.T)], points])
    fresh = np.zeros(len(points), dtype=bool)
    fresh[np.unique(points, axis=0, return_index=True)[1]] = True
    fresh[:known] = False
    number = min(known + count, MOST_CLUSTERS)
    clusters = [c for c in members_of(k_means(points, number, rng), number) if fresh[c].any()]
    clusters.sort(key=lambda own: (int((own < known).sum()), -len(own), int(own[0])))
    queues = [
        _queue(points, own, fresh, int((own < known).sum()))[:count]
        for own in progress(clusters[:count], "looking for typical images")
    ]
    wanted = [one for turn in zip_longest(*queues) for one in turn if one]
    copies = np.flatnonzero(~fresh[known:]) + known
    wanted += [(point, "looks exactly like one before it") for point in copies.tolist()]
    places, reasons = zip(*wanted[:count], strict=True)
    return order[np.array(places) - known].tolist(), list(reasons)


def _queue(
    points: np.ndarray, own: np.ndarray, fresh: np.ndarray, labeled: int
) -> list[tuple[int, str]]:
    """The points of a cluster that may be chosen, the densest first, and why each."""
    order = own[np.argsort(mean_distances(points[own], NEIGHBORS), kind="stable")]
    where = f"typical of a cluster of {len(own)} images, {labeled or 'none'} of them labeled"
    return [
        (point, f"most {where}" if place == 1 else f"number {place} of the most {where}")
        for place, point in enumerate(order[fresh[order]].tolist(), start=1)
    ]


def mean_distances(points: np.ndarray, count: int) -> np.ndarray:
    """The mean Euclidean distance of each point (N, F) to the `count` others that are nearest, or
    to all if there are fewer; 0 of a point alone: float64 (N,)."""
    count = min(count, len(points) - 1)
    if not count:
        return np.zeros(len(points))
    points = points - points.mean(axis=0, dtype=np.float64)  # rounding grows with their length
    squares, means = (points**2).sum(axis=1), []
    for start in range(0, len(points), ROWS):
        rows = np.arange(start, min(start + ROWS, len(points)))
        apart = squares[rows, None] + squares - 2 * (points[rows] @ points.T)
        apart[rows - start, rows] = np.inf
        nearest = np.partition(apart, count - 1, axis=1)[:, :count]
        means.append(np.sqrt(np.maximum(nearest, 0)).mean(axis=1))
    return np.concatenate(means)
