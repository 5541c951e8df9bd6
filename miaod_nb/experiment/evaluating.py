"""A detector, or predictions written before, against the labels of an image list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from miaod_nb.data.annotations import Oracle
from miaod_nb.data.records import FaultCounts, ImageRecord, Objects
from miaod_nb.data.sources import scan_list
from miaod_nb.detector.detections import DetectionSettings
from miaod_nb.errors import DataError
from miaod_nb.evaluation import Evaluation
from miaod_nb.experiment.inference import Results, batch_results, detections_of, evaluation_of
from miaod_nb.experiment.outputs import out_folder
from miaod_nb.experiment.prediction_files import (
    CATEGORIES,
    PREDICTIONS,
    ImageId,
    categories_beside,
    read_entries,
    to_entries,
)
from miaod_nb.experiment.session import memory_explained, prepare_torch
from miaod_nb.experiment.trained import Detector


@dataclass(frozen=True)
class TestSet:
    """Images with their labels, by id, and the faults met in both."""

    list_name: str
    records: Sequence[ImageRecord]
    objects: Mapping[str, Objects]
    faults: FaultCounts

    @property
    def image_ids(self) -> dict[str, ImageId]:
        """What a prediction file calls each image."""
        return {record.id: record.id for record in self.records}

    @property
    def described(self) -> str:
        """What metrics are measured on, in words."""
        return f"{self.list_name} list ({len(self.objects)} images)"


@dataclass(frozen=True)
class Evaluated:
    """The metrics of detections on a test set, and the detections, by image id."""

    test: TestSet
    categories: Mapping[int, str]
    results: Results
    evaluation: Evaluation


def read_test_set(data_root: Path, list_name: str, classes: Sequence[str]) -> TestSet:
    """The images of a list and their objects of these classes. Raises DataError."""
    faults = FaultCounts()
    records = scan_list(data_root, list_name, faults)
    objects = Oracle(records).read([record.id for record in records], classes, faults)
    if not any(len(found.labels) for found in objects.values()):
        raise DataError(
            f"no label of the list '{list_name}' is of the classes {', '.join(classes)} "
            f"({'; '.join(faults.lines())})",
            where=data_root,
            remedy="evaluate on labeled images that show objects of these classes",
        )
    return TestSet(list_name, records, objects, faults)


def evaluate_detector(detector: Detector, data_root: Path, list_name: str) -> Evaluated:
    """The metrics of a detector on an image list. Raises DataError."""
    config, model = detector.config, detector.model
    prepare_torch(config, model.device)
    test = read_test_set(data_root, list_name, detector.classes)
    settings = DetectionSettings.of(config)
    results: Results = {}
    with memory_explained():
        for found in batch_results(
            model, test.records, lambda batch: detections_of(model, batch, settings), config,
            "evaluate",
        ):  # fmt: skip
            results |= found
    ordered = {record.id: results[record.id] for record in test.records}
    return _evaluated(test, dict(enumerate(detector.classes, start=1)), ordered)


def evaluate_predictions(path: Path, data_root: Path, list_name: str) -> Evaluated:
    """The metrics of a prediction file on an image list, without the detector that wrote it.

    Boxes in images outside the list are counted and left out. Raises DataError.
    """
    categories = categories_beside(path)
    test = read_test_set(data_root, list_name, list(categories.values()))
    results, others = read_entries(path, test.image_ids, categories)
    if others and not any(len(found["labels"]) for found in results.values()):
        raise DataError(
            f"none of the {others} boxes lies in an image of the list '{list_name}'",
            where=path,
            remedy="name the list that the predictions were made for: --list",
        )
    if others:
        test.faults.add("predicted box in an image outside the list", path.name, others)
    return _evaluated(test, categories, results)


def write_evaluation(evaluated: Evaluated, out: Path) -> list[Path]:
    """Writes `metrics.json`, `per_class.csv`, `predictions.json` and `categories.json`."""
    test, evaluation = evaluated.test, evaluated.evaluation
    categories = [{"id": key, "name": name} for key, name in evaluated.categories.items()]
    about = {"evaluated_on": test.described, "classes": list(evaluated.categories.values())}
    with out_folder(out) as folder:
        folder.save_json("metrics.json", {"about": about, "metrics": evaluation.metrics,
                                          "exclusions": test.faults.as_dict()})  # fmt: skip
        folder.save_csv("per_class.csv", evaluation.per_class)
        folder.save_json(CATEGORIES, categories)
        entries = to_entries(evaluated.results, test.image_ids, evaluated.categories)
        folder.save_json(PREDICTIONS, entries)
    return [out / name for name in ("metrics.json", "per_class.csv", PREDICTIONS, CATEGORIES)]


def _evaluated(test: TestSet, categories: Mapping[int, str], results: Results) -> Evaluated:
    evaluation = evaluation_of(results, test.objects, list(categories.values()))
    return Evaluated(test, categories, results, evaluation)
