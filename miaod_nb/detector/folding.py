"""BatchNorms merged into convolutions: the same detector with less to compute, for inference."""

from copy import deepcopy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from miaod_nb.detector.model import DetectionModel
from miaod_nb.detector.timm_features import TimmFeatures


@torch.no_grad()
def fold(model: DetectionModel) -> DetectionModel:
    """Makes a copy for inference: every BatchNorm that follows a convolution is part of it.

    Its outputs are equal up to rounding. It is not to be trained or saved: the BatchNorms' own
    parameters are gone. A model of timm in which some BatchNorm stands behind a convolution but
    reads something else (RepViT) stays as it is.
    """
    copy = deepcopy(model).eval()
    _fold_pairs(copy)
    if isinstance(copy.backbone, TimmFeatures) and not _agree(copy.backbone, model.backbone):
        copy.backbone = deepcopy(model.backbone).eval()
    if model.is_compiled:
        copy.compile()
    return copy.laid_out(torch.channels_last)  # which inference is faster in, whatever the width


def _fold_pairs(copy: DetectionModel) -> None:
    """Merges each BatchNorm with the convolution before it in their module."""
    for parent in list(copy.modules()):
        for (conv_name, conv), (norm_name, norm) in pairwise(list(parent.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, conv_name, fuse_conv_bn_eval(conv, norm))
                # timm's BatchNorm has the activation inside.
                setattr(parent, norm_name, getattr(norm, "act", nn.Identity()))


def _agree(one: TimmFeatures, other: nn.Module) -> bool:
    """Whether two backbones give the same maps up to rounding."""
    assert isinstance(other, TimmFeatures)
    pairs = zip(one.trial(), other.trial(), strict=True)
    return all(float((a - b).abs().max()) <= 0.01 * float(b.abs().max()) for a, b in pairs)
