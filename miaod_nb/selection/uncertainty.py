"""How uncertain the detector is about an anchor, and about an image.

Shapes: B images, A anchors, C classes.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

from miaod_nb.config import count_of


def instance_uncertainty(
    probs_1: "Tensor", probs_2: "Tensor", weights: "Tensor | None" = None, norm: str = "l2"
) -> "Tensor":
    """How far the two classifiers differ, mean over classes: (B, A), in [0, 1].

    probs: (B, A, C) in [0, 1]. norm: "l2" squared difference (authors' code), "l1" absolute.
    weights: (B, A, C), instance weights; None as in the authors' code, which re-weights in
    training but not in selection.
    """
    from miaod_nb.learning.losses import discrepancy_loss

    difference = discrepancy_loss(probs_1, probs_2, norm)
    if weights is not None:
        difference = difference * weights
    return difference.mean(dim=-1)


def num_averaged(top_k: float, num_anchors: int) -> int:
    """How many anchors the image uncertainty averages: `top_k` as a count (capped by the number
    of anchors) or, below 1, as a fraction of them (at least one)."""
    return min(max(count_of(top_k, num_anchors), 1), num_anchors)


def most_uncertain(instance_uncertainties: "Tensor", top_k: float) -> "Tensor":
    """The anchors that the image uncertainty averages, in any order: (B, A) -> int64 (B, k)."""
    k = num_averaged(top_k, instance_uncertainties.shape[1])
    return instance_uncertainties.topk(k, dim=1, sorted=False).indices


def image_uncertainty(instance_uncertainties: "Tensor", top_k: float = 10000) -> "Tensor":
    """Mean of the k largest instance uncertainties of each image: (B, A) -> (B,)."""
    picked = most_uncertain(instance_uncertainties, top_k)
    return instance_uncertainties.gather(1, picked).mean(dim=1)
