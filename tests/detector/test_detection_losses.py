"""Every detection loss against its formula, written out for a few anchors."""

from math import exp, log

import pytest
import torch

from miaod_nb.detector.detection_losses import (
    focal_loss,
    hard_negative_loss,
    l1_box_loss,
    smooth_l1_box_loss,
)
from miaod_nb.detector.matching import DetectionTargets


def targets(labels: list[int], num_classes: int, ignored: tuple[int, ...] = ()) -> DetectionTargets:
    """Targets of one image with these labels; `num_classes` stands for background."""
    classes = torch.tensor([labels])
    positive = classes < num_classes
    counted = torch.ones_like(positive)
    counted[0, list(ignored)] = False
    deltas = torch.zeros(1, len(labels), 4)
    return DetectionTargets(classes, counted, positive, deltas, positive.sum().clamp(min=1))


def logit(p: float) -> float:
    return log(p / (1 - p))


def test_focal_loss_of_one_anchor():
    logits = torch.tensor([[[logit(0.7), logit(0.2)]]])
    found = focal_loss(logits, targets([0], 2))
    expected = 0.25 * (1 - 0.7) ** 2 * -log(0.7) + 0.75 * 0.2**2 * -log(1 - 0.2)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_of_background_is_summed_over_anchors():
    logits = torch.full((1, 3, 2), logit(0.2))
    found = focal_loss(logits, targets([2, 2, 2], 2))
    assert float(found) == pytest.approx(6 * 0.75 * 0.2**2 * -log(0.8), rel=1e-5)


def test_focal_loss_is_divided_by_the_positives():
    one = focal_loss(torch.full((1, 1, 2), 0.3), targets([1], 2))
    four = focal_loss(torch.full((1, 4, 2), 0.3), targets([1] * 4, 2))
    torch.testing.assert_close(four, one)


def test_ignored_anchors_do_not_count():
    logits = torch.tensor([[[0.5, -1.0], [7.0, 7.0]]], requires_grad=True)
    found = focal_loss(logits, targets([0, 2], 2, ignored=(1,)))
    alone = focal_loss(logits[:, :1], targets([0], 2))
    torch.testing.assert_close(found, alone)
    found.backward()
    assert not logits.grad[0, 1].any() and logits.grad[0, 0].all()


def test_box_loss_is_absolute_over_the_positives():
    of_anchors = DetectionTargets(
        labels=torch.tensor([[0, 0, 1]]),
        counted=torch.ones(1, 3, dtype=torch.bool),
        positive=torch.tensor([[True, True, False]]),
        box_deltas=torch.tensor([[[0.0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]]),
        num_positive=torch.tensor(2),
    )
    deltas = torch.tensor([[[0.1, -0.2, 0.0, 2.0], [1, 1, 1, 0], [9, 9, 9, 9]]])
    deltas.requires_grad_()
    found = l1_box_loss(deltas, of_anchors)
    assert float(found.detach()) == pytest.approx((0.1 + 0.2 + 2.0 + 1.0) / 2)
    found.backward()
    assert not deltas.grad[0, 2].any()


def cross_entropy(logits: list[float], label: int) -> float:
    return log(sum(map(exp, logits))) - logits[label]


def test_only_the_hardest_background_counts_three_to_one():
    rows = [[2.0, 0.0, 1.0], [0.0, 0.0, 3.0], [1.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 1.0],
            [5.0, 0.0, 0.0]]  # fmt: skip
    of_anchors = targets([0, 2, 2, 2, 2, 2], 2)  # one positive, five background
    found = hard_negative_loss(torch.tensor([rows]), of_anchors)
    background = sorted((cross_entropy(row, 2) for row in rows[1:]), reverse=True)
    expected = cross_entropy(rows[0], 0) + sum(background[:3])
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_background_is_counted_in_each_image_and_ignored_anchors_never():
    logits = torch.tensor([[[1.0, 0.0], [3.0, 0.0], [2.0, 0.0]]])
    ignored = targets([0, 1, 1], 1, ignored=(1,))
    by_hand = cross_entropy([1.0, 0.0], 0) + cross_entropy([2.0, 0.0], 1)
    assert float(hard_negative_loss(logits, ignored)) == pytest.approx(by_hand, rel=1e-6)
    none = targets([1, 1, 1], 1)
    assert float(hard_negative_loss(logits, none)) == 0.0
    both = DetectionTargets(*(
        torch.cat([getattr(one, name) for one in (ignored, none)])
        for name in ("labels", "counted", "positive", "box_deltas")
    ), num_positive=torch.tensor(2))  # fmt: skip
    together = hard_negative_loss(logits.repeat(2, 1, 1), both)
    assert float(together) == pytest.approx(by_hand / 2, rel=1e-6)


def test_gradient_reaches_what_counts_and_nothing_else():
    logits = torch.tensor([[[1.0, 0.0]] * 2 + [[0.0, 9.0]] * 4], requires_grad=True)
    hard_negative_loss(logits, targets([0, 1, 1, 1, 1, 1], 1)).backward()
    reached = logits.grad.abs().sum(dim=2)[0] > 0
    assert reached[:2].all() and int(reached.sum()) == 4  # a positive and three of background


def test_smooth_box_loss_is_squared_below_one():
    of_anchors = targets([0, 1], 1)
    deltas = torch.tensor([[[0.5, -0.5, 2.0, 0.0], [9.0, 9.0, 9.0, 9.0]]])
    found = smooth_l1_box_loss(deltas, of_anchors)
    assert float(found) == pytest.approx(2 * 0.5 * 0.5**2 + 2.0 - 0.5)
