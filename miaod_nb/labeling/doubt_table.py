"""Doubts about labels as rows of a table, in words and numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from miaod_nb.boxes import Detections, Objects, pairwise_iou
from miaod_nb.labeling.doubts import SAME_PLACE, Doubt
from miaod_nb.labeling.exchange import Suggestion

OTHER_SIZE = 1.5  # how many times as large a box is called larger
SIDES = ("x1", "y1", "x2", "y2")
# label, predicted: class names, "" where there is none. detector: the cycle that trained it. seen:
# whether it was trained on this label. The boxes: in pixels of the upright image, as everywhere.
COLUMNS = (
    "score", "image", "doubt", "label", "predicted", "probability", "detector", "seen", "what",
    *(f"label_{side}" for side in SIDES), *(f"predicted_{side}" for side in SIDES),
)  # fmt: skip


def described(
    doubt: Doubt, labeled: Objects, found: Detections, classes: Sequence[str],
    shown: Sequence[Suggestion],
) -> dict[str, Any]:  # fmt: skip
    """The part of a row that tells of a doubt about an image. classes: names of all classes. shown:
    the boxes that were suggested to those who labeled."""
    row: dict[str, Any] = {"score": round(doubt.score, 4), "doubt": doubt.kind,
                           "label": "", "predicted": ""}  # fmt: skip
    if doubt.label is not None:
        row["label"] = classes[labeled.labels[doubt.label]]
        row |= _sides("label", labeled.boxes[doubt.label])
    if doubt.prediction is not None:
        row["predicted"] = classes[found.labels[doubt.prediction]]
        row["probability"] = round(float(found.scores[doubt.prediction]), 4)
        row |= _sides("predicted", found.boxes[doubt.prediction])
    row["what"] = _in_words(row)
    if doubt.label is None and doubt.prediction is not None:
        alike = [one.box for one in shown if one.name == row["predicted"]]
        overlaps = pairwise_iou(found.boxes[[doubt.prediction]], np.array(alike).reshape(-1, 4))
        row["what"] += ", which was suggested" * bool((overlaps >= SAME_PLACE).any())
    return row


def _sides(whose: str, box: np.ndarray) -> dict[str, float]:
    return {
        f"{whose}_{side}": round(value, 2) for side, value in zip(SIDES, box.tolist(), strict=True)
    }


def _in_words(row: Mapping[str, Any]) -> str:
    label = f"labeled {row['label']}" if row["label"] else "not labeled"
    found = f"{row['predicted']} ({row['probability']:.2f})" if row["predicted"] else "nothing"
    words = f"{label}, found: {found}"
    if row["doubt"] != "badly placed box":
        return words
    larger = _area(row, "label") / _area(row, "predicted")
    placed = "larger" if larger > OTHER_SIZE else "smaller" if larger < 1 / OTHER_SIZE else ""
    return f"{words}, the box is {placed}" if placed else f"{words} beside the box"


def _area(row: Mapping[str, Any], whose: str) -> float:
    x1, y1, x2, y2 = (row[f"{whose}_{side}"] for side in SIDES)
    return float((x2 - x1) * (y2 - y1))
