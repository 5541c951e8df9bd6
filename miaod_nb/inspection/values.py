"""The values of every anchor of an image: computed with a detector, kept as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import torch
from torch import Tensor

from miaod_nb.boxes import Detections
from miaod_nb.config import Config
from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.detector.anchors import AnchorGrid, anchor_grid, clip_boxes, decode
from miaod_nb.detector.detections import DetectionSettings, columns_of, detect
from miaod_nb.detector.head import Predictions
from miaod_nb.detector.model import DetectionModel
from miaod_nb.learning.stages import Method
from miaod_nb.selection.mi_aod import MiAod

MAX_DETAILS = 1024  # anchors of an image whose boxes and probabilities are kept


@dataclass(frozen=True, eq=False)
class AnchorValues:
    """What a detector says of the anchors of one image. A anchors, T of them with details.

    size: (H, W) of the image as the detector saw it, without padding; all boxes are in its pixels.
    grid: the anchors, of the padded image. discrepancy: float32 (A,), the uncertainty of each that
    MI-AOD's selection averages, not weighted. weight: float16 (A,), the instance weight summed over
    classes, as `relative_weights` has it. weighted: float32 (A,), the uncertainty as
    `weighted_selection` averages it.
    top: int32 (T,), the anchors of largest discrepancy, largest first, with these details: boxes,
    float32 (T, 4), what the regressor makes of them, clipped to the image (those that stand on
    padding are empty); probs_1, probs_2 and weights, float16 (T, C), of the classes alone.
    detections: boxes in pixels of `size`.
    """

    id: str
    size: tuple[int, int]
    grid: AnchorGrid
    discrepancy: np.ndarray
    weight: np.ndarray
    weighted: np.ndarray
    top: np.ndarray
    boxes: np.ndarray
    probs_1: np.ndarray
    probs_2: np.ndarray
    weights: np.ndarray
    detections: Detections

    @classmethod
    def from_arrays(cls, image_id: str, arrays: Mapping[str, np.ndarray]) -> Self:
        """The values that `anchor_arrays` found, without their detector."""
        height, width = arrays["size"].tolist()
        found = Detections(*(arrays[f"detected_{name}"] for name in ("boxes", "scores", "labels")))
        names = ("discrepancy", "weight", "weighted", "top", "boxes", "probs_1", "probs_2",
                 "weights")  # fmt: skip
        return cls(
            id=image_id, size=(height, width), grid=_grid_of(arrays), detections=found,
            **{name: arrays[name] for name in names},
        )  # fmt: skip

    def layers(self) -> dict[str, np.ndarray]:
        """The values of all anchors, float32 (A,) each; the re-weighted ones with relative weights,
        so that levels of few anchors do not outshine the others."""
        sizes = np.array(self.grid.level_sizes)
        return {
            "discrepancy": self.discrepancy,
            "weight": self.weight.astype(np.float32),
            "weighted": (self.weighted * sizes.repeat(sizes)).astype(np.float32),
        }


def anchor_arrays(
    model: DetectionModel, batch: UnlabeledBatch, config: Config
) -> dict[str, Tensor | list[Tensor]]:
    """All that `AnchorValues.from_arrays` needs, of every image of a batch; batch equals single."""
    predictions = model(batch.images)
    unscaled, settings = [(1.0, 1.0)] * len(batch), DetectionSettings.of(config)
    detections = detect(predictions, batch.image_sizes, unscaled, settings)
    differences = MiAod(config).differences(predictions)  # (B, A, K)
    scores, _ = Method.of(config).instance_and_image_scores(predictions)  # (B, A, K)
    weights = relative_weights(scores, predictions.grid)[..., : model.num_classes]  # (B, A, C)
    discrepancy = differences.mean(dim=-1)  # (B, A)
    top = discrepancy.topk(min(MAX_DETAILS, discrepancy.shape[1]), dim=1).indices  # (B, T)
    return {
        "discrepancy": discrepancy, "weighted": (differences * scores).mean(dim=-1),
        "weight": _half(weights.sum(dim=-1)), "top": top.int(), "weights": _half(_at(weights, top)),
        **_details(predictions, batch.image_sizes, top), "size": torch.tensor(batch.image_sizes),
        **{f"detected_{name}": found for name, found in columns_of(detections).items()},
        **{name: [array] * len(batch) for name, array in _grid_arrays(predictions.grid).items()},
    }  # fmt: skip


def relative_weights(weights: Tensor, grid: AnchorGrid) -> Tensor:
    """Instance weights (..., A, K) times the number of anchors of their level: summed over classes
    1 means as much as the average anchor of the level; without it a level of few anchors would
    outshine the others."""
    sizes = torch.tensor(grid.level_sizes, device=weights.device)
    return weights * sizes.repeat_interleave(sizes)[:, None]


def _details(
    predictions: Predictions, image_sizes: Sequence[tuple[int, int]], top: Tensor
) -> dict[str, Tensor]:
    """Boxes and class probabilities of the anchors `top` (B, T) of each image."""
    logits_1, logits_2, deltas = predictions.need("logits_1", "logits_2", "box_deltas")
    boxes = decode(predictions.grid.boxes[top], _at(deltas, top), predictions.delta_stds)
    clipped = [clip_boxes(one, size) for one, size in zip(boxes, image_sizes, strict=True)]
    return {
        "boxes": torch.stack(clipped),
        "probs_1": predictions.class_probabilities(_at(logits_1, top)).half(),
        "probs_2": predictions.class_probabilities(_at(logits_2, top)).half(),
    }


def _half(values: Tensor) -> Tensor:
    """As float16, what is too large for it as its largest number: a weight may reach the number of
    anchors of its level."""
    return values.clamp(max=torch.finfo(torch.float16).max).half()


def _at(values: Tensor, top: Tensor) -> Tensor:
    """The values (B, A, N) of the anchors `top` (B, T): (B, T, N)."""
    return values.gather(1, top[..., None].expand(-1, -1, values.shape[-1]))


def _grid_arrays(grid: AnchorGrid) -> dict[str, Tensor]:
    """All that makes a grid: (h, w), stride and anchors a cell of each level, and the anchors of
    its first cell."""
    levels = grid.boxes.split(list(grid.level_sizes))
    first = [level[:k] for level, k in zip(levels, grid.anchors_per_cell, strict=True)]
    shapes = zip(grid.feature_sizes, grid.strides, grid.anchors_per_cell, strict=True)
    rows = [(h, w, stride, k) for (h, w), stride, k in shapes]
    return {
        "levels": torch.tensor(rows),
        "first_anchors": torch.cat(first),
    }


def _grid_of(arrays: Mapping[str, np.ndarray]) -> AnchorGrid:
    levels = tuple(tuple(level) for level in arrays["levels"].tolist())
    return _grid(levels, arrays["first_anchors"].tobytes())


@lru_cache(maxsize=16)  # images of one size share it
def _grid(levels: tuple[tuple[int, int, int, int], ...], first_anchors: bytes) -> AnchorGrid:
    heights, widths, strides, per_cell = zip(*levels, strict=True)
    first = torch.frombuffer(bytearray(first_anchors), dtype=torch.float32).view(-1, 4)
    return anchor_grid(list(zip(heights, widths, strict=True)), strides, first.split(per_cell))
