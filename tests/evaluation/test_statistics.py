"""Intervals, tests and areas of known values."""

import math
import statistics

import numpy as np
import pytest
import scipy.stats

from miaod_nb.evaluation.statistics import (
    Interval,
    area_under_curve,
    half_width,
    labels_needed,
    paired_interval,
    sign_flip_p,
    smallest_p,
)

# ---------------------------------------------------------------- intervals


def test_interval_of_three_values_is_that_of_the_table() -> None:
    """Mean 2, deviation 1: 4.303 / sqrt(3) (two degrees of freedom)."""
    assert half_width(statistics.stdev([1, 2, 3]), 3) == pytest.approx(2.4841, abs=1e-4)


def test_more_values_make_it_narrower_and_one_has_none() -> None:
    widths = [half_width(1, count) for count in range(2, 40)]
    assert widths == sorted(widths, reverse=True)
    with pytest.raises(ValueError, match="1 values"):
        half_width(1, 1)


@pytest.mark.parametrize("values", [[0.01, 0.03], [0.01, 0.03, -0.02], [0.4, 0.1, 0.2, 0.2, 0.3]])
def test_over_seeds_alone_it_is_scipys_t_interval(values) -> None:
    interval = paired_interval(np.array(values), None)
    known = scipy.stats.ttest_1samp(values, 0).confidence_interval()
    assert (interval.low, interval.high) == pytest.approx(tuple(known))
    assert (interval.mean, interval.seeds) == (pytest.approx(np.mean(values)), len(values))
    assert (interval.resamples, interval.left_out, interval.reason) == (0, 0, "")


def test_both_sources_are_added() -> None:
    """Seeds: variance 1 of three, 1/3 of their mean. Resamples: means -1, 0, 1, variance 1."""
    resampled = np.array([[0.0, 1, 2], [1, 2, 3], [2, 3, 4]]) - 1
    interval = paired_interval(np.array([1.0, 2, 3]), resampled)
    assert interval.high == pytest.approx(2 + 4.302653 * math.sqrt(1 / 3 + 1))
    assert interval.low == pytest.approx(2 - 4.302653 * math.sqrt(1 / 3 + 1))
    assert (interval.mean, interval.resamples) == (2, 3)  # of the images as they are


def test_equal_differences_have_numbers_and_decide_nothing() -> None:
    """Where scipy's BCa bootstrap says NaN."""
    interval = paired_interval(np.array([0.02, 0.02, 0.02]), None)
    assert (interval.mean, interval.low, interval.high) == pytest.approx((0.02, 0.02, 0.02))
    assert not interval.decided  # three copies of one run are no three seeds
    other_images = np.tile(np.linspace(0.018, 0.022, 50), (3, 1))
    assert paired_interval(np.array([0.02, 0.02, 0.02]), other_images).decided
    assert not paired_interval(np.zeros(3), None).decided


@pytest.mark.parametrize("low, high, decided", [
    (0.01, 0.2, True), (-0.2, -0.01, True), (-0.01, 0.2, False), (0.0, 0.2, False),
    (None, None, False),
])  # fmt: skip
def test_nothing_is_decided_whose_interval_has_zero(low, high, decided) -> None:
    assert Interval(0.1, low, high, 3).decided == decided


def test_one_seed_has_no_interval() -> None:
    for resampled in (None, np.array([[0.1, 0.2, 0.3]])):
        interval = paired_interval(np.array([0.2]), resampled)
        assert (interval.mean, interval.low, interval.high, interval.seeds) == (0.2, None, None, 1)
        assert interval.reason == "one seed says nothing of the spread of seeds"


def test_resamples_without_a_class_are_left_out_and_counted() -> None:
    resampled = np.array([[1.0, 2, 3], [2, 3, 4]])
    missing = np.insert(resampled, 1, np.nan, axis=1)
    missing[0, 1] = 7  # one seed alone lacks it: the pair says nothing
    differences = np.array([2.0, 3])
    whole, partial = (paired_interval(differences, one) for one in (resampled, missing))
    assert (partial.low, partial.high) == (whole.low, whole.high)
    assert (whole.left_out, partial.left_out, partial.resamples) == (0, 1, 4)


@pytest.mark.parametrize("known", [0, 1, 20])
def test_where_most_resamples_lack_a_class_there_is_no_interval(known) -> None:
    resampled = np.full((3, 40), np.nan)
    resampled[:, :known] = np.linspace(0, 1, 3 * known).reshape(3, known)
    interval = paired_interval(np.array([0.1, 0.2, 0.3]), resampled)
    assert (interval.low, interval.high, interval.left_out) == (None, None, 40 - known)
    assert interval.mean == pytest.approx(0.2) and not interval.decided
    assert interval.reason == f"{40 - known} of 40 resamples of the test images lack a class"


@pytest.mark.parametrize("differences, resampled", [
    ([], None), ([0.1, math.nan], None), ([[0.1]], None), ([0.1, math.inf], None),
    ([0.1, 0.2], [[0.1, 0.2]]), ([0.1, 0.2], [0.1, 0.2]), ([0.1, 0.2], [[0.1], [0.2]]),
])  # fmt: skip
def test_what_is_no_set_of_differences_is_refused(differences, resampled) -> None:
    with pytest.raises(ValueError, match="differences of|resamples of"):
        paired_interval(differences, resampled)


# ---------------------------------------------------------------- sign flips


def test_few_pairs_can_never_have_a_small_p() -> None:
    found = [round(smallest_p(pairs), 4) for pairs in (1, 2, 3, 4, 5, 6)]
    assert found == [1, 0.5, 0.25, 0.125, 0.0625, 0.0312]
    with pytest.raises(ValueError, match="0 pairs"):
        smallest_p(0)
    for pairs in range(1, 8):
        assert sign_flip_p(np.linspace(0.1, 0.5, pairs)) == smallest_p(pairs)


def test_flips_of_three_by_hand() -> None:
    """3, -1, 1 have the sum 3. Of the eight ways to flip them 3+1+1, 3+1-1, 3-1+1 and their
    opposites are as far from 0."""
    assert sign_flip_p(np.array([3.0, -1, 1])) == 6 / 8
    assert sign_flip_p(np.array([-0.2, 0.1, 0.1])) == 1
    assert sign_flip_p(np.array([0.1 + 0.2, -0.3, 0.5])) == sign_flip_p(np.array([3, -3, 5]))
    assert sign_flip_p(np.zeros(3)) == 1


def test_flips_equal_scipys_exact_permutation_test() -> None:
    for seed in range(5):
        values = np.random.default_rng(seed).normal(0.5, 1, 7)
        known = scipy.stats.permutation_test(
            (values,), np.mean, permutation_type="samples", n_resamples=np.inf
        )
        assert sign_flip_p(values) == pytest.approx(known.pvalue)


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [0.1] * 17])
def test_flips_of_nothing_and_of_too_many_are_refused(values) -> None:
    with pytest.raises(ValueError, match="1 to 16"):
        sign_flip_p(np.array(values))


# ---------------------------------------------------------------- curves


def test_area_is_the_mean_height_between_two_places() -> None:
    x, y = np.array([10, 20, 40]), np.array([0.2, 0.4, 0.6])
    assert area_under_curve(x, y, 10, 20) == pytest.approx(0.3)
    assert area_under_curve(x, y, 10, 40) == pytest.approx((10 * 0.3 + 20 * 0.5) / 30)
    assert area_under_curve(x, y, 15, 30) == pytest.approx((5 * 0.35 + 10 * 0.45) / 15)
    assert area_under_curve(x, y, 22, 24) == pytest.approx(0.43)
    assert area_under_curve(x, np.full(3, 0.7), 12, 39) == pytest.approx(0.7)


def test_many_curves_at_once_and_a_point_outside_may_be_missing() -> None:
    x, y = np.array([10, 20, 40]), np.array([[0.2, 0.4, np.nan], [0.0, 0.1, 0.2]])
    np.testing.assert_allclose(area_under_curve(x, y, 10, 20), [0.3, 0.05])
    np.testing.assert_allclose(area_under_curve(x, y[None], 10, 40), [[np.nan, 0.35 / 3]])


def test_a_step_without_new_labels_is_a_jump() -> None:
    x, y = np.array([10, 20, 20, 30]), np.array([0.2, 0.4, 0.6, 0.8])
    assert area_under_curve(x, y, 10, 30) == pytest.approx((0.3 + 0.7) / 2)
    assert area_under_curve(x, y, 10, 20) == pytest.approx(0.3)
    assert area_under_curve(x, y, 20, 30) == pytest.approx(0.7)


@pytest.mark.parametrize("low, high", [(5, 20), (10, 41), (20, 20), (30, 20), (math.nan, 20)])
def test_a_range_that_the_curve_does_not_cover_is_refused(low, high) -> None:
    with pytest.raises(ValueError, match="does not cover"):
        area_under_curve(np.array([10, 20, 40]), np.array([0.2, 0.4, 0.6]), low, high)


@pytest.mark.parametrize("x, y", [
    ([], []), ([1, 2], [1]), ([2, 1], [1, 2]), ([1, math.nan], [1, 2]), ([math.nan], [1]),
])  # fmt: skip
def test_what_is_no_curve_is_refused(x, y) -> None:
    with pytest.raises(ValueError, match="no curve"):
        area_under_curve(np.array(x), np.array(y), 1, 2)
    with pytest.raises(ValueError, match="no curve"):
        labels_needed(np.array(x), np.array(y), 1)


def test_labels_needed_are_where_the_curve_first_reaches_a_level() -> None:
    x, y = np.array([10, 20, 40, 50]), np.array([0.2, 0.4, 0.3, 0.5])
    levels = (0.1, 0.2, 0.3, 0.4, 0.45, 0.5)
    found = [labels_needed(x, y, level) for level in levels]
    assert found == pytest.approx([10, 10, 15, 20, 47.5, 50])
    assert labels_needed(x, y, 0.51) is None
    assert labels_needed(np.array([10]), np.array([0.2]), 0.2) == 10
    with pytest.raises(ValueError, match="without a value"):
        labels_needed(x, np.array([0.2, np.nan, 0.3, 0.4]), 0.3)
