"""Resamples of the test images: what the plain metric has for the repeated list, only faster."""

import numpy as np
import pytest

from miaod_nb.errors import DataError
from miaod_nb.evaluation import resampling, voc_ap
from miaod_nb.evaluation.resampling import draw_resamples, resampled_voc12
from tests.evaluation.images import BOX, ELSEWHERE, crowd, found, random_set, truth


def by_hand(detections: list, truths: list, num_classes: int, row: np.ndarray) -> float:
    """mAP of the list in which each image stands as often as it was drawn."""
    images = np.repeat(np.arange(len(truths)), row)
    result = voc_ap([detections[i] for i in images], [truths[i] for i in images], num_classes)
    return float("nan") if np.isnan(result.ap).any() else result.mean


def test_draws_repeat_images_as_often_as_there_are_and_are_always_the_same() -> None:
    draws = draw_resamples(30, 400)
    assert draws.shape == (400, 30) and (draws.sum(axis=1) == 30).all() and (draws >= 0).all()
    np.testing.assert_array_equal(draws, draw_resamples(30, 400))
    assert draws.mean(axis=0) == pytest.approx(1, abs=0.2)  # standard error 0.05
    assert draws.var() == pytest.approx(29 / 30, abs=0.05)
    assert draw_resamples(1, 2).tolist() == [[1], [1]]
    with pytest.raises(ValueError, match="no image"):
        draw_resamples(0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cells", [1, 2**18], ids=["row by row", "at once"])
def test_it_equals_the_metric_of_the_repeated_list(seed, cells, monkeypatch) -> None:
    """With duplicates, equal scores within and between images, difficult objects, empty images."""
    monkeypatch.setattr(resampling, "CELLS", cells)
    detections, truths = random_set(seed, num_images=15)
    draws = draw_resamples(15, 40)
    expected = [by_hand(detections, truths, 3, row) for row in draws]
    np.testing.assert_allclose(resampled_voc12(detections, truths, 3, draws), expected, atol=1e-12)
    whole = resampled_voc12(detections, truths, 3, np.ones((1, 15), dtype=int))
    assert whole[0] == pytest.approx(voc_ap(detections, truths, 3).mean, abs=1e-15)


def test_equal_scores_in_one_image_come_copy_by_copy() -> None:
    """True, false, true, false: 1/2 of the recall at 1, the rest at 2/3. With each detection beside
    its own copy it would be 1."""
    image = found((BOX, 0.5, 0), (ELSEWHERE, 0.5, 0))
    assert resampled_voc12([image], [truth((BOX, 0))], 1, np.array([[2]])) == pytest.approx(5 / 6)
    apart = found((BOX, 0.6, 0), (ELSEWHERE, 0.5, 0))
    assert resampled_voc12([apart], [truth((BOX, 0))], 1, np.array([[2]])) == pytest.approx(1)


def test_a_resample_without_a_class_has_no_mean_and_a_class_never_there_is_left_out() -> None:
    detections = [found((BOX, 0.9, 0)), found()]
    truths = [truth((BOX, 0)), truth((ELSEWHERE, 1), (BOX, 2, True))]
    draws = np.array([[1, 1], [2, 0], [0, 2], [0, 0]])
    np.testing.assert_allclose(
        resampled_voc12(detections, truths, 4, draws), [0.5, np.nan, np.nan, np.nan]
    )


def test_difficult_objects_and_crowds_count_nowhere() -> None:
    hit = found((ELSEWHERE, 0.9, 0), (ELSEWHERE, 0.8, 0), (BOX, 0.5, 0))
    for objects in (truth((ELSEWHERE, 0, True), (BOX, 0)), crowd(BOX, ELSEWHERE)):
        draws = np.array([[1, 1], [2, 0], [0, 2]])
        got = resampled_voc12([hit, found()], [objects, truth((BOX, 0))], 1, draws)
        np.testing.assert_allclose(got, [0.5, 1, 0])


def test_bad_input_is_refused_as_the_metric_does() -> None:
    with pytest.raises(DataError, match="no object"):
        resampled_voc12([found()], [truth((BOX, 0, True))], 1, np.ones((1, 1), int))
    with pytest.raises(DataError, match="no object"):
        resampled_voc12([], [], 1, np.ones((1, 0), int))
    with pytest.raises(ValueError, match="for 1 images"):
        resampled_voc12([found()], [truth((BOX, 0))], 1, np.ones((1, 2), int))
    with pytest.raises(ValueError, match="objects of 1"):
        resampled_voc12([], [truth((BOX, 0))], 1, np.ones((1, 1), int))
    assert resampled_voc12([found()], [truth((BOX, 0))], 1, np.ones((0, 1), int)).shape == (0,)
