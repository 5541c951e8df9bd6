"""Boxes of one image: those that a detector found, and those of the objects that it shows.

All are xyxy, float32, in pixels of the upright file, 0-based, right and bottom open.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

LEAST_AREA = float(np.finfo(np.float32).eps)  # keeps boxes without area from dividing 0 by 0


@dataclass(frozen=True, eq=False)
class Detections:
    """N boxes that were found in an image, with their scores and classes."""

    boxes: np.ndarray  # float32 (N, 4)
    scores: np.ndarray  # float32 (N,) in (0, 1]
    labels: np.ndarray  # int64 (N,), indices into the class names

    def __post_init__(self) -> None:
        _check_shapes(boxes=self.boxes, scores=self.scores, labels=self.labels)

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> Self:
        """Those of this score and more."""
        kept = self.scores >= score
        return type(self)(self.boxes[kept], self.scores[kept], self.labels[kept])

    def names(self, classes: Sequence[str]) -> list[str]:
        """The class name of every box."""
        return [classes[label] for label in self.labels.tolist()]

    def texts(self, classes: Sequence[str]) -> list[str]:
        """The class name and score of every box, for people: "dog 0.93"."""
        pairs = zip(self.names(classes), self.scores.tolist(), strict=True)
        return [f"{name} {score:.2f}" for name, score in pairs]


@dataclass(frozen=True, eq=False)
class Objects:
    """The G labeled objects of an image.

    crowd: boxes around many objects of a class; none if left out. area: in square pixels; that of
    the boxes if left out.
    """

    boxes: np.ndarray  # float32 (G, 4)
    labels: np.ndarray  # int64 (G,), indices into the class names
    difficult: np.ndarray  # bool (G,)
    crowd: np.ndarray = None  # type: ignore[assignment]  # bool (G,)
    area: np.ndarray = None  # type: ignore[assignment]  # float64 (G,)

    def __post_init__(self) -> None:
        if self.crowd is None:
            object.__setattr__(self, "crowd", np.zeros(len(self.labels), dtype=bool))
        if self.area is None:
            sides = (self.boxes[:, 2:] - self.boxes[:, :2]).astype(np.float64)
            object.__setattr__(self, "area", sides.prod(axis=1))
        _check_shapes(
            boxes=self.boxes, labels=self.labels, difficult=self.difficult, crowd=self.crowd,
            area=self.area,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def ignored(self) -> np.ndarray:
        """bool (G,): objects that are not trained on, and that the VOC metrics neither ask for nor
        hold against a detection."""
        return self.difficult | self.crowd


def count_labels(labels: Iterable[np.ndarray], num_classes: int) -> np.ndarray:
    """How often each class stands in these arrays of labels: int (num_classes,)."""
    joined = np.concatenate([np.zeros(0, np.int64), *labels])
    return np.bincount(joined, minlength=num_classes)


def pairwise_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each of N boxes with each of G others: (N, G)."""
    top_left = np.maximum(boxes[:, None, :2], others[:, :2])  # (N, G, 2)
    bottom_right = np.minimum(boxes[:, None, 2:], others[:, 2:])
    intersection = np.maximum(bottom_right - top_left, 0).prod(axis=2)
    area, other_area = ((b[:, 2:] - b[:, :2]).prod(axis=1) for b in (boxes, others))
    return intersection / np.maximum(area[:, None] + other_area - intersection, LEAST_AREA)


def _check_shapes(boxes: np.ndarray, **others: np.ndarray) -> None:
    for name, values in others.items():
        if boxes.shape != (len(values), 4) or values.ndim != 1:
            raise ValueError(f"boxes {boxes.shape} and {name} {values.shape} do not fit together: "
                             "expected (N, 4) and (N,)")  # fmt: skip
