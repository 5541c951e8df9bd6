"""Which anchor answers for which object, in cases small enough to see."""

import math

import pytest
import torch
from torch import Tensor

from miaod_nb.detector.anchors import AnchorGrid
from miaod_nb.detector.matching import BACKGROUND, IGNORED, Matching, detection_targets, match


def boxes(*corners: tuple[float, float, float, float]) -> Tensor:
    return torch.tensor(corners).float().reshape(-1, 4)


SQUARE = (0, 0, 10, 10)
FAR = (50, 50, 60, 60)
# overlap with SQUARE: 1, 0.5, 0.45, 0.4, 0.3, 0
ANCHORS = boxes(SQUARE, (0, 0, 10, 5), (0, 0, 9, 5), (0, 0, 10, 4), (0, 0, 10, 3), FAR)
GRID = AnchorGrid(ANCHORS, ((2, 3),), (8,), (1,))
FULL = (16, 24)


def test_thresholds():
    expected = [1, 1, IGNORED, IGNORED, BACKGROUND, BACKGROUND]  # 0.5 is positive, 0.4 ignored
    assert match(ANCHORS, boxes(SQUARE)).tolist() == expected
    lower = match(ANCHORS, boxes(SQUARE), how=Matching(positive_iou=0.45, negative_iou=0.31))
    assert lower.tolist() == [1, 1, 1, IGNORED, BACKGROUND, BACKGROUND]


def test_an_anchor_belongs_to_the_object_it_overlaps_most():
    other = (5, 0, 15, 10)
    found = match(boxes(SQUARE, other, (1, 0, 11, 10), (4, 0, 14, 10)), boxes(SQUARE, other))
    assert found.tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize("first_is_better", [True, False])
def test_the_last_object_wins_an_anchor_that_is_best_for_several(first_is_better):
    objects = [(0, 0, 10, 8), (0, 0, 10, 6)]  # overlap 0.8 and 0.6 with the only near anchor
    objects = objects if first_is_better else objects[::-1]
    assert match(boxes(SQUARE, FAR), boxes(*objects)).tolist() == [2, BACKGROUND]


def test_an_object_gets_its_best_anchors_however_small_the_overlap():
    anchors = boxes(SQUARE, SQUARE, (0, 0, 20, 20), FAR)
    found = match(anchors, boxes((0, 0, 1, 1)))  # overlap 0.01 twice, 0.0025 and 0
    assert found.tolist() == [1, 1, BACKGROUND, BACKGROUND]
    first = match(anchors, boxes((0, 0, 1, 1)), how=Matching(every_tie=False))
    assert first.tolist() == [1, BACKGROUND, BACKGROUND, BACKGROUND]


def test_invalid_anchors_are_ignored_and_never_best():
    valid = torch.tensor([False, False, False, False, True, True])
    found = match(ANCHORS, boxes(SQUARE), valid)
    assert found.tolist() == [IGNORED] * 4 + [1, BACKGROUND]  # 0.3 is the best that is left


def test_without_objects_all_is_background():
    assert match(ANCHORS, boxes()).tolist() == [BACKGROUND] * 6
    valid = torch.tensor([True] * 5 + [False])
    assert match(ANCHORS, boxes(), valid).tolist() == [BACKGROUND] * 5 + [IGNORED]


def test_targets_of_an_image():
    objects = boxes((0, 0, 10, 5), SQUARE)  # an exact anchor each
    targets = detection_targets(GRID, [objects], [torch.tensor([2, 0])], [FULL], num_classes=3)
    assert targets.positive.tolist() == [[True, True, True, True, True, False]]
    assert targets.labels.tolist() == [[0, 2, 2, 2, 2, 3]]  # 3 stands for background
    assert targets.labels.dtype == torch.int64
    assert int(targets.num_positive) == 5
    deltas = targets.box_deltas[0]
    assert not deltas[:2].any() and not deltas[5].any()
    torch.testing.assert_close(deltas[3], torch.tensor([0.0, 0.125, 0.0, math.log(5 / 4)]))


def test_ignored_and_padding_anchors_do_not_count():
    targets = detection_targets(GRID, [boxes(SQUARE)], [torch.tensor([0])], [FULL], num_classes=1)
    assert targets.counted.tolist() == [[True, True, False, False, True, True]]
    assert int(targets.num_positive) == 2
    narrow = detection_targets(GRID, [boxes(SQUARE)], [torch.tensor([0])], [(16, 8)], num_classes=1)
    assert narrow.counted.tolist() == [[True, False, False, False, False, False]]


def test_every_image_counts_as_one_positive_at_least():
    no_labels = torch.zeros(0, dtype=torch.int64)
    empty = detection_targets(GRID, [boxes()], [no_labels], [FULL], num_classes=4)
    assert int(empty.num_positive) == 1
    assert not empty.positive.any() and empty.counted.all()
    assert empty.labels.unique().tolist() == [4]
    assert not empty.box_deltas.any()
    both = detection_targets(
        GRID, [boxes(), boxes(SQUARE)], [no_labels, torch.tensor([1])], [FULL] * 2, num_classes=4
    )
    assert int(both.num_positive) == 1 + 2


def test_batch_equals_single():
    objects = [boxes(SQUARE, (40, 40, 55, 55)), boxes(), boxes((0, 0, 10, 4))]
    labels = [torch.tensor([0, 1]), torch.zeros(0, dtype=torch.int64), torch.tensor([1])]
    sizes = [FULL, (8, 24), (16, 16)]
    batch = detection_targets(GRID, objects, labels, sizes, num_classes=2)
    total = 0
    for i in range(3):
        single = detection_targets(GRID, [objects[i]], [labels[i]], [sizes[i]], num_classes=2)
        for name in ("labels", "counted", "positive", "box_deltas"):
            assert torch.equal(getattr(batch, name)[i], getattr(single, name)[0]), name
        total += int(single.num_positive)
    assert int(batch.num_positive) == total
