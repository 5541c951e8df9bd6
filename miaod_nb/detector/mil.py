"""Multiple-instance learning: an image is a bag of anchors, and its classes are known or guessed.

Shapes: B images, A anchors, C classes. `level_sizes` are the anchors of each level and sum to A.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def class_shares(mil_logits: Tensor) -> Tensor:
    """Softmax of the MIL logits over classes: (B, A, C).

    With one class a softmax would be constant 1 and teach nothing; there a zero logit, "none",
    takes part and is dropped again.
    """
    if mil_logits.shape[-1] == 1:
        return mil_logits.sigmoid()  # softmax over (logit, 0)
    return mil_logits.softmax(dim=-1)


def competing_groups(level_sizes: Sequence[int], mil_softmax: str) -> tuple[int, ...]:
    """Sizes of the groups of anchors that compete for their image: the levels ("level", the
    authors' code), or one group of all ("image", the paper)."""
    return (sum(level_sizes),) if mil_softmax == "image" else tuple(level_sizes)


def instance_class_scores(
    logits_1: Tensor,
    logits_2: Tensor,
    mil_logits: Tensor,
    level_sizes: Sequence[int],
    instance_score: str = "max_class",
) -> Tensor:
    """How much each anchor speaks for each class of its image (paper, y-hat cls): (B, A, C).

    The product of the MIL tower's share over classes and the classifiers' share over the anchors
    of one level. All inputs (B, A, C) logits; gradient flows to `mil_logits` alone.
    instance_score: "max_class" lets anchors compete with their best class (the authors' code),
    "per_class" for each class apart (the paper). `level_sizes` may be any `competing_groups`.
    """
    confidence = ((logits_1 + logits_2) / 2).sigmoid().detach()
    if instance_score == "max_class":
        confidence = confidence.amax(dim=-1, keepdim=True)  # (B, A, 1)
    levels = confidence.split(list(level_sizes), dim=1)
    shares = torch.cat([level.softmax(dim=1) for level in levels], dim=1)
    return class_shares(mil_logits) * shares


def image_class_scores(instance_scores: Tensor, level_sizes: Sequence[int]) -> Tensor:
    """Score of each class in each image, in [1e-5, 1 - 1e-5]: (B, C).

    instance_scores (B, A, C) are summed over the anchors of a level; the best level counts.
    """
    levels = instance_scores.split(list(level_sizes), dim=1)
    sums = torch.stack([level.sum(dim=1) for level in levels])  # (L, B, C)
    return sums.amax(dim=0).clamp(1e-5, 1 - 1e-5)


def pseudo_image_labels(probs_1: Tensor, probs_2: Tensor) -> Tensor:
    """Classes that the classifiers see in an unlabeled image, 0 or 1: float (B, C).

    A class is there when the classifiers' mean probability reaches 0.5 at any anchor.
    probs: (B, A, C) in [0, 1]; no gradient.
    """
    return (((probs_1 + probs_2) / 2).amax(dim=1) >= 0.5).to(probs_1.dtype)
