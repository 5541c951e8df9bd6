"""PPAL: uncertainty in hard classes, and images that are unlike one another."""

from collections.abc import Sequence
from math import log, sqrt

import numpy as np
import pytest
import torch

from miaod_nb.boxes import Detections
from miaod_nb.config import make_config
from miaod_nb.selection.box_features import BoxSets, Seen, pack
from miaod_nb.selection.matching_distance import matching_distances
from miaod_nb.selection.outputs import Outputs
from miaod_nb.selection.ppal import Ppal, calibrated_uncertainty, class_weights
from miaod_nb.selection.protocol import Candidates, Choice
from tests.tiny import lively_detector, noise, unlabeled

PPAL = Ppal(make_config("tiny", {"strategy": "ppal", "score_threshold": 0.3}))


def found(*boxes: tuple[float, float, float, float], scores: list[float], labels: list[int]):
    arrays = np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32)
    return Outputs(Detections(*arrays, np.array(labels, np.int64)), 3)


def h(p: float) -> float:
    return -p * log(p) - (1 - p) * log(1 - p)


# ------------------------------------------------------------------------------ the first stage


def test_what_was_found_badly_in_training_weighs_more():
    weights = class_weights(np.array([0.0, 0.5, 1.0]))
    assert weights[0] == pytest.approx(1.2) and weights[2] == 1.0
    assert 1.0 < weights[1] < 1.2


def test_uncertainty_by_hand():
    """A box of 16 pixels a side is too small, and one of 100 to 20 pixels too long."""
    outputs = found(
        (0, 0, 20, 20), (5, 5, 60, 60), (0, 0, 40, 10.1), (0, 0, 16, 16), (0, 0, 100, 20),
        scores=[0.9, 0.75, 0.5, 0.5, 0.5], labels=[0, 2, 2, 1, 1],
    )  # fmt: skip
    parts = calibrated_uncertainty(outputs, np.array([1.0, 1.1, 1.2]))
    np.testing.assert_allclose(parts, [h(0.9), 0.0, 1.2 * (h(0.75) + log(2))], rtol=1e-6)


def test_no_boxes_no_uncertainty():
    empty = found(scores=[], labels=[])
    assert calibrated_uncertainty(empty, np.ones(3)).tolist() == [0, 0, 0]


@torch.no_grad()
def test_hard_classes_count_more_in_what_is_seen():
    model, batch = lively_detector(), unlabeled(noise())
    model.part("classifier_1").output.weight.data *= 0.01  # so that it is sure of nothing
    model.class_quality = torch.tensor([[1.0, 0.0], [0.99, 0.99]])
    one = PPAL.observe(model, batch)
    model.class_quality = torch.tensor([[0.0, 0.0], [0.99, 0.99]])
    other = PPAL.observe(model, batch)
    assert (one["per_class"] > 0.5).all()
    torch.testing.assert_close(one["per_class"][:, 0] * 1.2, other["per_class"][:, 0])
    torch.testing.assert_close(one["per_class"][:, 1], other["per_class"][:, 1])
    torch.testing.assert_close(other["score"], other["per_class"].sum(dim=1))
    assert torch.equal(one["best_boxes"], other["best_boxes"])


@torch.no_grad()
def test_batch_equals_single():
    """Features up to how exactly the center of a box is known: they differ much from cell to cell
    here."""
    model, images = lively_detector(), noise(3)
    batch = PPAL.observe(model, unlabeled(images))
    assert tuple(batch) == PPAL.card.columns
    for i in range(3):
        single = PPAL.observe(model, unlabeled(images[i : i + 1]))
        for name, values in batch.items():
            scale = float(values[i].abs().max()) if name == "best_boxes" else 0.01
            assert values[i].any() and scale > 0
            torch.testing.assert_close(values[i], single[name][0], rtol=1e-4, atol=1e-4 * scale)


# ----------------------------------------------------------------------------- the second stage


def boxes_of(*images: list[tuple[int, float, tuple[float, float]]]) -> BoxSets:
    """Images from the label, score and features of each box."""
    rows = []
    for image in images:
        outputs = found(
            *[(0, 0, 9, 9)] * len(image), scores=[s for _, s, _ in image],
            labels=[label for label, _, _ in image],
        )  # fmt: skip
        features = np.array([f for *_, f in image], np.float32).reshape(-1, 2)
        rows.append(pack(Seen(outputs, features)))
    return BoxSets.unpack(np.stack(rows))


def test_distance_by_hand():
    """Right, up, and between; nothing of class 1 in the second; nothing at all in the third."""
    right, up, between = (5.0, 0.0), (0.0, 2.0), (1.0, 1.0)
    sets = boxes_of([(0, 0.5, right), (1, 0.25, up)], [(0, 0.75, up), (0, 0.5, between)], [])
    there = (0.5 * (1 - sqrt(0.5)) + 0.25 * 2) / (0.75 + 1e-5)
    back = (0.75 * 1.0 + 0.5 * (1 - sqrt(0.5))) / (1.25 + 1e-5)
    distances = matching_distances(sets)
    expected = (there + back) / 2
    np.testing.assert_allclose(distances, [[0, expected, 0], [expected, 0, 0], [0] * 3], atol=1e-5)


def test_equal_images_are_at_distance_0_and_all_is_symmetric():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 3, (20, 100)), rng.random((20, 100)).astype(np.float32)
    scores[rng.random((20, 100)) < 0.5] = 0
    features = rng.normal(size=(20, 100, 16)).astype(np.float32)
    for array in (labels, scores, features):
        array[13] = array[2]
    distances = matching_distances(BoxSets(labels, scores, features))
    assert distances[2, 13] == 0 and (distances == distances.T).all()
    np.testing.assert_array_equal(distances[2], distances[13])
    assert ((distances > 0) | np.eye(20, dtype=bool))[np.arange(20) != 13][:, :13].all()


# ---------------------------------------------------------------------------------- the choice


def pool(
    ids: Sequence[str], scores: Sequence[float], features: Sequence[Sequence[float]]
) -> Candidates:
    """Images with one box each, whose score says nothing of the image's."""
    box = found((0, 0, 9, 9), scores=[0.5], labels=[0])
    rows = np.stack([pack(Seen(box, np.array([one]))) for one in features])
    return Candidates.of_all(list(ids), columns={"score": np.array(scores), "best_boxes": rows})


def choose(images: Candidates, budget: int, seed: int = 0) -> Choice:
    return PPAL.choose(images, budget, np.random.default_rng(seed))


RIGHT, NEARLY_RIGHT, UP, LEFT = (1.0, 0.0), (1.0, 0.1), (0.0, 1.0), (-1.0, 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_of_the_most_uncertain_those_unlike_one_another(seed):
    """Eight go on: h and i do not, unlike as they are. Seven are alike, g is not."""
    images = pool("abcdefghi", [9, 8, 7, 6, 5, 4, 3, 2, 1], [*[RIGHT] * 6, LEFT, UP, UP])
    images.columns["best_boxes"][7] = images.columns["best_boxes"][0]
    chosen = choose(images, 2, seed)
    assert len(chosen.ids) == 2 and "g" in chosen.ids and "i" not in chosen.ids
    score = images.columns["score"][images.ids.index(chosen.ids[0])]
    expected = f"uncertain ({score:g}), and unlike the others chosen: its nearest is 2 away"
    assert chosen.reasons[0] == expected


def test_the_order_of_the_pool_changes_nothing():
    rng = np.random.default_rng(0)
    scores, features = rng.integers(1, 5, 40).astype(float), rng.normal(size=(40, 2))
    ids = np.array([chr(97 + i) for i in range(40)])
    expected = choose(pool(ids, scores, features), 5)
    assert len(set(expected.ids)) == 5
    for _ in range(5):
        order = rng.permutation(40)
        assert choose(pool(ids[order], scores[order], features[order]), 5) == expected


@pytest.mark.parametrize("seed", range(5))
def test_duplicates_are_not_both_chosen(seed):
    """Every image is there twice."""
    rng = np.random.default_rng(seed)
    features = [tuple(row) for row in rng.normal(size=(6, 2))]
    images = pool("abcdefABCDEF", [3.0, 1, 2, 5, 4, 2] * 2, features * 2)
    chosen = choose(images, 4, seed).ids
    assert len({image_id.lower() for image_id in chosen}) == 4


def test_images_without_uncertainty_only_when_nothing_else_is_left():
    images = pool("cadb", [0.0, 2.0, 0.0, 1.0], [RIGHT, UP, NEARLY_RIGHT, UP])
    chosen = choose(images, 3)
    assert chosen.ids == ["a", "b", "c"]
    assert chosen.reasons[1:] == [
        "uncertain (1), and unlike the others chosen: its nearest is 0 away",
        "nothing uncertain was found in it, and nothing else is left",
    ]
    assert choose(images, 9).ids == ["a", "b", "c", "d"]
    assert choose(images, 1).reasons[0] in ("uncertain (2)", "uncertain (1)")
    assert choose(images, 0).ids == [] and choose(pool("a", [0.0], [UP]), 1).ids == ["a"]


def test_all_alike_are_taken_all_the_same():
    chosen = choose(pool("abcdefgh", [1.0] * 8, [RIGHT] * 8), 3)
    assert len(set(chosen.ids)) == 3
