"""k-center greedy: the fast way for features equals looking at every distance."""

import numpy as np
import pytest

from miaod_nb.selection import k_center as module
from miaod_nb.selection.k_center import euclidean, k_center, k_center_greedy


def straightforward(points, centers, count, costs=None):
    nearest = np.full(len(points), np.inf)
    for center in centers:
        nearest = np.minimum(nearest, euclidean(points, center))
    return k_center_greedy(nearest, lambda p: euclidean(points, points[p]), count, costs)


def pool(kind: str, rng: np.random.Generator) -> np.ndarray:
    """600 points: some are more than once there, or equally far from several centers."""
    noise = rng.normal(size=(600, 8))
    points = {
        "noise": noise,
        "a plane": rng.uniform(size=(600, 2)) @ noise[:2],
        "clusters": 5 * noise[rng.integers(0, 9, 600)] + 0.1 * noise,
        "copies": noise[rng.integers(0, 50, 600)],
        "zeros and ones": (noise > 0.5).astype(float),
        "all the same": np.full((600, 8), 1.3),
        "far from the origin": noise + 1e4,
        "one far away": noise * np.where(np.arange(600) == 300, 1e7, 1)[:, None],
        "one number": noise[:, :1],
    }
    return points[kind].astype(np.float32)


KINDS = ("noise", "a plane", "clusters", "copies", "zeros and ones", "all the same",
         "far from the origin", "one far away", "one number")  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labeled", [0, 1, 40])
@pytest.mark.parametrize("with_costs", [False, True])
def test_it_is_the_straightforward_loop(monkeypatch, kind, labeled, with_costs):
    """Also where blocks are small, so that points stay behind the centers for long."""
    rng = np.random.default_rng(0)
    points = pool(kind, rng)
    costs = rng.integers(1, 5, 600).astype(float) if with_costs else None
    centers = points[rng.integers(0, 600, labeled)]
    expected = straightforward(points, centers, 80, costs)
    for rows, looked_at, together in ((2048, 256, 128), (64, 3, 8)):
        monkeypatch.setattr(module, "ROWS", rows)
        monkeypatch.setattr(module, "CENTERS", rows // 4)
        monkeypatch.setattr(module, "LOOKED_AT", looked_at)
        monkeypatch.setattr(module, "SEEN_TOGETHER", together)
        assert k_center(points, centers, 80, costs) == expected


def test_all_points_are_taken_when_more_are_asked_for():
    points = pool("copies", np.random.default_rng(1))
    expected = straightforward(points, points[:2], 900)
    found = k_center(points, points[:2], 900)
    assert found == expected and sorted(found[0]) == list(range(600))
    distances = np.array(found[1])  # each of 50 different points once, then copies at exactly 0
    assert (distances[:48] > 0).all() and (distances[48:] == 0).all()


def test_the_farthest_for_its_cost_by_hand():
    """10 is farthest and 8 farthest for its cost: 8 / 2 > 10 / 5; then 10 is 2 away, and 3 is 3."""
    points, costs = np.array([[3.0], [10.0], [8.0]]), np.array([1.0, 5.0, 2.0])
    assert k_center(points, np.zeros((1, 1)), 3, costs) == ([2, 0, 1], [8.0, 3.0, 2.0])
    distances = np.abs(points - points.T)
    found = k_center_greedy(points[:, 0], lambda p: distances[p], 3, costs)
    assert found == ([2, 0, 1], [8.0, 3.0, 2.0])


def test_most_points_are_not_looked_at_again(monkeypatch):
    """What the speed comes from: 100 of 20000 points cost less than half of all pairs."""
    points = np.random.default_rng(3).normal(size=(20000, 16)).astype(np.float32)
    pairs, compare = [], module._Search.compare

    def counting(search, rows):
        pairs.append(len(rows) * (search.known - search.seen[rows].min()))
        compare(search, rows)

    monkeypatch.setattr(module._Search, "compare", counting)
    monkeypatch.setattr(module, "LOOKED_AT", 32)
    k_center(points, points[:1], 100)
    assert 20000 <= sum(pairs) < 20000 * 100 / 2
