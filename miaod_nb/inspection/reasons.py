"""Why an image was chosen, in words; and what a batch shows, against what is labeled."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd
import torch
from torchvision.ops import box_iou

from miaod_nb.boxes import count_labels
from miaod_nb.config import Config
from miaod_nb.experiment.run import Run
from miaod_nb.inspection.anchor_values import AnchorValues, all_values
from miaod_nb.inspection.table import SHOWN_SCORE
from miaod_nb.runs.card import Card

LEAST_SHARE = 0.1  # of the score: places with less are not named
SAME_PLACE = 0.5  # IoU from which two boxes are one place
UNKNOWN = 0.1  # largest probability of a box that looks like nothing the detector knows


@dataclass(frozen=True)
class Place:
    """A box that the classifiers disagree on.

    anchor: the place in `AnchorValues.top` of the anchor of largest disagreement there. share: of
    the image's score, what all anchors there bring. label: the class of largest mean probability,
    -1 if neither classifier knows one. disputed: the class whose two probabilities, high and low,
    differ most. detected: whether a detection that is shown lies there.
    """

    anchor: int
    share: float
    label: int
    disputed: int
    high: float
    low: float
    detected: bool


def places(values: AnchorValues, k: int) -> list[Place]:
    """The boxes that bring at least a tenth of the mean over the `k` most uncertain anchors, in the
    order of the words: the largest share first, with those of its kind. Anchors whose boxes overlap
    are one place."""
    largest = np.sort(values.discrepancy)[::-1][:k]
    total, count = float(largest.sum()), min(k, len(values.top))
    if not total:
        return []
    boxes, uncertain = (
        torch.from_numpy(values.boxes[:count]),
        values.discrepancy[values.top[:count]],
    )
    left = np.flatnonzero((values.boxes[:count, 2:] > values.boxes[:count, :2]).all(axis=1))
    found: list[Place] = []
    while len(left) and uncertain[left].sum() >= LEAST_SHARE * total:
        here = box_iou(boxes[left[:1]], boxes[left])[0].numpy() >= SAME_PLACE
        share = float(uncertain[left[here]].sum()) / total
        if share >= LEAST_SHARE:
            found.append(_place(values, int(left[0]), share))
        left = left[~here]
    found.sort(key=lambda place: -place.share)
    kinds = [_kind(place) for place in found]
    return sorted(found, key=lambda place: kinds.index(_kind(place)))


def is_told_by_anchors(card: Card, config: Config) -> bool:
    """Whether the discrepancy of an image's anchors, not weighted, is what its score averages."""
    return card.explained_by == "discrepancy" and not config.weighted_selection


def where_in_words(values: AnchorValues, classes: Sequence[str], k: int) -> str:
    """Where MI-AOD finds an image uncertain: on how many boxes the classifiers disagree, and what
    these look like. k: how many anchors its score averages."""
    found = places(values, k)
    if not found:
        where = "a little over the whole image" if values.discrepancy.any() else "nowhere"
        return f"the classifiers disagree {where}: no box stands out"
    kinds = [_described(list(alike), classes) for _, alike in groupby(found, _kind)]
    lost = sum(not place.detected for place in found)
    if len(found) == 1:
        looks = kinds[0].removeprefix("1 ")
        return f"the classifiers disagree on a box that {looks}" + ", not detected" * lost
    text = f"the classifiers disagree on {len(found)} boxes: {', '.join(kinds)}"
    return text + (f"; {lost} not detected" if lost else "")


def class_mix(run: Run, cycle: int) -> pd.DataFrame:
    """What the batch of a cycle shows, as far as its detector sees that, against what is labeled.

    A row a class: class; batch: objects detected in the selected images; labeled: objects in the
    images that were labeled before; batch_percent and labeled_percent of all of them. Raises
    ConfigError, DataError and RunFolderError.
    """
    record, classes = run.record, run.record.classes
    indices = [row["index"] for row in record.selection(cycle)["selected"]]
    found = [values.detections for values in all_values(run, cycle, indices)]
    batch = [one.above(SHOWN_SCORE).labels for one in found]
    table = pd.DataFrame({"class": classes})
    for name, counts in (
        ("batch", count_labels(batch, len(classes))),
        ("labeled", _counted_boxes(run, cycle)),
    ):
        table[name] = counts
        table[f"{name}_percent"] = 100 * counts / max(counts.sum(), 1)
    return table


def _counted_boxes(run: Run, cycle: int) -> np.ndarray:
    """How many objects of each class (C,) the labeled images of a cycle show, without those that
    nobody has to find."""
    known = run.labels(cycle)
    boxes, ignored = known.get("boxes", {}), known.get("ignored", {})
    return np.array([boxes.get(c, 0) - ignored.get(c, 0) for c in run.record.classes])


def _place(values: AnchorValues, anchor: int, share: float) -> Place:
    both = np.stack([values.probs_1[anchor], values.probs_2[anchor]]).astype(float)  # (2, C)
    label, differences = int(both.mean(axis=0).argmax()), np.ptp(both, axis=0)
    is_disputed = differences[label] == differences.max()
    disputed = label if is_disputed else int(differences.argmax())
    high, low = float(both[:, disputed].max()), float(both[:, disputed].min())
    shown = values.detections.above(SHOWN_SCORE).boxes
    overlaps = box_iou(*map(torch.from_numpy, (values.boxes[anchor : anchor + 1], shown)))
    detected = bool((overlaps >= SAME_PLACE).any())
    known = both.max() >= UNKNOWN
    return Place(anchor, share, label if known else -1, disputed, high, low, detected)


def _kind(place: Place) -> tuple[int, int]:
    """What places have in common that the words name together."""
    return (place.label, place.disputed if place.label >= 0 else -1)


def _described(alike: Sequence[Place], classes: Sequence[str]) -> str:
    """What places of one kind look like, with the probabilities of the first."""
    first = alike[0]
    subject = f"{len(alike)} look{'s' * (len(alike) == 1)} like"
    if first.label < 0:
        return f"{subject} nothing it knows"
    disputed = "" if first.disputed == first.label else f"disputed: {classes[first.disputed]}, "
    numbers = f"({disputed}{first.high:.2f} against {first.low:.2f})"
    return f"{subject} {classes[first.label]} {numbers}"
