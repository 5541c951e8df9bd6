"""The trained detector over many images: detections and scores."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor

from miaod_nb.config import Config
from miaod_nb.data.batches import UnlabeledBatch, inference_loader
from miaod_nb.data.plans import inference_plan
from miaod_nb.data.pool import Indices
from miaod_nb.data.records import ImageRecord, Objects
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector.detections import DetectionSettings, detect
from miaod_nb.detector.model import DetectionModel
from miaod_nb.evaluation import Detections, Evaluation, GroundTruth, evaluate
from miaod_nb.progress import progress
from miaod_nb.runs.files import RunFolder
from miaod_nb.selection.strategies import MiAod, Strategy
from miaod_nb.selection.uncertainty import image_uncertainty, instance_uncertainty

Results = dict[str, dict[str, Tensor]]  # by image id
TWO_CLASSIFIERS = ("classifier_1", "classifier_2")


@torch.inference_mode()
def planned_results(
    model: DetectionModel, records: Sequence[ImageRecord], plan: Sequence[Sequence[int]],
    compute: Callable[[UnlabeledBatch], list[dict[str, Tensor]]], config: Config,
) -> Iterator[Results]:  # fmt: skip
    """What `compute` says of the images of one batch of the plan after the other, by id, on the
    CPU."""
    loader = inference_loader(
        plan, records, input_size=InputSize.of(config), mean=model.pixel_mean,
        std=model.pixel_std, workers=config.workers,
    )  # fmt: skip
    for batch in loader:
        assert isinstance(batch, UnlabeledBatch)  # the loader was given no labels
        found = zip(batch.ids, compute(batch.to(model.device)), strict=True)
        yield {i: {key: value.cpu() for key, value in result.items()} for i, result in found}


def missing_batches(
    records: Sequence[ImageRecord], config: Config, done: Container[str]
) -> tuple[list[list[int]], int]:
    """The batches that hold an image whose id is not in `done`, and how many there are of all."""
    plan = inference_plan(records, InputSize.of(config), config.inference_batch_size)
    return [batch for batch in plan if any(records[i].id not in done for i in batch)], len(plan)


def batch_results(
    model: DetectionModel, records: Sequence[ImageRecord],
    compute: Callable[[UnlabeledBatch], list[dict[str, Tensor]]], config: Config,
    description: str, done: Container[str] = (),
) -> Iterator[Results]:  # fmt: skip
    """The results of all images, batch by batch, while the user sees how many are done.

    done: ids of images that need no result; a batch of such images alone is left out.
    """
    missing, total = missing_batches(records, config, done)
    found = planned_results(model, records, missing, compute, config)
    return progress(found, description, total, total - len(missing))


def saved_results(folder: RunFolder, partial: str) -> Results:
    """The results that a work that was cut off left in the file `partial`, if it is there."""
    return folder.load_tensors(partial)["results"] if folder.exists(partial) else {}


def scales_of(batch: UnlabeledBatch) -> list[tuple[float, float]]:
    """(x, y) by which every image of a batch was resized."""
    return [
        (width / original_width, height / original_height)
        for (height, width), (original_height, original_width) in zip(
            batch.image_sizes, batch.original_sizes, strict=True
        )
    ]


def detections_of(
    model: DetectionModel, batch: UnlabeledBatch, settings: DetectionSettings
) -> list[dict[str, Tensor]]:
    """Boxes (pixels of the original image), scores and labels of every image of a batch."""
    predictions = model(batch.images, ("classifier_1", "regressor"))
    found = detect(predictions, batch.image_sizes, scales_of(batch), settings)
    return [{"boxes": d.boxes, "scores": d.scores, "labels": d.labels} for d in found]


def detections_and_uncertainties(
    model: DetectionModel, batch: UnlabeledBatch, config: Config
) -> list[dict[str, Tensor]]:
    """As `detections_of`, with the `uncertainty` of each image, as the strategy `mi_aod` has it."""
    towers = [*TWO_CLASSIFIERS, "regressor", *["mil_classifier"] * config.weighted_selection]
    predictions = model(batch.images, towers)
    settings = DetectionSettings.of(config)
    found = detect(predictions, batch.image_sizes, scales_of(batch), settings)
    instances = MiAod.of(config).instance_uncertainty(predictions)  # (B, A)
    values = image_uncertainty(instances, config.top_k)
    return [
        {"boxes": d.boxes, "scores": d.scores, "labels": d.labels, "uncertainty": value}
        for d, value in zip(found, values, strict=True)
    ]


def scores_of(
    model: DetectionModel, batch: UnlabeledBatch, strategy: Strategy
) -> list[dict[str, Tensor]]:
    """The strategy's value of every image of a batch, and its part of each class."""
    scores = strategy.score(model, batch)
    return [
        {"score": value, "per_class": per_class}
        for value, per_class in zip(scores.values, scores.per_class, strict=True)
    ]


def batch_of(
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
        predictions = model(batch_of(model, [record], config).images, TWO_CLASSIFIERS)
        probs_1, probs_2 = predictions.both_probabilities()
        instances = instance_uncertainty(probs_1, probs_2, norm=config.discrepancy_norm)
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
