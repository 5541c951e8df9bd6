"""The trained detector at single images."""

from collections.abc import Sequence

import torch

from miaod_nb.config import Config
from miaod_nb.data.batches import UnlabeledBatch, inference_loader
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector.model import DetectionModel
from miaod_nb.selection.uncertainty import image_uncertainty, instance_uncertainty


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
