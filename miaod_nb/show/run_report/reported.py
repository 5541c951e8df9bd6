"""A run as a report reads it: by ids, from its folder, also when its images are gone since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from miaod_nb.config import Config, validated
from miaod_nb.data.records import FaultCounts, ImageRecord, Objects
from miaod_nb.errors import DataError, MiaodError
from miaod_nb.experiment import Experiment, open_run
from miaod_nb.experiment.describing import is_run
from miaod_nb.experiment.opening import stored_experiment
from miaod_nb.experiment.tables import read_metrics
from miaod_nb.experiment.weight_files import cycles_with_weights
from miaod_nb.show.plots.lines import FULL
from miaod_nb.show.run_report.pieces import setting
from miaod_nb.store import RunFolder


@dataclass(frozen=True)
class ReportedRun:
    """One run. label: of runs that are the same but for their seeds, and of no others.

    identity: the settings that decide its results. pool, test: ids in the order of the run's
    indices. experiment: what reads its images; None where that is impossible. trouble: why images,
    or some of them, cannot be shown; "" if all can.
    """

    name: str
    label: str
    folder: RunFolder
    config: Config
    identity: Mapping[str, Any]
    data_root: str
    classes: tuple[str, ...]
    pool: tuple[str, ...]
    test: tuple[str, ...]
    experiment: Experiment | None
    trouble: str

    @property
    def labels_all(self) -> bool:
        """Whether it is the ceiling, a run on all labels."""
        return self.config.strategy == FULL

    @property
    def cycles(self) -> int:
        """How many cycles were begun."""
        return next(c for c in range(10**6) if not self.folder.exists(f"X_L_{c}.npy"))

    @property
    def finished(self) -> int:
        """How many cycles were evaluated or have chosen images."""
        files = ("metrics.json", "selection.json")
        return sum(
            any(self.folder.exists(f"cycle{cycle}/{file}") for file in files)
            for cycle in range(self.cycles)
        )

    @property
    def trained_cycles(self) -> list[int]:
        """The cycles whose detector is kept."""
        return cycles_with_weights(self.folder.root)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """The evaluated cycles, a row each; empty if there are none."""
        path = self.folder.path("metrics.csv")
        return read_metrics(path) if path.is_file() and path.stat().st_size > 1 else pd.DataFrame()

    def labeled(self, cycle: int) -> list[str]:
        """Ids of the images that were labeled when a cycle began."""
        return [self.pool[index] for index in self.folder.load_npy(f"X_L_{cycle}.npy")]

    def selected(self, cycle: int) -> list[dict[str, Any]]:
        """What a cycle chose, most wanted first: id, rank, score, reason; [] before it has."""
        path = f"cycle{cycle}/selection.json"
        return self.folder.load_json(path)["selected"] if self.folder.exists(path) else []

    @property
    def last_selection(self) -> int | None:
        """The newest cycle that chose images."""
        return next((c for c in reversed(range(self.cycles)) if self.selected(c)), None)

    @cached_property
    def objects(self) -> dict[str, Objects]:
        """The objects of the images labeled so far, as far as these are there."""
        if self.experiment is None or not self.cycles:
            return {}
        study = self.experiment.study
        there = [i for i in self.labeled(self.cycles - 1) if i in study.records]
        return study.oracle.read(there, self.classes, FaultCounts())

    def num_boxes(self, cycle: int) -> int:
        """How many boxes the images have that were labeled when a cycle began."""
        return sum(len(self.objects[i].labels) for i in self.labeled(cycle) if i in self.objects)

    def record(self, image_id: str) -> ImageRecord | None:
        """The image, if it is still there."""
        found = self.experiment.study.records.get(image_id) if self.experiment else None
        return found if found and found.image_path.is_file() else None


def load_runs(runs: Sequence[Experiment | str | Path]) -> list[ReportedRun]:
    """The runs, each once. Raises MiaodErrors for a folder that is no run, and if nothing was done
    yet."""
    folders: dict[Path, Experiment | None] = {}
    for run in runs:
        is_open = isinstance(run, Experiment)
        root = run.folder.root if isinstance(run, Experiment) else Path(run)
        folders.setdefault(root.resolve(), run if is_open else None)  # type: ignore[arg-type]
    loaded = [_load(root, experiment, list(folders)) for root, experiment in folders.items()]
    if not any(run.cycles for run in loaded):
        raise DataError("there is nothing to report: no cycle was begun",
                        where=", ".join(str(run.folder.root) for run in loaded),
                        remedy=f"miaod run --run-dir {loaded[0].folder.root}"
                        if loaded else "name a run folder")  # fmt: skip
    return _labeled(loaded)


def _load(root: Path, experiment: Experiment | None, all_roots: Sequence[Path]) -> ReportedRun:
    if not is_run(root):
        raise DataError("this is no run folder of miaod", where=root,
                        remedy="name folders that hold a config.json; a work folder of the "
                        "authors' code becomes one by `miaod convert`")  # fmt: skip
    folder = RunFolder(root)
    document = stored_experiment(folder)
    data = document["identity"]["data"]
    experiment, trouble = (experiment, "") if experiment else _opened(root)
    if experiment and not trouble:
        trouble = _changed(data, experiment)
    has_namesake = [other.name for other in all_roots].count(root.name) > 1
    return ReportedRun(
        name=f"{root.parent.name}/{root.name}" if has_namesake else root.name, label="",
        folder=folder, config=validated(document["settings"]), identity=document["identity"],
        data_root=str(document.get("data_root", "")), classes=tuple(data["classes"]),
        pool=_ids(data["pool"]), test=_ids(data["test"]), experiment=experiment, trouble=trouble,
    )  # fmt: skip


def _opened(root: Path) -> tuple[Experiment | None, str]:
    """The experiment, or why there is none."""
    try:
        return open_run(run_dir=root, overrides={"device": "auto"}), ""
    except MiaodError as error:
        place = f" ({error.where})" if error.where is not None else ""
        return None, f"{error.what}{place}"


def _changed(data: dict[str, Any], experiment: Experiment) -> str:
    """In which way the images are other ones than the run was made with; "" if they are not."""
    now = experiment.study.identity
    for kind in ("pool", "test"):
        gone = sorted({*data[kind]} - {*now[kind]})
        new = sorted({*now[kind]} - {*data[kind]})
        if gone:
            return (f"{len(gone)} images of the run ({kind}) are gone or of another size, first "
                    f"{_ids(gone)[0]}")  # fmt: skip
        if new:
            return f"{len(new)} images ({kind}) were added since the run, first {_ids(new)[0]}"
    return "" if data == now else "the images stand in another order, or other classes were labeled"


def _ids(described: Sequence[str]) -> tuple[str, ...]:
    """Ids of images that are described as "id WxH"."""
    return tuple(one.rpartition(" ")[0] for one in described)


def _labeled(runs: Sequence[ReportedRun]) -> list[ReportedRun]:
    """The runs with their labels: the strategy, with the settings in which runs of it differ."""
    labeled = []
    for run in runs:
        alike = [other for other in runs if other.config.strategy == run.config.strategy]
        names = differing_settings(alike, but={"seed", "split_seed"})
        extra = ", ".join(f"{name}={setting(run.identity.get(name))}" for name in names)
        labeled.append(replace(run, label=f"{run.config.strategy}{extra and f' ({extra})'}"))
    return labeled


def differing_settings(runs: Sequence[ReportedRun], but: set[str]) -> list[str]:
    """The settings that decide results and that these runs do not share."""
    first = runs[0].identity
    names = [name for name in first if name not in {*but, "data"}]
    return [name for name in names if any(run.identity.get(name) != first[name] for run in runs)]
