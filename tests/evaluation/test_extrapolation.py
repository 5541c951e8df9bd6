"""Learning curves are continued as they go on, and the intervals hold what they promise."""

import numpy as np
import pytest

from miaod_nb.errors import DataError
from miaod_nb.evaluation.extrapolation import Forecast, fit_curves

COUNTS = np.arange(100, 501, 100)


def power_law(n, a, b, c):
    return a - b * np.asarray(n, float) ** -c


def exponential(n, a, b, c):
    return a - b * np.exp(-c * np.asarray(n, float))


@pytest.mark.parametrize("of", [(0.8, 3, 0.5), (0.9, 5, 0.7), (0.6, 20, 1.0), (0.7, 400, 1.5)])
def test_a_power_law_without_noise_goes_on_as_it_is(of):
    curves = fit_curves(COUNTS, power_law(COUNTS, *of))
    rise = power_law(600, *of) - power_law(500, *of)
    assert curves.measured_at(600).mean == pytest.approx(power_law(600, *of), abs=0.005)
    assert curves.gain(100).mean == pytest.approx(rise, abs=0.005)
    full = curves.measured_at(5000)
    assert full.low < power_law(5000, *of) < full.high
    assert full.mean == pytest.approx(power_law(5000, *of), abs=0.05)


def test_an_exponential_without_noise_goes_on_as_it_is():
    of = (0.8, 0.7, 0.004)
    curves = fit_curves(COUNTS, exponential(COUNTS, *of))
    for images, near in ((600, 0.005), (1000, 0.015)):
        expected = exponential(images, *of)
        assert curves.measured_at(images).mean == pytest.approx(expected, abs=near)


@pytest.mark.parametrize("form", ["power law", "exponential"])
@pytest.mark.parametrize("known", [3, 5])
def test_95_percent_intervals_hold_in_simulation(form, known):
    """150 curves, measured with a noise of 0.01 to 0.02: what is hidden lies in the interval."""
    rng = np.random.default_rng(0)
    n, held = COUNTS[:known], []
    for _ in range(150):
        ceiling, share, noise = (
            rng.uniform(0.4, 0.95),
            rng.uniform(0.1, 0.8),
            rng.uniform(0.01, 0.02),
        )
        ratio = np.append(n, [n[-1] + 100, 2000]) / 100
        left = (
            ratio ** -rng.uniform(0.2, 1.4)
            if form == "power law"
            else np.exp(-np.exp(rng.uniform(-2.3, 0)) * (ratio - 1))
        )
        truth = ceiling - ceiling * (1 - share) * left
        measured = np.clip(truth + noise * rng.normal(size=len(truth)), 0, 1)
        curves = fit_curves(n, measured[:known])
        expected = [curves.measured_at(n[-1] + 100), curves.measured_at(2000)]
        held += [
            one.low <= y <= one.high for one, y in zip(expected, measured[known:], strict=True)
        ]
    assert np.mean(held) >= 0.93


def test_order_and_equal_points_do_not_matter():
    n, y = [40, 100, 160, 100], [0.34, 0.49, 0.62, 0.46]
    expected = fit_curves(n, y)
    for points in ((n[::-1], y[::-1]), (n + n, y + y)):
        found = fit_curves(*points)
        assert found.measured_at(400) == expected.measured_at(400)
        assert found.gain(60) == expected.gain(60)


def test_more_seeds_make_the_curve_surer_but_not_one_run():
    """Ten seeds on the same curve: where the curve goes is surer; one run's noise stays."""
    rng = np.random.default_rng(1)
    truth = power_law(COUNTS, 0.8, 3, 0.5)
    runs = truth + 0.02 * rng.normal(size=(10, len(COUNTS)))
    one, ten = (fit_curves(np.tile(COUNTS, k), runs[:k].ravel()) for k in (1, 10))
    assert ten.gain(100).high - ten.gain(100).low < one.gain(100).high - one.gain(100).low
    assert np.std(ten.heights(600)) < 0.7 * np.std(one.heights(600))
    next_one = ten.measured_at(600)
    assert 2 * 1.6 * 0.02 < next_one.high - next_one.low < 2 * 2.6 * 0.02


def test_seeds_need_not_have_the_same_numbers_of_images():
    curves = fit_curves([100, 200, 150, 260], [0.4, 0.5, 0.45, 0.54])
    assert (curves.first, curves.last) == (100, 260)
    assert 0.5 < curves.measured_at(300).mean < 0.65


def test_a_flat_curve_stays_where_it_is():
    curves = fit_curves([100, 200, 300, 400], [0.5, 0.51, 0.5, 0.5])
    assert 0 <= curves.gain(100).mean < 0.01 and curves.gain(100).high < 0.02
    assert curves.measured_at(500).mean == pytest.approx(0.51, abs=0.015)


@pytest.mark.parametrize(
    "scores",
    [(0.8, 0.5, 0.2), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 0.5, 1.0), (1e-5, 0, 1e-6)],
)
def test_every_curve_has_an_answer_within_0_and_1(scores):
    """Falling, empty, perfect and steep curves, of one seed and of many."""
    for seeds in (1, 40):
        rng = np.random.default_rng(0)
        spread = np.clip(np.tile(scores, (seeds, 1)) + 1e-3 * rng.random((seeds, 3)), 0, 1)
        curves = fit_curves(np.tile([100, 150, 200], seeds), spread.ravel())
        gain = curves.gain(50)
        assert 0 <= gain.low <= gain.mean and 0 <= gain.high <= 1
        for images in (200, 250, 2000, 10**7):
            found = curves.measured_at(images)
            assert 0 <= found.low <= found.high <= 1 and 0 <= found.mean <= 1


def test_a_curve_that_fell_is_expected_to_be_level():
    curves = fit_curves([100, 150, 200], [0.50, 0.48, 0.45])
    assert curves.gain(50).mean < 0.01
    assert 0.44 < curves.measured_at(250).mean < 0.50


def test_fewer_than_three_numbers_of_images_are_refused_with_a_sentence():
    for n, y in (([], []), ([100, 200], [0.3, 0.4]), ([100] * 5 + [200], [0.3] * 3 + [0.31] * 3)):
        with pytest.raises(DataError, match=f"mAP was measured at {len(set(n))}"):
            fit_curves(n, y)


@pytest.mark.parametrize(
    ("n", "y"),
    [([0, 1, 2], [0.1, 0.2, 0.3]), ([1, 2, 3], [0.1, np.nan, 0.3]), ([1, 2, 3], [10, 20, 30]),
     ([1, 2, np.inf], [0.1, 0.2, 0.3])],
)  # fmt: skip
def test_other_numbers_are_errors(n, y):
    with pytest.raises(DataError, match="mAP from 0 to 1 over labeled images from 1 on, and here"):
        fit_curves(n, y)


def test_a_forecast_has_95_percent_of_the_values():
    values = np.arange(1001) / 1000
    assert Forecast.of(values, values) == Forecast(0.5, 0.025, 0.975)
