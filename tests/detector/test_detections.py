"""From predictions to boxes, in cases small enough to see."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torchvision.ops import batched_nms

from miaod_nb.config import make_config
from miaod_nb.detector import detections
from miaod_nb.detector.anchors import AnchorGrid, clip_boxes, decode
from miaod_nb.detector.detections import (
    DetectionSettings,
    ImageDetections,
    above_threshold,
    candidates,
    detect,
    suppress,
)
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


def remaining(boxes: Tensor, probs: Tensor, **settings: float) -> ImageDetections:
    """What remains of the boxes (N, 4) of one image with these probabilities (N, C)."""
    settings = DetectionSettings(**settings)
    found = above_threshold(probs[None], (len(boxes),), settings)
    return suppress(boxes[found.anchors], found, settings)


def test_suppression_keeps_the_best_of_overlapping_boxes():
    probs = torch.tensor([[0.6], [0.9], [0.3]])
    found = remaining(torch.tensor([A, B, C]), probs)
    assert found.boxes.tolist() == [B, C]  # best first
    assert found.scores.tolist() == pytest.approx([0.9, 0.3])
    assert found.labels.tolist() == [0, 0]
    both = remaining(torch.tensor([A, B, C]), probs, nms_iou=0.61)
    assert both.boxes.tolist() == [B, A, C]


def test_classes_do_not_suppress_each_other():
    probs = torch.tensor([[0.6, 0.7], [0.9, 0.01]])
    found = remaining(torch.tensor([A, B]), probs)
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
    found = remaining(boxes, probs)
    assert found.boxes[found.labels == 79].tolist() == boxes[:2].tolist()


def test_what_is_said_of_all_classes_stays_with_the_box():
    probs = torch.tensor([[0.6, 0.7], [0.9, 0.01], [0.2, 0.1]])
    found = remaining(torch.tensor([A, B, C]), probs)
    assert found.class_scores is not None
    assert found.class_scores.tolist() == probs[[1, 0, 2, 2]].tolist()  # C is found as both
    best = found.class_scores.gather(1, found.labels[:, None])[:, 0]
    assert best.tolist() == found.scores.tolist()


def test_one_anchor_can_be_found_in_several_classes():
    found = remaining(torch.tensor([A]), torch.tensor([[0.2, 0.4, 0.01]]))
    assert found.labels.tolist() == [1, 0]
    assert found.boxes.tolist() == [A, A]


def test_scores_must_exceed_the_threshold():
    probs = torch.tensor([[0.25], [0.5]])  # exact in float32
    found = remaining(torch.tensor([A, C]), probs, score_threshold=0.25)
    assert found.scores.tolist() == [0.5]


def test_at_most_max_detections_are_kept_and_they_are_the_best():
    boxes = torch.tensor([[20.0 * i, 0, 20 * i + 10, 10] for i in range(10)])
    probs = torch.arange(10)[:, None] / 10
    found = remaining(boxes, probs, max_detections=3)
    assert found.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])


def test_nothing_found():
    found = remaining(torch.tensor([A]), torch.tensor([[0.01, 0.02]]))
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == found.labels.shape == (0,)
    assert found.labels.dtype == torch.int64


def test_boxes_are_decoded_clipped_and_then_scaled():
    grid = AnchorGrid(torch.tensor([[10.0, 10, 30, 30]]), ((1, 1),), (8,), (1,))
    deltas = torch.tensor([[[0.5, 0.0, math.log(2), 0.0]]] * 2)  # (10, 10, 50, 30)
    said = Predictions(grid, logits_1=logits([[[0.5]]] * 2), box_deltas=deltas)
    found, other = detect(said, [(24, 40), (60, 60)], [(2.0, 0.5), (1.0, 1.0)])
    torch.testing.assert_close(found.boxes, torch.tensor([[5.0, 20.0, 20.0, 48.0]]))
    torch.testing.assert_close(found.scores, torch.tensor([0.5]))
    torch.testing.assert_close(other.boxes, torch.tensor([[10.0, 10.0, 50.0, 30.0]]))


def test_candidates_are_the_best_of_each_level_by_their_best_class():
    probs = torch.tensor([[[0.1, 0.1], [0.2, 0.9], [0.8, 0.3], [0.05, 0.05], [0.7, 0.1]]])
    best = probs.amax(dim=2)
    assert candidates(best, (3, 2), 1).tolist() == [[1, 4]]
    assert candidates(best, (3, 2), 2).tolist() == [[1, 2, 3, 4]]
    assert candidates(best, (3, 2), 9).tolist() == [[0, 1, 2, 3, 4]]
    found = above_threshold(probs, (3, 2), DetectionSettings(nms_candidates=1, score_threshold=0.1))
    assert found.anchors.tolist() == [1, 1, 4] and found.labels.tolist() == [0, 1, 0]


def found_plainly(
    said: Predictions, index: int, size: tuple[int, int], scale: tuple[float, float],
    settings: DetectionSettings,
) -> ImageDetections:  # fmt: skip
    """What is found in one image, where every anchor is decoded before any is left out."""
    logits, deltas = said.need("logits_1", "box_deltas")
    probs = said.class_probabilities(logits[index])
    sizes, start, places = said.grid.level_sizes, 0, list[int]()
    for count in sizes:
        best = probs[start : start + count].amax(dim=1)
        best_first = best.topk(min(count, settings.nms_candidates)).indices
        own = best_first if count > settings.nms_candidates else torch.arange(count)
        places += (own + start).tolist()
        start += count
    boxes = clip_boxes(decode(said.grid.boxes, deltas[index], said.delta_stds), size)[places]
    boxes, probs = boxes / torch.tensor([*scale, *scale]), probs[places]
    rows, labels = (probs > settings.score_threshold).nonzero(as_tuple=True)
    boxes, scores = boxes[rows], probs[rows, labels]
    kept = batched_nms(boxes.double(), scores.double(), labels, settings.nms_iou)
    kept = kept[: settings.max_detections]
    return ImageDetections(
        boxes[kept], scores[kept], labels[kept], probs[rows[kept]],
        torch.tensor(places)[rows[kept]],
    )  # fmt: skip


@pytest.mark.parametrize("has_background", [False, True])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("limit", [3, 40, 1000])
def test_what_is_left_out_before_decoding_changes_no_bit(limit, tied, has_background):
    """As many values an image as make the last digits of a sigmoid depend on the batch; an image
    without boxes."""
    rng, levels, classes = torch.Generator().manual_seed(limit), (85, 50, 14), 3
    corners = torch.rand(sum(levels), 2, generator=rng) * 60
    anchors = torch.cat([corners, corners + 20 + 9 * torch.rand(sum(levels), 2, generator=rng)], 1)
    values = 2 * torch.randn(4, sum(levels), classes + has_background, generator=rng) - 2
    values = values.round() if tied else values
    values[2] = torch.tensor([-9.0] * classes + [9.0] * has_background)
    said = replace(
        predictions(anchors.tolist(), values, levels), has_background=has_background,
        box_deltas=torch.randn(4, sum(levels), 4, generator=rng), delta_stds=(0.1, 0.1, 0.2, 0.2),
    )  # fmt: skip
    settings = DetectionSettings(nms_candidates=limit, score_threshold=0.1, max_detections=50)
    sizes, scales = [(60, 80), (64, 47), (64, 80), (31, 80)], [(1.0, 1.0), (0.3, 1.7)] * 2
    found = detect(said, sizes, scales, settings)
    assert [len(one.scores) > 0 for one in found] == [True, True, False, True]
    for i, one in enumerate(found):
        expected = found_plainly(said, i, sizes[i], scales[i], settings)
        for name in ("boxes", "scores", "labels", "class_scores", "anchors"):
            assert torch.equal(getattr(one, name), getattr(expected, name)), name


def test_only_boxes_above_the_threshold_are_decoded(monkeypatch):
    decoded = list[int]()

    def noting(anchors: Tensor, *arguments: object) -> Tensor:
        decoded.append(len(anchors))
        return decode(anchors, *arguments)

    monkeypatch.setattr(detections, "decode", noting)
    probs = logits([[[0.9, 0.8], [0.3, 0.01]], [[0.01, 0.02], [0.03, 0.2]]])
    found = detect(predictions([A, C], probs, levels=(2,)), [(60, 60)] * 2, [(1.0, 1.0)] * 2)
    assert [len(one.scores) for one in found] == [3, 1] and decoded == [4]


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
