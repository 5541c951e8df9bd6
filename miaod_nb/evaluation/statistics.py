"""What a few runs say of many: intervals, tests and areas under curves."""

import math
from dataclasses import dataclass

import numpy as np

LEAST_WIDTH = 1e-9  # of an interval that says something: values all alike have no spread
MOST_FLIPPED = 16  # pairs: two to the power of it are tried at once


@dataclass(frozen=True)
class Interval:
    """The mean of paired differences, and the 95 % confidence interval around it.

    low, high: None where there is none; `reason` says why. seeds: how many differences; resamples:
    how many resamples of the test images the interval looked at (0: it is over seeds alone);
    left_out: how many of them lacked a class and say nothing.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: int
    left_out: int = 0
    resamples: int = 0

    @property
    def decided(self) -> bool:
        """Whether the interval excludes 0. False where there is none, or where it has no width:
        values all alike say nothing of their spread."""
        if self.low is None or self.high is None or self.high - self.low < LEAST_WIDTH:
            return False
        return self.low > 0 or self.high < 0

    @property
    def reason(self) -> str:
        """Why there is no interval, in words; "" where there is one."""
        if self.low is not None:
            return ""
        if self.seeds < 2:
            return "one seed says nothing of the spread of seeds"
        return f"{self.left_out} of {self.resamples} resamples of the test images lack a class"


def paired_interval(differences: np.ndarray, resampled: np.ndarray | None) -> Interval:
    """The 95 % confidence interval of the mean of paired differences, over seeds and test images.

    differences: (n,), one a seed, of two runs that have all but one thing in common. resampled:
    (n, B), the same differences on B resamples of the test images that all seeds share, NaN where
    one lacks a class; None: the interval is over seeds alone, on these test images.

    Its half is t of n - 1 degrees of freedom times the standard error from both sources: the
    seeds' variance / n, and the variance over resamples of the mean over seeds. (A bootstrap over
    three seeds covers 75 %: docs/statistics.md.) There is none for one seed, and none where half of
    the resamples or more lack a class. Raises ValueError for no difference, one that is NaN, or
    arrays that do not fit together.
    """
    differences = np.asarray(differences, float)
    n = differences.size
    if differences.ndim != 1 or not n or not np.isfinite(differences).all():
        raise ValueError(f"{differences} are no differences of one seed or more")
    means = np.empty(0)
    if resampled is not None:
        if np.ndim(resampled) != 2 or len(resampled) != n or np.shape(resampled)[1] < 2:
            raise ValueError(f"resamples of shape {np.shape(resampled)} for {n} seeds")
        means = np.asarray(resampled, float).mean(axis=0)
    known = means[~np.isnan(means)]
    mean, left_out = float(differences.mean()), len(means) - len(known)
    if n < 2 or (len(means) and len(known) <= left_out):
        return Interval(mean, None, None, n, left_out, len(means))
    variance = differences.var(ddof=1) / n + (known.var(ddof=1) if len(known) else 0.0)
    half = half_width(math.sqrt(variance * n), n)
    return Interval(mean, mean - half, mean + half, n, left_out, len(means))


def half_width(deviation: float, count: int) -> float:
    """Half of the 95 % confidence interval of a mean, by Student's t.

    deviation: the standard deviation of the `count` values, of a sample (n - 1). Raises ValueError
    for fewer than two values, which say nothing of their spread.
    """
    from scipy.special import stdtrit  # here: it takes a second that no reading verb should wait

    if count < 2:
        raise ValueError(f"{count} values have no confidence interval")
    return float(stdtrit(count - 1, 0.975)) * deviation / math.sqrt(count)


def smallest_p(pairs: int) -> float:
    """The smallest two-sided p that sign flips (or Wilcoxon's signed ranks) of so many pairs can
    have: 0.25 for three, below 0.05 from six on. Raises ValueError for no pair."""
    if pairs < 1:
        raise ValueError(f"{pairs} pairs have no p")
    return 2 / 2**pairs


def sign_flip_p(differences: np.ndarray) -> float:
    """Two-sided p of paired differences (n,) with a mean of 0, exact: the share of all 2^n ways to
    flip their signs whose sum is as far from 0 (Fisher, The Design of Experiments, 1935).

    Raises ValueError for no difference, one that is NaN, or more than 16.
    """
    differences = np.asarray(differences, float)
    n = differences.size
    if not 1 <= n <= MOST_FLIPPED or not np.isfinite(differences).all():
        raise ValueError(f"flips take 1 to {MOST_FLIPPED} differences, not {differences}")
    flips = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)  # (2^n, n) of 1 and -1
    sums = np.abs(flips @ differences)
    return float(np.mean(sums >= sums[0] - 1e-9 * np.abs(differences).sum()))  # but for rounding


def area_under_curve(x: np.ndarray, y: np.ndarray, low: float, high: float) -> float | np.ndarray:
    """Mean height of the piecewise linear curve between `low` and `high`: area / (high - low).

    x: (points,), not falling; y: (..., points), one curve or many over the same x; the result is
    (...), a float for one curve. Raises ValueError where x does not cover the range.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    _check_curve(x, y)
    if not x[0] <= low < high <= x[-1]:
        raise ValueError(f"the curve from {x[0]:g} to {x[-1]:g} does not cover {low:g} to {high:g}")
    inside = (low <= x) & (x <= high)
    units = np.eye(len(x))  # the area is linear in y: what each point adds to it
    left, right = ([np.interp(end, x, unit) for unit in units] for end in (low, high))
    heights = np.vstack([left, units[inside], right])  # (knots, points)
    shares = np.trapezoid(heights, [low, *x[inside], high], axis=0) / (high - low)
    used = shares > 0  # a point far outside may be NaN
    return y[..., used] @ shares[used]


def labels_needed(x: np.ndarray, y: np.ndarray, level: float) -> float | None:
    """Where the piecewise linear curve first reaches `level`; its first x where it begins there or
    above, None where it never does.

    x: (points,), not falling: labels; y: (points,). Raises ValueError for NaN.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    _check_curve(x, y)
    if np.isnan(y).any():
        raise ValueError("the curve has points without a value")
    reached = np.flatnonzero(y >= level)
    if not len(reached):
        return None
    last = reached[0]
    if last == 0:
        return float(x[0])
    steps = slice(last - 1, last + 1)
    return float(np.interp(level, y[steps], x[steps]))


def _check_curve(x: np.ndarray, y: np.ndarray) -> None:
    """Raises ValueError for arrays that are no curve, and for x that falls or is NaN."""
    rises = x.ndim == 1 and len(x) and np.isfinite(x).all() and (np.diff(x) >= 0).all()
    if not rises or y.shape[-1:] != x.shape:
        raise ValueError(f"x {x} and y of shape {y.shape} are no curve")
