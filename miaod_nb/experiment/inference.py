"""The trained detector over many images: detections and scores, resumable."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor

from miaod_nb.config import Config
from miaod_nb.data.batches import UnlabeledBatch, inference_loader
from miaod_nb.data.plans import inference_plan
from miaod_nb.data.pool import Indices
from miaod_nb.data.records import ImageRecord, Objects
from miaod_nb.detector.detections import DetectionSettings, detect
from miaod_nb.detector.retinanet import RetinaNet
from miaod_nb.evaluation import Detections, Evaluation, GroundTruth, evaluate
from miaod_nb.experiment.session import Session
from miaod_nb.progress import progress
from miaod_nb.selection.strategies import Strategy
from miaod_nb.selection.uncertainty import image_uncertainty, instance_uncertainty

Results = dict[str, dict[str, Tensor]]  # by image id
TWO_CLASSIFIERS = ("classifier_1", "classifier_2")


@torch.inference_mode()
def over_images(
    model: RetinaNet, records: Sequence[ImageRecord],
    compute: Callable[[UnlabeledBatch], list[dict[str, Tensor]]], config: Config,
    session: Session, partial: str, description: str,
) -> Results:  # fmt: skip
    """What `compute` says of every image, by id, on the CPU.

    Results so far are kept in the file `partial` of the run folder, so that work that was cut off
    goes on; the caller deletes it when the final result is saved.
    """
    exists = session.folder.exists(partial)
    results: Results = session.folder.load_tensors(partial)["results"] if exists else {}
    plan = inference_plan(records, config.image_size, config.inference_batch_size)
    missing = [batch for batch in plan if any(records[i].id not in results for i in batch)]
    loader = inference_loader(
        missing, records, image_size=config.image_size, mean=model.pixel_mean,
        std=model.pixel_std, workers=config.workers,
    )  # fmt: skip
    for batch in progress(loader, description, len(plan), len(plan) - len(missing)):
        assert isinstance(batch, UnlabeledBatch)  # the loader was given no labels
        for image_id, result in zip(batch.ids, compute(batch.to(model.device)), strict=True):
            results[image_id] = {key: value.cpu() for key, value in result.items()}
        if session.save_due:
            session.folder.save_tensors(partial, {"results": results})
            session.saved()
    return results


def detections_of(
    model: RetinaNet, batch: UnlabeledBatch, settings: DetectionSettings
) -> list[dict[str, Tensor]]:
    """Boxes (pixels of the original image), scores and labels of every image of a batch."""
    scales = [
        (width / original_width, height / original_height)
        for (height, width), (original_height, original_width) in zip(
            batch.image_sizes, batch.original_sizes, strict=True
        )
    ]
    predictions = model(batch.images, ("classifier_1", "regressor"))
    found = detect(predictions, batch.image_sizes, scales, settings)
    return [{"boxes": d.boxes, "scores": d.scores, "labels": d.labels} for d in found]


def scores_of(
    model: RetinaNet, batch: UnlabeledBatch, strategy: Strategy
) -> list[dict[str, Tensor]]:
    """The strategy's value of every image of a batch, and its part of each class."""
    scores = strategy.score(model, batch)
    return [
        {"score": value, "per_class": per_class}
        for value, per_class in zip(scores.values, scores.per_class, strict=True)
    ]


def batch_of(model: RetinaNet, records: Sequence[ImageRecord], config: Config) -> UnlabeledBatch:
    """These images as one batch on the model's device, not augmented."""
    loader = inference_loader(
        [range(len(records))], records, image_size=config.image_size, mean=model.pixel_mean,
        std=model.pixel_std,
    )  # fmt: skip
    (batch,) = loader
    assert isinstance(batch, UnlabeledBatch)
    return batch.to(model.device)


@torch.inference_mode()
def mean_discrepancy(model: RetinaNet, records: Sequence[ImageRecord], config: Config) -> float:
    """How much the two classifiers disagree on these images, in [0, 1]: the image uncertainty with
    the norm of the losses, mean over the images."""
    values = []
    for record in records:
        predictions = model(batch_of(model, [record], config).images, TWO_CLASSIFIERS)
        logits_1, logits_2 = predictions.need("logits_1", "logits_2")
        instances = instance_uncertainty(
            logits_1.sigmoid(), logits_2.sigmoid(), norm=config.discrepancy_norm
        )
        values.append(float(image_uncertainty(instances, config.top_k)))
    return sum(values) / len(values)


def score_table(
    results: Results, records: Sequence[ImageRecord], indices: Indices, classes: Sequence[str]
) -> pd.DataFrame:
    """One row an image: id, index in the pool, score, and a column `class <name>` for each."""
    values = [results[record.id] for record in records]
    table = pd.DataFrame(
        {
            "id": [record.id for record in records],
            "index": indices,
            "score": [float(value["score"]) for value in values],
        }
    )
    for c, name in enumerate(classes):
        table[f"class {name}"] = [float(value["per_class"][c]) for value in values]
    return table


def evaluation_of(
    results: Results, objects: Mapping[str, Objects], classes: Sequence[str]
) -> Evaluation:
    """Metrics of detections against the labels of the images that have any."""
    return evaluate(
        [Detections(**{key: value.numpy() for key, value in results[i].items()}) for i in objects],
        [
            GroundTruth(*(a.numpy() for a in (o.boxes, o.labels, o.difficult, o.crowd, o.area)))
            for o in objects.values()
        ],
        classes,
    )
