"""A trained detector at work: the boxes that it finds in images, and what else is asked of it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from miaod_nb.boxes import Detections
from miaod_nb.config import Config
from miaod_nb.data.batches import UnlabeledBatch, inference_loader
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector.detections import DetectionSettings, columns_of, detect
from miaod_nb.detector.folding import fold
from miaod_nb.detector.model import DetectionModel
from miaod_nb.passes.image_pass import compute_rows
from miaod_nb.progress import progress
from miaod_nb.selection.mi_aod import MiAod
from miaod_nb.selection.uncertainty import image_uncertainty, instance_uncertainty


def detect_images(
    model: DetectionModel, records: Sequence[ImageRecord], config: Config, description: str
) -> dict[str, Detections]:
    """What the detector finds in each image, by id and in their order, while the user sees how many
    are done."""
    merged, settings = fold(model), DetectionSettings.of(config)
    rows = compute_rows(
        merged, records, lambda batch: detect_batch(merged, batch, settings), config
    )
    found = {i: Detections(**row) for i, row in progress(rows, description, len(records))}
    return {record.id: found[record.id] for record in records}


def detect_batch(
    model: DetectionModel, batch: UnlabeledBatch, settings: DetectionSettings
) -> dict[str, list[Tensor]]:
    """Boxes (pixels of the original image), scores and labels of every image of a batch."""
    predictions = model(batch.images, ("classifier_1", "regressor"))
    return columns_of(detect(predictions, batch.image_sizes, _scales(batch), settings))


def detect_with_uncertainty(
    model: DetectionModel, batch: UnlabeledBatch, config: Config
) -> dict[str, Tensor | list[Tensor]]:
    """As `detect_batch`, with the `uncertainty` (B,) of the images, as the strategy `mi_aod` has
    it."""
    towers = ["classifier_1", "classifier_2", "regressor"]
    predictions = model(batch.images, towers + ["mil_classifier"] * config.weighted_selection)
    settings = DetectionSettings.of(config)
    found = detect(predictions, batch.image_sizes, _scales(batch), settings)
    instances = MiAod(config).instance_uncertainty(predictions)  # (B, A)
    return {**columns_of(found), "uncertainty": image_uncertainty(instances, config.top_k)}


def _scales(batch: UnlabeledBatch) -> list[tuple[float, float]]:
    """(x, y) by which every image of a batch was resized."""
    return [
        (width / original_width, height / original_height)
        for (height, width), (original_height, original_width) in zip(
            batch.image_sizes, batch.original_sizes, strict=True
        )
    ]


def load_batch(
    model: DetectionModel, records: Sequence[ImageRecord], config: Config
) -> UnlabeledBatch:
    """These images as one batch on the model's device, not augmented."""
    loader = inference_loader(
        [range(len(records))], records, input_size=InputSize.of(config), mean=model.pixel_mean,
        std=model.pixel_std,
    )  # fmt: skip
    (batch,) = loader
    assert isinstance(batch, UnlabeledBatch)
    return batch.to(model.device)


@torch.inference_mode()
def mean_discrepancy(
    model: DetectionModel, records: Sequence[ImageRecord], config: Config
) -> float:
    """How much the two classifiers disagree on these images, in [0, 1]: the image uncertainty with
    the norm of the losses, mean over the images."""
    values = []
    for record in records:
        batch = load_batch(model, [record], config)
        predictions = model(batch.images, ("classifier_1", "classifier_2"))
        probs_1, probs_2 = predictions.both_probabilities()
        instances = instance_uncertainty(probs_1, probs_2, norm=config.discrepancy_norm)
        values.append(float(image_uncertainty(instances, config.top_k)))
    return sum(values) / len(values)
