"""How fast core-set chooses images, against the loop that one would write."""

import importlib.util
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from miaod_nb.progress import progress, say
from miaod_nb.selection.k_center import k_center

IMAGES, FEATURES, CHOSEN = 100_000, 256, 1000
KINDS = 300  # of images, around which features lie


@dataclass(frozen=True)
class ChoosingResult:
    """Seconds of both for the same images, and the most memory (MiB) that each needs beside the
    features. equal: whether they chose the same images in the same order."""

    images: int
    features: int
    chosen: int
    seconds: float
    memory_mb: float
    peer: str
    peer_seconds: float
    peer_memory_mb: float
    equal: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.peer_seconds / self.seconds}

    def lines(self) -> list[str]:
        """What is printed."""
        size = f"{self.chosen} of {self.images} images with {self.features} features"
        return [
            f"Core-set chooses {size}:",
            f"  ours {self.seconds:.2f} s, {self.memory_mb:.0f} MiB beside the features",
            f"  {self.peer} {self.peer_seconds:.2f} s, {self.peer_memory_mb:.0f} MiB",
            f"  {self.peer_seconds / self.seconds:.1f} times faster; "
            + ("the same images in the same order" if self.equal else "OTHER IMAGES"),
        ]


def run_choosing() -> ChoosingResult:
    """Chooses twice from the same made-up features, as `k_center` and as `plain_loop` do it."""
    points, (peer, distances) = made_up(IMAGES, FEATURES), plain_distances()
    say(f"A loop of {peer} comes after ours: minutes.")

    def ours(count: int) -> list[int]:
        return k_center(points, points[:1], count)[0]

    def theirs(count: int) -> list[int]:
        return plain_loop(points, count, distances)

    found, seconds = _timed(ours, CHOSEN)
    expected, peer_seconds = _timed(theirs, CHOSEN)
    return ChoosingResult(
        IMAGES, FEATURES, CHOSEN, seconds, _peak_mb(ours, CHOSEN), peer, peer_seconds,
        _peak_mb(theirs, 3), found == expected,
    )  # fmt: skip


def made_up(images: int, features: int) -> np.ndarray:
    """Features like those behind a ReLU, of several kinds of images: float32 (images, features)."""
    rng = np.random.default_rng(0)
    kinds = rng.standard_normal((KINDS, features), np.float32)
    noise = rng.standard_normal((images, features), np.float32)
    return np.maximum(kinds[rng.integers(0, KINDS, images)] + noise, 0, out=noise)


def plain_loop(
    points: np.ndarray, count: int, distances: Callable[[np.ndarray, int], np.ndarray]
) -> list[int]:
    """k-center greedy from the first point on, as one would write it: all distances to each."""
    nearest, taken = distances(points, 0), list[int]()
    for _ in progress(range(count), "the plain loop"):
        taken.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distances(points, taken[-1]))
    return taken


def plain_distances() -> tuple[str, Callable[[np.ndarray, int], np.ndarray]]:
    """A library and its distances of points to one of them: of scikit-learn where it is installed,
    else of NumPy."""
    if importlib.util.find_spec("sklearn"):
        metrics = importlib.import_module("sklearn.metrics")
        return "scikit-learn", lambda x, c: metrics.pairwise_distances(x, x[c : c + 1])[:, 0]
    return "NumPy", lambda x, c: np.linalg.norm(x - x[c], axis=1)


def _timed(choose: Callable[[int], list[int]], count: int) -> tuple[list[int], float]:
    start = time.perf_counter()
    return choose(count), time.perf_counter() - start


def _peak_mb(choose: Callable[[int], list[int]], count: int) -> float:
    """The most memory that a call takes; NumPy tells Python of its arrays."""
    tracemalloc.start()
    choose(count)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20
