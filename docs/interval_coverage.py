"""How often 95 % intervals of a paired difference hold its true value, in simulated experiments.

`python docs/interval_coverage.py` prints the table of docs/statistics.md (ten seconds of a core).
"""

from collections.abc import Callable, Iterator

import numpy as np

from miaod_nb.evaluation.resampling import draw_resamples
from miaod_nb.evaluation.statistics import paired_interval

EXPERIMENTS = 2000
SEEDS, NOISE = (3, 5, 10), (0, 0.3, 1)
IMAGES, RESAMPLES = 200, 400

Ends = tuple[float, float]


def experiments(seeds: int, noise: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Differences (seeds,) whose true mean is 0, and the same on resamples of the images.

    Each seed adds a draw of standard deviation 1; the images, which all seeds share, add a mean of
    standard deviation `noise`.
    """
    rng = np.random.default_rng(0)
    draws = draw_resamples(IMAGES, RESAMPLES) / IMAGES
    for _ in range(EXPERIMENTS):
        of_seeds = rng.normal(size=seeds)
        of_images = rng.normal(scale=noise * np.sqrt(IMAGES), size=IMAGES)
        yield of_seeds + of_images.mean(), of_seeds[:, None] + draws @ of_images


def t_over_both(differences: np.ndarray, resampled: np.ndarray) -> Ends:
    """The interval of this project: seeds and test images."""
    interval = paired_interval(differences, resampled)
    return interval.low, interval.high


def t_over_seeds(differences: np.ndarray, resampled: np.ndarray) -> Ends:
    """Student's t over seeds, on these test images."""
    interval = paired_interval(differences, None)
    return interval.low, interval.high


def bootstrap_over_seeds(differences: np.ndarray, resampled: np.ndarray) -> Ends:
    """Percentiles of the mean of seeds drawn with replacement."""
    return percentiles(differences[drawn_seeds(len(differences))].mean(axis=0))


def bootstrap_over_both(differences: np.ndarray, resampled: np.ndarray) -> Ends:
    """Percentiles of the mean where seeds and images are drawn with replacement."""
    chosen = drawn_seeds(len(differences))
    return percentiles(np.take_along_axis(resampled, chosen, axis=0).mean(axis=0))


def drawn_seeds(seeds: int) -> np.ndarray:
    """Which seeds each resample has: (seeds, RESAMPLES)."""
    return np.random.default_rng(1).integers(seeds, size=(seeds, RESAMPLES))


def percentiles(means: np.ndarray) -> Ends:
    """The middle 95 % of the means."""
    low, high = np.quantile(means, [0.025, 0.975])
    return low, high


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], Ends]] = {
    "t, seeds and images": t_over_both,
    "t, seeds alone": t_over_seeds,
    "bootstrap, seeds and images": bootstrap_over_both,
    "bootstrap, seeds alone": bootstrap_over_seeds,
}


def coverage(seeds: int, noise: float) -> dict[str, float]:
    """The share of experiments whose interval holds 0, by method, and as "half width" half of the
    first method's interval, on average."""
    ends = np.array(
        [
            [method(*experiment) for method in METHODS.values()]
            for experiment in experiments(seeds, noise)
        ]
    )  # (experiments, methods, 2)
    holds = (ends[..., 0] <= 0) & (ends[..., 1] >= 0)
    shares = dict(zip(METHODS, holds.mean(axis=0).tolist(), strict=True))
    return shares | {"half width": float(np.ptp(ends[:, 0], axis=1).mean() / 2)}


def coverage_table() -> str:
    """The table of the page, in Markdown."""
    rows = ["| seeds | noise of the images | " + " | ".join(METHODS) + " | half width |",
            "|---:|---:|" + "---:|" * (len(METHODS) + 1)]  # fmt: skip
    for seeds in SEEDS:
        for noise in NOISE:
            cells = [f"{value:.2f}" for value in coverage(seeds, noise).values()]
            rows.append(f"| {seeds} | {noise:g} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(coverage_table())
