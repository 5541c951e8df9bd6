"""Which anchor answers for which object: training targets of the detection loss."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

from miaod_nb.detector.anchors import UNIT_STDS, AnchorGrid, Stds, encode

IGNORED, BACKGROUND = -1, 0  # values of `match`; i + 1 stands for object i


@dataclass(frozen=True)
class Matching:
    """When an anchor answers for an object.

    It is positive from `positive_iou`, background below `negative_iou`, ignored between. Besides,
    every object gets its best anchor, with `every_tie` all that are equally good.
    """

    positive_iou: float = 0.5
    negative_iou: float = 0.4
    every_tie: bool = True


RETINA_MATCHING = Matching()


@dataclass(frozen=True)
class DetectionTargets:
    """What the anchors of a batch should predict.

    labels: int64 (B, A), class index, C for background; counted: bool (B, A), False for ignored
    and invalid anchors; positive: bool (B, A); box_deltas: float (B, A, 4), 0 where not positive;
    num_positive: scalar tensor, positives of the batch, at least one counted an image.
    """

    labels: Tensor
    counted: Tensor
    positive: Tensor
    box_deltas: Tensor
    num_positive: Tensor


def match(
    anchors: Tensor, boxes: Tensor, valid: Tensor | None = None, how: Matching = RETINA_MATCHING
) -> Tensor:
    """The object each anchor answers for: int64 (A,), -1 ignored, 0 background, i + 1 object i.

    anchors (A, 4), boxes (G, 4), G may be 0; valid: bool (A,), anchors that take part (the others
    are ignored). The best anchor of an object is given to it however small the overlap, even 0
    (authors' code); of several objects that share their best anchor the last wins.
    """
    if valid is None:
        valid = torch.ones(len(anchors), dtype=torch.bool, device=anchors.device)
    if len(boxes) == 0:
        return torch.where(valid, BACKGROUND, IGNORED)
    iou = torch.where(valid, box_iou(boxes, anchors), -1.0)  # (G, A)
    best_iou, best_object = iou.max(dim=0)
    matched = torch.full_like(best_object, IGNORED)
    matched = torch.where(best_iou < how.negative_iou, BACKGROUND, matched)
    matched = torch.where(best_iou >= how.positive_iou, best_object + 1, matched)
    if how.every_tie:
        best = iou == iou.amax(dim=1, keepdim=True)  # (G, A)
    else:
        best = torch.zeros_like(iou, dtype=torch.bool).scatter(1, iou.argmax(1, keepdim=True), True)
    numbers = torch.arange(1, len(boxes) + 1, device=boxes.device)
    last_best = (best * numbers[:, None]).amax(dim=0)
    matched = torch.where(last_best > 0, last_best, matched)
    return torch.where(valid, matched, IGNORED)


def detection_targets(
    grid: AnchorGrid,
    boxes: Sequence[Tensor],
    labels: Sequence[Tensor],
    padded_sizes: Sequence[tuple[int, int]],
    num_classes: int,
    how: Matching = RETINA_MATCHING,
    stds: Stds = UNIT_STDS,
) -> DetectionTargets:
    """Targets of a batch: boxes B x (G, 4) xyxy in input pixels, labels B x (G,), sizes (h, w)."""
    images = [
        _image_targets(grid, image_boxes, image_labels, size, num_classes, how, stds)
        for image_boxes, image_labels, size in zip(boxes, labels, padded_sizes, strict=True)
    ]
    all_labels, counted, positive, deltas = (
        torch.stack(parts) for parts in zip(*images, strict=True)
    )
    num_positive = positive.sum(dim=1).clamp(min=1).sum()
    return DetectionTargets(all_labels, counted, positive, deltas, num_positive)


def _image_targets(
    grid: AnchorGrid, boxes: Tensor, labels: Tensor, padded_size: tuple[int, int],
    num_classes: int, how: Matching, stds: Stds,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    matched = match(grid.boxes, boxes, grid.valid_mask(padded_size), how)
    positive = matched > BACKGROUND
    if len(boxes) == 0:
        return (
            torch.full_like(matched, num_classes),
            matched != IGNORED,
            positive,
            torch.zeros_like(grid.boxes),
        )
    owner = (matched - 1).clamp(min=0)  # any object will do where there is none
    deltas = torch.where(positive[:, None], encode(grid.boxes, boxes[owner], stds), 0.0)
    return torch.where(positive, labels[owner], num_classes), matched != IGNORED, positive, deltas
