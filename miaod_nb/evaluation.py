"""VOC07, VOC12 and COCO metrics from plain boxes: numpy arrays in, numbers in [0, 1] out.

A class that no object belongs to has no average precision: its entry is NaN in arrays and in
`per_class` (an empty cell in CSV) and it is left out of every mean. Means are never NaN: a set
with nothing to evaluate against raises DataError instead. A class with objects of which none is
found has the value 0.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
import pandas as pd
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from miaod_nb.errors import DataError

VOC07_AP = "VOC07 AP@0.5 (11 points)"
VOC12_AP = "VOC12 AP@0.5 (area)"
COCO_AP = "COCO AP@[.5:.95]"
COCO_AP50 = "COCO AP50"
COCO_AP75 = "COCO AP75"

_EPS = float(np.finfo(np.float32).eps)  # keeps empty denominators from dividing 0 by 0


@dataclass(frozen=True)
class Detections:
    """What was found in one image: N boxes, xyxy, in pixels of the original image, 0-based."""

    boxes: np.ndarray  # float32 (N, 4)
    scores: np.ndarray  # float32 (N,)
    labels: np.ndarray  # int64 (N,)

    def __post_init__(self) -> None:
        _check_shapes(boxes=self.boxes, scores=self.scores, labels=self.labels)


@dataclass(frozen=True)
class GroundTruth:
    """The G objects of one image; boxes in the same frame as those of `Detections`."""

    boxes: np.ndarray  # float32 (G, 4)
    labels: np.ndarray  # int64 (G,)
    difficult: np.ndarray  # bool (G,)

    def __post_init__(self) -> None:
        _check_shapes(boxes=self.boxes, labels=self.labels, difficult=self.difficult)


@dataclass(frozen=True)
class VocResult:
    """VOC average precision of each of C classes, and the curves that it comes from.

    Objects marked difficult are not in `num_truths`. The curves of a class have one point a
    detection, best score first.
    """

    ap: np.ndarray  # float64 (C,), NaN where num_truths is 0
    num_truths: np.ndarray  # int64 (C,)
    num_detections: np.ndarray  # int64 (C,)
    recall: tuple[np.ndarray, ...]  # C arrays, float64 (num_detections,)
    precision: tuple[np.ndarray, ...]  # C arrays, float64 (num_detections,)

    @property
    def mean(self) -> float:
        """The mean over the classes that have objects."""
        return float(np.nanmean(self.ap))


class CocoResult(TypedDict):
    """COCO metrics: means over the classes with objects, and the same per class."""

    AP: float
    AP50: float
    AP75: float
    per_class: dict[str, np.ndarray]  # keys as above, float64 (C,), NaN for a class without object


@dataclass(frozen=True)
class Evaluation:
    """Every metric by its full name: over all classes, and in a table with one row a class."""

    metrics: dict[str, float]
    per_class: pd.DataFrame  # class, num_objects, num_detections, and a column a metric


def evaluate(
    detections: Sequence[Detections], truths: Sequence[GroundTruth], classes: Sequence[str]
) -> Evaluation:
    """All metrics of a set of images; image i has `detections[i]` and `truths[i]`.

    `num_objects` leaves difficult objects out, as the VOC metrics do; the COCO metrics count them
    as ordinary objects. Raises DataError when no image has an object that is not difficult.
    """
    voc07 = voc_ap(detections, truths, len(classes), mode="voc07")
    voc12 = voc_ap(detections, truths, len(classes), mode="voc12")
    coco = coco_ap(detections, truths, classes)
    results = {
        VOC07_AP: (voc07.mean, voc07.ap),
        VOC12_AP: (voc12.mean, voc12.ap),
        COCO_AP: (coco["AP"], coco["per_class"]["AP"]),
        COCO_AP50: (coco["AP50"], coco["per_class"]["AP50"]),
        COCO_AP75: (coco["AP75"], coco["per_class"]["AP75"]),
    }
    counts = {
        "class": list(classes),
        "num_objects": voc12.num_truths,
        "num_detections": voc12.num_detections,
    }
    return Evaluation(
        metrics={name: mean for name, (mean, _) in results.items()},
        per_class=pd.DataFrame(counts | {name: values for name, (_, values) in results.items()}),
    )


def average_precision(
    recall: np.ndarray, precision: np.ndarray, mode: Literal["voc07", "voc12"]
) -> float:
    """Average precision in [0, 1] of one class's curve; 0 for an empty curve.

    recall (rising), precision: (N,), one point a detection, best score first. voc07: mean of the
    best precision at recall >= 0, 0.1, ..., 1. voc12: area under the curve after each precision
    is raised to the best one at equal or higher recall.
    """
    # best[i]: the highest precision from point i on; 0 beyond the last recall that was reached
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    if mode == "voc07":
        # 0.3, 0.6 and 0.7 lie one rounding step high here, as in the authors' code: a recall of
        # exactly 3/10 does not reach the fourth point
        points = np.arange(11) * 0.1
        return float(best[np.searchsorted(recall, points)].mean())
    return float((np.diff(recall, prepend=0.0) * best[:-1]).sum())


def voc_ap(
    detections: Sequence[Detections],
    truths: Sequence[GroundTruth],
    num_classes: int,
    iou_threshold: float = 0.5,
    mode: Literal["voc07", "voc12"] = "voc12",
) -> VocResult:
    """VOC average precision per class over a set of images (sides without the +1 of the devkit).

    Difficult objects are neither to be found nor held against a detection that matches one.
    Raises DataError when no image has an object that is not difficult, ValueError for sequences
    of different length or labels outside [0, num_classes).
    """
    _check_set(detections, truths, num_classes)
    counted = [truth.labels[~truth.difficult] for truth in truths]
    if not any(map(len, counted)):
        raise _nothing_to_evaluate()
    num_truths = np.bincount(np.concatenate(counted), minlength=num_classes)
    labels = np.concatenate([found.labels for found in detections])
    scores = np.concatenate([found.scores for found in detections])
    ranking = np.argsort(-scores, kind="stable")
    is_true, is_false = _true_and_false(detections, truths, ranking, iou_threshold)
    recall, precision = [], []
    for label in range(num_classes):
        ranked = ranking[labels[ranking] == label]
        num_true, num_false = np.cumsum(is_true[ranked]), np.cumsum(is_false[ranked])
        recall.append(num_true / max(num_truths[label], _EPS))
        precision.append(num_true / np.maximum(num_true + num_false, _EPS))
    ap = [average_precision(r, p, mode) for r, p in zip(recall, precision, strict=True)]
    return VocResult(
        ap=np.where(num_truths > 0, ap, np.nan),
        num_truths=num_truths,
        num_detections=np.bincount(labels, minlength=num_classes),
        recall=tuple(recall),
        precision=tuple(precision),
    )


def coco_ap(
    detections: Sequence[Detections], truths: Sequence[GroundTruth], classes: Sequence[str]
) -> CocoResult:
    """COCO AP@[.5:.95], AP50 and AP75 by pycocotools, at most 100 detections an image and class.

    Difficult objects are ordinary objects here, neither crowd nor ignored. Raises DataError when
    no image has an object, ValueError for sequences of different length or labels that no class
    belongs to.
    """
    _check_set(detections, truths, len(classes))
    if not any(len(truth.labels) for truth in truths):
        raise _nothing_to_evaluate()
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


def _true_and_false(
    detections: Sequence[Detections],
    truths: Sequence[GroundTruth],
    ranking: np.ndarray,
    iou_threshold: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Which detections are true and which are false positives: two bool arrays over the set.

    A detection belongs to the object of its class that it overlaps most. It is neither true nor
    false when that object is difficult; of several that reach the threshold with one object, the
    first in `ranking` is true. (All detections in the order of the images; `ranking` indexes it.)
    """
    overlap, match, difficult = _best_overlaps(detections, truths)
    is_hit = overlap >= iou_threshold
    is_ignored = is_hit & difficult[match]
    hits = ranking[(is_hit & ~is_ignored)[ranking]]
    _, first_of_each_truth = np.unique(match[hits], return_index=True)
    is_true = np.zeros(len(ranking), dtype=bool)
    is_true[hits[first_of_each_truth]] = True
    return is_true, ~is_true & ~is_ignored


def _best_overlaps(
    detections: Sequence[Detections], truths: Sequence[GroundTruth]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best IoU of each detection with an object of its class (-1: none), that object's index, and
    the difficult flags that the index refers to."""
    overlaps, matches, flags, offset = [], [], [], 0
    for found, truth in zip(detections, truths, strict=True):
        # difficult objects last: where two overlap a detection equally, the other one counts
        order = np.argsort(truth.difficult, kind="stable")
        iou = _iou(found.boxes, truth.boxes[order])  # (N, G)
        iou[found.labels[:, None] != truth.labels[order]] = -1
        overlaps.append(iou.max(axis=1, initial=-1))
        matches.append(offset + iou.argmax(axis=1) if len(order) else np.zeros(len(iou), int))
        flags.append(truth.difficult[order])
        offset += len(order)
    return np.concatenate(overlaps), np.concatenate(matches), np.concatenate(flags)


def _iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each of N boxes with each of G others: (N, G)."""
    top_left = np.maximum(boxes[:, None, :2], others[:, :2])  # (N, G, 2)
    bottom_right = np.minimum(boxes[:, None, 2:], others[:, 2:])
    intersection = np.maximum(bottom_right - top_left, 0).prod(axis=2)
    area, other_area = ((b[:, 2:] - b[:, :2]).prod(axis=1) for b in (boxes, others))
    return intersection / np.maximum(area[:, None] + other_area - intersection, _EPS)


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


def _check_shapes(boxes: np.ndarray, **others: np.ndarray) -> None:
    for name, values in others.items():
        if boxes.shape != (len(values), 4) or values.ndim != 1:
            raise ValueError(f"boxes {boxes.shape} and {name} {values.shape} do not fit together: "
                             "expected (N, 4) and (N,)")  # fmt: skip


def _check_set(
    detections: Sequence[Detections], truths: Sequence[GroundTruth], num_classes: int
) -> None:
    if len(detections) != len(truths):
        raise ValueError(f"detections of {len(detections)} images, objects of {len(truths)}")
    items: list[Detections | GroundTruth] = [*detections, *truths]
    for item in items:
        if len(item.labels) and not 0 <= item.labels.min() <= item.labels.max() < num_classes:
            raise ValueError(f"labels {item.labels} lie outside the {num_classes} classes")


def _nothing_to_evaluate() -> DataError:
    return DataError(
        "no object to evaluate against",
        where="objects of the evaluated images",
        remedy="evaluate on labeled images that show objects of the chosen classes, not all of "
        "them marked difficult",
    )
