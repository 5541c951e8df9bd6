"""k-center greedy: points that leave no other point far from all of them."""

from collections.abc import Callable

import numpy as np

ROWS = 16384  # whose differences are in memory at once


def k_center_greedy(
    nearest: np.ndarray, distances_to: Callable[[int], np.ndarray], count: int
) -> tuple[list[int], list[float]]:
    """`count` points one after the other, each the farthest from its nearest center, and how far;
    then it is a center itself. Of equally far ones the first.

    nearest: (N,), the distance of each point to its nearest center; infinite if there is none.
    distances_to: of all points to one of them, (N,); asked once for every point that is taken.
    """
    nearest, taken, distances = nearest.astype(np.float64), [], []
    for _ in range(min(count, len(nearest))):
        point = int(nearest.argmax())
        taken.append(point)
        distances.append(float(nearest[point]))
        nearest = np.minimum(nearest, distances_to(point))
        nearest[taken] = -np.inf  # not again, also when all others are as near as 0
    return taken, distances


def euclidean(points: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Distances of the points (N, F) to a center (F,): float64 (N,), each computed by itself, so
    that it does not depend on the others."""
    parts = [points[start : start + ROWS] for start in range(0, len(points), ROWS)]
    squares = [((part.astype(np.float64) - center) ** 2).sum(axis=1) for part in parts]
    return np.sqrt(np.concatenate([np.zeros(0), *squares]))
