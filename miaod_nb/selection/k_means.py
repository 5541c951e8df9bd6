"""k-means: points in clusters around their means, from the start of k-means++."""

import numpy as np

from miaod_nb.progress import progress
from miaod_nb.selection.k_center import ROWS

ROUNDS = 30  # of Lloyd's, at most
ROUNDING = 1e-5  # share of the squared lengths of two points: those as near count as equal


def k_means(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """The cluster of each point, int64 (N,): 0 to `count` - 1, less if fewer points differ. Some
    clusters may be empty.

    points: finite (N, F), N above 0, whose order matters to what is drawn; in float32. Lloyd's
    rounds, until no point moves.
    """
    middle = points.mean(axis=0, dtype=np.float64)  # rounding grows with the length of points
    points = points.astype(np.float32) - middle.astype(np.float32)
    centers = points[k_means_plus_plus(points, count, rng)]
    clusters = np.full(len(points), -1)
    for _ in progress(range(ROUNDS), "finding clusters"):
        nearest = _nearest_of(centers, points)
        if np.array_equal(nearest, clusters):
            break
        clusters = nearest
        for cluster, own in enumerate(members_of(clusters, len(centers))):
            if len(own):
                centers[cluster] = points[own].mean(axis=0)
    return clusters


def k_means_plus_plus(points: np.ndarray, count: int, rng: np.random.Generator) -> list[int]:
    """`count` different points (N, F), or as many as differ: the first drawn evenly, the next by
    its squared distance to the nearest one drawn before. Arthur and Vassilvitskii, SODA 2007."""
    lengths = (points**2).sum(axis=1)
    squares, taken = np.ones(len(points)), list[int]()
    for _ in progress(range(count), "drawing where clusters begin"):
        if not squares.any():
            break
        taken.append(int(rng.choice(len(points), p=squares / squares.sum())))
        both = lengths + lengths[taken[-1]]
        apart = both - 2 * (points @ points[taken[-1]])
        apart[apart < ROUNDING * both] = 0
        apart[taken] = 0
        squares = np.minimum(squares, apart) if len(taken) > 1 else apart.astype(np.float64)
    return taken


def members_of(clusters: np.ndarray, count: int) -> list[np.ndarray]:
    """The points of each of `count` clusters, in their order."""
    order = np.argsort(clusters, kind="stable")
    return np.split(order, np.searchsorted(clusters[order], np.arange(1, count)))


def _nearest_of(centers: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The nearest center of each point, of equal ones the first: int64 (N,)."""
    lengths = (centers**2).sum(axis=1)
    blocks = (points[start : start + ROWS] for start in range(0, len(points), ROWS))
    return np.concatenate([(lengths - 2 * (block @ centers.T)).argmin(axis=1) for block in blocks])
