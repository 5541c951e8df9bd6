"""VOC average precision at one overlap: area under the curve, or mean over eleven points."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from miaod_nb.boxes import Detections, Objects, pairwise_iou
from miaod_nb.evaluation.sets import check_set, nothing_to_evaluate

_EPS = float(np.finfo(np.float32).eps)  # keeps empty denominators from dividing 0 by 0


@dataclass(frozen=True)
class VocResult:
    """VOC average precision of each of C classes, and the curves that it comes from.

    Difficult objects and crowds are not in `num_truths`. The curves of a class have one point a
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
    truths: Sequence[Objects],
    num_classes: int,
    iou_threshold: float = 0.5,
    mode: Literal["voc07", "voc12"] = "voc12",
) -> VocResult:
    """VOC average precision per class over a set of images (sides without the +1 of the devkit).

    Difficult objects and crowds are neither to be found nor held against a detection that matches
    one. Raises DataError when no image has another object, ValueError for sequences of different
    length or labels outside [0, num_classes).
    """
    check_set(detections, truths, num_classes)
    num_truths = count_objects(truths, num_classes).sum(axis=0)
    labels = np.concatenate([found.labels for found in detections])
    scores = np.concatenate([found.scores for found in detections])
    ranking = np.argsort(-scores, kind="stable")
    is_true, is_false = true_and_false(detections, truths, ranking, iou_threshold)
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


def count_objects(truths: Sequence[Objects], num_classes: int) -> np.ndarray:
    """How many objects that count each image has of each class: int (images, C). Raises DataError
    where there is none at all."""
    counts = [np.bincount(one.labels[~one.ignored], minlength=num_classes) for one in truths]
    if not np.any(counts):
        raise nothing_to_evaluate()
    return np.stack(counts)


def true_and_false(
    detections: Sequence[Detections],
    truths: Sequence[Objects],
    ranking: np.ndarray,
    iou_threshold: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Which detections are true and which are false positives: two bool arrays over the set.

    A detection belongs to the object of its class that it overlaps most. It is neither true nor
    false when that object is ignored; of several that reach the threshold with one object, the
    first in `ranking` is true. (All detections in the order of the images; `ranking` indexes it.)
    """
    overlap, match, ignored = _best_overlaps(detections, truths)
    is_hit = overlap >= iou_threshold
    is_ignored = is_hit & ignored[match]
    hits = ranking[(is_hit & ~is_ignored)[ranking]]
    _, first_of_each_truth = np.unique(match[hits], return_index=True)
    is_true = np.zeros(len(ranking), dtype=bool)
    is_true[hits[first_of_each_truth]] = True
    return is_true, ~is_true & ~is_ignored


def _best_overlaps(
    detections: Sequence[Detections], truths: Sequence[Objects]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best IoU of each detection with an object of its class (-1: none), that object's index, and
    the flags of objects to be ignored that the index refers to."""
    overlaps, matches, flags, offset = [], [], [], 0
    for found, truth in zip(detections, truths, strict=True):
        # ignored objects last: where two overlap a detection equally, the other one counts
        order = np.argsort(truth.ignored, kind="stable")
        iou = pairwise_iou(found.boxes, truth.boxes[order])  # (N, G)
        iou[found.labels[:, None] != truth.labels[order]] = -1
        overlaps.append(iou.max(axis=1, initial=-1))
        matches.append(offset + iou.argmax(axis=1) if len(order) else np.zeros(len(iou), int))
        flags.append(truth.ignored[order])
        offset += len(order)
    return np.concatenate(overlaps), np.concatenate(matches), np.concatenate(flags)
