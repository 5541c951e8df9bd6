"""From predictions to boxes: decode, clip, threshold, non-maximum suppression."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from miaod_nb.boxes import Detections
from miaod_nb.config import Config
from miaod_nb.detector.anchors import clip_boxes, decode
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
    every class; candidates: int64 (N,), which of the boxes that entered the NMS each is. None if
    nobody kept them.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    class_scores: Tensor | None = None
    candidates: Tensor | None = None

    def as_arrays(self) -> Detections:
        """The same on the CPU, for everything that is no detector."""
        return Detections(*(one.cpu().numpy() for one in (self.boxes, self.scores, self.labels)))


def candidates(
    predictions: Predictions,
    index: int,
    image_size: tuple[int, int],
    scale: tuple[float, float],
    num_candidates: int = 1000,
) -> tuple[Tensor, Tensor]:
    """The anchors of image `index` that enter the NMS: boxes (N, 4), probabilities (N, C).

    Per level the `num_candidates` anchors of highest class probability of classifier 1. Boxes are
    clipped to `image_size` (h, w), the input without padding, and divided by `scale` (x, y), so
    they are in pixels of the original image. N depends on shapes alone, never on values.
    """
    logits, deltas = predictions.need("logits_1", "box_deltas")
    probs = predictions.class_probabilities(logits[index])  # (A, C)
    deltas, anchors = deltas[index], predictions.grid.boxes
    if max(predictions.grid.level_sizes) > num_candidates:
        kept = _best_of_levels(probs.amax(dim=1), predictions.grid.level_sizes, num_candidates)
        probs, deltas, anchors = probs[kept], deltas[kept], anchors[kept]
    boxes = clip_boxes(decode(anchors, deltas, predictions.delta_stds), image_size)
    return boxes / boxes.new_tensor([*scale, *scale]), probs


def _best_of_levels(values: Tensor, level_sizes: Sequence[int], count: int) -> Tensor:
    """Places in `values` (A,) of the `count` highest of each level, best first; of a level with no
    more than these all, in their order."""
    places = torch.arange(len(values), device=values.device).split(list(level_sizes))
    levels = zip(values.split(list(level_sizes)), places, strict=True)
    return torch.cat([p[v.topk(count).indices] if len(v) > count else p for v, p in levels])


def levels_of(candidates: Tensor, level_sizes: Sequence[int], num_candidates: int) -> Tensor:
    """The feature level that each of these came from: places among what `candidates` gives of
    levels with so many anchors, int64 (N,) -> int64 (N,)."""
    sizes = torch.tensor([min(size, num_candidates) for size in level_sizes])
    return torch.bucketize(candidates, sizes.cumsum(0).to(candidates.device), right=True)


def suppress(boxes: Tensor, probs: Tensor, settings: DetectionSettings) -> ImageDetections:
    """The best boxes after class-wise NMS; boxes (N, 4), probs (N, C). The output's size depends
    on the values, so this step waits for the device.

    `batched_nms` may move each class elsewhere by adding to its coordinates: in float64 that rounds
    nothing away, so that boxes of other classes, their number and the device change nothing.
    """
    anchor, label = (probs > settings.score_threshold).nonzero(as_tuple=True)
    scores, boxes = probs[anchor, label], boxes[anchor]
    kept = batched_nms(boxes.double(), scores.double(), label, settings.nms_iou)
    kept = kept[: settings.max_detections]
    anchor = anchor[kept]
    return ImageDetections(boxes[kept], scores[kept], label[kept], probs[anchor], anchor)


def detect(
    predictions: Predictions,
    image_sizes: Sequence[tuple[int, int]],
    scales: Sequence[tuple[float, float]],
    settings: DetectionSettings = DetectionSettings(),  # noqa: B008  (immutable)
) -> list[ImageDetections]:
    """Detections of every image of a batch; see `candidates` and `suppress`."""
    return [
        suppress(*candidates(predictions, i, size, scale, settings.nms_candidates), settings)
        for i, (size, scale) in enumerate(zip(image_sizes, scales, strict=True))
    ]


def columns_of(found: Sequence[ImageDetections]) -> dict[str, list[Tensor]]:
    """The boxes, scores and labels of a batch's images, each as a list with one tensor an image."""
    return {name: [getattr(one, name) for one in found] for name in ("boxes", "scores", "labels")}
