"""Labels of an image that its predictions speak against: a pure function of that image alone."""

from typing import Literal, NamedTuple

import numpy as np

from miaod_nb.boxes import Detections, Objects, pairwise_iou

Kind = Literal["swapped class", "badly placed box", "missed object", "spurious box"]

SAME_PLACE = 0.5  # IoU from which on a prediction is about the object of a label
TOUCHED = 0.1  # IoU from which on it may be about a part of it, or about more than it
RIVAL = 0.5  # a label with more than this part of a prediction's probability is not doubted for it
UNSEEN = 0.5  # score of a label that no prediction touches: that nothing is seen proves little
CONFIRMED = 0.5  # probability from which on a prediction confirms a label of its class


class Doubt(NamedTuple):
    """What speaks against a label, or for one that is not there.

    score: in (0, 1]. label: its place among the labels of the image, None for a missed object.
    prediction: the place among the predictions of the one that speaks against it or for it, None
    for a spurious box.
    """

    kind: Kind
    score: float
    label: int | None
    prediction: int | None


def doubts(labeled: Objects, found: Detections, known: int) -> list[Doubt]:
    """What is doubtful about the labels of an image, the most doubtful first: at most one doubt
    about each label, and one for each place where an object seems to lack one.

    known: how many classes the detector knows, the first ones; a label of another class is not
    doubted, nor is one to be ignored, but what they overlap is not missed. With p for the
    probability of a prediction and s for the highest one of a prediction of the label's own class
    on it (IoU 0.5 or more; 0 if there is none), the scores are

    swapped class: p - s, for a prediction of another class on the label;
    badly placed box: (p - s) * (1 - IoU), for one of its class beside it (IoU from 0.1 to 0.5);
    both only where s is less than half of p, and no other label overlaps the prediction more;
    missed object: p, for a prediction that no label overlaps by 0.1;
    spurious box: (1 - IoU) / 2, for the prediction that overlaps it most, if none does by 0.5.
    """
    overlaps = pairwise_iou(labeled.boxes, found.boxes)  # (G, N)
    judged = np.flatnonzero(~labeled.ignored & (labeled.labels < known)).tolist()
    about_labels = [_about(place, labeled.labels[place], overlaps, found) for place in judged]
    every = [*filter(None, about_labels), *_missed(labeled, found, overlaps)]
    return sorted(every, key=lambda doubt: -doubt.score)


def num_confirmed(labeled: Objects, found: Detections) -> int:
    """How many labels have a prediction of their class on them that the detector is sure of."""
    near = pairwise_iou(labeled.boxes, found.boxes) >= SAME_PLACE
    agreeing = near & (labeled.labels[:, None] == found.labels) & (found.scores >= CONFIRMED)
    return int((agreeing.any(axis=1) & ~labeled.ignored).sum())


def _about(place: int, label: int, overlaps: np.ndarray, found: Detections) -> Doubt | None:
    """The strongest doubt about a label; None if nothing speaks against it."""
    overlap = overlaps[place]  # (N,)
    on_it, is_same = overlap >= SAME_PLACE, found.labels == label
    own = found.scores[on_it & is_same].max(initial=0)
    excess = (found.scores - own) * (own < RIVAL * found.scores)
    excess *= overlap >= overlaps.max(axis=0)  # about no other label
    swapped = excess * (on_it & ~is_same)
    placed = excess * (1 - overlap) * (is_same & ~on_it & (overlap >= TOUCHED))
    strengths = swapped + placed  # a prediction speaks for one of them at most
    unseen = 0.0 if on_it.any() else UNSEEN * (1 - overlap.max(initial=0))
    if strengths.max(initial=0) > unseen:
        best = int(strengths.argmax())
        kind: Kind = "swapped class" if swapped[best] else "badly placed box"
        return Doubt(kind, float(strengths[best]), place, best)
    return Doubt("spurious box", float(unseen), place, None) if unseen else None


def _missed(labeled: Objects, found: Detections, overlaps: np.ndarray) -> list[Doubt]:
    """The predictions that no label overlaps; of several in one place the one of highest
    probability."""
    sides = [boxes[:, 2:] - boxes[:, :2] for boxes in (labeled.boxes, found.boxes)]
    areas, found_areas = (one.prod(axis=1) for one in sides)
    shared = overlaps * (areas[:, None] + found_areas) / (1 + overlaps)
    # A box to be ignored may be around many objects, each of them a small part of it.
    ignores = labeled.ignored[:, None] & (shared >= SAME_PLACE * found_areas)
    free = ~((overlaps >= TOUCHED) | ignores).any(axis=0)
    near = pairwise_iou(found.boxes, found.boxes) >= SAME_PLACE
    kept: list[int] = []
    for place in np.argsort(-found.scores, kind="stable").tolist():
        if free[place] and not near[place, kept].any():
            kept.append(place)
    return [Doubt("missed object", float(found.scores[place]), None, place) for place in kept]
