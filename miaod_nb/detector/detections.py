"""From predictions to boxes: decode, clip, threshold, non-maximum suppression."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from miaod_nb.boxes import Detections
from miaod_nb.config import Config
from miaod_nb.detector.anchors import decode
from miaod_nb.detector.head import Predictions


@dataclass(frozen=True)
class DetectionSettings:
    """The choices of inference; see the fields of these names in Config."""

    nms_candidates: int = 1000
    score_threshold: float = 0.05
    nms_iou: float = 0.5
    max_detections: int = 100

    @classmethod
    def of(cls, config: Config) -> "DetectionSettings":
        """The settings that a configuration asks for."""
        return cls(**{name: getattr(config, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class ImageDetections:
    """Boxes found in one image, best first.

    boxes: float (N, 4) xyxy in pixels of the original image; scores: float (N,) in (0, 1];
    labels: int64 (N,), class index. class_scores: float (N, C), what the anchor of each box says of
    every class; anchors: int64 (N,), which of the grid that is. None if nobody kept them.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    class_scores: Tensor | None = None
    anchors: Tensor | None = None

    def as_arrays(self) -> Detections:
        """The same on the CPU, for everything that is no detector."""
        return Detections(*(one.cpu().numpy() for one in (self.boxes, self.scores, self.labels)))


class Scores(NamedTuple):
    """What anchors say above the threshold, of one class each time. images, anchors, labels: int64
    (M,), which of the batch, of the grid and of the classes; scores: float (M,), of this class;
    class_scores: float (M, C), the anchor's of every class."""

    images: Tensor
    anchors: Tensor
    labels: Tensor
    scores: Tensor
    class_scores: Tensor


def detect(
    predictions: Predictions,
    image_sizes: Sequence[tuple[int, int]],
    scales: Sequence[tuple[float, float]],
    settings: DetectionSettings = DetectionSettings(),  # noqa: B008  (immutable)
) -> list[ImageDetections]:
    """Detections of every image of a batch, by classifier 1.

    Boxes are clipped to `image_sizes` (h, w), the inputs without padding, and divided by `scales`
    (x, y), so they are in pixels of the original images. Only those above the score threshold are
    decoded, which are few.
    """
    logits, deltas = predictions.need("logits_1", "box_deltas")
    # An image at a time: the last digit of a sigmoid depends on where in a tensor its value stands.
    probs = torch.stack([predictions.class_probabilities(one) for one in logits])  # (B, A, C)
    found = above_threshold(probs, predictions.grid.level_sizes, settings)
    anchors, deltas = predictions.grid.boxes[found.anchors], deltas[found.images, found.anchors]
    boxes = decode(anchors, deltas, predictions.delta_stds)
    limits = boxes.new_tensor([[w, h, w, h] for h, w in image_sizes])
    factors = boxes.new_tensor([[x, y, x, y] for x, y in scales])
    boxes = boxes.clamp(min=0).minimum(limits[found.images]) / factors[found.images]
    counts = found.images.bincount(minlength=len(logits)).tolist()
    of_images = zip(*(one.split(counts) for one in (boxes, *found)), strict=True)
    return [suppress(own, Scores(*said), settings) for own, *said in of_images]


def candidates(best: Tensor, level_sizes: Sequence[int], num_candidates: int) -> Tensor:
    """The anchors that may enter the NMS, int64 (B, N), from the highest class probability of each,
    (B, A): per level the `num_candidates` highest, best first; of a level with no more than these
    all, in their order. N depends on shapes alone, never on values."""
    sizes = list(level_sizes)
    places = torch.arange(best.shape[1], device=best.device).expand_as(best)
    levels = zip(best.split(sizes, dim=1), places.split(sizes, dim=1), strict=True)
    return torch.cat(
        [
            place[:, :1] + values.topk(num_candidates).indices
            if values.shape[1] > num_candidates else place
            for values, place in levels
        ],
        dim=1,
    )  # fmt: skip


def above_threshold(
    probs: Tensor, level_sizes: Sequence[int], settings: DetectionSettings
) -> Scores:
    """Class probabilities (B, A, C) of candidates that exceed the threshold, image by image in the
    order of `candidates`. How many there are depends on the values, so this waits for the device.
    """
    best = probs.amax(dim=2)
    places = candidates(best, level_sizes, settings.nms_candidates)
    images, rows = (best.gather(1, places) > settings.score_threshold).nonzero(as_tuple=True)
    anchors = places[images, rows]
    probs = probs[images, anchors]  # of all classes: of the few that may be above
    rows, labels = (probs > settings.score_threshold).nonzero(as_tuple=True)
    return Scores(images[rows], anchors[rows], labels, probs[rows, labels], probs[rows])


def suppress(boxes: Tensor, found: Scores, settings: DetectionSettings) -> ImageDetections:
    """The best boxes of one image after class-wise NMS; boxes: (M, 4). The output's size depends
    on the values, so this step waits for the device.

    `batched_nms` may move each class elsewhere by adding to its coordinates: in float64 that rounds
    nothing away, so that boxes of other classes, their number and the device change nothing.
    """
    kept = batched_nms(boxes.double(), found.scores.double(), found.labels, settings.nms_iou)
    kept = kept[: settings.max_detections]
    columns = (boxes, found.scores, found.labels, found.class_scores, found.anchors)
    return ImageDetections(*(one[kept] for one in columns))


def levels_of(anchors: Tensor, level_sizes: Sequence[int]) -> Tensor:
    """The feature level that each of these anchors stands on: int64 (N,) -> int64 (N,)."""
    ends = torch.tensor(level_sizes).cumsum(0)
    return torch.bucketize(anchors, ends.to(anchors.device), right=True)


def columns_of(found: Sequence[ImageDetections]) -> dict[str, list[Tensor]]:
    """The boxes, scores and labels of a batch's images, each as a list with one tensor an image."""
    return {name: [getattr(one, name) for one in found] for name in ("boxes", "scores", "labels")}
