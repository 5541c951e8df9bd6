"""Every loss against its formula, written out for a few anchors."""

from math import log

import pytest
import torch
from torch import Tensor

from miaod_nb.learning import losses

PROBS_1 = torch.tensor([[[0.9, 0.2], [0.5, 0.5]]])  # (B, A, C) = (1, 2, 2)
PROBS_2 = torch.tensor([[[0.5, 0.4], [0.5, 0.5]]])


def test_image_labels_say_which_classes_are_present():
    labels = [torch.tensor([2, 0, 2]), torch.zeros(0, dtype=torch.int64)]
    assert losses.image_labels(labels, 3).tolist() == [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]


def test_image_classification_loss_by_hand():
    scores, labels = torch.tensor([[0.8, 0.3], [0.5, 0.9]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    expected = -(log(0.8) + log(0.7) + log(0.5) + log(0.9)) / 4
    assert float(losses.image_classification_loss(scores, labels)) == pytest.approx(expected)


def test_image_classification_loss_is_finite_at_its_bounds_and_hands_on_what_is_not():
    scores = torch.tensor([[1e-5, 1 - 1e-5]], requires_grad=True)
    found = losses.image_classification_loss(scores, torch.tensor([[1.0, 0.0]]))
    assert float(found.detach()) == pytest.approx(-log(1e-5), rel=1e-2)
    found.backward()
    assert torch.isfinite(scores.grad).all()
    scores = torch.tensor([[float("nan"), 0.5]])
    assert losses.image_classification_loss(scores, torch.ones(1, 2)).isnan()


def test_pseudo_loss_is_the_image_loss_where_every_image_has_a_label():
    scores, pseudo = torch.tensor([[0.8, 0.3], [0.5, 0.9]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    counts = losses.every_image_labeled(pseudo)
    found = losses.pseudo_image_classification_loss(scores, pseudo, counts)
    assert found > 0
    torch.testing.assert_close(found, losses.image_classification_loss(scores, pseudo))


def test_pseudo_loss_is_nothing_where_one_image_has_no_label():
    scores = torch.tensor([[0.8, 0.3], [0.5, 0.9]], requires_grad=True)
    pseudo = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    counts = losses.every_image_labeled(pseudo)
    found = losses.pseudo_image_classification_loss(scores, pseudo, counts)
    found.backward()
    assert found.item() == 0.0
    assert torch.equal(scores.grad, torch.zeros(2, 2))


@pytest.mark.parametrize(("norm", "expected"), [("l1", [0.4, 0.2]), ("l2", [0.16, 0.04])])
def test_discrepancy_by_hand(norm, expected):
    found = losses.discrepancy_loss(PROBS_1, PROBS_2, norm)
    torch.testing.assert_close(found, torch.tensor([[expected, [0.0, 0.0]]]))


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_discrepancy_draws_both_classifiers_together(norm):
    probs_1, probs_2 = PROBS_1.clone().requires_grad_(), PROBS_2.clone().requires_grad_()
    losses.discrepancy_loss(probs_1, probs_2, norm).sum().backward()
    assert torch.equal(probs_1.grad[0, 0].sign(), torch.tensor([1.0, -1.0]))
    assert torch.equal(probs_2.grad, -probs_1.grad)


def test_discrepancy_refuses_different_shapes():
    with pytest.raises(ValueError, match=r"\(1, 2, 2\) and \(1, 1, 2\)"):
        losses.discrepancy_loss(PROBS_1, PROBS_2[:, :1])


def weighted(discrepancy: Tensor, weights: Tensor) -> Tensor:
    return losses.weighted_discrepancy_loss(discrepancy, weights)


def test_weighted_discrepancy_sums_over_anchors_and_images():
    discrepancy = torch.tensor([[[0.4, 0.2], [0.1, 0.0]]])
    weights = torch.tensor([[[0.5, 1.0], [2.0, 1.0]]])
    one = weighted(discrepancy, weights)
    assert float(one) == pytest.approx((0.2 + 0.2) / 2 + 0.2 / 2)  # mean over classes alone
    more_images = weighted(discrepancy.repeat(3, 1, 1), weights.repeat(3, 1, 1))
    more_anchors = weighted(discrepancy.repeat(1, 3, 1), weights.repeat(1, 3, 1))
    more_classes = weighted(discrepancy.repeat(1, 1, 3), weights.repeat(1, 1, 3))
    torch.testing.assert_close(more_images, 3 * one)
    torch.testing.assert_close(more_anchors, 3 * one)
    torch.testing.assert_close(more_classes, one)


def test_weights_are_constants():
    discrepancy = torch.tensor([[[0.4, 0.2]]], requires_grad=True)
    weights = torch.tensor([[[0.5, 1.0]]], requires_grad=True)
    weighted(discrepancy, weights).backward()
    assert weights.grad is None
    torch.testing.assert_close(discrepancy.grad, weights.detach() / 2)
