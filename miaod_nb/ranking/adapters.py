"""What other libraries find in images, as the table of boxes that `miaod_nb.rank` takes.

None of them is imported here: a result is known by its attributes. The table has a row a box:
image, x1, y1, x2, y2 in pixels of the upright image, score, class. Results of another shape raise
DataErrors that name the image.
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
        names = (getattr(one, "data", None) or {}).get("class_name", one.class_id)
        rows.append((image, one.xyxy, one.confidence, names, classes))
    return _table(rows)


def of_rows(rows: Mapping[Any, Any], classes: Classes = ()) -> pd.DataFrame:
    """The boxes of arrays (N, 6) by image, each row x1, y1, x2, y2, score, class, as ultralytics
    has them (`result.boxes.data` of `result.path`). classes: such as `result.names`."""
    arrays = [(image, _six_columns(image, _array(one))) for image, one in rows.items()]
    return _table((image, one[:, :4], one[:, 4], one[:, 5], classes) for image, one in arrays)


def _table(found: Iterable[tuple[Image, Any, Any, Any, Classes]]) -> pd.DataFrame:
    """A table of the images' boxes (N, 4), scores (N,) and classes (N,), numbers or names."""
    parts = [pd.DataFrame(columns=COLUMNS)]
    for image, boxes, scores, labels, classes in found:
        if not len(boxes):  # then libraries may say None for the others
            continue
        if scores is None or labels is None or not len(boxes) == len(scores) == len(labels):
            raise _wrong(image, "not every box has a score and a class")
        sides = dict(zip(COLUMNS[1:5], np.reshape(boxes, (-1, 4)).T, strict=True))
        names = [_name(image, label, classes) for label in np.asarray(labels).tolist()]
        parts.append(pd.DataFrame({"image": str(image), **sides, "score": scores, "class": names}))
    return pd.concat(parts[1:], ignore_index=True) if parts[1:] else parts[0]


def _pairs(images: Iterable[Image], results: Iterable[Any]) -> list[tuple[Image, Any]]:
    names, found = [*images], [*results]
    if len(names) != len(found):
        raise DataError(f"there are {len(names)} images and {len(found)} results",
                        where="the results", remedy="give one result an image")  # fmt: skip
    return [*zip(names, found, strict=True)]


def _six_columns(image: Image, rows: np.ndarray) -> np.ndarray:
    """Rows as they are, one alone too. Those of trackers have seven numbers, an id among them."""
    rows = rows if rows.size else np.zeros((0, 6))
    if rows.ndim not in (1, 2) or rows.shape[-1] != 6:
        raise _wrong(image, f"its array is {rows.shape}, not (N, 6)")
    return rows.reshape(-1, 6)


def _name(image: Image, label: Any, classes: Classes) -> str:
    if isinstance(label, str):
        return label
    try:
        return str(classes[int(label)] if len(classes) else int(label))
    except (LookupError, ValueError):
        raise _wrong(image, f"no class is named {label:g}") from None


def _array(values: Any) -> np.ndarray:
    """A tensor of any device, or what can be made an array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _wrong(image: Image, why: str) -> DataError:
    return DataError(
        f"the boxes of {image} cannot be used: {why}", where="the results",
        remedy="give every box x1, y1, x2, y2, a score and a class, and all classes names or none",
    )  # fmt: skip
