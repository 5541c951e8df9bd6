"""Learning curves continued: what mAP more labels would probably bring.

Few points fit many curves. So all curves of two forms are weighed by how well they fit, and a
forecast is what they say together:

    mAP(n) = a - (a - s) (n / n1)^-c           a power law, a - b n^-c
    mAP(n) = a - (a - s) exp(-c (n / n1 - 1))  exponential

n1: the smallest number of labeled images, s in [0, a]: the height there, a in (0, 1]: the ceiling,
c: how fast the curve nears it. A measured mAP lies around its curve by chance (normal, NOISE).
Before the points are seen, both forms, all a, all s, and all c by their logarithm are as likely.
`docs/stop-or-go.md` tells how that was chosen, and how often the intervals hold.

Forms: Viering and Loog, The Shape of Learning Curves: a Review, TPAMI 2023.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from miaod_nb.errors import DataError

LEAST = 3  # different numbers of labeled images
DRAWS = 4000  # curves that stand for all
RATES = np.geomspace(0.05, 2, 12)  # c
CEILINGS = np.linspace(0.02, 1, 50)  # a
NOISES = np.geomspace(0.005, 0.2, 9)  # standard deviations of a measured mAP
NOISE, SPREAD = 0.015, 0.5  # their median before the points are seen, and how sure that is (log)


@dataclass(frozen=True)
class Forecast:
    """A number that is not measured yet, and the 95 % interval that probably holds it."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, center: np.ndarray, values: np.ndarray) -> "Forecast":
        """The mean of `center`, and where 95 % of the values lie. Both (DRAWS,)."""
        low, high = np.percentile(values, (2.5, 97.5))
        return cls(float(center.mean()), float(low), float(high))


@dataclass(frozen=True)
class Curves:
    """DRAWS curves that fit measured points, each as often as it is likely.

    first, last: the smallest and the largest number of labeled images of the points. The arrays are
    (DRAWS,): whether the curve is a power law (else exponential), its c, a and a - s, the standard
    deviation of measured mAPs around it, and by how many of these one more will lie off it.
    """

    first: float
    last: float
    is_power: np.ndarray
    rate: np.ndarray
    ceiling: np.ndarray
    rise: np.ndarray
    noise: np.ndarray
    chance: np.ndarray

    def heights(self, images: float) -> np.ndarray:
        """How high each curve is at a number of labeled images, `first` or more: (DRAWS,)."""
        ratio = images / self.first
        power, exponential = ratio**-self.rate, np.exp(-self.rate * (ratio - 1))
        return self.ceiling - self.rise * np.where(self.is_power, power, exponential)

    def measured_at(self, images: float) -> Forecast:
        """The mAP that one run will be measured to have, which chance is part of."""
        heights = self.heights(images)
        return Forecast.of(heights, np.clip(heights + self.noise * self.chance, 0, 1))

    def gain(self, images: float) -> Forecast:
        """How much higher the curve is after `images` more than at `last`; never negative. Two
        measured mAPs differ by chance as well."""
        gains = self.heights(self.last + images) - self.heights(self.last)
        return Forecast.of(gains, gains)


def fit_curves(images: Sequence[float], scores: Sequence[float]) -> Curves:
    """The curves that fit the points of one run, or of runs that differ in their seeds alone.

    images: labeled images, > 0; scores: the mAP measured with them, in [0, 1]. Equal points count
    once, and their order does not matter. The same points always have the same curves. Raises
    DataError for fewer than LEAST different numbers of images, and for other numbers.
    """
    points = np.unique(np.column_stack([images, scores]).astype(float), axis=0)
    n, mean_ap = points.T
    wrong = ~((n > 0) & np.isfinite(n) & (mean_ap >= 0) & (mean_ap <= 1))
    if wrong.any():
        raise DataError(
            "a learning curve has mAP from 0 to 1 over labeled images from 1 on, and here is "
            f"{mean_ap[wrong][0]:g} at {n[wrong][0]:g}",
            where="labeled images",
            remedy="restore the table of metrics: the run's next evaluated cycle writes it again",
        )
    counts = len(np.unique(n))
    if counts < LEAST:
        raise DataError(
            f"a learning curve can be continued from {LEAST} numbers of labeled images on, and "
            f"mAP was measured at {counts}",
            where="labeled images",
            remedy="train and evaluate more cycles first",
        )
    is_power = np.repeat([True, False], len(RATES))
    rate = np.tile(RATES, 2)
    ratio = n / n[0]
    left = np.where(
        is_power[:, None], ratio ** -rate[:, None], np.exp(-rate[:, None] * (ratio - 1))
    )  # (shapes, points): which part of a - s is still to come
    best, error, weights = _weigh(mean_ap, left)
    total = np.cumsum(weights)
    chosen = np.searchsorted(total, (np.arange(DRAWS) + 0.5) / DRAWS * total[-1])
    shape, ceiling, noise = np.unravel_index(chosen, (len(left), len(CEILINGS), len(NOISES)))
    rng = np.random.default_rng(0)
    rise = _between(best[shape, ceiling], error[shape, noise], CEILINGS[ceiling], rng)
    return Curves(
        n[0], n[-1], is_power[shape], rate[shape], CEILINGS[ceiling], rise, NOISES[noise],
        rng.standard_normal(DRAWS),
    )  # fmt: skip


def _weigh(mean_ap: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every shape (S), ceiling (C) and noise (N): the rise that fits best (S, C), its standard
    error (S, N), and how likely the three are, over all rises up to the ceiling: (S * C * N,)."""
    squares = (left**2).sum(1)  # (S,)
    below = CEILINGS[:, None] - mean_ap  # (C, points)
    best = left @ below.T / squares[:, None]
    residuals = ((below - best[..., None] * left[:, None]) ** 2).sum(-1)
    error = NOISES / np.sqrt(squares)[:, None]
    from_zero = log_ndtr(best[..., None] / error[:, None])  # of the rise: over 0
    over = log_ndtr((best - CEILINGS)[..., None] / error[:, None])  # over the ceiling: s under 0
    possible = from_zero + np.log1p(-np.exp(np.minimum(over - from_zero, -1e-12)))
    logs = (
        possible
        - residuals[..., None] / (2 * NOISES**2)
        - (len(mean_ap) - 1) * np.log(NOISES)
        - np.log(squares)[:, None, None] / 2
        - np.log(CEILINGS)[:, None]
        - (np.log(NOISES / NOISE) / SPREAD) ** 2 / 2
    )
    return best, error, np.exp(logs - logs.max()).ravel()


def _between(
    best: np.ndarray, error: np.ndarray, ceiling: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Normal numbers of this center and deviation that lie between 0 and the ceiling."""
    low, high = ndtr(-best / error), ndtr((ceiling - best) / error)
    drawn = best + error * ndtri(low + (high - low) * rng.random(len(best)))
    return np.clip(drawn, 0, ceiling)
