"""Boxes of an image: what was found in it, and what it shows."""

import numpy as np
import pytest

from miaod_nb.boxes import Detections, Objects

BOXES = np.array([[0, 0, 8, 4], [1, 2, 3, 5], [4, 4, 6, 6]], np.float32)
FOUND = Detections(BOXES, np.array([0.9, 0.3, 0.125], np.float32), np.array([1, 0, 1]))


def test_detections_of_a_score_and_more():
    kept = FOUND.above(0.3)
    assert len(FOUND) == 3 and len(kept) == 2
    np.testing.assert_array_equal(kept.boxes, BOXES[:2])
    assert kept.texts(["cat", "dog"]) == ["dog 0.90", "cat 0.30"]
    none = FOUND.above(0.95)
    assert len(none) == 0 and none.boxes.shape == (0, 4) and none.names(["cat", "dog"]) == []


def test_objects_have_no_crowds_and_the_areas_of_their_boxes_unless_told():
    objects = Objects(BOXES, np.array([0, 1, 0]), np.array([False, True, False]))
    assert objects.area.tolist() == [32, 6, 4] and not objects.crowd.any()
    assert len(objects) == 3 and objects.ignored.tolist() == [False, True, False]
    crowd = np.array([True, False, False])
    told = Objects(BOXES, objects.labels, objects.difficult, crowd, np.array([1.0, 2.0, 3.0]))
    assert told.ignored.tolist() == [True, True, False] and told.area.tolist() == [1, 2, 3]


def test_arrays_of_different_length_are_refused() -> None:
    boxes, one, two = np.zeros((2, 4), "f4"), np.zeros(1, int), np.zeros(2, int)
    with pytest.raises(ValueError, match=r"\(2, 4\) and scores \(1,\)"):
        Detections(boxes, one.astype("f4"), two)
    with pytest.raises(ValueError, match="difficult"):
        Objects(boxes, two, one.astype(bool))
    with pytest.raises(ValueError, match=r"crowd \(1,\)"):
        Objects(boxes, two, two.astype(bool), crowd=one.astype(bool))
