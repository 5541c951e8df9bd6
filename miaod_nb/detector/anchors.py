"""Anchors: the grid of candidate boxes, and box deltas relative to them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_LOG_RATIO = abs(
    math.log(16 / 1000)
)  # a decoded side is within 16/1000..1000/16 of the anchor's
Stds = tuple[float, float, float, float]  # by which box deltas are scaled
UNIT_STDS: Stds = (1.0, 1.0, 1.0, 1.0)


def base_anchors(
    stride: int, scale: float, scales_per_octave: int, ratios: Sequence[float]
) -> Tensor:
    """Anchors of one cell, centered on the origin, ratio-major: (K, 4) xyxy in pixels.

    A side at ratio 1 measures `stride * scale * 2^(i / scales_per_octave)`; a ratio is
    height / width at equal area. Not rounded to whole pixels.
    """
    scales = torch.tensor([scale * 2 ** (i / scales_per_octave) for i in range(scales_per_octave)])
    heights = torch.tensor(list(ratios)).sqrt()
    half_w = (stride * (1 / heights)[:, None] * scales).flatten() / 2  # (K,)
    half_h = (stride * heights[:, None] * scales).flatten() / 2
    return torch.stack([-half_w, -half_h, half_w, half_h], dim=1)


@dataclass(frozen=True)
class AnchorGrid:
    """All anchors of one input size, levels concatenated.

    boxes: float (A, 4) xyxy, pixels of the padded input, ordered level, row, column, base anchor.
    feature_sizes: (h, w) of each level; strides: pixels a cell; anchors_per_cell: K of each level.
    """

    boxes: Tensor
    feature_sizes: tuple[tuple[int, int], ...]
    strides: tuple[int, ...]
    anchors_per_cell: tuple[int, ...]

    @property
    def level_sizes(self) -> tuple[int, ...]:
        """Anchors in each level; they sum to A."""
        cells = (h * w for h, w in self.feature_sizes)
        return tuple(n * k for n, k in zip(cells, self.anchors_per_cell, strict=True))

    def valid_mask(self, padded_size: tuple[int, int]) -> Tensor:
        """Which anchors belong to cells of an image that covers `padded_size` (h, w): bool (A,).

        The rest stand on the padding that brings an image to the size of its batch.
        """
        masks = []
        for (h, w), stride, k in zip(
            self.feature_sizes, self.strides, self.anchors_per_cell, strict=True
        ):
            inside = torch.zeros(h, w, k, dtype=torch.bool, device=self.boxes.device)
            inside[: math.ceil(padded_size[0] / stride), : math.ceil(padded_size[1] / stride)] = (
                True
            )
            masks.append(inside.flatten())
        return torch.cat(masks)


def anchor_grid(
    feature_sizes: Sequence[tuple[int, int]],
    strides: Sequence[int],
    bases: Sequence[Tensor],
    offset: float = 0.0,
) -> AnchorGrid:
    """The grid for feature maps of the given (h, w); cells are centered on multiples of the stride,
    plus `offset` strides. `bases`: (K, 4) of each level, on the device of the result."""
    levels = []
    for (h, w), stride, base in zip(feature_sizes, strides, bases, strict=True):
        x = (torch.arange(w, device=base.device) + offset) * stride
        y = (torch.arange(h, device=base.device) + offset) * stride
        shifts = torch.stack(
            [x.expand(h, w), y[:, None].expand(h, w)] * 2, dim=-1
        )  # (h, w, 4): x, y, x, y
        levels.append((shifts[:, :, None] + base).reshape(-1, 4))
    per_cell = tuple(len(base) for base in bases)
    return AnchorGrid(torch.cat(levels), tuple(feature_sizes), tuple(strides), per_cell)


def encode(anchors: Tensor, boxes: Tensor, stds: Stds = UNIT_STDS) -> Tensor:
    """Deltas (dx, dy, dw, dh) that carry anchors to boxes; all (..., 4), boxes of positive size.

    dx, dy in units of the anchor's sides; dw, dh are natural logarithms of the side ratios; all
    divided by `stds`.
    """
    anchor_center, anchor_size = _center_size(anchors)
    center, size = _center_size(boxes)
    deltas = [(center - anchor_center) / anchor_size, (size / anchor_size).log()]
    return torch.cat(deltas, dim=-1) / anchors.new_tensor(stds)


def decode(anchors: Tensor, deltas: Tensor, stds: Stds = UNIT_STDS) -> Tensor:
    """Boxes (..., 4) xyxy that deltas (..., 4) make of anchors; size changes are clipped to
    16/1000..1000/16. The inverse of `encode` within that range."""
    anchor_center, anchor_size = _center_size(anchors)
    deltas = deltas * deltas.new_tensor(stds)
    center = anchor_center + deltas[..., :2] * anchor_size
    half = anchor_size * deltas[..., 2:].clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp() / 2
    return torch.cat([center - half, center + half], dim=-1)


def clip_boxes(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) clipped to an image of `size` (h, w)."""
    h, w = size
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack([x1.clamp(0, w), y1.clamp(0, h), x2.clamp(0, w), y2.clamp(0, h)], dim=-1)


def _center_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    low, high = boxes[..., :2], boxes[..., 2:]
    return (low + high) / 2, high - low
