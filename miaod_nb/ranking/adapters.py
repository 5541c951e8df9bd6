"""What other libraries find in images, as the table of boxes that `miaod_nb.rank` takes.

None of them is imported here: a result is known by its attributes (tried with torchvision 0.29 and
supervision 0.31). Each raises DataError for what is no such result. The table has a row a box:
image, x1, y1, x2, y2 in pixels of the upright image, score, class.
"""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from miaod_nb.errors import DataError

COLUMNS = ("image", "x1", "y1", "x2", "y2", "score", "class")
Image = str | int | PathLike[str]
Classes = Sequence[str] | Mapping[int, str]  # names by the numbers that the library gives classes


def of_torchvision(
    images: Iterable[Image], results: Iterable[Mapping[str, Any]], classes: Classes = ()
) -> pd.DataFrame:
    """The boxes of torchvision's detectors, one dict an image with `boxes`, `scores` and `labels`.

    classes: `weights.meta["categories"]`, whose first is the background; left out, classes are
    called by their numbers.
    """
    return _table(
        (image, _array(one["boxes"]), _array(one["scores"]), _array(one["labels"]), classes)
        for image, one in _pairs(images, results)
    )


def of_supervision(
    images: Iterable[Image], detections: Iterable[Any], classes: Classes = ()
) -> pd.DataFrame:
    """The boxes of supervision's `Detections`, one an image, with `xyxy`, `confidence` and
    `class_id`. Their own class names (`data["class_name"]`) hold before `classes`."""
    rows = []
    for image, one in _pairs(images, detections):
        if one.confidence is None or one.class_id is None:  # such as labels
            raise DataError(f"the boxes of {image} have no confidence, or no class_id",
                            remedy="give what a detector found")  # fmt: skip
        names = (getattr(one, "data", None) or {}).get("class_name", one.class_id)
        rows.append((image, one.xyxy, one.confidence, names, classes))
    return _table(rows)


def of_rows(rows: Mapping[Any, Any], classes: Classes = ()) -> pd.DataFrame:
    """The boxes of arrays (N, 6) by image, each row x1, y1, x2, y2, score, class, as ultralytics
    has them (`result.boxes.data` of `result.path`). classes: such as `result.names`."""
    arrays = [(image, _array(one)) for image, one in rows.items()]
    for image, one in arrays:
        if one.size and one.shape[1:] != (6,):
            raise DataError(
                f"the array of {image} has the shape {one.shape}, expected (N, 6)",
                remedy="give rows of x1, y1, x2, y2, score, class, without numbers of tracks",
            )
    tables = [(image, one.reshape(-1, 6)) for image, one in arrays]
    return _table((image, one[:, :4], one[:, 4], one[:, 5], classes) for image, one in tables)


def _pairs(images: Iterable[Image], results: Iterable[Any]) -> list[tuple[Image, Any]]:
    """Each image with its result. Raises DataError where these are not as many."""
    names, found = list(images), list(results)
    if len(names) != len(found):
        raise DataError(f"there are {len(names)} images and {len(found)} results",
                        remedy="give one result an image, in the same order")  # fmt: skip
    return list(zip(names, found, strict=True))


def _table(found: Iterable[tuple[Image, Any, Any, Any, Classes]]) -> pd.DataFrame:
    """A table of the images' boxes (N, 4), scores (N,) and classes (N,), numbers or names."""
    parts = [pd.DataFrame(columns=COLUMNS)]
    for image, boxes, scores, labels, classes in found:
        sides = dict(zip(COLUMNS[1:5], np.reshape(boxes, (-1, 4)).T, strict=True))
        names = [_name(label, classes) for label in np.asarray(labels).tolist()]
        parts.append(pd.DataFrame({"image": str(image), **sides, "score": scores, "class": names}))
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _name(label: Any, classes: Classes) -> str:
    """The name of a class, "" for none. Raises DataError for a number that has no name."""
    if isinstance(label, str) or not np.isfinite(label):
        return label if isinstance(label, str) else ""
    try:
        return str(classes[int(label)]) if len(classes) else str(int(label))
    except LookupError:
        raise DataError(f"class {int(label)} has no name", where="classes",
                        remedy="name all classes, or none") from None  # fmt: skip


def _array(values: Any) -> np.ndarray:
    """A tensor of any device, or what can be made an array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
