"""A run in the names of the authors' code, for tools and people that know their work folders."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from miaod_nb.authors.reference import to_reference_arrays
from miaod_nb.authors.work_log import Record, cycle_lines
from miaod_nb.config import validated
from miaod_nb.data.layouts.voc import listed_ids
from miaod_nb.data.pool import Indices
from miaod_nb.errors import CheckpointError, DataError, RunFolderError
from miaod_nb.evaluation import VOC07_AP
from miaod_nb.learning.train import cycle_stages
from miaod_nb.progress import say
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.record import RunRecord
from miaod_nb.runs.steps import goes_on
from miaod_nb.selection.registry import build_strategy


def export_run(folder: RunFolder, out: Path, data_root: Path | None = None) -> list[Path]:
    """Writes a run, finished or not, as a work folder of the authors' code; returns its files.

    `X_L_0.npy`, `cycle0/trainval_L_07.txt` ...: the sets, whose indices count every listed image;
    `<timestamp>.log.json`; the detector of each trained cycle as `cycle0/epoch_3.pth` ..., that of
    the last one as `latest.pth` too. A detector that the authors' code does not have is left out,
    and said. data_root: where the lists are; left out, where the run's data lay. Raises
    RunFolderError for a folder without a run, and an `out` with something else.
    """
    document = folder.load_json("config.json") if folder.exists("config.json") else {}
    if not folder.exists("X_L_0.npy") or "settings" not in document:
        raise RunFolderError("the folder holds no run that has begun", where=folder.root,
                             remedy="give the run folder of `miaod run`")  # fmt: skip
    record, log = RunRecord.open(folder.root), folder.read_log()
    log_name, out_folder = f"{_timestamp(folder, log)}.log.json", RunFolder(out)
    is_usable = out.is_dir() and (not any(out.iterdir()) or (out / log_name).exists())
    if out.exists() and not is_usable:
        raise RunFolderError("the place to write to holds something else", where=out,
                             remedy="choose a new folder")  # fmt: skip
    if data_root is not None:
        document |= {"data_root": str(data_root)}
    steps = {cycle: _steps(log, cycle) for cycle in _cycles(folder)}
    written = [
        *_save_sets(record, out_folder, document),
        _save_log(record, out_folder, log_name, steps),
        *_save_checkpoints(record, out_folder, steps),
    ]
    return [out_folder.path(name) for name in written]


def _timestamp(folder: RunFolder, log: Sequence[Record]) -> str:
    """When the run began, as the authors' code names its folders."""
    times = [record["time"] for record in log if "time" in record]
    begun = min(times, default=folder.path("config.json").stat().st_mtime)
    return time.strftime("%Y%m%d_%H%M%S", time.localtime(begun))


def _save_sets(record: RunRecord, out: RunFolder, document: Mapping[str, Any]) -> Iterator[str]:
    folder, places = record.folder, _places(record.pool, document)
    for path in sorted(folder.root.glob("X_[LU]_*.npy")):
        out.save_npy(path.name, places[folder.load_npy(path.name)])
        yield path.name
    for path in sorted(folder.root.glob("cycle*/trainval_[LU]_*.txt")):
        name = str(path.relative_to(folder.root))
        out.save_text(name, folder.load_text(name))
        yield name


def _places(pool: Sequence[str], document: Mapping[str, Any]) -> Indices:
    """Where each image of the pool stands in the lists, which name unusable images too."""
    try:
        listed = listed_ids(Path(document["data_root"]), document["settings"]["train_list"])
        first = {image_id: place for place, image_id in reversed(list(enumerate(listed)))}
        return np.array([first[image_id] for image_id in pool], dtype=np.int64)
    except (DataError, KeyError):
        say(f"{document['data_root']} has no VOC lists with this run's images: indices in X_L and "
            "X_U count the usable images only")  # fmt: skip
        return np.arange(len(pool))


def _save_log(
    record: RunRecord, out: RunFolder, name: str, steps: Mapping[int, Sequence[Record]]
) -> str:
    config = record.config
    environment = "\n".join(f"{k}: {v}" for k, v in record.environment().items())
    meta = {"env_info": environment, "seed": config.seed}
    lines: list[str] = []
    for cycle, of_cycle in steps.items():
        measured = record.metrics_of(cycle)
        mean_ap = measured["metrics"].get(VOC07_AP) if measured else None
        lines += cycle_lines(of_cycle, mean_ap, meta, config.batch_size)
    out.save_text(name, "".join(f"{line}\n" for line in lines))
    return name


def _cycles(folder: RunFolder) -> range:
    return range(len(list(folder.root.glob("X_L_*.npy"))))


def _steps(log: Sequence[Record], cycle: int) -> list[Record]:
    """The logged training steps of a cycle."""
    return [r for r in log if (r.get("cycle"), r.get("event")) == (cycle, "step")]


def _save_checkpoints(
    record: RunRecord, out: RunFolder, steps: Mapping[int, Sequence[Record]]
) -> list[str]:
    """Writes the detectors; returns the names of the files, [] if the authors' code has no such."""
    folder, written = record.folder, list[str]()
    for cycle, of_cycle in steps.items():
        relative = f"cycle{cycle}/weights.pt"
        if not folder.exists(relative):  # imported, or not trained to its end
            continue
        checkpoint = folder.load_tensors(relative)
        try:
            arrays = to_reference_arrays(checkpoint["model"])
        except CheckpointError as error:
            say(f"the detectors are left out: {error.what}")
            return []
        config = validated(checkpoint["settings"])
        adversarial = build_strategy(config).card.training_of(config.training) == "mi_aod"
        stages = cycle_stages(
            config, adversarial, goes_on=goes_on(config, cycle, record.first_cycle)
        )
        epochs = stages[-1].epochs
        last_step = max((one["step"] for one in of_cycle[-1:]), default=0)
        meta = {"CLASSES": tuple(checkpoint["classes"]), "epoch": epochs, "iter": last_step,
                "seed": config.seed}  # fmt: skip
        written.append(f"cycle{cycle}/epoch_{epochs}.pth")
        out.save_tensors(written[-1], {"meta": meta, "state_dict": arrays})
    if written:
        out.save_bytes("latest.pth", out.path(written[-1]).read_bytes())
        written.append("latest.pth")
    return written
