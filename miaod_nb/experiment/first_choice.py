"""Which images are labeled first where what pictures look like decides it, before any label."""

from collections.abc import Sequence

import numpy as np

from miaod_nb.data.pool import Indices
from miaod_nb.selection.k_center import k_center
from miaod_nb.selection.typicality import most_typical
from miaod_nb.wording import number_text

TINY = np.finfo(np.float32).tiny


def choose_first(
    how: str, features: np.ndarray, ids: Sequence[str], labeled: Indices, count: int, seed: int
) -> tuple[list[int], list[str]]:
    """`count` images of the pool that are not labeled, or all: their indices, most wanted first,
    and why each.

    how: "typicality" (Hacohen et al., ICML 2022) or "coreset" (Sener and Savarese, ICLR 2018).
    features: (N, F), of all images, whose direction alone counts: their length tells of contrast.
    ids: theirs, in whose order chance draws, so that the order of the pool does not matter.
    labeled: indices of images that have labels already.
    """
    rng = np.random.default_rng(seed)
    others = np.setdiff1d(np.arange(len(ids)), labeled)
    others = np.array(sorted(others.tolist(), key=lambda index: ids[index]), dtype=np.int64)
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), TINY)
    points, centers = unit[others], unit[labeled]
    if how == "typicality":
        names = [ids[index] for index in others]
        places, reasons = most_typical(points, centers, count, rng, names)
    else:
        places, reasons = _farthest(points, centers, count, rng)
    return others[places].tolist(), reasons


def _farthest(
    points: np.ndarray, centers: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[list[int], list[str]]:
    """Places of `count` points (N, F), each the farthest from centers (K, F) and those before, and
    why each; the first is drawn where there is no center."""
    rest, drawn = np.arange(len(points)), []
    if not len(centers) and count and len(points):
        drawn = [int(rng.integers(len(points)))]
        rest, centers = np.delete(rest, drawn), points[drawn]
    taken, distances = k_center(points[rest], centers, count - len(drawn))
    reasons = ["drawn at random: the others lie far from it"] * len(drawn)
    reasons += [f"farthest from all before it (distance {number_text(d)})" for d in distances]
    return drawn + rest[taken].tolist(), reasons
