"""COCO average precision over ten overlaps, by pycocotools."""

import contextlib
import io
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from miaod_nb.evaluation.boxes import Detections, GroundTruth, check_set, nothing_to_evaluate


class CocoResult(TypedDict):
    """COCO metrics: means over the classes with objects, and the same per class."""

    AP: float
    AP50: float
    AP75: float
    per_class: dict[str, np.ndarray]  # keys as above, float64 (C,), NaN for a class without object


def coco_ap(
    detections: Sequence[Detections], truths: Sequence[GroundTruth], classes: Sequence[str]
) -> CocoResult:
    """COCO AP@[.5:.95], AP50 and AP75 by pycocotools, at most 100 detections an image and class.

    Difficult objects are ordinary objects here, neither crowd nor ignored. Raises DataError when
    no image has an object, ValueError for sequences of different length or labels that no class
    belongs to.
    """
    check_set(detections, truths, len(classes))
    if not any(len(truth.labels) for truth in truths):
        raise nothing_to_evaluate()
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        evaluator = COCOeval(_coco_index(truths, classes), _coco_index(detections, classes), "bbox")
        parameters = evaluator.params
        # objects of all sizes together: leaving the other size ranges out saves most of the time
        parameters.areaRng, parameters.areaRngLbl = parameters.areaRng[:1], ["all"]
        parameters.maxDets = [100]
        evaluator.evaluate()
        evaluator.accumulate()
    curves = evaluator.eval["precision"][..., 0, 0]  # (IoU thresholds, recall points, C)
    # thresholds 0.5, 0.55, ..., 0.95; pycocotools marks a class without object with -1
    per_threshold = np.where(curves < 0, np.nan, curves).mean(axis=1)  # (IoU thresholds, C)
    per_class = {
        "AP": per_threshold.mean(axis=0),
        "AP50": per_threshold[0],
        "AP75": per_threshold[5],
    }
    ap, ap50, ap75 = (float(np.nanmean(values)) for values in per_class.values())
    return CocoResult(AP=ap, AP50=ap50, AP75=ap75, per_class=per_class)


def _coco_index(items: Sequence[Detections | GroundTruth], classes: Sequence[str]) -> COCO:
    """The boxes as pycocotools holds a data set; image and category ids are indices."""
    annotations: list[dict] = []
    for image_id, item in enumerate(items):
        scores = item.scores if isinstance(item, Detections) else np.ones(len(item.labels))
        columns = (item.boxes.tolist(), item.labels.tolist(), scores.tolist())
        for (x1, y1, x2, y2), label, score in zip(*columns, strict=True):
            annotations.append({
                "id": len(annotations) + 1,  # pycocotools reads 0 as "not matched"
                "image_id": image_id, "category_id": label, "score": score, "iscrowd": 0,
                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1),
            })  # fmt: skip
    index = COCO()
    index.dataset = {
        "images": [{"id": image_id} for image_id in range(len(items))],
        "categories": [{"id": label, "name": name} for label, name in enumerate(classes)],
        "annotations": annotations,
    }
    index.createIndex()
    return index
