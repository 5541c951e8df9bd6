"""VOC average precision: of a curve, and of a set of images."""

import dataclasses
import math

import numpy as np
import pytest

from miaod_nb.evaluation import (
    average_precision,
    evaluate,
    voc_ap,
)
from tests.evaluation.images import (
    BOX,
    ELSEWHERE,
    crowd,
    found,
    loop_ap,
    random_set,
    truth,
)

# ---------------------------------------------------------------- average precision of a curve


def test_area_uses_the_best_precision_at_equal_or_higher_recall() -> None:
    recall, precision = np.array([0.25, 0.25, 0.5, 0.75]), np.array([1.0, 0.5, 2 / 3, 0.75])
    assert average_precision(recall, precision, "voc12") == pytest.approx(0.25 + 0.5 * 0.75)


def test_eleven_points_average_the_best_precision_at_each_recall() -> None:
    recall, precision = np.array([0.5, 0.5, 1.0]), np.array([1.0, 0.5, 2 / 3])
    assert average_precision(recall, precision, "voc07") == pytest.approx((6 + 5 * 2 / 3) / 11)


def test_recall_of_exactly_three_tenths_misses_the_fourth_point_as_in_the_authors_code() -> None:
    assert average_precision(np.array([3 / 10]), np.ones(1), "voc07") == pytest.approx(3 / 11)
    assert average_precision(np.array([2 / 10]), np.ones(1), "voc07") == pytest.approx(3 / 11)


@pytest.mark.parametrize("mode", ["voc07", "voc12"])
def test_curves_without_points_and_perfect_ones(mode: str) -> None:
    assert average_precision(np.empty(0), np.empty(0), mode) == 0
    assert average_precision(np.array([0.5, 1]), np.ones(2), mode) == pytest.approx(1)


# ---------------------------------------------------------------- VOC matching


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.75])
def test_voc12_equals_a_plain_loop(seed: int, threshold: float) -> None:
    detections, truths = random_set(seed)
    result = voc_ap(detections, truths, 3, threshold)
    assert (result.num_truths > 0).all()
    expected = [loop_ap(detections, truths, label, threshold) for label in range(3)]
    assert max(expected) > 0
    np.testing.assert_allclose(result.ap, expected, atol=1e-12)
    assert result.mean == pytest.approx(np.mean(expected))


def test_second_detection_of_an_object_is_a_false_positive() -> None:
    result = voc_ap([found((BOX, 0.9, 0), (BOX, 0.8, 0))], [truth((BOX, 0))], 1)
    np.testing.assert_allclose(result.recall[0], [1, 1])
    np.testing.assert_allclose(result.precision[0], [1, 0.5])


def test_a_better_scored_detection_of_a_later_image_comes_first() -> None:
    detections = [found((ELSEWHERE, 0.5, 0)), found((BOX, 0.9, 0))]
    result = voc_ap(detections, [truth((BOX, 0)), truth((BOX, 0))], 1)
    np.testing.assert_allclose(result.precision[0], [1, 0.5])
    assert result.mean == pytest.approx(0.5)


def test_overlap_of_exactly_the_threshold_matches_and_sides_get_no_extra_pixel() -> None:
    half = (10, 10, 30, 20)  # IoU with BOX is 200 / 400; with +1 on sides it would be 231 / 441
    assert voc_ap([found((half, 0.9, 0))], [truth((BOX, 0))], 1, 0.5).mean == 1
    assert voc_ap([found((half, 0.9, 0))], [truth((BOX, 0))], 1, 0.51).mean == 0


def test_another_class_does_not_match() -> None:
    result = voc_ap([found((BOX, 0.9, 1))], [truth((BOX, 0))], 2)
    assert result.ap[0] == 0 and math.isnan(result.ap[1])
    assert result.mean == 0
    np.testing.assert_array_equal(result.num_detections, [0, 1])


def test_difficult_objects_count_nowhere_in_voc() -> None:
    plain = voc_ap([found((BOX, 0.5, 0))], [truth((BOX, 0))], 1)
    objects = truth((ELSEWHERE, 0, True), (BOX, 0))
    twice = found((ELSEWHERE, 0.9, 0), (ELSEWHERE, 0.8, 0), (BOX, 0.5, 0))
    ignored = voc_ap([twice], [objects], 1)
    assert ignored.mean == plain.mean == 1
    np.testing.assert_array_equal(ignored.num_truths, [1])
    np.testing.assert_allclose(ignored.precision[0], [0, 0, 1])
    missed = voc_ap([found((BOX, 0.5, 0))], [objects], 1)
    assert missed.mean == 1


def test_difficult_object_does_not_hide_one_with_the_same_box() -> None:
    assert voc_ap([found((BOX, 0.9, 0))], [truth((BOX, 0, True), (BOX, 0))], 1).mean == 1


def test_order_of_images_does_not_matter_without_tied_scores() -> None:
    detections, truths = random_set(3)
    scores = np.random.default_rng(0).permutation(sum(len(d.labels) for d in detections)) / 1000
    ends = np.cumsum([len(d.labels) for d in detections])[:-1]
    detections = [
        dataclasses.replace(item, scores=part)
        for item, part in zip(detections, np.split(scores, ends), strict=True)
    ]
    forward = voc_ap(detections, truths, 3)
    backward = voc_ap(detections[::-1], truths[::-1], 3)
    np.testing.assert_allclose(forward.ap, backward.ap)


def test_crowds_count_nowhere_in_voc() -> None:
    objects = crowd(BOX, ELSEWHERE)
    result = voc_ap([found((ELSEWHERE, 0.9, 0), (ELSEWHERE, 0.8, 0), (BOX, 0.5, 0))], [objects], 1)
    assert result.mean == 1
    np.testing.assert_array_equal(result.num_truths, [1])
    assert evaluate([found()], [objects], ["dog"]).per_class["num_objects"].tolist() == [1]
