"""What an image looks like to the detector, as one vector."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

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


def standardized(features: np.ndarray) -> np.ndarray:
    """Features (N, F) with mean 0 and standard deviation 1 over the images, so that none counts
    more than another; those that do not vary are 0."""
    values = features.astype(np.float64)
    centered = values - values.mean(axis=0)
    deviation = centered.std(axis=0)
    return np.divide(centered, deviation, out=np.zeros_like(centered), where=deviation > 0)


def directions(features: np.ndarray) -> np.ndarray:
    """Unit vectors (N, F + 1), whose products are the cosines of the features (N, F). The last
    entry is 1 for images all of whose features are 0: they are alike, and unlike all others."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    units = features / np.maximum(lengths, np.finfo(features.dtype).tiny)
    return np.hstack([units, lengths == 0])
