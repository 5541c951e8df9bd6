"""All that the viewer's script needs to show one image, as JSON. Arrays are base64 texts."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from miaod_nb.data.records import ImageRecord
from miaod_nb.inspection.seeing import pixels
from miaod_nb.inspection.values import AnchorValues
from miaod_nb.views.contract import AnchorPanel, Details, Detected, Layer, Level

PHOTO_SIDE = 800  # pixels of the longer side of a photo, at most
CLASS_NUMBERS = 40_000  # of an image's anchors and classes; many classes: of fewer anchors
LARGEST = 65535  # of uint16


def photo(record: ImageRecord, longest: int = PHOTO_SIDE) -> str:
    """The image as a JPEG data URL, its longer side at most `longest` pixels. Raises DataError if
    its file cannot be read."""
    return _data_url(Image.fromarray(pixels(record)), longest)


def part_of_photo(record: ImageRecord, part: tuple[int, int, int, int], longest: int) -> str:
    """As `photo`, what lies in a box of whole pixels."""
    return _data_url(Image.fromarray(pixels(record)).crop(part), longest)


def _data_url(image: Image.Image, longest: int) -> str:
    image.thumbnail((longest, longest))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{_text(buffer.getvalue())}"


def anchor_panel(
    values: AnchorValues, classes: Sequence[str], norm: str, weighted: bool
) -> AnchorPanel:
    """What a detector says of an image's anchors. classes: those that it knows, and perhaps others
    that joined later. norm: as `uncertainty_norm`; weighted: the score averages the re-weighted
    discrepancy."""
    layers = values.layers()
    cells = {name: _cells(layer, values) for name, layer in layers.items()}
    scales = {name: _largest_inside(found, values) for name, found in cells.items()}
    return {
        "num_anchors": len(values.discrepancy), "norm": norm, "levels": _levels(values),
        "scales": scales,
        "maps": {name: [_bytes(level, scales[name]) for level in found]
                 for name, found in cells.items()},
        "detections": _detections(values, classes),
        "details": _details(values, layers, weighted, len(classes)),
    }  # fmt: skip


def _cells(layer: np.ndarray, values: AnchorValues) -> list[np.ndarray]:
    """The largest value of each cell, (h, w) a level."""
    grid = values.grid
    levels = np.split(layer, np.cumsum(grid.level_sizes)[:-1])
    shapes = zip(grid.feature_sizes, grid.anchors_per_cell, strict=True)
    return [
        level.reshape(*size, per_cell).max(axis=-1)
        for level, (size, per_cell) in zip(levels, shapes, strict=True)
    ]


def _largest_inside(cells: Sequence[np.ndarray], values: AnchorValues) -> float:
    """The largest value of all levels, without the cells that stand on padding."""
    height, width = values.size
    return max(
        float(level[: -(-height // stride), : -(-width // stride)].max())
        for level, stride in zip(cells, values.grid.strides, strict=True)
    )


def _levels(values: AnchorValues) -> list[Level]:
    grid, start = values.grid, 0
    levels: list[Level] = []
    parts = zip(grid.feature_sizes, grid.strides, grid.anchors_per_cell, strict=True)
    for (height, width), stride, per_cell in parts:
        base = grid.boxes[start : start + per_cell]
        mean = base.mean(dim=0)
        first = [float(mean[0] + mean[2]) / 2, float(mean[1] + mean[3]) / 2]
        levels.append(
            {
                "shape": [height, width],
                "stride": stride,
                "first": first,
                "base": [[round(edge, 2) for edge in box] for box in base.tolist()],
            }
        )
        start += height * width * per_cell  # fmt: skip
    return levels


def _detections(values: AnchorValues, classes: Sequence[str]) -> Detected:
    found = values.detections
    return {
        "boxes": [[round(edge, 1) for edge in box] for box in found.boxes.tolist()],
        "scores": [round(score, 3) for score in found.scores.tolist()],
        "labels": found.labels.tolist(), "names": found.names(classes),
    }  # fmt: skip


def _details(
    values: AnchorValues, layers: dict[str, np.ndarray], weighted: bool, num_classes: int
) -> Details:
    """The numbers of the most uncertain anchors, those first that the score averages first."""
    order = np.argsort(-values.weighted[values.top], kind="stable") if weighted else slice(None)
    anchors = values.top[order]
    count = min(len(anchors), CLASS_NUMBERS // max(num_classes, 1))
    scale = float(values.weights.max(initial=0)) or 1.0
    rows = np.arange(len(values.top))[order][:count]

    def floats(name: Layer) -> str:
        return _text(layers[name][anchors].astype("<f4").tobytes())

    return {
        "anchors": _text(anchors.astype("<i4").tobytes()),
        "discrepancy": floats("discrepancy"),
        "weight": floats("weight"),
        "weighted": floats("weighted"),
        "per_class": count,
        "weight_scale": scale,
        "probs_1": _shares(values.probs_1[rows], 1.0, num_classes),
        "probs_2": _shares(values.probs_2[rows], 1.0, num_classes),
        "weights": _shares(values.weights[rows], scale, num_classes),
    }


def _shares(array: np.ndarray, one: float, num_classes: int) -> str:
    """Parts of `one` of each class; 0 for those that the detector did not know yet."""
    shares = (array.astype(np.float32) / one).clip(0, 1)
    shares = np.pad(shares, ((0, 0), (0, num_classes - shares.shape[1])))
    return _text((LARGEST * shares).round().astype("<u2").tobytes())


def _bytes(level: np.ndarray, scale: float) -> str:
    shares = level / scale if scale > 0 else np.zeros_like(level)
    return _text((255 * shares).round().clip(0, 255).astype(np.uint8).tobytes())


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
