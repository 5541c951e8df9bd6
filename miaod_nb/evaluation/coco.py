"""COCO average precision over ten overlaps, by faster-coco-eval."""

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from miaod_nb.boxes import Detections, Objects
from miaod_nb.evaluation.sets import check_set, nothing_to_evaluate


class CocoResult(TypedDict):
    """COCO metrics: means over the classes with objects, and the same per class."""

    AP: float
    AP50: float
    AP75: float
    by_size: dict[str, float]  # AP of "small", "medium", "large" objects, as far as there are any
    per_class: dict[str, np.ndarray]  # keys as above, float64 (C,), NaN for a class without object


def coco_ap(
    detections: Sequence[Detections], truths: Sequence[Objects], classes: Sequence[str]
) -> CocoResult:
    """COCO AP@[.5:.95], AP50 and AP75 as pycocotools computes them, at most 100 detections an
    image and class; and AP by the objects' area, bounded by 32 x 32 and 96 x 96 pixels.

    Difficult objects are ordinary objects here, neither crowd nor ignored. Raises DataError when
    no image has an object but crowds, ValueError for sequences of different length or labels that
    no class belongs to.
    """
    check_set(detections, truths, len(classes))
    if all(truth.crowd.all() for truth in truths):
        raise nothing_to_evaluate()
    indices = [_coco_index(items, classes) for items in (truths, detections)]
    evaluator = COCOeval_faster(*indices, "bbox")
    evaluator.params.maxDets = [100]
    evaluator.evaluate()
    evaluator.accumulate()
    curves = evaluator.eval["precision"][..., 0]  # (IoU thresholds, recall points, C, areas)
    # thresholds 0.5, 0.55, ..., 0.95; a class without object is marked with -1
    per_threshold = np.where(curves < 0, np.nan, curves).mean(axis=1)  # (IoU thresholds, C, areas)
    all_sizes = per_threshold[..., 0]
    per_class = {"AP": all_sizes.mean(axis=0), "AP50": all_sizes[0], "AP75": all_sizes[5]}
    ap, ap50, ap75 = (float(np.nanmean(values)) for values in per_class.values())
    by_size = {
        name: float(np.nanmean(per_threshold[..., number]))
        for number, name in enumerate(evaluator.params.areaRngLbl)
        if number > 0 and not np.isnan(per_threshold[..., number]).all()
    }
    return CocoResult(AP=ap, AP50=ap50, AP75=ap75, by_size=by_size, per_class=per_class)


def _coco_index(items: Sequence[Detections | Objects], classes: Sequence[str]) -> COCO:
    """The boxes as a COCO data set; image and category ids are indices."""
    annotations: list[dict[str, Any]] = []
    for image_id, item in enumerate(items):
        for (x1, y1, x2, y2), label, extra in zip(
            item.boxes.tolist(), item.labels.tolist(), _extras(item), strict=True
        ):
            annotations.append({
                "id": len(annotations) + 1,  # 0 would be read as "not matched"
                "image_id": image_id, "category_id": label, "iscrowd": 0,
                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1),
            } | extra)  # fmt: skip
    index = COCO()
    index.dataset = {
        "images": [{"id": image_id} for image_id in range(len(items))],
        "categories": [{"id": label, "name": name} for label, name in enumerate(classes)],
        "annotations": annotations,
    }
    index.createIndex()
    return index


def _extras(item: Detections | Objects) -> list[dict[str, Any]]:
    """What the boxes have besides their place: scores, or areas and which are crowds."""
    if isinstance(item, Detections):
        return [{"score": score} for score in item.scores.tolist()]
    pairs = zip(item.crowd.tolist(), item.area.tolist(), strict=True)
    return [{"iscrowd": int(crowd), "area": area} for crowd, area in pairs]
