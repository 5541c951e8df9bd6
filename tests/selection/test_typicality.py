"""Typicality: clusters, what is dense in them, and which images are chosen."""

import numpy as np

from miaod_nb.config import make_config
from miaod_nb.selection.k_means import k_means, k_means_plus_plus
from miaod_nb.selection.protocol import Candidates
from miaod_nb.selection.typicality import Typicality, mean_distances, most_typical

NOTHING = np.zeros((0, 1))


def typical(features, labeled, count, seed=0, ids=None):
    ids = ids or [f"{i:03d}" for i in range(len(features))]
    return most_typical(np.array(features), labeled, count, np.random.default_rng(seed), ids)


def column(*values: float) -> np.ndarray:
    return np.array(values, float)[:, None]


# Three clusters, of 5, 3 and 2 images; in the first and second, the middle is densest.
THREE = column(0, 1, 2, 3, 4, 100, 101.1, 102, 200, 201)


def test_the_densest_image_of_the_largest_clusters_by_hand():
    taken, reasons = typical(THREE, NOTHING, 3)
    assert taken == [2, 6, 8]
    assert reasons[:2] == [
        "most typical of a cluster of 5 images, none of them labeled",
        "most typical of a cluster of 3 images, none of them labeled",
    ]


def test_clusters_with_labeled_images_come_last(monkeypatch):
    """First the one of 100, 101.1, 102, then of those with a labeled image the larger."""
    monkeypatch.setattr("miaod_nb.selection.typicality.MOST_CLUSTERS", 3)
    taken, reasons = typical(THREE, column(1.9, 200.4), 3)
    assert taken == [6, 2, 8]
    assert [reason.split("cluster of ")[1] for reason in reasons] == [
        "3 images, none of them labeled", "6 images, 1 of them labeled",
        "3 images, 1 of them labeled",
    ]  # fmt: skip


def test_of_fewer_clusters_than_images_each_gives_one_in_turn(monkeypatch):
    monkeypatch.setattr("miaod_nb.selection.typicality.MOST_CLUSTERS", 3)
    taken, reasons = typical(THREE, NOTHING, 9)
    assert taken[:3] == [2, 6, 8] and taken[5] == 9
    assert {*taken[3:5]} & {1, 3} and len(set(taken)) == 9
    assert (
        reasons[5] == "number 2 of the most typical of a cluster of 2 images, none of them labeled"
    )


def test_mean_distance_to_the_nearest_others():
    """Of 0, 1, 3: the two nearest others are all others; alone there is none."""
    np.testing.assert_allclose(mean_distances(column(0, 1, 3), 2), [2, 1.5, 2.5])
    np.testing.assert_allclose(mean_distances(column(0, 1, 3), 1), [1, 1, 2])
    assert mean_distances(column(7), 20) == 0


def test_many_rows_are_as_few(monkeypatch):
    points = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    expected = np.linalg.norm(points[:, None].astype(float) - points, axis=2)
    np.fill_diagonal(expected, np.inf)
    expected = np.sort(expected, axis=1)[:, :20].mean(axis=1)
    np.testing.assert_allclose(mean_distances(points, 20), expected, rtol=1e-6)


def test_copies_are_taken_when_nothing_else_is_left():
    """Also those of a labeled image."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(12, 4)).astype(np.float32)
    pool = np.concatenate([features, features])
    taken, reasons = typical(pool, features[:3], 24)
    assert {place % 12 for place in taken[:9]} == set(range(3, 12))
    assert sorted(taken) == list(range(24))
    assert all(reason == "looks exactly like one before it" for reason in reasons[9:])


def test_all_equal_and_more_than_there_are():
    taken, _ = typical(np.full((6, 3), 1.3), np.zeros((0, 3)), 9)
    assert taken == list(range(6))
    assert typical(np.zeros((0, 3)), np.zeros((0, 3)), 4, ids=[]) == ([], [])


def test_the_order_of_the_pool_changes_nothing_and_the_seed_decides():
    rng = np.random.default_rng(1)
    features, labeled = rng.normal(size=(80, 6)).astype(np.float32), rng.normal(size=(7, 6))
    labeled = labeled.astype(np.float32)
    strategy = Typicality(make_config("tiny", {"strategy": "typicality"}))

    def chosen(order, known, seed):
        pool = Candidates.of_all(
            [f"{i:02d}" for i in order], [], {"feature": features[order]}, {"feature": known}
        )
        return strategy.choose(pool, 9, np.random.default_rng(seed))

    expected = chosen(np.arange(80), labeled, 0)
    for _ in range(5):
        assert chosen(rng.permutation(80), labeled[rng.permutation(7)], 0) == expected
    assert any(chosen(np.arange(80), labeled, seed).ids != expected.ids for seed in range(1, 5))


# ------------------------------------------------------------------------------------- clusters


def test_clusters_far_apart_are_found():
    rng = np.random.default_rng(2)
    kinds = rng.integers(0, 6, 200)
    points = 100 * np.eye(6)[kinds] + rng.normal(size=(200, 6)) + 1e4
    found = k_means(points, 6, np.random.default_rng(0))
    pairs = {(int(kind), int(cluster)) for kind, cluster in zip(kinds, found, strict=True)}
    assert len(pairs) == 6


def test_every_point_is_with_the_nearest_mean():
    points = np.random.default_rng(3).normal(size=(300, 3))
    found = k_means(points, 5, np.random.default_rng(0))
    means = np.stack([points[found == c].mean(axis=0) for c in range(5)])
    distances = np.linalg.norm(points[:, None] - means, axis=2)
    assert (distances.argmin(axis=1) == found).mean() > 0.99


def test_the_start_takes_different_points_only():
    points = np.repeat(np.random.default_rng(4).normal(size=(7, 4)), 30, axis=0)
    taken = k_means_plus_plus(points, 20, np.random.default_rng(0))
    assert sorted(place // 30 for place in taken) == list(range(7))
