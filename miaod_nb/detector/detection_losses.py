"""Detection losses: what anchors should say about labeled objects, one pure function an equation.

Shapes: B images, A anchors, C classes; all are divided by the batch's positives.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from miaod_nb.detector.matching import DetectionTargets

NEGATIVES_PER_POSITIVE = 3


def focal_loss(logits: Tensor, targets: DetectionTargets) -> Tensor:
    """Sigmoid focal loss (alpha 0.25, gamma 2), summed over counted anchors: scalar.
    logits (B, A, C)."""
    classes = torch.arange(logits.shape[-1], device=logits.device)
    one_hot = (targets.labels[..., None] == classes).to(logits.dtype)  # background: all zero
    losses = sigmoid_focal_loss(logits, one_hot, alpha=0.25, gamma=2.0)  # (B, A, C)
    return torch.where(targets.counted[..., None], losses, 0.0).sum() / targets.num_positive


def hard_negative_loss(logits: Tensor, targets: DetectionTargets) -> Tensor:
    """Cross-entropy of positive anchors and, in each image, of three times as many background
    anchors, those with the largest loss: scalar. logits (B, A, C + 1), background last.

    An image without positive anchors contributes nothing.
    """
    losses = F.cross_entropy(logits.transpose(1, 2), targets.labels, reduction="none")  # (B, A)
    background = targets.counted & ~targets.positive
    hardest = torch.where(background, losses, -1.0).sort(dim=1, descending=True).values
    num_kept = NEGATIVES_PER_POSITIVE * targets.positive.sum(dim=1, keepdim=True)
    rank = torch.arange(losses.shape[1], device=losses.device)
    kept = (rank < num_kept) & (hardest >= 0)
    negative = torch.where(kept, hardest, 0.0).sum()
    positive = torch.where(targets.positive, losses, 0.0).sum()
    return (positive + negative) / targets.num_positive


def l1_box_loss(box_deltas: Tensor, targets: DetectionTargets) -> Tensor:
    """L1 distance of the deltas (B, A, 4) of positive anchors: scalar."""
    distances = (box_deltas - targets.box_deltas).abs()
    return torch.where(targets.positive[..., None], distances, 0.0).sum() / targets.num_positive


def smooth_l1_box_loss(box_deltas: Tensor, targets: DetectionTargets) -> Tensor:
    """Like `l1_box_loss`, but squared where the distance is below 1."""
    distances = F.smooth_l1_loss(box_deltas, targets.box_deltas, reduction="none")
    return torch.where(targets.positive[..., None], distances, 0.0).sum() / targets.num_positive
