"""What is doubtful about the labels of an image, by numbers computed by hand."""

import numpy as np
import pytest

from miaod_nb.boxes import Detections, Objects
from miaod_nb.labeling.doubts import Doubt, doubts, num_confirmed

CAT, DOG, NEW = 0, 1, 2
BOX = (100, 100, 150, 150)


def labels(*rows, difficult=(), crowd=()):
    """Objects of (box, class), those at some places to be ignored."""
    boxes = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    marks = [np.isin(np.arange(len(rows)), places) for places in (difficult, crowd)]
    return Objects(boxes, np.array([kind for _, kind in rows], np.int64), *marks)


def predictions(*rows):
    """Detections of (box, class, probability)."""
    boxes = np.array([box for box, *_ in rows], np.float32).reshape(-1, 4)
    kinds = np.array([kind for _, kind, _ in rows], np.int64)
    return Detections(boxes, np.array([p for *_, p in rows], np.float32), kinds)


def moved(box, x, y=0):
    return (box[0] + x, box[1] + y, box[2] + x, box[3] + y)


def only(found):
    """The one doubt, its score to six digits."""
    (doubt,) = found
    return doubt._replace(score=round(doubt.score, 6))


@pytest.mark.parametrize(
    ("others", "by"),
    [((), 0), ((moved(BOX, 100, 100),), 0), ((moved(BOX, 358, 358),), 0), ((), 2)],
    ids=["alone", "another object 141 px away", "another object 506 px away", "2 px off"],
)
def test_another_class_on_a_label_is_flagged_whatever_else_there_is(others, by):
    labeled = labels((BOX, CAT), *((box, DOG) for box in others))
    found = predictions((moved(BOX, by), DOG, 0.99), *((box, DOG, 0.99) for box in others))
    assert only(doubts(labeled, found, 2)) == Doubt("swapped class", 0.99, 0, 0)


def test_a_swapped_class_is_as_doubtful_as_the_other_one_is_more_probable():
    both = predictions((BOX, DOG, 0.8), (moved(BOX, 2), CAT, 0.3))
    assert only(doubts(labels((BOX, CAT)), both, 2)) == Doubt("swapped class", 0.5, 0, 0)
    rivals = predictions((BOX, DOG, 0.8), (BOX, CAT, 0.4))
    assert doubts(labels((BOX, CAT)), rivals, 2) == []  # half as probable: it may be right


def test_a_label_beside_its_object_is_badly_placed():
    beside = predictions((moved(BOX, 25), CAT, 0.9))  # IoU 25 / 75
    assert only(doubts(labels((BOX, CAT)), beside, 2)) == Doubt("badly placed box", 0.6, 0, 0)
    # A quarter of the object: IoU 0.25.
    small = predictions(((100, 100, 200, 200), CAT, 0.8))
    assert only(doubts(labels((BOX, CAT)), small, 2)) == Doubt("badly placed box", 0.6, 0, 0)
    right = predictions((moved(BOX, 25), CAT, 0.9), (BOX, CAT, 0.5))
    assert doubts(labels((BOX, CAT)), right, 2) == []


def test_a_prediction_of_a_neighbor_says_nothing_about_a_label():
    labeled = labels((BOX, CAT), (moved(BOX, 25), CAT))
    found = predictions((moved(BOX, 25), CAT, 0.9), (moved(BOX, -20), DOG, 0.1))
    # The first label keeps a weak rival, the class that is seen on it: IoU 30 / 70 is not on it.
    assert only(doubts(labeled, found, 2)).kind == "spurious box"


def test_an_object_that_no_label_touches_is_missed_once():
    found = predictions((BOX, CAT, 0.9), (moved(BOX, 2), DOG, 0.7), (moved(BOX, 200), DOG, 0.6))
    labeled = labels((moved(BOX, 200), DOG))
    assert only(doubts(labeled, found, 2)) == Doubt("missed object", 0.9, None, 0)
    touched = labels((moved(BOX, 200), DOG), (moved(BOX, 40), CAT))  # IoU 10 / 90
    assert [one.kind for one in doubts(touched, found, 2)] == ["badly placed box"]


def test_a_label_where_nothing_is_seen_is_a_little_doubtful():
    nothing = predictions()
    assert only(doubts(labels((BOX, CAT)), nothing, 2)) == Doubt("spurious box", 0.5, 0, None)
    other = predictions((moved(BOX, 30), DOG, 0.2))  # IoU 20 / 80
    assert only(doubts(labels((BOX, CAT)), other, 2)) == Doubt("spurious box", 0.375, 0, None)


def test_of_several_doubts_about_a_label_the_strongest_is_told():
    both = predictions((BOX, DOG, 0.6), (moved(BOX, 25), CAT, 0.99))  # 0.66 for its place
    assert only(doubts(labels((BOX, CAT)), both, 2)) == Doubt("badly placed box", 0.66, 0, 1)


def test_what_agrees_or_is_empty_is_not_doubtful():
    rows = [(BOX, CAT), (moved(BOX, 60), DOG)]
    agreeing = predictions(*((box, kind, 0.4) for box, kind in rows))
    assert doubts(labels(*rows), agreeing, 2) == []
    assert doubts(labels(), predictions(), 2) == []


def test_a_class_that_the_detector_does_not_know_is_not_doubted():
    found = predictions((BOX, DOG, 0.99))
    assert doubts(labels((BOX, NEW)), found, 2) == []
    assert doubts(labels((moved(BOX, 25), NEW)), predictions(), 2) == []


def test_boxes_to_be_ignored_are_not_doubted_and_hide_what_is_in_them():
    found = predictions((BOX, DOG, 0.99))
    assert doubts(labels((BOX, CAT), difficult=[0]), found, 2) == []
    around = (0, 0, 400, 400)  # IoU 1 / 64
    assert doubts(labels((around, CAT), crowd=[0]), found, 2) == []
    assert len(doubts(labels((around, CAT)), found, 2)) == 2  # nothing of that size, and missed


def test_the_order_of_labels_and_predictions_does_not_matter():
    rng = np.random.default_rng(0)
    for _ in range(20):
        corners = rng.uniform(0, 100, (9, 2))
        boxes = np.hstack([corners, corners + rng.uniform(20, 60, (9, 2))]).astype(np.float32)
        kinds, scores = rng.integers(0, 3, 9), rng.uniform(0.05, 1, 9).astype(np.float32)
        labeled = Objects(boxes[:4], kinds[:4], np.zeros(4, bool))
        found = Detections(boxes[4:], scores[4:], kinds[4:] % 2)
        one, other = rng.permutation(4).tolist(), rng.permutation(5).tolist()
        mixed = doubts(
            Objects(boxes[:4][one], kinds[:4][one], np.zeros(4, bool)),
            Detections(*(part[other] for part in (found.boxes, found.scores, found.labels))), 2,
        )  # fmt: skip
        back = [
            (d.kind, d.score, None if d.label is None else one[d.label],
             None if d.prediction is None else other[d.prediction])
            for d in mixed
        ]  # fmt: skip
        assert sorted(back, key=str) == sorted(map(tuple, doubts(labeled, found, 2)), key=str)
        assert all(0 < d.score <= 1 for d in mixed)
        assert [d.score for d in mixed] == sorted((d.score for d in mixed), reverse=True)


def test_labels_that_a_detector_is_sure_of_are_counted():
    labeled = labels((BOX, CAT), (moved(BOX, 200), CAT), (moved(BOX, 400), DOG), difficult=[2])
    found = predictions((BOX, CAT, 0.5), (moved(BOX, 200), CAT, 0.49), (moved(BOX, 400), DOG, 0.9))
    assert num_confirmed(labeled, found) == 1
    assert num_confirmed(labels(), found) == num_confirmed(labels(), predictions()) == 0
