"""Which detections are right, and how far their scores say so."""

import numpy as np
import pytest

from miaod_nb.evaluation import voc_ap
from miaod_nb.evaluation.reliability import calibration_error, judge, reliability
from tests.evaluation.images import found, truth

A, B, FAR = (0, 0, 10, 10), (20, 20, 40, 40), (60, 60, 70, 70)
FOUND = [found((A, 0.9, 0), (A, 0.8, 0), (B, 0.7, 1), (FAR, 0.6, 0)), found((B, 0.95, 0))]
TRUTH = [truth((A, 0, False), (B, 1, True)), truth((B, 0, False), (A, 1, False))]


def test_one_detection_of_an_object_is_right_and_difficult_objects_do_not_count():
    scores, is_true = judge(FOUND, TRUTH)
    np.testing.assert_allclose(scores, [0.95, 0.9, 0.8, 0.6])
    assert is_true.tolist() == [True, True, False, False]
    recall = voc_ap(FOUND, TRUTH, 2).recall[0]
    assert is_true.sum() == round(recall[-1] * 2)  # two objects of class 0


def test_a_set_without_detections_has_none_to_judge():
    scores, is_true = judge([found()], [truth((A, 0, False))])
    assert len(scores) == len(is_true) == 0
    table = reliability(scores, is_true)
    assert len(table) == 0 and np.isnan(calibration_error(table))


def test_parts_of_the_scores_have_their_means():
    scores = np.array([1.0, 0.96, 0.92, 0.55, 0.51, 0.5])
    is_true = np.array([True, True, False, True, False, False])
    table = reliability(scores, is_true)
    assert table["detections"].tolist() == [3, 3]
    np.testing.assert_allclose(table["score"], [0.52, 0.96])
    np.testing.assert_allclose(table["precision"], [1 / 3, 2 / 3])
    expected = (abs(0.52 - 1 / 3) * 3 + abs(0.96 - 2 / 3) * 3) / 6
    assert calibration_error(table) == pytest.approx(expected)
