"""How well a detector finds each class while it learns: what PPAL calls a class's difficulty.

Yang et al., CVPR 2024. The quality of an anchor that answers for an object is
p^0.6 * IoU^0.4: p is the score of the object's class, IoU how much the box that the anchor
predicts overlaps with the object. Of each class a moving average is kept.

Shapes: B images, A anchors, C classes. A record (2, C) has the average in its first row, 0 at the
start, and in its second the momentum: the share of the average that the next batch leaves.
"""

import torch
from torch import Tensor

from miaod_nb.detector.anchors import decode
from miaod_nb.detector.head import Predictions
from miaod_nb.detector.matching import DetectionTargets

MOMENTUM = 0.99
SCORE_EXPONENT = 0.6


def no_quality(num_classes: int) -> Tensor:
    """The record of a detector that has seen no object."""
    return torch.stack([torch.zeros(num_classes), torch.full((num_classes,), MOMENTUM)])


@torch.no_grad()
def quality_seen(predictions: Predictions, targets: DetectionTargets) -> Tensor:
    """What classifier 1 and the boxes make of a labeled batch: the summed quality of the anchors
    of each class, and how many these are: (2, C)."""
    logits, deltas = predictions.need("logits_1", "box_deltas")
    scores = predictions.class_probabilities(logits)  # (B, A, C)
    classes = torch.arange(scores.shape[-1], device=scores.device)
    of_class = targets.labels[..., None] == classes  # (B, A, C), of background none
    boxes, objects = (
        decode(predictions.grid.boxes, one, predictions.delta_stds)
        for one in (deltas, targets.box_deltas)
    )
    own_scores = torch.where(of_class, scores, 0.0).sum(dim=-1)  # (B, A)
    overlaps = paired_iou(boxes, objects)
    quality = own_scores**SCORE_EXPONENT * overlaps ** (1 - SCORE_EXPONENT)
    sums = torch.where(of_class, quality[..., None], 0.0).sum(dim=(0, 1))
    return torch.stack([sums, of_class.sum(dim=(0, 1))])


def updated(record: Tensor, seen: Tensor) -> Tensor:
    """The record (2, C) after a batch in which `quality_seen` saw this.

    A class that the batch lacks counts as quality 0, and the longer it stays away, the more the
    next batches count: its momentum shrinks by 0.99 until it is seen again.
    """
    (quality, momentum), (sums, counts) = record, seen
    present = counts > 0
    mean = torch.where(present, sums / counts, 0.0)
    return torch.stack(
        [
            momentum * quality + (1 - momentum) * mean,
            torch.where(present, MOMENTUM, momentum * MOMENTUM),
        ]
    )


def paired_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Overlap of boxes with those at the same places: (..., 4), (..., 4) -> (...) in [0, 1]."""
    low, high = torch.maximum(boxes, others)[..., :2], torch.minimum(boxes, others)[..., 2:]
    common = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(one[..., 2:] - one[..., :2]).prod(dim=-1) for one in (boxes, others)]
    return common / (sum(areas) - common).clamp(min=1e-9)
