"""k-center greedy, and core-set on features of a detector."""

import numpy as np

from miaod_nb.config import make_config
from miaod_nb.selection.coreset import CoreSet
from miaod_nb.selection.k_center import euclidean
from miaod_nb.selection.protocol import Candidates

CORESET = CoreSet(make_config("tiny", {"strategy": "coreset"}))


def chosen(pool: np.ndarray, labeled: np.ndarray, budget: int, ids: list[str]):
    candidates = Candidates.of_all(ids, [], {"feature": pool}, {"feature": labeled})
    return CORESET.choose(candidates, budget, np.random.default_rng(0))


def test_by_hand():
    """Labeled at 0; 9.9 is farthest, then 5, which is 4.9 from it, then 5.1 at 0.1."""
    pool = np.array([[5.0], [0.1], [9.9], [5.1]])
    found = chosen(pool, np.array([[0.0]]), 3, ["5", "0.1", "9.9", "5.1"])
    assert list(found.ids) == ["9.9", "5", "0.1"]
    assert found.reasons == [
        "farthest from what is labeled (distance 9.9)",
        "farthest from what is labeled (distance 4.9)",
        "farthest from what is labeled (distance 0.1)",
    ]


def test_nothing_labeled_begins_with_the_first_and_equal_ones_are_taken_once():
    found = chosen(np.zeros((4, 2)), np.zeros((0, 2)), 9, list("abcd"))
    assert list(found.ids) == list("abcd")
    assert found.reasons[0] == "farthest from what is labeled"


def test_the_order_of_the_pool_changes_nothing():
    rng = np.random.default_rng(0)
    pool, labeled = rng.normal(size=(60, 7)).astype(np.float32), rng.normal(size=(5, 7))
    expected = chosen(pool, labeled, 12, [str(i) for i in range(60)])
    for _ in range(5):
        order = rng.permutation(60)
        found = chosen(pool[order], labeled[rng.permutation(5)], 12, [str(i) for i in order])
        assert found == expected


def test_every_choice_is_the_farthest_from_all_centers():
    rng = np.random.default_rng(1)
    pool, labeled = rng.normal(size=(40, 3)), rng.normal(size=(4, 3))
    centers = list(labeled)
    for image_id in chosen(pool, labeled, 10, [str(i) for i in range(40)]).ids:
        distances = np.linalg.norm(pool[:, None] - np.array(centers), axis=2).min(axis=1)
        assert int(image_id) == distances.argmax()
        centers.append(pool[int(image_id)])


def test_distances_do_not_depend_on_how_many_are_asked_for():
    points = np.random.default_rng(2).normal(size=(20000, 5)).astype(np.float32)
    distances = euclidean(points, points[7])
    assert distances.dtype == np.float64 and distances[7] == 0
    assert (euclidean(points[16000:], points[7]) == distances[16000:]).all()
    np.testing.assert_allclose(distances, np.linalg.norm(points - points[7], axis=1), rtol=1e-5)
