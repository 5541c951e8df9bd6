"""Values of anchors as a picture, and the anchors whose values are highest."""

import numpy as np
import torch
from torch import Tensor

from miaod_nb.detector.anchors import AnchorGrid, clip_boxes


def anchor_map(values: Tensor | np.ndarray, grid: AnchorGrid, size: tuple[int, int]) -> np.ndarray:
    """The value at every pixel of an image: float32 (H, W).

    A cell takes the largest value of its K anchors, pixels between the centers of cells are
    interpolated linearly, those beyond the outermost centers take the nearest cell, and a pixel
    takes the largest value of all levels. values: (A,), in the grid's order; size: (H, W) of the
    image as the detector saw it, without its padding.
    """
    cells_of_levels = torch.as_tensor(values).detach().float().cpu().split(list(grid.level_sizes))
    boxes_of_levels = grid.boxes.cpu().split(list(grid.level_sizes))
    levels = []
    for cells, boxes, shape, stride, per_cell in zip(
        cells_of_levels, boxes_of_levels, grid.feature_sizes, grid.strides, grid.anchors_per_cell,
        strict=True,
    ):  # fmt: skip
        level = cells.view(*shape, per_cell).amax(dim=-1)  # (h, w)
        first = boxes[:per_cell].mean(dim=0)  # the mean box of the first cell
        first_x, first_y = float(first[0] + first[2]) / 2, float(first[1] + first[3]) / 2
        rows = _linear(shape[0], size[0], first_y, stride)  # (H, h)
        columns = _linear(shape[1], size[1], first_x, stride)  # (W, w)
        levels.append(rows @ level @ columns.T)
    return torch.stack(levels).amax(dim=0).numpy()


def top_anchors(
    values: Tensor | np.ndarray, grid: AnchorGrid, size: tuple[int, int], count: int
) -> np.ndarray:
    """The `count` anchors with the largest values, largest first: float32 (<= count, 4) xyxy.

    They are clipped to the image of `size` (H, W); anchors outside of it do not take part.
    Anchors of neighboring cells may be among them: nothing is suppressed.
    """
    boxes = clip_boxes(grid.boxes, size).cpu()
    inside = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    candidates = torch.as_tensor(values).detach().cpu()[inside]
    best = candidates.topk(min(count, len(candidates))).indices
    return boxes[inside][best].numpy()


def _linear(cells: int, pixels: int, first: float, stride: int) -> Tensor:
    """What each cell counts at each pixel of one axis: (pixels, cells), rows sum to 1.

    first: where the first cell is centered; a pixel lies at its own center, i + 0.5.
    """
    places = (torch.arange(pixels) + 0.5 - first) / stride
    distances = places.clamp(0, cells - 1)[:, None] - torch.arange(cells)
    return (1 - distances.abs()).clamp(min=0)
