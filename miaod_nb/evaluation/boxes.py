"""What the metrics compare: boxes found in an image, and the objects that it shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from miaod_nb.errors import DataError


@dataclass(frozen=True)
class Detections:
    """What was found in one image: N boxes, xyxy, in pixels of the original image, 0-based."""

    boxes: np.ndarray  # float32 (N, 4)
    scores: np.ndarray  # float32 (N,)
    labels: np.ndarray  # int64 (N,)

    def __post_init__(self) -> None:
        _check_shapes(boxes=self.boxes, scores=self.scores, labels=self.labels)


@dataclass(frozen=True)
class GroundTruth:
    """The G objects of one image; boxes in the same frame as those of `Detections`.

    crowd: boxes around many objects of a class; none if left out. area: in square pixels; that of
    the boxes if left out.
    """

    boxes: np.ndarray  # float32 (G, 4)
    labels: np.ndarray  # int64 (G,)
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

    @property
    def ignored(self) -> np.ndarray:
        """bool (G,): objects that the VOC metrics neither ask for nor hold against a detection."""
        return self.difficult | self.crowd


def check_set(
    detections: Sequence[Detections], truths: Sequence[GroundTruth], num_classes: int
) -> None:
    """Raises ValueError for sequences of different length or labels outside [0, num_classes)."""
    if len(detections) != len(truths):
        raise ValueError(f"detections of {len(detections)} images, objects of {len(truths)}")
    items: list[Detections | GroundTruth] = [*detections, *truths]
    for item in items:
        if len(item.labels) and not 0 <= item.labels.min() <= item.labels.max() < num_classes:
            raise ValueError(f"labels {item.labels} lie outside the {num_classes} classes")


def nothing_to_evaluate() -> DataError:
    """The error for a set of images without a single object that counts."""
    return DataError(
        "no object to evaluate against",
        where="objects of the evaluated images",
        remedy="evaluate on labeled images that show objects of the chosen classes, not all of "
        "them marked difficult or crowd",
    )


def _check_shapes(boxes: np.ndarray, **others: np.ndarray) -> None:
    for name, values in others.items():
        if boxes.shape != (len(values), 4) or values.ndim != 1:
            raise ValueError(f"boxes {boxes.shape} and {name} {values.shape} do not fit together: "
                             "expected (N, 4) and (N,)")  # fmt: skip
