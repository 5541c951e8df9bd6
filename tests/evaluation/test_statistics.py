"""Confidence intervals of known values."""

import statistics

import pytest

from miaod_nb.evaluation.statistics import half_width


def test_interval_of_three_values_is_that_of_the_table() -> None:
    """Mean 2, deviation 1: 4.30 / sqrt(3) (two degrees of freedom)."""
    assert half_width(statistics.stdev([1, 2, 3]), 3) == pytest.approx(2.4826, abs=1e-3)


def test_more_values_make_it_narrower_and_one_has_none() -> None:
    widths = [half_width(1, count) for count in range(2, 40)]
    assert widths == sorted(widths, reverse=True)
    with pytest.raises(ValueError, match="1 values"):
        half_width(1, 1)
