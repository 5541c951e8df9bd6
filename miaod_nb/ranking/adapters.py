"""What other libraries find in images, as the table of boxes that `miaod_nb.rank` takes.

None of them is imported here: a result is known by its attributes. The table has a row a box:
image, x1, y1, x2, y2 in pixels of the upright image, score, class.
"""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

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
        for image, one in zip(images, results, strict=True)
    )


def of_supervision(
    images: Iterable[Image], detections: Iterable[Any], classes: Classes = ()
) -> pd.DataFrame:
    """The boxes of supervision's `Detections`, one an image, with `xyxy`, `confidence` and
    `class_id`. Their own class names (`data["class_name"]`) hold before `classes`."""
    rows = []
    for image, one in zip(images, detections, strict=True):
        names = (getattr(one, "data", None) or {}).get("class_name", one.class_id)
        rows.append((image, one.xyxy, one.confidence, names, classes))
    return _table(rows)


def of_rows(rows: Mapping[Any, Any], classes: Classes = ()) -> pd.DataFrame:
    """The boxes of arrays (N, 6) by image, each row x1, y1, x2, y2, score, class, as ultralytics
    has them (`result.boxes.data` of `result.path`). classes: such as `result.names`."""
    arrays = [(image, _array(one).reshape(-1, 6)) for image, one in rows.items()]
    return _table((image, one[:, :4], one[:, 4], one[:, 5], classes) for image, one in arrays)


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
    if isinstance(label, str):
        return label
    return str(classes[int(label)]) if len(classes) else str(int(label))


def _array(values: Any) -> np.ndarray:
    """A tensor of any device, or what can be made an array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
