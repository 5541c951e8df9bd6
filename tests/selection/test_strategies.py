"""What strategies think of images, and which they choose."""

import json
from math import log

import numpy as np
import pytest
import torch
from torch import Tensor

from miaod_nb.config import make_config
from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.detector.anchors import AnchorGrid
from miaod_nb.detector.head import Predictions
from miaod_nb.detector.mil import instance_class_scores
from miaod_nb.detector.retinanet import RetinaNet
from miaod_nb.runs.card import Card
from miaod_nb.selection.entropy import Entropy, binary_entropy
from miaod_nb.selection.full import Full
from miaod_nb.selection.protocol import Candidates, Strategy, choose_highest
from miaod_nb.selection.random import Random
from miaod_nb.selection.registry import STRATEGIES, build_strategy
from miaod_nb.selection.uncertainty import image_uncertainty, instance_uncertainty, num_averaged
from tests.tiny import lively_detector, noise, unlabeled


def strategy(**settings: object) -> Strategy:
    return build_strategy(make_config("tiny", settings))


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
    score = strategy(top_k=top_k).observe(model, batch)["score"]
    expected = image_uncertainty(instance_uncertainty(*probabilities(model, batch)), top_k)
    assert score.shape == (2,) and (expected > 0).all()
    torch.testing.assert_close(score, expected)


@torch.no_grad()
@pytest.mark.parametrize("mil_softmax", ["level", "image"])
@pytest.mark.parametrize("instance_score", ["max_class", "per_class"])
def test_weighted_score_uses_the_weights_of_training(mil_softmax, instance_score):
    model, batch = lively_detector(), unlabeled(noise())
    scores = strategy(
        weighted_selection=True, top_k=20, mil_softmax=mil_softmax,
        mil_instance_score=instance_score,
    ).observe(model, batch)  # fmt: skip
    predictions = model(batch.images)
    logits = predictions.need("logits_1", "logits_2", "mil_logits")
    groups = predictions.grid.level_sizes
    groups = groups if mil_softmax == "level" else (sum(groups),)
    weights = instance_class_scores(*logits, groups, instance_score)
    uncertainty = instance_uncertainty(*probabilities(model, batch), weights)
    torch.testing.assert_close(scores["score"], image_uncertainty(uncertainty, 20))
    plain = strategy(top_k=20).observe(model, batch)
    assert (scores["score"] < 0.5 * plain["score"]).all()


@torch.no_grad()
@pytest.mark.parametrize("weighted", [False, True])
def test_parts_of_the_classes_average_to_the_score(weighted):
    scoring = strategy(top_k=15, weighted_selection=weighted)
    scores = scoring.observe(lively_detector(num_classes=3), unlabeled(noise()))
    assert scores["per_class"].shape == (2, 3) and (scores["per_class"] > 0).all()
    torch.testing.assert_close(scores["per_class"].mean(dim=1), scores["score"])


def strategies_that_score() -> list[Strategy]:
    return [
        strategy(top_k=20), strategy(top_k=0.09, weighted_selection=True),
        strategy(strategy="entropy", entropy_aggregate="sum", score_threshold=0.3),
        strategy(strategy="coreset"), strategy(strategy="least_confidence", score_threshold=0.3),
        strategy(strategy="margin", score_threshold=0.3, instance_aggregate="sum"),
        strategy(strategy="badge", score_threshold=0.3),
        strategy(strategy="cdal", score_threshold=0.3), strategy(strategy="typicality"),
    ]  # fmt: skip


@torch.no_grad()
@pytest.mark.parametrize(
    "scoring",
    strategies_that_score(),
    ids=[
        "plain",
        "weighted",
        "entropy",
        "coreset",
        "least confidence",
        "margin",
        "badge",
        "cdal",
        "typicality",
    ],  # fmt: skip
)
def test_batch_equals_single(scoring):
    model, images = lively_detector(), noise(3)
    batch = scoring.observe(model, unlabeled(images))
    assert tuple(batch) == scoring.card.columns
    for i in range(3):
        single = scoring.observe(model, unlabeled(images[i : i + 1]))
        for name, values in batch.items():
            assert values[i].any()
            torch.testing.assert_close(values[i : i + 1], single[name], rtol=1e-4, atol=1e-6)


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
    expected = [0.0, h(0.2), log(2), h(0.2), 0.0]
    found = binary_entropy(np.array([0.0, 0.2, 0.5, 0.8, 1.0]))
    np.testing.assert_allclose(found, expected, rtol=1e-15)


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
    config = make_config("tiny", {"entropy_aggregate": aggregate, "score_threshold": 0.05})
    scores = Entropy(config).observe(model, unlabeled(noise(3)))
    np.testing.assert_allclose(scores["score"], [of_image, 0.0, h(0.7)], rtol=1e-5)
    expected = [of_classes, [0.0, 0.0], [0.0, h(0.7)]]
    np.testing.assert_allclose(scores["per_class"], expected, rtol=1e-5)


# ------------------------------------------------------------------------------------- choices


def candidates(values: object) -> Candidates:
    """Images 0, 1, ... with these scores."""
    scores = np.array(values, dtype=float)
    return Candidates.of_all([str(i) for i in range(len(scores))], columns={"score": scores})


def chosen(rule: Strategy, pool: Candidates, budget: int, seed: int = 0) -> list[int]:
    return [int(i) for i in rule.choose(pool, budget, np.random.default_rng(seed)).ids]


@pytest.mark.parametrize("name", ["mi_aod", "entropy"])
@pytest.mark.parametrize(
    ("values", "budget", "expected"),
    [
        ([0.1, 0.9, 0.5, 0.7], 3, [1, 3, 2]),
        ([0.5, 0.5, 0.5, 0.1], 2, [2, 1]),  # of equal ones the later
        ([0.2, 0.2, 0.9, 0.2], 2, [2, 3]),
        ([0.2, 0.1], 2, [0, 1]),
        ([0.2, 0.1], 0, []),
    ],
)
def test_the_highest_values_are_chosen(name, values, budget, expected):
    assert chosen(strategy(strategy=name), candidates(values), budget) == expected


def test_many_equal_values_keep_their_order():
    found = choose_highest(candidates(np.tile([0.3, 0.7], 500)), "score", 600)
    assert [int(i) for i in found.ids] == [*range(999, 0, -2), *range(998, 799, -2)]


RANDOM = Random(make_config("tiny", {"strategy": "random"}))


def test_random_choice_depends_on_the_generator_alone():
    first, again, other = (chosen(RANDOM, candidates(np.zeros(50)), 20, seed) for seed in (3, 3, 4))
    assert first == again != other
    assert len(set(first)) == 20 and set(first) <= set(range(50))
    assert chosen(RANDOM, candidates(np.linspace(0, 1, 50)), 20, 3) == first
    as_before = np.random.default_rng(3).permutation(50)[:20][::-1]
    assert first == as_before.tolist()


def test_random_choice_is_uniform():
    rng, pool = np.random.default_rng(0), candidates(np.zeros(10))
    drawn = [int(i) for _ in range(2000) for i in RANDOM.choose(pool, 3, rng).ids]
    counts = np.bincount(drawn, minlength=10)
    assert counts.sum() == 6000
    assert np.abs(counts - 600).max() < 100  # five standard deviations


@pytest.mark.parametrize("without_images", [RANDOM, Full(RANDOM.config)])
def test_random_selection_looks_at_no_image(without_images):
    assert without_images.card.columns == () and without_images.card.ranks_by is None
    with pytest.raises(TypeError):
        without_images.observe(lively_detector(), unlabeled(noise()))


def test_registry_builds_every_strategy():
    cards = {name: strategy(strategy=name).card for name in STRATEGIES}
    assert {"mi_aod", "entropy", "random", "full", "coreset"} <= cards.keys()
    assert {name for name, card in cards.items() if card.labels_all} == {"full"}
    for name in ("mi_aod", "entropy", "least_confidence", "margin"):
        assert cards[name].ranks_by == "score" and "score" in cards[name].columns
    assert {n for n, card in cards.items() if not card.columns} == {"random", "full"}
    assert len({card.reason for card in cards.values()}) == len(cards)
    for card in cards.values():
        assert Card.from_dict(json.loads(json.dumps(card.as_dict()))) == card
        assert Card.from_dict(card.as_dict() | {"from_a_later_version": 1}) == card
