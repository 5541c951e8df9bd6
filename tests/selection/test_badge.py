"""BADGE: gradients that differ."""

import numpy as np
import pytest

from miaod_nb.boxes import Detections
from miaod_nb.config import make_config
from miaod_nb.selection.badge import Badge, draw_apart, gradient_embedding
from miaod_nb.selection.box_features import Seen
from miaod_nb.selection.outputs import Outputs
from miaod_nb.selection.protocol import Candidates, Choice

BADGE = Badge(make_config("tiny", {"strategy": "badge"}))


def seen(scores: list[list[float]], labels: list[int], features: list[list[float]]) -> Seen:
    every = np.array(scores, np.float32).reshape(len(labels), 2)
    best = every[np.arange(len(labels)), labels]
    boxes = np.zeros((len(labels), 4), np.float32)
    outputs = Outputs(Detections(boxes, best, np.array(labels, np.int64)), 2, every)
    return Seen(outputs, np.array(features, np.float32).reshape(len(labels), 3))


def choose(ids: str, embeddings: np.ndarray, budget: int, seed: int = 0) -> Choice:
    images = Candidates.of_all(list(ids), columns={"embedding": embeddings.astype(np.float32)})
    return BADGE.choose(images, budget, np.random.default_rng(seed))


def test_gradient_by_hand():
    """Of class 0: (0.75 - 1) times the first box's features and 0.125 times the second's."""
    image = seen([[0.75, 0.5], [0.125, 0.5]], [0, 1], [[1, 2, 0], [0, 8, 4]])
    found = gradient_embedding(image)
    assert found.dtype == np.float32
    assert found.tolist() == [-0.25, -0.5 + 1, 0.5, 0.5, 1 - 4, -2]


def test_no_boxes_no_gradient():
    assert gradient_embedding(seen([], [], [])).tolist() == [0] * 6


def test_begins_with_the_longest_and_draws_by_squared_distance():
    """From 10 the others are at 1 and 3: they are drawn with 1 to 9."""
    points = np.array([[10.0], [9.0], [7.0]])
    seconds = []
    for seed in range(2000):
        (first, length), (second, distance) = draw_apart(
            points, [0, 1, 2], 2, np.random.default_rng(seed)
        ).items()
        assert (first, length) == (0, 10) and distance == {1: 1, 2: 3}[second]
        seconds.append(second)
    assert np.mean(np.array(seconds) == 1) == pytest.approx(0.1, abs=0.02)


def test_the_order_of_the_pool_changes_nothing():
    rng = np.random.default_rng(0)
    embeddings, ids = rng.normal(size=(50, 6)).round(1), [chr(97 + i) for i in range(50)]
    expected = choose("".join(ids), embeddings, 8)
    assert len(set(expected.ids)) == 8
    for _ in range(5):
        order = rng.permutation(50)
        assert choose("".join(ids[i] for i in order), embeddings[order], 8) == expected
    assert choose("".join(ids), embeddings, 8, seed=1) != expected


@pytest.mark.parametrize("seed", range(5))
def test_duplicates_and_empty_images_only_when_nothing_else_is_left(seed):
    """b is a, d is c, and e has no boxes."""
    embeddings = np.array([[3, 0], [3, 0], [0, 2], [0, 2], [0, 0]])
    chosen = choose("abcde", embeddings, 5, seed)
    assert {*chosen.ids[:2]} in ({"a", "c"}, {"a", "d"}, {"b", "c"}, {"b", "d"})
    assert list(chosen.ids[2:]) == [*sorted({*"abcd"} - {*chosen.ids[:2]}), "e"]
    assert chosen.reasons[:2] == [
        "would change the detector most (gradient of length 3)",
        "would change the detector in a way that no image chosen before does (distance 3.61)",
    ]
    assert chosen.reasons[2:] == [
        "would change the detector as one chosen before does, and nothing else is left",
        "would change the detector as one chosen before does, and nothing else is left",
        "nothing was found in it, and nothing else is left",
    ]
    assert set(choose("abcde", embeddings, 2, seed).ids) <= set("abcd")
    assert len(choose("abcde", embeddings, 2, seed).ids) == 2


def test_all_alike_and_budgets_beyond_the_pool():
    assert choose("cab", np.ones((3, 2)), 9).ids == ["a", "b", "c"]
    assert choose("cab", np.zeros((3, 2)), 2).ids == ["a", "b"]
    assert choose("", np.zeros((0, 2)), 2).ids == []
