"""k-medoids on a matrix of distances."""

import numpy as np

from miaod_nb.selection.k_medoids import k_medoids


def on_a_line(*places: float) -> np.ndarray:
    return np.abs(np.subtract.outer(places, places)).astype(float)


def test_by_hand():
    """From 0 and 12, the farthest: 0, 1, 3 have 1 in their middle, and 9, 11, 12 have 11."""
    assert k_medoids(on_a_line(0, 1, 3, 9, 11, 12), 2, first=0) == [1, 4]


def test_clusters_move_until_none_does():
    """From 0 and 20, 10 is with 0, and 12 in the middle of 11, 12, 20; then 10 is nearer to that,
    and 11 in their middle."""
    assert k_medoids(on_a_line(0, 10, 11, 12, 20), 2, first=0) == [0, 2]


def test_equal_points_are_different_choices():
    found = k_medoids(np.zeros((5, 5)), 3, first=2)
    assert len(set(found)) == 3 and 2 in found


def test_more_than_there_are_gives_all():
    assert sorted(k_medoids(on_a_line(4, 0, 9), 7, first=1)) == [0, 1, 2]


def test_every_medoid_is_best_for_its_cluster():
    points = np.random.default_rng(0).normal(size=(60, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    medoids = np.array(k_medoids(distances, 6, first=9))
    nearest = medoids[distances[:, medoids].argmin(axis=1)]
    for medoid in medoids:
        cluster = np.flatnonzero(nearest == medoid)
        sums = distances[np.ix_(cluster, cluster)].sum(axis=1)
        assert sums[cluster == medoid] == sums.min()
