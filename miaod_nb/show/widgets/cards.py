"""What the review board says of each image of a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torchvision.ops import nms

from miaod_nb.errors import MiaodError
from miaod_nb.experiment.cycle import Experiment
from miaod_nb.inspection.anchor_values import anchor_values
from miaod_nb.inspection.reasons import is_told_by_anchors, reason_in_words
from miaod_nb.inspection.table import SHOWN_SCORE
from miaod_nb.inspection.values import AnchorValues
from miaod_nb.progress import progress
from miaod_nb.selection.uncertainty import num_averaged

DRIVERS = 5  # anchors of an image that are drawn as those that drove its score
APART = 0.5  # IoU under which two of them show different places


def cards_of(
    run: Experiment, cycle: int, rows: Sequence[Mapping[str, Any]],
    pairs: Sequence[tuple[str, str, float]],
) -> list[dict[str, Any]]:  # fmt: skip
    """A card for every row of a selection: what the board shows of it, JSON-ready.

    pairs: images that look alike (id, id, similarity). An image that cannot be looked at any more
    has the reason in `fault`.
    """
    ranks = {row["id"]: row["rank"] for row in rows}
    near: dict[str, list[dict[str, Any]]] = {image_id: [] for image_id in ranks}
    for first, second, similarity in pairs:
        for one, other in ((first, second), (second, first)):
            near[one].append({"id": other, "rank": ranks[other], "similarity": similarity})
    return [
        {
            "rank": row["rank"], "id": row["id"], "score": row["score"],
            "alike": near[row["id"]], **_seen(run, cycle, row),
        }
        for row in progress(rows, "board")
    ]  # fmt: skip


def drivers(values: AnchorValues, classes: Sequence[str], k: int) -> list[dict[str, Any]]:
    """The most uncertain of the k anchors that make the score, each at another place."""
    boxes = torch.from_numpy(values.boxes[:k])
    real = (boxes[:, 2:] > boxes[:, :2]).all(dim=1).nonzero()[:, 0]  # others stand on padding
    uncertainty = torch.from_numpy(values.discrepancy[values.top[:k]])
    kept = real[nms(boxes[real], uncertainty[real], APART)][:DRIVERS].tolist()
    return [
        {
            "box": [round(side, 1) for side in boxes[place].tolist()],
            "value": float(values.discrepancy[values.top[place]]),
            "first": _likeliest(values.probs_1[place], classes),
            "second": _likeliest(values.probs_2[place], classes),
        }
        for place in kept
    ]


def _seen(run: Experiment, cycle: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """What the detector sees in the image of a row: size, detections, anchors, reason."""
    blank = {"size": [1, 1], "detections": [], "anchors": [], "reason": row["reason"]}
    try:
        values = anchor_values(run, cycle, row["id"])
    except MiaodError as error:
        return blank | {"fault": str(error)}
    path = run.study.records[row["id"]].image_path
    classes = run.study.classes
    k = num_averaged(run.config.top_k, len(values.discrepancy))
    by_disagreement = is_told_by_anchors(run.config)
    return {
        "fault": "" if path.is_file() else f"The image file is gone: restore {path}",
        "size": list(values.size),
        "detections": _detections(values, classes),
        "anchors": drivers(values, classes, k) if by_disagreement else [],
        "reason": reason_in_words(values, classes, k) if by_disagreement else row["reason"],
    }


def _detections(values: AnchorValues, classes: Sequence[str]) -> list[dict[str, Any]]:
    found = values.detections
    rows = zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
    return [
        {"box": [round(side, 1) for side in box], "score": score, "label": classes[label]}
        for box, score, label in rows
        if score >= SHOWN_SCORE
    ]


def _likeliest(probs: np.ndarray, classes: Sequence[str]) -> str:
    best = int(probs.argmax())
    return f"{classes[best]} {float(probs[best]):.2f}"
