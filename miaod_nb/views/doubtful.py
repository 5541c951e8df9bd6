"""Labels of a run that may be wrong, as the review board shows them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from miaod_nb.data.records import ImageRecord
from miaod_nb.errors import MiaodError
from miaod_nb.experiment.run import Run
from miaod_nb.labeling.checking import check_labels
from miaod_nb.labeling.doubt_table import SIDES
from miaod_nb.progress import progress
from miaod_nb.views.contract import Box, Doubtful
from miaod_nb.views.payload import part_of_photo

MOST = 24  # labels that are shown
SIDE = 400  # pixels of the longer side of a picture
AROUND = 0.75  # of the longer side of the boxes: what is shown around them
LEAST_AROUND = 24  # pixels


def doubtful(run: Run) -> tuple[str, list[Doubtful]]:
    """How many labels may be wrong, in words, and the most doubtful of them; "" and none where it
    is not known yet. No detector is asked: it is known of images whose boxes are kept."""
    try:
        check = check_labels(run, only_kept=True)
    except MiaodError as error:
        return f"not known: {error.what}", []
    if not check.images:
        return "", []
    text = f"{len(check.table)} in {check.images} images" + f": {check.kinds}" * bool(check.kinds)
    if check.unchecked:
        text += f"; in {len(check.unchecked)} more: miaod review {run.folder.root} --labels"
    rows = check.table.head(MOST).to_dict("records")
    return text, [_shown(run, row) for row in progress(rows, "labels to look at again")]


def _shown(run: Run, row: Mapping[str, Any]) -> Doubtful:
    boxes = [_box(row, whose) for whose in ("label", "predicted")]
    record = run.image(row["image"])
    shown: Doubtful = {"id": row["image"], "score": row["score"], "what": row["what"],
                       "size": [1, 1], "label": None, "predicted": None, "source": ""}  # fmt: skip
    if record is None:
        return shown
    left, top, right, bottom = part = _part_around([b for b in boxes if b], record)
    try:
        shown["source"] = part_of_photo(record, part, SIDE)
    except MiaodError:  # its file is gone: the words remain
        return shown
    shown["size"] = [bottom - top, right - left]
    shown["label"], shown["predicted"] = (
        box and [box[0] - left, box[1] - top, box[2] - left, box[3] - top] for box in boxes
    )
    return shown


def _box(row: Mapping[str, Any], whose: str) -> Box | None:
    box = [row[f"{whose}_{side}"] for side in SIDES]
    return None if np.isnan(box).any() else box


def _part_around(boxes: list[Box], record: ImageRecord) -> tuple[int, int, int, int]:
    """The part of an image that shows these boxes and what is around them, in whole pixels."""
    sides = np.array(boxes)
    low, high = sides[:, :2].min(axis=0), sides[:, 2:].max(axis=0)
    around = max(AROUND * float((high - low).max()), LEAST_AROUND)
    left, top = np.floor(np.maximum(low - around, 0)).astype(int).tolist()
    right, bottom = (
        np.ceil(np.minimum(high + around, [record.width, record.height])).astype(int).tolist()
    )
    return left, top, right, bottom
