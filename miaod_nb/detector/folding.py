"""BatchNorms merged into convolutions: the same detector with less to compute, for inference."""

from copy import deepcopy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from miaod_nb.detector.model import DetectionModel


@torch.no_grad()
def fold(model: DetectionModel) -> DetectionModel:
    """Makes a copy for inference: every BatchNorm that follows a convolution is part of it.

    Its outputs are equal up to rounding. It is not to be trained or saved: the BatchNorms' own
    parameters are gone.
    """
    copy = deepcopy(model).eval()
    for parent in list(copy.modules()):
        for (conv_name, conv), (norm_name, norm) in pairwise(list(parent.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, conv_name, fuse_conv_bn_eval(conv, norm))
                # timm's BatchNorm has the activation inside.
                setattr(parent, norm_name, getattr(norm, "act", nn.Identity()))
    if model.is_compiled:
        copy.compile()
    return copy.laid_out(torch.channels_last)  # which inference is faster in, whatever the width
