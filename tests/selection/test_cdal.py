"""CDAL-CS: how an image mixes up classes, how far two are apart, and which are chosen."""

from math import log

import numpy as np
import pytest

from miaod_nb.config import make_config
from miaod_nb.selection.cdal import Cdal, mixture_distances, mixture_of
from miaod_nb.selection.protocol import Candidates, Choice
from tests.selection.test_outputs import outputs

CDAL = Cdal(make_config("tiny", {"strategy": "cdal"}))


def image(**rows: list[float]) -> np.ndarray:
    """The column of an image of two classes with these rows: a, b, and the background's share."""
    return np.array([*rows.get("a", [0, 0, 0]), *rows.get("b", [0, 0, 0])], np.float32)


def chosen(pool: dict[str, np.ndarray], labeled: list[np.ndarray], budget: int) -> Choice:
    columns = {"mixture": np.array(list(pool.values()))}
    known = {"mixture": np.array(labeled).reshape(-1, 6)}
    candidates = Candidates.of_all(list(pool), [], columns, known)
    return CDAL.choose(candidates, budget, np.random.default_rng(0))


def test_mixture_by_hand():
    """Two boxes of class a, of which the unsure one alone has entropy; what is left to one is the
    background's."""
    found = mixture_of(outputs([1.0, 0.5], [0, 0], [[1.0, 0.0], [0.5, 0.25]], num_classes=2))
    np.testing.assert_allclose(found, [[0.5, 0.25, 0.25], [0, 0, 0]])
    both = mixture_of(
        outputs([0.5, 0.8], [1, 1], [[0.25, 0.5], [0.0, 0.8]], num_classes=2)
    )  # entropies 1.5 ln 2 and 0.5004
    first, second = 1.5 * log(2), -0.8 * log(0.8) - 0.2 * log(0.2)
    expected = (first * np.array([0.25, 0.5, 0.25]) + second * np.array([0, 0.8, 0.2])) / (
        first + second
    )
    np.testing.assert_allclose(both, [[0, 0, 0], expected], rtol=1e-6)


def test_scores_that_sum_to_more_than_one_are_divided_by_their_sum():
    found = mixture_of(outputs([0.9], [0], [[0.9, 0.6]], num_classes=2))
    np.testing.assert_allclose(found[0], [0.6, 0.4, 0], rtol=1e-6)


@pytest.mark.parametrize(
    "seen",
    [outputs([1.0, 1.0], [0, 1], [[1.0, 0.0], [0.0, 1.0]], num_classes=2),
     outputs([1.0, 1.0], [0, 1], None, num_classes=2)],
)  # fmt: skip
def test_where_nothing_is_unsure_boxes_count_alike(seen):
    assert mixture_of(seen).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_one_class_is_mixed_up_with_the_background():
    found = mixture_of(outputs([0.75], [0], None, num_classes=1))
    assert found.tolist() == [[0.75, 0.25]]
    assert mixture_of(outputs([], [], None, num_classes=1)).tolist() == [[0, 0]]


def test_distance_by_hand():
    """0.5 (0.25 ln 2 + 0.25 ln 2) of row a: 0.5 - 0.25 times ln 0.5 - ln 0.25, twice. Row b is in
    one alone, and images without a row in common are 0 apart."""
    one = image(a=[0.5, 0.25, 0.25], b=[0, 1, 0]).reshape(2, 3)
    other, third = image(a=[0.25, 0.5, 0.25]), image(b=[0.5, 0.5, 0])
    found = mixture_distances(np.stack([other, image(), one.ravel()]).reshape(-1, 2, 3), one)
    np.testing.assert_allclose(found, [0.25 * log(2), 0, 0], rtol=1e-6)
    assert mixture_distances(other.reshape(1, 2, 3), third.reshape(2, 3)) == 0


def test_distances_are_symmetric_and_finite_where_probabilities_are_0():
    mixtures = np.stack([image(a=[1, 0, 0]), image(a=[0, 0, 1]), image(a=[0.5, 0.5, 0])])
    mixtures = mixtures.reshape(-1, 2, 3)
    found = np.stack([mixture_distances(mixtures, one) for one in mixtures])
    assert np.isfinite(found).all() and (found.diagonal() == 0).all()
    np.testing.assert_allclose(found, found.T)


POOL = {
    "empty": image(), "like": image(a=[0.9, 0.1, 0]), "unlike": image(a=[0.2, 0.4, 0.4]),
    "new": image(b=[0, 0.5, 0.5]), "copy": image(a=[0.2, 0.4, 0.4]),
}  # fmt: skip


def test_new_classes_come_first_then_the_farthest_and_images_without_boxes_last():
    """0.5 (0.6 ln 4 + 2 * 0.3 ln 4) = 0.832; a labeled image without boxes says nothing."""
    found = chosen(POOL, [image(a=[0.8, 0.1, 0.1]), image()], 9)
    assert list(found.ids) == ["new", "copy", "like", "unlike", "empty"]
    new, copy, _, unlike, empty = found.reasons
    assert new == "nothing labeled or chosen before has one of its predicted classes"
    assert copy == "its mixture of classes is farthest from what is labeled (distance 0.832)"
    assert unlike.endswith("(distance 0)") and empty.startswith("nothing is found in it")


def test_nothing_labeled_begins_with_the_most_predicted_classes():
    pool = POOL | {"both": image(a=[0.9, 0.1, 0], b=[0, 1, 0])}
    assert next(iter(chosen(pool, [], 1).ids)) == "both"
    assert list(chosen({"b": image(), "a": image()}, [], 2).ids) == ["a", "b"]


def test_the_order_of_the_pool_changes_nothing():
    rng = np.random.default_rng(0)
    rows = rng.dirichlet([1, 1, 1], (50, 2)) * (rng.random((50, 2, 1)) < 0.6)
    rows[40:] = rows[:10]
    pool = {str(i): row for i, row in enumerate(rows.reshape(50, 6).astype(np.float32))}
    labeled = list(pool.values())[10:14]
    expected = chosen(pool, labeled, 20)
    for _ in range(5):
        order = rng.permutation(50)
        found = chosen({str(i): pool[str(i)] for i in order}, labeled[::-1], 20)
        assert found == expected
    twins = [int(i) % 40 for i in expected.ids if int(i) % 40 < 10 and pool[i].any()]
    assert len(set(twins)) == len(twins) > 2
