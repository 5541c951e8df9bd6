"""From predictions to boxes, in cases small enough to see."""

import math

import pytest
import torch
from torch import Tensor

from miaod_nb.config import make_config
from miaod_nb.detector.anchors import AnchorGrid
from miaod_nb.detector.detections import DetectionSettings, candidates, detect, suppress
from miaod_nb.detector.head import Predictions

A, B, C = [0.0, 0, 10, 10], [0.0, 0, 10, 6], [40.0, 40, 50, 50]  # A and B overlap by 0.6


def logits(probs: list[list[list[float]]]) -> Tensor:
    return torch.tensor(probs).logit()


def predictions(boxes: list[list[float]], probs: Tensor, levels: tuple[int, ...]) -> Predictions:
    """Predictions whose boxes are the anchors; levels: anchors of each."""
    grid = AnchorGrid(
        torch.tensor(boxes), tuple((1, n) for n in levels), (8,) * len(levels), (1,) * len(levels)
    )
    return Predictions(grid, logits_1=probs, box_deltas=torch.zeros(len(probs), len(boxes), 4))


def test_suppression_keeps_the_best_of_overlapping_boxes():
    probs = torch.tensor([[0.6], [0.9], [0.3]])
    found = suppress(torch.tensor([A, B, C]), probs, DetectionSettings())
    assert found.boxes.tolist() == [B, C]  # best first
    assert found.scores.tolist() == pytest.approx([0.9, 0.3])
    assert found.labels.tolist() == [0, 0]
    both = suppress(torch.tensor([A, B, C]), probs, DetectionSettings(nms_iou=0.61))
    assert both.boxes.tolist() == [B, A, C]


def test_classes_do_not_suppress_each_other():
    probs = torch.tensor([[0.6, 0.7], [0.9, 0.01]])
    found = suppress(torch.tensor([A, B]), probs, DetectionSettings())
    assert found.boxes.tolist() == [B, A]
    assert found.labels.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])


@pytest.mark.parametrize("others", [0, 1, 998, 999])
def test_boxes_of_other_classes_and_their_number_change_nothing(others):
    """Two boxes overlap by just under a half: both stay, at the far end of the classes too."""
    pair = [[540.4, 557.4, 561.9, 570.0], [540.4, 557.4, 561.9, 563.7]]
    boxes = torch.tensor(pair + [[1300.0, 700.0, 1333.0, 800.0]] * others)
    probs = torch.zeros(len(boxes), 80)
    probs[0, 79], probs[1, 79], probs[2:, 0] = 0.9, 0.8, 0.5
    found = suppress(boxes, probs, DetectionSettings())
    assert found.boxes[found.labels == 79].tolist() == boxes[:2].tolist()


def test_what_is_said_of_all_classes_stays_with_the_box():
    probs = torch.tensor([[0.6, 0.7], [0.9, 0.01], [0.2, 0.1]])
    found = suppress(torch.tensor([A, B, C]), probs, DetectionSettings())
    assert found.class_scores is not None
    assert found.class_scores.tolist() == probs[[1, 0, 2, 2]].tolist()  # C is found as both
    best = found.class_scores.gather(1, found.labels[:, None])[:, 0]
    assert best.tolist() == found.scores.tolist()


def test_one_anchor_can_be_found_in_several_classes():
    found = suppress(torch.tensor([A]), torch.tensor([[0.2, 0.4, 0.01]]), DetectionSettings())
    assert found.labels.tolist() == [1, 0]
    assert found.boxes.tolist() == [A, A]


def test_scores_must_exceed_the_threshold():
    probs = torch.tensor([[0.25], [0.5]])  # exact in float32
    found = suppress(torch.tensor([A, C]), probs, DetectionSettings(score_threshold=0.25))
    assert found.scores.tolist() == [0.5]


def test_at_most_max_detections_are_kept_and_they_are_the_best():
    boxes = torch.tensor([[20.0 * i, 0, 20 * i + 10, 10] for i in range(10)])
    probs = torch.arange(10)[:, None] / 10
    found = suppress(boxes, probs, DetectionSettings(max_detections=3))
    assert found.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])


def test_nothing_found():
    found = suppress(torch.tensor([A]), torch.tensor([[0.01, 0.02]]), DetectionSettings())
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == found.labels.shape == (0,)
    assert found.labels.dtype == torch.int64


def test_boxes_are_decoded_clipped_and_then_scaled():
    grid = AnchorGrid(torch.tensor([[10.0, 10, 30, 30]]), ((1, 1),), (8,), (1,))
    deltas = torch.tensor([[[0.5, 0.0, math.log(2), 0.0]]])  # (10, 10, 50, 30)
    found = Predictions(grid, logits_1=logits([[[0.5]]]), box_deltas=deltas)
    boxes, probs = candidates(found, 0, image_size=(24, 40), scale=(2.0, 0.5))
    torch.testing.assert_close(boxes, torch.tensor([[5.0, 20.0, 20.0, 48.0]]))
    torch.testing.assert_close(probs, torch.tensor([[0.5]]))


def test_candidates_are_the_best_of_each_level_by_their_best_class():
    boxes = [[float(i), 0, i + 5, 5] for i in range(5)]
    probs = logits([[[0.1, 0.1], [0.2, 0.9], [0.8, 0.3], [0.05, 0.05], [0.7, 0.1]]])
    found = predictions(boxes, probs, levels=(3, 2))
    kept, kept_probs = candidates(found, 0, (50, 50), (1.0, 1.0), num_candidates=1)
    assert kept.tolist() == [boxes[1], boxes[4]]
    torch.testing.assert_close(kept_probs, torch.tensor([[0.2, 0.9], [0.7, 0.1]]))
    kept, _ = candidates(found, 0, (50, 50), (1.0, 1.0), num_candidates=2)
    assert sorted(kept.tolist()) == [boxes[1], boxes[2], boxes[3], boxes[4]]


def test_batch_equals_single():
    probs = logits([[[0.9, 0.1], [0.3, 0.6]], [[0.2, 0.1], [0.01, 0.02]], [[0.01, 0.01]] * 2])
    sizes, scales = [(30, 30), (60, 45), (60, 60)], [(1.0, 1.0), (2.0, 0.5), (1.0, 1.0)]
    batch = detect(predictions([A, C], probs, levels=(2,)), sizes, scales)
    assert [len(found.scores) for found in batch] == [4, 2, 0]
    for i, found in enumerate(batch):
        alone = predictions([A, C], probs[i : i + 1], levels=(2,))
        (single,) = detect(alone, [sizes[i]], [scales[i]])
        for name in ("boxes", "scores", "labels"):
            assert torch.equal(getattr(found, name), getattr(single, name)), name


def test_settings_come_from_the_configuration():
    asked = {"nms_candidates": 7, "score_threshold": 0.2, "nms_iou": 0.4, "max_detections": 9}
    assert DetectionSettings.of(make_config("tiny", asked)) == DetectionSettings(**asked)
    assert DetectionSettings.of(make_config("voc0712")) == DetectionSettings()
