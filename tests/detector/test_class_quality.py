"""How well each class is found in training, computed by hand and kept through all that happens."""

import math

import pytest
import torch
from torch import Tensor, nn

from miaod_nb.detector.anchors import AnchorGrid
from miaod_nb.detector.class_quality import no_quality, paired_iou, quality_seen, updated
from miaod_nb.detector.head import Predictions
from miaod_nb.detector.matching import RETINA_MATCHING, detection_targets
from miaod_nb.experiment.training import load_checkpoint
from miaod_nb.learning.averaging import _reached
from miaod_nb.learning.stages import LabelSet, Maximize, Method, Minimize
from tests.tiny import labeled, noise, tiny_detector, unlabeled

SQUARE, FAR, EMPTY = (0, 0, 10, 10), (50, 50, 60, 60), (20, 0, 30, 10)
GRID = AnchorGrid(torch.tensor([SQUARE, FAR, EMPTY]).float(), ((1, 3),), (8,), (1,))


def seen(
    probs: list[list[float]], shift: float, objects: list[tuple[tuple[int, ...], int]]
) -> Tensor:
    """What is seen when every box is moved to the right by this part of its width."""
    deltas = torch.tensor([[[shift, 0.0, 0.0, 0.0]] * 3])
    predictions = Predictions(GRID, logits_1=torch.tensor([probs]).logit(), box_deltas=deltas)
    boxes = torch.tensor([box for box, _ in objects]).float().reshape(-1, 4)
    labels = torch.tensor([label for _, label in objects], dtype=torch.int64)
    targets = detection_targets(GRID, [boxes], [labels], [(8, 24)], 2, RETINA_MATCHING)
    return quality_seen(predictions, targets)


def test_two_batches_by_hand():
    """Both classes in the first, the second alone in the second. A box half its width away has
    the overlap 1/3."""
    first = seen([[0.25, 0.9], [0.9, 0.5], [0.7, 0.7]], 0.5, [(SQUARE, 0), (FAR, 1)])
    q = [0.25**0.6 * (1 / 3) ** 0.4, 0.5**0.6 * (1 / 3) ** 0.4]
    torch.testing.assert_close(first, torch.tensor([q, [1.0, 1.0]]))
    record = updated(no_quality(2), first)
    torch.testing.assert_close(record, torch.tensor([[0.01 * q[0], 0.01 * q[1]], [0.99, 0.99]]))
    second = seen([[0.25, 0.8], [0.9, 0.4], [0.7, 0.7]], 0.0, [(SQUARE, 1), (FAR, 1)])
    torch.testing.assert_close(second, torch.tensor([[0.0, 0.8**0.6 + 0.4**0.6], [0.0, 2.0]]))
    record = updated(record, second)
    mean = (0.8**0.6 + 0.4**0.6) / 2
    expected = [[0.99 * 0.01 * q[0], 0.99 * 0.01 * q[1] + 0.01 * mean], [0.99**2, 0.99]]
    torch.testing.assert_close(record, torch.tensor(expected))


def test_a_class_that_comes_back_counts_more():
    record = no_quality(1)
    for _ in range(3):
        record = updated(record, torch.zeros(2, 1))
    assert record[0].item() == 0 and record[1].item() == pytest.approx(0.99**4)
    record = updated(record, torch.tensor([[1.0], [2.0]]))
    assert record[0].item() == pytest.approx((1 - 0.99**4) * 0.5, rel=1e-5)
    assert record[1].item() == pytest.approx(0.99)


def test_an_image_without_objects_shows_nothing():
    assert seen([[0.25, 0.9]] * 3, 0.5, []).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_overlap_of_pairs():
    boxes = torch.tensor([[0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 0, 0]]).float()
    others = torch.tensor([[1, 0, 3, 2], [5, 5, 6, 6], [0, 0, 0, 0]]).float()
    torch.testing.assert_close(paired_iou(boxes, others), torch.tensor([1 / 3, 0.0, 0.0]))


@pytest.mark.parametrize("stage", [LabelSet(Method()), Maximize(Method())])
def test_training_on_labeled_images_notes_it_and_the_weights_do_not_know(stage):
    model = tiny_detector()
    weights = model.state_dict()
    assert not any("quality" in name for name in weights)
    stage.loss_terms(model, labeled(noise()))
    quality, momentum = model.class_quality
    assert (quality > 0).all() and (quality < 0.01).all() and not quality.requires_grad
    assert momentum.tolist() == pytest.approx([0.99, 0.99])
    before = model.class_quality.clone()
    Minimize(Method()).loss_terms(model, unlabeled(noise()))
    assert torch.equal(model.class_quality, before)


def test_looking_for_what_a_batch_reaches_notes_nothing():
    model = tiny_detector()
    assert _reached(LabelSet(Method()), model, labeled(noise()))
    assert torch.equal(model.class_quality, no_quality(2))


def test_weights_of_earlier_versions_know_nothing_of_it():
    model, other = tiny_detector(), tiny_detector(seed=1)
    other.class_quality = torch.tensor([[0.5, 0.25], [0.9, 0.8]])
    saved = {"model": other.state_dict(), "class_quality": other.class_quality}
    load_checkpoint(model, saved, "here")
    assert torch.equal(model.class_quality, other.class_quality)
    fresh: nn.Module = tiny_detector()
    load_checkpoint(fresh, {"model": other.state_dict()}, "here")
    assert torch.equal(fresh.class_quality, no_quality(2))
    assert math.isclose(float(fresh.class_quality[1, 0]), 0.99, rel_tol=1e-6)
