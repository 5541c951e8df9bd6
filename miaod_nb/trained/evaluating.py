"""A detector, or predictions written before, against the labels of an image list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from miaod_nb.boxes import Detections, Objects
from miaod_nb.data.labels import Oracle, as_counted
from miaod_nb.data.records import FaultCounts, ImageRecord, Range
from miaod_nb.data.sources import Source, nearest_list, open_source, scan_list
from miaod_nb.errors import ConfigError, DataError, nearest_path
from miaod_nb.evaluation import Evaluation, evaluate
from miaod_nb.experiment.opening import open_run
from miaod_nb.passes.inference import detect_images
from miaod_nb.runs.machine import memory_explained, prepare_torch
from miaod_nb.runs.outputs import out_folder, refuse_run
from miaod_nb.runs.record import RunRecord, is_run
from miaod_nb.runs.tables import stacked_table
from miaod_nb.trained.detector import Detector
from miaod_nb.trained.image_names import ImageId
from miaod_nb.trained.prediction_files import (
    CATEGORIES,
    PREDICTIONS,
    categories_beside,
    list_beside,
    read_entries,
    save_predictions,
)


@dataclass(frozen=True)
class LabeledImages:
    """Images with their labels, by id, and the faults met in both.

    list_name: "" for images that a run held out of its train list. source: whose images they are.
    described: what metrics are measured on, in words.
    """

    list_name: str
    source: Source
    records: Sequence[ImageRecord]
    objects: Mapping[str, Objects]
    faults: FaultCounts
    described: str

    @property
    def image_ids(self) -> dict[str, ImageId]:
        """What a prediction file calls each image: by its number in a COCO file, else by its id."""
        return {record.id: self.source.result_id(record.id) for record in self.records}

    def categories(self, classes: Sequence[str]) -> dict[int, str]:
        """The numbers of these classes: those that the data set gives them, else the next ones."""
        numbers = dict(self.source.classes())
        unknown = [name for name in classes if name not in numbers]
        numbers |= dict(zip(unknown, count(max(numbers.values(), default=0) + 1), strict=False))
        return {numbers[name]: name for name in classes}


@dataclass(frozen=True)
class Evaluated:
    """The metrics of detections on a test set, and the detections, by image id."""

    test: LabeledImages
    categories: Mapping[int, str]
    detections: Mapping[str, Detections]
    evaluation: Evaluation

    def lines(self) -> list[str]:
        """Every metric, the table of the classes, and what was left out, for people."""
        metrics = self.evaluation.metrics
        width = max(map(len, metrics))
        return [
            f"evaluated on the {self.test.described}:",
            *(f"  {name:<{width}}  {value:.4f}" for name, value in metrics.items()),
            "",
            *stacked_table(self.evaluation.per_class),
            *(f"evaluated images: {line}" for line in self.test.faults.lines()),
        ]


def evaluate_what(
    what: Path, *, data_root: Path | None = None, list_name: str = "", cycle: int | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Evaluated:  # fmt: skip
    """The metrics of a run folder, a weight file, or a prediction file (its name ends in .json).

    data_root: left out, that of the run. list_name: left out, the list that the settings name, or
    that the predictions were made for; with both left out, a run without a test list is evaluated
    on the images that it held out. Raises MiaodErrors.
    """
    if not what.exists():
        raise DataError(
            "there is no such file or folder",
            where=what,
            remedy=f"{nearest_path(what)}correct the path",
        )
    overrides = dict(overrides or {})
    is_predictions = what.suffix.lower() == ".json"
    if is_predictions and (overrides or cycle is not None):
        raise ConfigError(
            "written predictions are evaluated as they are",
            where=what,
            remedy="leave settings and cycle out, or give the run folder or weight file",
        )
    run_dir = _run_of(what)
    of_run = RunRecord.open(run_dir).data_root if run_dir and not is_predictions else None
    root = data_root or of_run
    if root is None:
        raise ConfigError(
            "there are no labels to evaluate against",
            where=what,
            remedy="name the data set that has the labels (data_root, --data-root), or a whole run "
            "folder, whose config.json names it",
        )
    if is_predictions:
        return evaluate_predictions(what, root, list_name or list_beside(what))
    detector = Detector.load(what, cycle, overrides.get("device", "auto"), overrides)
    is_as_in_run = not (data_root or list_name or "test_list" in overrides)
    test = _load_held_out(run_dir) if run_dir and is_as_in_run else None
    name = list_name or detector.config.test_list
    test = test or read_labeled(
        root, name, detector.classes, detector.gray, detector.config.voc_pixels_from
    )
    return evaluate_detector(detector, test)


def _run_of(what: Path) -> Path | None:
    """The run folder that this is, or that this weight file lies in."""
    places = (what, what.parent.parent)
    return next(filter(is_run, places), None)


def _load_held_out(run_dir: Path) -> LabeledImages | None:
    """The images of its train list that a run held out, for want of a test list; None if it did
    not. Raises MiaodErrors."""
    record = RunRecord.open(run_dir)
    if not record.test or not set(record.test) <= set(record.pool):
        return None
    dataset = open_run(run_dir=run_dir, overrides={"device": "cpu"}).dataset
    if not len(dataset.held_out):  # images of the same names in two lists
        return None
    return LabeledImages(
        "", dataset.source, dataset.test, dataset.test_objects, dataset.test_faults,
        dataset.evaluated_on,
    )  # fmt: skip


def read_labeled(
    data_root: Path, list_name: str, classes: Sequence[str], gray: Range | None = None,
    pixels_from: int = 1,
) -> LabeledImages:  # fmt: skip
    """The images of a list and their objects of these classes. gray: as `check_images` has it.
    pixels_from: the setting voc_pixels_from. Raises DataError."""
    faults = FaultCounts()
    source = open_source(data_root)
    records = scan_list(source, list_name, faults, required=False, gray=gray)
    if not records:
        raise DataError(
            f"there is no image list '{list_name}'",
            where=data_root,
            remedy=f"{nearest_list(source.list_names(), list_name)}name labeled images that were "
            "never trained on: a list (list_name, --list), or another folder (data_root, "
            "--data-root)",
        )
    oracle = Oracle(as_counted(source, pixels_from), records)
    objects = oracle.read([record.id for record in records], classes, faults)
    if not any(map(len, objects.values())):
        raise DataError(
            f"no label of the list '{list_name}' is of the classes {', '.join(classes)} "
            f"({'; '.join(faults.lines())})",
            where=data_root,
            remedy="evaluate on labeled images that show objects of these classes",
        )
    described = f"{list_name} list ({len(objects)} images)"
    return LabeledImages(list_name, source, records, objects, faults, described)


def evaluate_detector(detector: Detector, test: LabeledImages) -> Evaluated:
    """The metrics of a detector on these images. Raises DataError."""
    prepare_torch(detector.config, detector.model.device)
    with memory_explained():
        found = detect_images(detector.model, test.records, detector.config, "evaluate")
    return _evaluate(test, test.categories(detector.classes), found)


def evaluate_predictions(path: Path, data_root: Path, list_name: str) -> Evaluated:
    """The metrics of a prediction file on an image list, without the detector that wrote it.

    Boxes in images outside the list are counted and left out. Raises DataError.
    """
    categories = categories_beside(path)
    test = read_labeled(data_root, list_name, list(categories.values()))
    files = {record.id: record.image_path for record in test.records}
    found, others = read_entries(path, test.image_ids, files, categories)
    if others and not any(map(len, found.values())):
        raise DataError(
            f"none of the {len(others)} boxes lies in an image of the list '{list_name}': the file "
            f"says {others[0]!r}, the list {test.records[0].id!r}",
            where=path,
            remedy="name the list that the predictions were made for (list_name, --list); those of "
            "`miaod predict` call an image by its path in the folder that was given",
        )
    if others:
        test.faults.add("predicted box in an image outside the list", path.name, len(others))
    return _evaluate(test, categories, found)


def write_evaluation(evaluated: Evaluated, out: Path) -> list[Path]:
    """Writes `metrics.json`, `per_class.csv`, `predictions.json` and `categories.json`."""
    test, evaluation = evaluated.test, evaluated.evaluation
    about = {"evaluated_on": test.described, "list": test.list_name,
             "classes": list(evaluated.categories.values())}  # fmt: skip
    refuse_run(out)
    with out_folder(out) as folder:
        folder.save_json("metrics.json", {"about": about, "metrics": evaluation.metrics,
                                          "exclusions": test.faults.as_dict()})  # fmt: skip
        folder.save_csv("per_class.csv", evaluation.per_class)
        save_predictions(folder, evaluated.detections, test.image_ids, evaluated.categories)
    return [out / name for name in ("metrics.json", "per_class.csv", PREDICTIONS, CATEGORIES)]


def _evaluate(
    test: LabeledImages, categories: Mapping[int, str], found: Mapping[str, Detections]
) -> Evaluated:
    of_labeled = [found[image_id] for image_id in test.objects]
    evaluation = evaluate(of_labeled, list(test.objects.values()), list(categories.values()))
    return Evaluated(test, categories, found, evaluation)
