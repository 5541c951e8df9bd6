"""What a detector would have reached on other test images of the same kind: mAP of resamples.

A resample draws as many images as there are, with replacement (bootstrap: Efron, Annals of
Statistics 1979). Which boxes match within an image does not depend on what else is drawn: all are
matched and sorted once, and a resample is a weight an image.
"""

from collections.abc import Sequence

import numpy as np

from miaod_nb.boxes import Detections, Objects
from miaod_nb.evaluation.sets import check_set
from miaod_nb.evaluation.voc import count_objects, true_and_false

CELLS = 2**18  # of the tables worked on at once: a few MB, which stay in the processor's cache


def draw_resamples(num_images: int, count: int = 1000) -> np.ndarray:
    """How often each image stands in each resample: int (count, num_images), each row with the
    sum num_images.

    The same numbers give the same draws, so that what several detectors reach can be paired.
    Raises ValueError where there is no image.
    """
    if num_images < 1:
        raise ValueError("there is no image to draw")
    rng = np.random.default_rng(0)
    return rng.multinomial(num_images, np.full(num_images, 1 / num_images), size=count)


def resampled_voc12(
    detections: Sequence[Detections],
    truths: Sequence[Objects],
    num_classes: int,
    draws: np.ndarray,
) -> np.ndarray:
    """VOC12 AP@0.5 (area), mean over the classes, of each resample: float64 (B,) in [0, 1].

    draws: int (B, images), how often each image stands in each resample. A value is what `voc_ap`
    has for the images so often repeated, each beside its copies. NaN where a resample has no object
    of a class that the whole set has: its mean would be one over other classes. Raises as `voc_ap`
    does, and ValueError for draws of another number of images.
    """
    check_set(detections, truths, num_classes)
    if draws.ndim != 2 or draws.shape[1] != len(truths):
        raise ValueError(f"draws of shape {draws.shape} for {len(truths)} images")
    image, before, most = _entries(detections, int(draws.max(initial=1)))
    detections, truths = [detections[i] for i in image], [truths[i] for i in image]
    objects = count_objects(truths, num_classes)  # (entries, C)
    shown = np.flatnonzero(objects.any(axis=0))
    curves = _curves(detections, truths, shown)
    rows = max(1, CELLS // max(len(image), *(len(entry) for entry, _ in curves)))
    found = [
        _mean_ap(np.clip(part[:, image] - before, 0, most), objects[:, shown], curves)
        for part in (draws[start : start + rows] for start in range(0, len(draws), rows))
    ]
    return np.concatenate([np.empty(0), *found])


def _entries(detections: Sequence[Detections], most: int) -> np.ndarray:
    """The list of images to resample, int (3, entries): image, and that it counts as often as it is
    drawn beyond `before` times, but not over `most` times. most: how often one is drawn at most.

    An image stands there once. Only one with several detections of the same class and score stands
    there once a copy: in the repeated list these detections come copy by copy, not each with its
    copies.
    """
    rows = []
    for image, found in enumerate(detections):
        if len(set(zip(found.labels.tolist(), found.scores.tolist(), strict=True))) < len(found):
            rows += [(image, before, 1) for before in range(most)]
        else:
            rows.append((image, 0, most))
    return np.array(rows, dtype=int).reshape(-1, 3).T


def _curves(
    detections: Sequence[Detections], truths: Sequence[Objects], classes: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each of the classes (C,) the detections that count, the best first: int (points,), their
    entry, and bool (points,), which are true."""
    entries = np.repeat(np.arange(len(detections)), [len(found) for found in detections])
    labels = np.concatenate([found.labels for found in detections])
    scores = np.concatenate([found.scores for found in detections])
    ranking = np.argsort(-scores, kind="stable")
    is_true, is_false = true_and_false(detections, truths, ranking, iou_threshold=0.5)
    ranking = ranking[(is_true | is_false)[ranking]]
    of_class = [ranking[labels[ranking] == label] for label in classes]
    return [(entries[ranked], is_true[ranked]) for ranked in of_class]


def _mean_ap(
    weights: np.ndarray, objects: np.ndarray, curves: Sequence[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Mean AP of each of B resamples. weights: (B, entries); objects: (entries, C), how many of
    each class; curves: C, of `_curves`."""
    totals = weights @ objects  # (B, C)
    ap = np.empty(totals.shape)
    for number, (entry, is_true) in enumerate(curves):
        counts = weights[:, entry]  # (B, points)
        hits = counts[:, is_true]  # recall grows there alone
        precision = hits.cumsum(axis=1) / np.maximum(counts.cumsum(axis=1)[:, is_true], 1)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]  # at this recall and more
        ap[:, number] = (hits * best).sum(axis=1) / np.maximum(totals[:, number], 1)
    return np.where((totals > 0).all(axis=1), ap.mean(axis=1), np.nan)
