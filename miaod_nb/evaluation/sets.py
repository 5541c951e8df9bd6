"""What the metrics refuse: sets that do not fit together, or without anything to find."""

from collections.abc import Sequence

from miaod_nb.boxes import Detections, Objects
from miaod_nb.errors import DataError


def check_set(
    detections: Sequence[Detections], truths: Sequence[Objects], num_classes: int
) -> None:
    """Raises ValueError for sequences of different length or labels outside [0, num_classes)."""
    if len(detections) != len(truths):
        raise ValueError(f"detections of {len(detections)} images, objects of {len(truths)}")
    items: list[Detections | Objects] = [*detections, *truths]
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
