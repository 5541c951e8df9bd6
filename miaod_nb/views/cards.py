"""What the review board says of each image of a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from miaod_nb.errors import MiaodError
from miaod_nb.experiment.run import Run
from miaod_nb.inspection.anchor_values import anchor_values, find_image
from miaod_nb.inspection.reasons import Place, is_told_by_anchors, places, where_in_words
from miaod_nb.inspection.table import SHOWN_SCORE
from miaod_nb.inspection.values import AnchorValues
from miaod_nb.progress import progress
from miaod_nb.selection.uncertainty import num_averaged
from miaod_nb.views.contract import Alike, Card, Disputed, Found, Seen


def cards_of(
    run: Run, cycle: int, rows: Sequence[Mapping[str, Any]],
    pairs: Sequence[tuple[str, str, float]],
) -> list[Card]:  # fmt: skip
    """A card for every row of a selection: what the board shows of it, JSON-ready.

    pairs: images that look alike (id, id, similarity). An image that cannot be looked at any more
    has the reason in `fault`.
    """
    ranks = {row["id"]: row["rank"] for row in rows}
    near: dict[str, list[Alike]] = {image_id: [] for image_id in ranks}
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


def shown_places(values: AnchorValues, classes: Sequence[str], k: int) -> list[Disputed]:
    """The places that the reason in words names, in its order: the box of the strongest anchor,
    the share of the score, and what the two classifiers say of the class that they dispute."""
    return [
        {
            "box": [round(side, 1) for side in values.boxes[place.anchor].tolist()],
            "share": place.share,
            "first": _said(values.probs_1, place, classes),
            "second": _said(values.probs_2, place, classes),
        }
        for place in places(values, k)
    ]


def _said(probs: np.ndarray, place: Place, classes: Sequence[str]) -> str:
    """What a classifier says of a place: the class and its probability."""
    return f"{classes[place.disputed]} {float(probs[place.anchor, place.disputed]):.2g}"


def _seen(run: Run, cycle: int, row: Mapping[str, Any]) -> Seen:
    """What the detector sees in the image of a row: size, detections, places, reason."""
    try:
        values = anchor_values(run, cycle, row["id"])
    except MiaodError as error:
        return {"fault": str(error), "size": [1, 1], "detections": [], "places": [],
                "reason": row["reason"], "where": ""}  # fmt: skip
    path, classes = find_image(run, row["id"]).image_path, run.record.classes
    k = num_averaged(run.config.top_k, len(values.discrepancy))
    by_disagreement = is_told_by_anchors(run.card, run.config)
    return {
        "fault": "" if path.is_file() else f"The image file is gone: restore {path}",
        "size": list(values.size),
        "detections": _detections(values, classes),
        "places": shown_places(values, classes, k) if by_disagreement else [],
        "reason": row["reason"],
        "where": where_in_words(values, classes, k) if by_disagreement else "",
    }


def _detections(values: AnchorValues, classes: Sequence[str]) -> list[Found]:
    found = values.detections.above(SHOWN_SCORE)
    rows = zip(found.boxes.tolist(), found.scores.tolist(), found.names(classes), strict=True)
    return [
        {"box": [round(side, 1) for side in box], "score": score, "label": name}
        for box, score, name in rows
    ]
