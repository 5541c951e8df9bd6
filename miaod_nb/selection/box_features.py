"""What a detector says of an image, and what each box looks like to it, as one row of numbers.

N boxes of an image, F features of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from miaod_nb.config import Config
from miaod_nb.errors import ConfigError
from miaod_nb.selection.outputs import Outputs

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.detections import ImageDetections
    from miaod_nb.detector.head import Predictions
    from miaod_nb.detector.model import DetectionModel

MOST_BOXES = 100  # of an image that are kept, the best


class Seen(NamedTuple):
    """What the detector says of an image, and float32 (N, F) of each box."""

    outputs: Outputs
    features: np.ndarray


def see_boxes(model: "DetectionModel", batch: "UnlabeledBatch", config: Config) -> list[Seen]:
    """What one of our detectors sees in the images of a batch; boxes in pixels of its input.

    The features of a box are those that the last layer of classifier 1 reads at its center, on the
    level whose anchor the box came from, between cells in proportion. Raises ConfigError for a
    detector that has none.
    """
    from miaod_nb.detector.detections import DetectionSettings, detect

    settings, unscaled = DetectionSettings.of(config), [(1.0, 1.0)] * len(batch)
    with model.autocasting():
        maps, logits = model.classified(model.features(batch.images))
    said = replace(model(batch.images, ("regressor",)), logits_1=logits.float())
    found = detect(said, batch.image_sizes, unscaled, settings)
    return [
        Seen(
            Outputs(image.as_arrays(), model.num_classes, _array(image.class_scores)),
            _array(_features_of(image, [one[i].float() for one in maps], said, model, size)),
        )
        for i, (image, size) in enumerate(zip(found, batch.image_sizes, strict=True))
    ]  # fmt: skip


def refuse_detectors_without(config: Config, strategy: str) -> None:
    """Raises ConfigError, before anything is trained, for a detector whose boxes have no features
    that could be compared."""
    if config.detector == "ssd300":
        raise ConfigError(
            f"{strategy} compares boxes by what the classifier's last layer reads, which ssd300 "
            "has in another kind and size on each of its levels",
            where=f"detector = {config.detector}",
            remedy="choose another strategy such as coreset, or set detector=retinanet",
        )


@dataclass(frozen=True, eq=False)
class BoxSets:
    """The boxes of M images, up to D each: labels int64 (M, D), scores (M, D), features (M, D, F).
    A place whose score is 0 has no box."""

    labels: np.ndarray
    scores: np.ndarray
    features: np.ndarray

    @classmethod
    def unpack(cls, rows: np.ndarray) -> Self:
        """The boxes of images from what `pack` made of each: (M, MOST_BOXES * (2 + F))."""
        labels, scores, features = np.split(rows, [MOST_BOXES, 2 * MOST_BOXES], axis=1)
        return cls(labels.astype(np.int64), scores, features.reshape(len(rows), MOST_BOXES, -1))


def pack(seen: Seen) -> np.ndarray:
    """The best boxes of an image as one row, float32 (MOST_BOXES * (2 + F),): the labels of all,
    then their scores, then the features of one after the other; 0 where there are no more."""
    found, count = seen.outputs.found, min(len(seen.outputs), MOST_BOXES)
    labels, scores = np.zeros((2, MOST_BOXES), np.float32)
    features = np.zeros((MOST_BOXES, seen.features.shape[1]), np.float32)
    labels[:count], scores[:count] = found.labels[:count], found.scores[:count]
    features[:count] = seen.features[:count]
    return np.concatenate([labels, scores, features.ravel()])


def _features_of(
    image: "ImageDetections", maps: Sequence["Tensor"], said: "Predictions",
    model: "DetectionModel", size: tuple[int, int],
) -> "Tensor":  # fmt: skip
    """The features of each box of an image of `size` (h, w): (N, F). maps: (F, h, w) a level."""
    from miaod_nb.detector.detections import levels_of

    assert image.anchors is not None  # `detect` keeps them
    levels = levels_of(image.anchors, said.grid.level_sizes)
    centers = (image.boxes[:, :2] + image.boxes[:, 2:]) / 2
    found = centers.new_zeros(len(centers), maps[0].shape[0])
    for number in levels.unique().tolist():
        chosen, stride = levels == number, model.strides[number]
        cells = centers[chosen] / stride - model.anchor_offset
        height, width = (-(-side // stride) for side in size)  # what is beyond is padding
        found[chosen] = read_at(maps[number][:, :height, :width], cells)
    return found


def read_at(values: "Tensor", cells: "Tensor") -> "Tensor":
    """A map (F, h, w) at places (x, y) in cells, (N, 2), 0 at the middle of the first: (N, F),
    between cells in proportion; beyond the last cell as there."""
    from torch.nn.functional import grid_sample

    most = cells.new_tensor([values.shape[2] - 1, values.shape[1] - 1]).clamp(min=1)
    places = 2 * cells / most - 1  # -1 at the first cell, 1 at the last
    found = grid_sample(values[None], places[None, None], padding_mode="border", align_corners=True)
    return found[0, :, 0].T


def _array(values: "Tensor | None") -> np.ndarray:
    assert values is not None
    return values.cpu().numpy()
