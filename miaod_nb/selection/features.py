"""What an image looks like to the detector, as one vector."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel


def level_means(level: "Tensor", stride: int, image_sizes: Sequence[tuple[int, int]]) -> "Tensor":
    """The mean over the cells of a feature level (B, F, H, W) of each image: (B, F). Cells on
    padding do not count; image_sizes: (h, w) of the images without it."""
    import torch

    means = [
        level[i, :, : math.ceil(height / stride), : math.ceil(width / stride)].mean((1, 2))
        for i, (height, width) in enumerate(image_sizes)
    ]
    return torch.stack(means)


def mean_of_last_level(model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
    """`level_means` of the last feature level of the images of a batch: `feature` (B, F)."""
    last = model.features(batch.images)[-1]
    return {"feature": level_means(last, model.strides[-1], batch.image_sizes)}


def mean_features(model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
    """`level_means` of every feature level, levels joined, of the images of a batch: `features`
    (B, F)."""
    import torch

    levels = zip(model.features(batch.images), model.strides, strict=True)
    means = [level_means(level, stride, batch.image_sizes) for level, stride in levels]
    return {"features": torch.cat(means, dim=1)}
