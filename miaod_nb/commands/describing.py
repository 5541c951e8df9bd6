"""What a path holds, in lines for people: a checkpoint, a run folder, the authors' work folder."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from miaod_nb.authors.checkpoint import begins_as_checkpoint, read_checkpoint
from miaod_nb.authors.reference import as_reference
from miaod_nb.authors.work_folder import is_work_folder, read_work_folder
from miaod_nb.config import Config, changes, validated
from miaod_nb.data.labels import audit as audit_labels
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.errors import DataError
from miaod_nb.evaluation import VOC07_AP
from miaod_nb.experiment.opening import stored_experiment
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.record import RunRecord
from miaod_nb.runs.steps import shown, stage_names, step_names
from miaod_nb.runs.tables import read_metrics, stacked_table
from miaod_nb.selection.choosing import why_empty
from miaod_nb.selection.registry import card_of
from miaod_nb.trained.weight_files import is_ours, our_weights

WIDTH = 80
WANTED = (
    "name a data set (VOC or COCO folder), a run folder, a weight file, or a work folder of the "
    "authors' code"
)
_NOT_PARAMETERS = ("running_mean", "running_var", "num_batches_tracked")  # of BatchNorms


def is_run(path: Path) -> bool:
    """Whether the folder is a run's."""
    return (path / "config.json").is_file()


def describe(path: Path, image_list: str = "trainval", audit: bool = False) -> list[str]:
    """What the path holds. image_list, audit: of a data set, see `describe_data`.

    Raises CheckpointError, DataError and RunFolderError.
    """
    if path.is_file():
        if not begins_as_checkpoint(path):
            raise DataError("this is no weight file, or a torn one", where=path, remedy=WANTED)
        return describe_checkpoint(path)
    if is_run(path):
        return describe_run(path)
    if is_work_folder(path):
        return describe_work_folder(path)
    return describe_data(path, image_list, audit)


def describe_data(data_root: Path, image_list: str, audit: bool) -> list[str]:
    """Usable images and faults of an image list; with `audit` its labels, which are read for that.
    Raises DataError."""
    faults = FaultCounts()
    source = open_source(data_root)
    records = scan_list(source, image_list, faults)
    sources = sorted({record.source for record in records})
    lines = [f"{image_list}: {len(records)} usable images from {', '.join(sources)}"]
    if audit:
        table, label_faults = audit_labels(source, records, None)
        faults.merge(label_faults)
        lines += [f"the labels of these {len(records)} images were read:", table.to_string()]
    return [*lines, *faults.lines()]


def describe_work_folder(path: Path) -> list[str]:
    """The cycles in a work folder of the authors' code. Raises RunFolderError."""
    work = read_work_folder(path)
    mean_ap = [f"{value:.4f}" for value in work.mean_ap]
    mean_ap += ["-"] * (work.cycles - len(mean_ap))
    rows = {
        "cycle": range(work.cycles),
        "labeled images": [len(indices) for indices in work.labeled],
        "unlabeled sample": [len(indices) for indices in work.unlabeled_sample],
        VOC07_AP: mean_ap,
    }
    table = pd.DataFrame(rows).to_string(index=False)
    goes_on = f"miaod convert {path} --data-root VOCdevkit --out runs/continued"
    return [f"{work.path}: work folder of the authors' code", table, f"to go on: {goes_on}"]


def describe_checkpoint(path: Path) -> list[str]:
    """Architecture, classes, size and settings of a weight file. Raises CheckpointError."""
    content = read_checkpoint(path)
    if is_ours(content):
        config, arrays = our_weights(content, path)
        classes, settings = config.classes, {"preset": config.preset} | changes(config)
        settings.pop("classes", None)
        origin = "weights of miaod"
        architecture = f"{config.detector} on {config.backbone}"
    else:
        found = as_reference(content, path)
        arrays, classes, settings = found.arrays, found.classes, dict(found.settings)
        origin = "checkpoint of the authors' code"
        architecture = f"{settings['detector']} on {settings['backbone']}"
        classes = classes or tuple(["(not named)"] * found.num_classes)
    return [
        f"{path}: {origin}",
        f"  detector    {architecture}, {_num_parameters(arrays):,} parameters",
        *_wrapped("classes", f"{len(classes or ())}: {', '.join(dict.fromkeys(classes or ()))}"),
        *_wrapped("settings", _pairs(settings)),
    ]


def describe_run(path: Path) -> list[str]:
    """Settings, progress and metrics of a run folder, and what comes next. Raises
    RunFolderError."""
    folder = RunFolder(path)
    document = stored_experiment(folder)
    config = validated(document["settings"])
    record = RunRecord.open(path)
    lines = [
        f"{path}: run folder",
        *_wrapped("settings", _pairs({"preset": config.preset} | changes(config))),
        f"  data        {document.get('data_root', '(unknown)')}: "
        f"{len(record.pool)} pool images, {len(record.test)} to test on",
        *_wrapped("classes", ", ".join(record.classes)),
    ]
    lines += _progress(folder, config, bool(record.test))
    if folder.exists("metrics.csv") and folder.path("metrics.csv").stat().st_size > 1:
        table = read_metrics(folder.path("metrics.csv"))
        lines += ["", *_metrics(table)] if len(table) else []
    return lines


def _metrics(table: pd.DataFrame) -> list[str]:
    """A row for each evaluated cycle, with every metric."""
    first = ["cycle", "labeled_images"]
    about = {*first, "strategy", "training", "trained_images", "labeled_percent", "evaluated_on",
             "seed"}  # fmt: skip
    measured = ", ".join(dict.fromkeys(table["evaluated_on"]))
    columns = [*first, *(name for name in table if name not in about)]
    return [f"evaluated on the {measured}:", *stacked_table(table[columns])]


def _progress(folder: RunFolder, config: Config, is_evaluated: bool) -> list[str]:
    """A line for each cycle that was begun, and one for what comes next."""
    card = card_of(config.strategy)
    names = step_names(
        stage_names(config, card.training_of(config.training) == "mi_aod"), evaluates=is_evaluated,
        scores=bool(card.columns), chooses=not card.labels_all,
    )  # fmt: skip
    lines: list[str] = []
    for cycle in range(config.cycles):
        if reason := _why_over(folder, cycle - 1):
            return [*lines, f"  next        nothing: {reason}"]
        done = folder.done_steps(cycle)
        missing = [name for name in names if name not in done]
        if done:
            what = ", ".join(map(shown, done)) if missing else "finished"
            lines.append(f"  cycle {cycle:<5} {what}")
        if missing:
            return [*lines, f"  next        {shown(missing[0])} of cycle {cycle}: "
                            f"miaod run --run-dir {folder.root}"]  # fmt: skip
    more = f"miaod run --run-dir {folder.root} --set cycles={config.cycles + 1}"
    return [*lines, f"  next        nothing: all {config.cycles} cycles are done; for more: {more}"]


def _why_over(folder: RunFolder, cycle: int) -> str:
    """Why a finished cycle left nothing to label for the next; "" if it did."""
    path = f"cycle{cycle}/selection.json"
    if cycle < 0:
        return ""
    return why_empty(folder.load_json(path)) if folder.exists(path) else "the pool is empty"


def _num_parameters(arrays: Mapping[str, Tensor]) -> int:
    return sum(a.numel() for key, a in arrays.items() if not key.endswith(_NOT_PARAMETERS))


def _pairs(settings: Mapping[str, Any]) -> str:
    values = {
        name: ",".join(map(str, value)) if isinstance(value, list | tuple) else value
        for name, value in settings.items()
    }
    return " ".join(f"{name}={value}" for name, value in values.items())


def _wrapped(name: str, text: str) -> Sequence[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"  {name:<11} ", subsequent_indent=" " * 14,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
