"""What it costs to label an image, as it is expected before anyone has: in boxes or in minutes."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Self, cast

import numpy as np

from miaod_nb.config.budget import Unit
from miaod_nb.runs.schema import Cost
from miaod_nb.wording import number_text

ENOUGH = 20  # images whose times of work are believed more than the settings
MOST_TIMES = 500  # newest times of work that are looked at
LEAST_SECONDS = 1.0  # a look at an image is never free
ROUNDING = 1e-9  # that a sum of costs may be beyond a budget


@dataclass(frozen=True)
class BoxEstimate:
    """How many boxes an image has whose detections' scores sum up to `seen`: base + factor * seen.

    error: mean absolute error on labeled images, each estimated from the others; None for one
    image. images: how many these are; of_which: words for them.
    """

    factor: float
    base: float = 0.0
    error: float | None = None
    images: int = 0
    of_which: str = ""

    def boxes(self, seen: np.ndarray) -> np.ndarray:
        """The expected boxes of images: float64 (N,)."""
        return self.base + self.factor * seen.astype(np.float64)


def fit_boxes(seen: np.ndarray, true: np.ndarray, of_which: str = "") -> BoxEstimate:
    """The estimate from labeled images: the sums (N,) of their detections' scores, and how many
    boxes (N,) they have. Where the detector finds nothing, all are expected to have the mean."""
    seen, true = seen.astype(np.float64), true.astype(np.float64)
    factor, base = _line(seen.sum(), true.sum(), len(true))
    error = None
    if len(true) > 1:
        others = [_line(seen.sum() - s, true.sum() - t, len(true) - 1)
                  for s, t in zip(seen, true, strict=True)]  # fmt: skip
        factors, bases = np.array(others).T
        error = float(np.abs(bases + factors * seen - true).mean())
    return BoxEstimate(factor, base, error, len(true), of_which)


def _line(seen: float, true: float, images: int) -> tuple[float, float]:
    """Factor and base of the estimate. seen, true: sums over the images."""
    return (float(true / seen), 0.0) if seen > ROUNDING else (0.0, float(true / images))


@dataclass(frozen=True)
class Seconds:
    """How long people work: at an image, and at each of its boxes. answers: how many images that
    people labeled tell so; 0: the settings do."""

    image: float
    box: float
    answers: int = 0


def fit_seconds(times: Sequence[tuple[int, float]], settings: Seconds) -> Seconds:
    """How long people work, from boxes and seconds of images that they labeled; the settings where
    these are fewer than ENOUGH or all have the same number of boxes.

    Theil-Sen: the median slope of all pairs of images, and the median rest, so that a few images
    that were left open change little.
    """
    boxes, seconds = np.array(times[-MOST_TIMES:], np.float64).reshape(-1, 2).T
    first, second = np.triu_indices(len(boxes), 1)
    differ = boxes[first] != boxes[second]
    if len(boxes) < ENOUGH or not differ.any():
        return settings
    slopes = (seconds[second] - seconds[first])[differ] / (boxes[second] - boxes[first])[differ]
    box = max(float(np.median(slopes)), 0.0)
    image = max(float(np.median(seconds - box * boxes)), LEAST_SECONDS)
    return Seconds(image, box, len(boxes))


@dataclass(frozen=True)
class Prices:
    """What the labels of a cycle's images are expected to cost. amount, unit: of the budget."""

    amount: float
    unit: Unit
    estimate: BoxEstimate
    seconds: Seconds

    def costs(self, seen: np.ndarray) -> np.ndarray:
        """Of images with these sums of scores, (N,) in the unit of the budget: a box at least, for
        an image has to be looked at; or the minutes that the look and the boxes take."""
        boxes = self.estimate.boxes(seen)
        if self.unit == "boxes":
            return np.maximum(boxes, 1.0)
        return (self.seconds.image + self.seconds.box * boxes) / 60

    def as_cost(self, costs: Iterable[float]) -> Cost:
        """As selection.json has them. costs: of the images of the batch."""
        fields = {"estimate": asdict(self.estimate), "seconds": asdict(self.seconds)}
        whole = {"amount": self.amount, "unit": self.unit, **fields, "expected": sum(costs)}
        return cast(Cost, whole)

    @classmethod
    def of(cls, cost: Cost) -> Self:
        """What `as_cost` wrote."""
        estimate, seconds = BoxEstimate(**cost["estimate"]), Seconds(**cost["seconds"])
        return cls(cost["amount"], cost["unit"], estimate, seconds)

    def lines(self) -> list[str]:
        """Where the costs come from, for people."""
        one = self.estimate
        error = "" if one.error is None else f", wrong by {number_text(one.error)} boxes an image"
        how = f"{number_text(one.factor)} x the sum of an image's scores"
        if one.base:
            how = f"{number_text(one.base)} an image, for the detector finds nothing"
        found = [f"expected boxes: {how} (from {one.images} {one.of_which}{error})"]
        if self.unit == "minutes":
            work, told = self.seconds, "the settings image_seconds and box_seconds"
            whose = f"the times of {work.answers} labeled images" if work.answers else told
            found.append(f"work: {number_text(work.image)} seconds an image and "
                         f"{number_text(work.box)} a box (from {whose})")  # fmt: skip
        return found


def most_that_fit(costs: np.ndarray, amount: float) -> int:
    """How many images a budget is enough for at most: the cheapest ones, and never none."""
    return max(int((np.sort(costs).cumsum() <= amount + ROUNDING).sum()), min(len(costs), 1))
