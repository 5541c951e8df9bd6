"""What strategies think of images, and which they choose."""

from math import log

import numpy as np
import pytest
import torch
from torch import Tensor

from miaod_nb.config import make_config
from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.detector.anchors import AnchorGrid
from miaod_nb.detector.detections import DetectionSettings
from miaod_nb.detector.head import Predictions
from miaod_nb.detector.mil import instance_class_scores
from miaod_nb.detector.retinanet import RetinaNet
from miaod_nb.selection.strategies import (
    STRATEGIES,
    Entropy,
    Full,
    MiAod,
    Random,
    Strategy,
    binary_entropy,
)
from miaod_nb.selection.uncertainty import image_uncertainty, instance_uncertainty, num_averaged
from tests.tiny import lively_detector, noise, unlabeled

RNG = np.random.default_rng(0)


def strategy(**settings: object) -> Strategy:
    config = make_config("tiny", settings)
    return STRATEGIES[config.strategy](config)


# ------------------------------------------------------------------------ instances and images


@pytest.mark.parametrize(
    ("top_k", "num_anchors", "expected"),
    [(10, 100, 10), (10000, 100, 100), (1, 100, 1), (0.09, 3060, 275), (0.5, 5, 2), (0.001, 5, 1)],
)
def test_how_many_anchors_are_averaged(top_k, num_anchors, expected):
    assert num_averaged(top_k, num_anchors) == expected


@pytest.mark.parametrize(
    ("top_k", "expected"),
    [(1, [0.8, 0.3]), (2, [0.6, 0.3]), (0.5, [0.6, 0.3]), (10000, [0.35, 0.15])],
)
def test_image_uncertainty_is_the_mean_of_the_largest(top_k, expected):
    instances = torch.tensor([[0.1, 0.8, 0.1, 0.4], [0.3, 0.0, 0.3, 0.0]])
    found = image_uncertainty(instances, top_k)
    torch.testing.assert_close(found, torch.tensor(expected))
    for i in range(2):
        torch.testing.assert_close(image_uncertainty(instances[i : i + 1], top_k), found[i : i + 1])


# ------------------------------------------------------------------------------------- MI-AOD


@torch.no_grad()
def probabilities(model: RetinaNet, batch: UnlabeledBatch) -> tuple[Tensor, Tensor]:
    logits_1, logits_2 = model(batch.images).need("logits_1", "logits_2")
    return logits_1.sigmoid(), logits_2.sigmoid()


@torch.no_grad()
@pytest.mark.parametrize("top_k", [7, 0.09, 10**6])
def test_score_is_the_image_uncertainty(top_k):
    model, batch = lively_detector(), unlabeled(noise())
    scores = strategy(top_k=top_k).score(model, batch)
    expected = image_uncertainty(instance_uncertainty(*probabilities(model, batch)), top_k)
    assert scores.values.shape == (2,) and (expected > 0).all()
    torch.testing.assert_close(scores.values, expected)


@torch.no_grad()
@pytest.mark.parametrize("mil_softmax", ["level", "image"])
@pytest.mark.parametrize("instance_score", ["max_class", "per_class"])
def test_weighted_score_uses_the_weights_of_training(mil_softmax, instance_score):
    model, batch = lively_detector(), unlabeled(noise())
    scores = strategy(
        weighted_selection=True, top_k=20, mil_softmax=mil_softmax,
        mil_instance_score=instance_score,
    ).score(model, batch)  # fmt: skip
    predictions = model(batch.images)
    logits = predictions.need("logits_1", "logits_2", "mil_logits")
    groups = predictions.grid.level_sizes
    groups = groups if mil_softmax == "level" else (sum(groups),)
    weights = instance_class_scores(*logits, groups, instance_score)
    uncertainty = instance_uncertainty(*probabilities(model, batch), weights)
    torch.testing.assert_close(scores.values, image_uncertainty(uncertainty, 20))
    plain = strategy(top_k=20).score(model, batch)
    assert (scores.values < 0.5 * plain.values).all()


@torch.no_grad()
@pytest.mark.parametrize("weighted", [False, True])
def test_parts_of_the_classes_average_to_the_score(weighted):
    scores = MiAod(15, weighted).score(lively_detector(num_classes=3), unlabeled(noise()))
    assert scores.per_class.shape == (2, 3) and (scores.per_class > 0).all()
    torch.testing.assert_close(scores.per_class.mean(dim=1), scores.values)


def strategies_that_score() -> list[Strategy]:
    settings = DetectionSettings(score_threshold=0.3)
    return [MiAod(20), MiAod(0.09, weighted=True), Entropy("sum", settings)]


@torch.no_grad()
@pytest.mark.parametrize("scoring", strategies_that_score(), ids=["plain", "weighted", "entropy"])
def test_batch_equals_single(scoring):
    model, images = lively_detector(), noise(3)
    batch = scoring.score(model, unlabeled(images))
    assert batch.values.min() > 0
    for i in range(3):
        single = scoring.score(model, unlabeled(images[i : i + 1]))
        torch.testing.assert_close(batch.values[i : i + 1], single.values, rtol=1e-4, atol=0)
        torch.testing.assert_close(batch.per_class[i : i + 1], single.per_class, rtol=1e-4, atol=0)


# ------------------------------------------------------------------------------------ entropy


class Found:
    """A model whose detections are these probabilities, (B, A, C), at boxes far apart."""

    def __init__(self, probs: list[list[list[float]]]) -> None:
        self.logits = torch.tensor(probs).logit()
        self.num_classes = self.logits.shape[2]

    def __call__(self, images: Tensor, towers: tuple[str, ...]) -> Predictions:
        count = self.logits.shape[1]
        boxes = torch.tensor([[20.0 * i, 0, 20 * i + 10, 10] for i in range(count)])
        deltas = torch.zeros(len(self.logits), count, 4)
        grid = AnchorGrid(boxes, ((1, count),), (8,), (1,))
        return Predictions(grid, logits_1=self.logits, box_deltas=deltas)


def h(p: float) -> float:
    return -p * log(p) - (1 - p) * log(1 - p)


def test_binary_entropy_by_hand():
    probs = torch.tensor([0.0, 0.2, 0.5, 0.8, 1.0])
    expected = torch.tensor([0.0, h(0.2), log(2), h(0.2), 0.0])
    torch.testing.assert_close(binary_entropy(probs), expected)


@pytest.mark.parametrize(
    ("aggregate", "of_image", "of_classes"),
    [
        ("max", h(0.6), [h(0.6), h(0.9)]),
        ("mean", (h(0.6) + h(0.8) + h(0.9)) / 3, [(h(0.6) + h(0.8)) / 2, h(0.9)]),
        ("sum", h(0.6) + h(0.8) + h(0.9), [h(0.6) + h(0.8), h(0.9)]),
    ],
)
def test_entropy_of_the_detections_by_hand(aggregate, of_image, of_classes):
    model = Found(
        [
            [[0.6, 0.04], [0.8, 0.01], [0.01, 0.9]],
            [[0.01, 0.01], [0.04, 0.01], [0.02, 0.01]],  # nothing above the threshold
            [[0.01, 0.01], [0.01, 0.7], [0.01, 0.01]],
        ]
    )
    scores = Entropy(aggregate, DetectionSettings()).score(model, unlabeled(noise(3)))
    torch.testing.assert_close(scores.values, torch.tensor([of_image, 0.0, h(0.7)]))
    expected = torch.tensor([of_classes, [0.0, 0.0], [0.0, h(0.7)]])
    torch.testing.assert_close(scores.per_class, expected)


# ------------------------------------------------------------------------------------- choices


@pytest.mark.parametrize("name", ["mi_aod", "entropy"])
@pytest.mark.parametrize(
    ("values", "budget", "expected"),
    [
        ([0.1, 0.9, 0.5, 0.7], 3, [2, 3, 1]),  # least wanted first
        ([0.5, 0.5, 0.5, 0.1], 2, [1, 2]),  # of equal ones the later
        ([0.2, 0.2, 0.9, 0.2], 2, [3, 2]),
        ([0.2, 0.1], 2, [1, 0]),
        ([0.2, 0.1], 0, []),
    ],
)
def test_the_highest_values_are_chosen(name, values, budget, expected):
    assert strategy(strategy=name).choose(np.array(values), budget, RNG).tolist() == expected


def test_many_equal_values_keep_their_order():
    values = np.tile([0.3, 0.7], 500)
    found = strategy().choose(values, 600, RNG).tolist()
    assert found == [*range(800, 1000, 2), *range(1, 1000, 2)]


def test_random_choice_depends_on_the_generator_alone():
    values = np.zeros(50)
    first, again, other = (
        Random().choose(values, 20, np.random.default_rng(seed)).tolist() for seed in (3, 3, 4)
    )
    assert first == again != other
    assert len(set(first)) == 20 and set(first) <= set(range(50))
    ranked = np.linspace(0, 1, 50)
    assert Random().choose(ranked, 20, np.random.default_rng(3)).tolist() == first


def test_random_choice_is_uniform():
    rng = np.random.default_rng(0)
    drawn = np.concatenate([Random().choose(np.zeros(10), 3, rng) for _ in range(2000)])
    counts = np.bincount(drawn, minlength=10)
    assert counts.sum() == 6000
    assert np.abs(counts - 600).max() < 100  # five standard deviations


@pytest.mark.parametrize("without_images", [Random(), Full()])
def test_random_selection_looks_at_no_image(without_images):
    assert not without_images.scores_images
    with pytest.raises(TypeError):
        without_images.score(lively_detector(), unlabeled(noise()))


def test_registry_builds_every_strategy():
    built = {name: strategy(strategy=name) for name in STRATEGIES}
    assert {"mi_aod", "entropy", "random", "full"} <= built.keys()
    assert {name for name, s in built.items() if s.labels_all} == {"full"}
    assert {name for name, s in built.items() if s.scores_images} == {"mi_aod", "entropy"}
    assert len({s.reason for s in built.values()}) == len(built)


def test_strategies_follow_the_configuration():
    assert strategy(top_k=5, weighted_selection=True, mil_softmax="image") == MiAod(
        5, weighted=True, mil_softmax="image"
    )
    found = strategy(strategy="entropy", entropy_aggregate="sum", score_threshold=0.3)
    assert (found.aggregate, found.detection_settings.score_threshold) == ("sum", 0.3)
