"""Multiple-instance scores: shares that sum to one, gradients that stay where they belong."""

import math

import pytest
import torch

from miaod_nb.detector.mil import (
    class_shares,
    image_class_scores,
    instance_class_scores,
    pseudo_image_labels,
)

LEVELS = (6, 3)


def logits(num_classes: int = 3) -> list[torch.Tensor]:
    """logits_1, logits_2, mil_logits of two images with 9 anchors, as leaves."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(3, 2, sum(LEVELS), num_classes, generator=generator) * 2
    return [part.clone().requires_grad_() for part in drawn]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_class_shares_are_a_softmax():
    *_, mil_logits = logits()
    shares = class_shares(mil_logits)
    torch.testing.assert_close(shares, mil_logits.exp() / mil_logits.exp().sum(-1, keepdim=True))


def test_one_class_competes_with_none():
    mil_logits = torch.tensor([[[2.0], [-1.0]]], requires_grad=True)
    shares = class_shares(mil_logits)
    with_none = torch.cat([mil_logits, torch.zeros(1, 2, 1)], dim=-1).softmax(dim=-1)
    torch.testing.assert_close(shares, with_none[..., :1])
    shares.sum().backward()
    assert (mil_logits.grad > 0.05).all()


def test_scores_of_a_level_sum_to_one():
    scores = instance_class_scores(*logits(), LEVELS)
    sums = torch.stack([level.sum(dim=(1, 2)) for level in scores.split(LEVELS, dim=1)])
    torch.testing.assert_close(sums, torch.ones(2, 2))
    whole = instance_class_scores(*logits(), (sum(LEVELS),))
    torch.testing.assert_close(whole.sum(dim=(1, 2)), torch.ones(2))


def test_scores_by_hand():
    logits_1 = torch.tensor([[[3.0, 0.0], [0.0, 0.0]]])
    logits_2 = torch.tensor([[[1.0, 0.0], [0.0, -2.0]]])  # means: 2, 0 and 0, -1
    mil_logits = torch.tensor([[[math.log(3), 0.0], [0.0, 0.0]]])  # shares: 3/4, 1/4, 1/2, 1/2
    best = [math.exp(sigmoid(2)), math.exp(0.5)]  # each anchor's best class
    first = best[0] / sum(best)
    expected = torch.tensor([[[0.75 * first, 0.25 * first], [(1 - first) / 2, (1 - first) / 2]]])
    found = instance_class_scores(logits_1, logits_2, mil_logits, (2,))
    torch.testing.assert_close(found, expected)

    second = math.exp(0.5) / (math.exp(0.5) + math.exp(sigmoid(-1)))  # class 1 apart
    expected = torch.tensor([[[0.75 * first, 0.25 * second], [(1 - first) / 2, (1 - second) / 2]]])
    found = instance_class_scores(logits_1, logits_2, mil_logits, (2,), "per_class")
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("instance_score", ["max_class", "per_class"])
def test_gradient_flows_to_the_mil_logits_alone(instance_score):
    logits_1, logits_2, mil_logits = logits()
    scores = instance_class_scores(logits_1, logits_2, mil_logits, LEVELS, instance_score)
    image_class_scores(scores, LEVELS)[:, 0].sum().backward()
    assert logits_1.grad is None and logits_2.grad is None
    assert mil_logits.grad.abs().max() > 1e-3


def test_image_score_is_the_best_level():
    scores = torch.tensor([[[0.1, 0.3], [0.2, 0.0], [0.25, 0.1]]])  # levels of 2 and 1 anchors
    found = image_class_scores(scores, (2, 1))
    torch.testing.assert_close(found, torch.tensor([[0.3, 0.3]]))


def test_image_score_is_kept_inside_zero_and_one():
    scores = torch.tensor([[[0.0, 0.7], [0.0, 0.7]]])
    expected = torch.tensor([[1e-5, 1 - 1e-5]])
    torch.testing.assert_close(image_class_scores(scores, (2,)), expected, rtol=0, atol=1e-8)


def test_pseudo_labels_by_hand():
    probs_1 = torch.tensor([[[0.90, 0.75, 0.1], [0.0, 0.1, 0.1]], [[0.1, 0.1, 0.0]] * 2])
    probs_2 = torch.tensor([[[0.05, 0.25, 0.1], [0.9, 0.1, 0.1]], [[0.2, 0.1, 1.0]] * 2])
    # class 0: 0.475 and 0.45, both classifiers sure but of different anchors; 0.5 is enough
    found = pseudo_image_labels(probs_1.requires_grad_(), probs_2)
    assert found.tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert found.dtype == torch.float32 and not found.requires_grad


def test_batch_equals_single():
    parts = logits()
    batch = instance_class_scores(*parts, LEVELS)
    for i in range(2):
        single = instance_class_scores(*(part[i : i + 1] for part in parts), LEVELS)
        torch.testing.assert_close(batch[i : i + 1], single)
        torch.testing.assert_close(
            image_class_scores(batch, LEVELS)[i : i + 1], image_class_scores(single, LEVELS)
        )
