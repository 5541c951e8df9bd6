"""What a trained detector sees in one image: what the notebooks draw."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from miaod_nb.boxes import Detections, Objects
from miaod_nb.config import Config
from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.data.images import load_image
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector.anchors import AnchorGrid
from miaod_nb.detector.detections import DetectionSettings, detect
from miaod_nb.detector.model import DetectionModel
from miaod_nb.inspection.values import AnchorValues, anchor_arrays, relative_weights
from miaod_nb.learning.stages import Method
from miaod_nb.passes.inference import load_batch
from miaod_nb.selection.mi_aod import MiAod
from miaod_nb.selection.uncertainty import image_uncertainty


@dataclass(frozen=True)
class View:
    """One image as the detector sees it.

    image: uint8 (H, W, 3), resized, without padding; all boxes are in its pixels. probs_1, probs_2
    and weights: (A, K), anchors ordered as in `grid`; K as in `Predictions`. instances: (A,)
    uncertainties; score: of the image, as the strategy `mi_aod` has it.
    """

    image: np.ndarray
    grid: AnchorGrid
    probs_1: Tensor
    probs_2: Tensor
    weights: Tensor
    instances: Tensor
    score: float
    detections: Detections

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the image."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def relative_weights(self) -> Tensor:
        """The weights times the number of anchors of their level: (A, K)."""
        return relative_weights(self.weights, self.grid)

    def placed(self, boxes: np.ndarray, record: ImageRecord) -> np.ndarray:
        """Boxes (N, 4) in pixels of the record's file, in pixels of the image as it is seen."""
        height, width = self.size
        return boxes * np.array([width / record.width, height / record.height] * 2, np.float32)


@torch.inference_mode()
def view(model: DetectionModel, record: ImageRecord, config: Config) -> View:
    """What the detector sees in an image."""
    batch = load_batch(model, [record], config)
    predictions = model(batch.images)
    probs_1, probs_2 = predictions.both_probabilities()  # (1, A, K)
    weights, _ = Method.of(config).instance_and_image_scores(predictions)
    instances = MiAod(config).instance_uncertainty(predictions)
    (detections,) = detect(
        predictions, batch.image_sizes, [(1.0, 1.0)], DetectionSettings.of(config)
    )
    return View(
        image=_as_seen(model, batch), grid=predictions.grid, probs_1=probs_1[0],
        probs_2=probs_2[0], weights=weights[0], instances=instances[0],
        score=float(image_uncertainty(instances, config.top_k)),
        detections=detections.as_arrays(),
    )  # fmt: skip


@torch.inference_mode()
def image_and_values(
    model: DetectionModel, record: ImageRecord, config: Config
) -> tuple[np.ndarray, AnchorValues]:
    """An image as `View` has it, and what the detector says of its anchors."""
    batch = load_batch(model, [record], config)
    columns = anchor_arrays(model, batch, config)
    found = {name: values[0].cpu().numpy() for name, values in columns.items()}
    return _as_seen(model, batch), AnchorValues.from_arrays(record.id, found)


def pixels(record: ImageRecord) -> np.ndarray:
    """The image of the file: uint8 (H, W, 3) RGB."""
    return load_image(record.image_path, record.gray).permute(1, 2, 0).numpy()


def labeled_batch(
    model: DetectionModel, record: ImageRecord, objects: Objects, config: Config
) -> LabeledBatch:
    """An image with its objects as a batch of one on the model's device, not augmented."""
    batch = load_batch(model, [record], config)
    (height, width), (old_height, old_width) = batch.image_sizes[0], batch.original_sizes[0]
    scale = torch.tensor([width / old_width, height / old_height] * 2)
    kept = ~objects.ignored
    boxes, labels = (torch.from_numpy(one[kept]) for one in (objects.boxes, objects.labels))
    return LabeledBatch(**vars(batch), boxes=(scale * boxes,), labels=(labels,)).to(model.device)


def _as_seen(model: DetectionModel, batch: UnlabeledBatch) -> np.ndarray:
    """The first image of a batch without normalization and padding: uint8 (H, W, 3)."""
    height, width = batch.image_sizes[0]
    mean, std = torch.tensor([model.pixel_mean, model.pixel_std]).view(2, 3, 1, 1)
    image = batch.images[0, :, :height, :width].cpu() * std + mean
    return (255 * image).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
