"""k-medoids: points in the middle of clusters, from the distances of few points to one another."""

import numpy as np

from miaod_nb.selection.k_center import k_center_greedy

ROUNDS = 100  # at most, as in the release of PPAL


def k_medoids(distances: np.ndarray, count: int, first: int) -> list[int]:
    """`count` different points, or all if there are fewer. Each is the medoid of the points that
    are nearest to it: it has the least summed distance to them, of equal ones it is the first.

    distances: (N, N), symmetric, none below 0. first: where k-center greedy starts, with whose
    points, and in whose order, the clusters begin. As the second stage of PPAL (Yang et al., CVPR
    2024) does it, but that it ends as soon as nothing moves, and that a medoid stays in its own
    cluster beside an equal one.
    """
    from_first = distances[first].astype(np.float64)
    from_first[first] = np.inf  # so that it is taken first
    found, _ = k_center_greedy(from_first, lambda point: distances[point], count)
    medoids = np.array(found, dtype=np.int64)
    for _ in range(ROUNDS if found else 0):
        nearest = distances[:, medoids].argmin(axis=1)
        nearest[medoids] = np.arange(len(medoids))
        clusters = [np.flatnonzero(nearest == one) for one in range(len(medoids))]
        moved = np.array([_medoid(distances, cluster) for cluster in clusters])
        if np.array_equal(moved, medoids):
            break
        medoids = moved
    return medoids.tolist()


def _medoid(distances: np.ndarray, cluster: np.ndarray) -> int:
    sums = distances[np.ix_(cluster, cluster)].sum(axis=1, dtype=np.float64)
    return int(cluster[sums.argmin()])
