"""The losses of MI-AOD, one pure function an equation; each detector brings its detection losses.

Shapes: B images, A anchors, C outputs a classifier (the classes; SSD adds a background).
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def image_labels(labels: Sequence[Tensor], num_outputs: int) -> Tensor:
    """Which classes each labeled image contains, 0 or 1: float (B, C) from B x (G,) labels; a
    background output stays 0."""
    rows = [
        torch.zeros(num_outputs, device=present.device).index_fill(0, present, 1.0)
        for present in labels
    ]
    return torch.stack(rows)


def image_classification_loss(image_class_scores: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of image scores with image labels, mean over images and classes
    (paper, l_imgcls): scalar. Both (B, C), scores inside (0, 1)."""
    # Not torch's function: that stops at NaN, where the loop reports a training that diverged.
    present = labels * image_class_scores.log()
    absent = (1 - labels) * torch.log1p(-image_class_scores)
    return -(present + absent).mean()


def every_image_labeled(pseudo_labels: Tensor) -> Tensor:
    """Whether every image has a pseudo label (B, C) of some class: boolean scalar."""
    return (pseudo_labels.amax(dim=1) > 0).all()


def pseudo_image_classification_loss(
    image_class_scores: Tensor, pseudo_labels: Tensor, counts: Tensor
) -> Tensor:
    """`image_classification_loss` against guessed labels; 0 (with a gradient of exactly 0) where
    `counts` is false: the authors' code leaves it out as soon as one image of the batch has no
    pseudo label at all (`every_image_labeled`)."""
    loss = image_classification_loss(image_class_scores, pseudo_labels)
    return torch.where(counts, loss, 0.0)


def discrepancy_loss(probs_1: Tensor, probs_2: Tensor, norm: str = "l1") -> Tensor:
    """Disagreement of the two classifiers, per anchor and class (paper, l_dis): (B, A, C).

    probs: (B, A, C) in [0, 1]; result in [0, 1]; gradient flows to both. norm: "l1" absolute,
    "l2" squared difference. Raises ValueError if the shapes differ.
    """
    if probs_1.shape != probs_2.shape:
        raise ValueError(f"shapes differ: {tuple(probs_1.shape)} and {tuple(probs_2.shape)}")
    difference = (probs_1 - probs_2).abs()
    return difference if norm == "l1" else difference.square()


def weighted_discrepancy_loss(discrepancy: Tensor, instance_weights: Tensor) -> Tensor:
    """Discrepancy re-weighted by how much each anchor speaks for its image (paper, l-tilde_dis):
    mean over classes, summed (not averaged) over anchors and images: scalar.

    Both (B, A, C); the weights are treated as constants.
    """
    return (discrepancy * instance_weights.detach()).mean(dim=-1).sum()
