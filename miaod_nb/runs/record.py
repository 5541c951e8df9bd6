"""A run as whoever reads it has it: what a run folder says, without what made it.

No torch is imported, no image decoded, no label opened, and no strategy or detector needs to be
known. The folder may be of a run that is finished, still at work, or of an earlier version.
"""

import difflib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd

from miaod_nb.config import Budget, Config, validated
from miaod_nb.data.pool import resolve_count
from miaod_nb.data.records import ImageRecord, Range
from miaod_nb.errors import ConfigError, RunFolderError
from miaod_nb.runs.card import Card
from miaod_nb.runs.files import LOG, RunFolder
from miaod_nb.runs.pool_file import ids_of, read_pool
from miaod_nb.runs.schema import (
    CycleLabels,
    Data,
    Described,
    Fault,
    Imported,
    Metrics,
    Selection,
    read_document,
)
from miaod_nb.runs.steps import NOT_A_TERM, shown
from miaod_nb.runs.tables import read_metrics

CONFIG, IMPORTED = "config.json", "imported.json"


class RunRecord:
    """What a run folder says of its run. Cycles count from 0, image ids name images everywhere.

    Made by `open`. Nothing is kept but the settings: each call reads what stands there now. All of
    it raises RunFolderError for a document that is damaged, naming the file and the field.
    """

    def __init__(self, folder: RunFolder, described: Described) -> None:
        self.folder, self.described = folder, described

    @classmethod
    def open(cls, run_dir: str | Path) -> Self:
        """The record of a run folder. Raises RunFolderError for a folder that has no run."""
        folder = RunFolder(run_dir)
        if not folder.exists(CONFIG):
            raise RunFolderError(
                "there is no run in this folder", where=folder.root,
                remedy=f"{nearest_run(folder.root)}name the run folder of `miaod run`: it holds a "
                "config.json",
            )  # fmt: skip
        described: Described = read_document(folder, CONFIG, Described)
        return cls(folder, described)

    @property
    def root(self) -> Path:
        """The run folder."""
        return self.folder.root

    @property
    def name(self) -> str:
        """The run folder's own name."""
        return self.root.resolve().name

    @cached_property
    def config(self) -> Config:
        """The settings that the run was called with last."""
        try:
            return validated(self.described["settings"])
        except ConfigError as error:
            raise RunFolderError(
                f"the settings cannot be used: {error.what}",
                where=f"{self.folder.path(CONFIG)}, field settings.{error.where}",
                remedy="use the version of miaod that wrote it, or restore it from a copy",
            ) from error

    @cached_property
    def card(self) -> Card | None:
        """What the run says of its strategy; None in a folder of the versions before."""
        return Card.from_dict(self.described["card"]) if "card" in self.described else None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all that decides the results; "" of a folder that lost the file."""
        name = "fingerprint.txt"
        return self.folder.load_text(name).strip() if self.folder.exists(name) else ""

    @property
    def data_root(self) -> Path | None:
        """Where the data lay when the run was called last."""
        root = self.described.get("data_root")
        return Path(root) if root else None

    @cached_property
    def _data(self) -> Data:
        return self.described["identity"]["data"]

    # ------------------------------------------------------------------------------- the images

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes so far, in the order of the labels."""
        return self.classes_of(self.cycles - 1)

    @cached_property
    def first_classes(self) -> tuple[str, ...]:
        """Names of the classes that the run began with."""
        return tuple(self._data["classes"])

    @property
    def gray(self) -> Range | None:
        """Which values of deep gray images are black and white; None: there are no such images."""
        low_high = self._data.get("gray")
        return (low_high[0], low_high[1]) if low_high else None

    def classes_of(self, cycle: int) -> tuple[str, ...]:
        """Names of the classes that the cycle knows: those before, and those that joined with its
        labels, in this order."""
        for noted in range(cycle, -1, -1):
            if self.labels_noted(noted) and (boxes := self.labels(noted).get("boxes")):
                return tuple(boxes)
        return self.first_classes

    @property
    def near_names(self) -> dict[str, str]:
        """The classes that joined with later labels and that are almost called as one before them,
        each with that one: perhaps it is misspelled."""
        names, first = self.classes, len(self.first_classes)
        near = {
            names[place]: difflib.get_close_matches(names[place], names[:place], n=1)
            for place in range(first, len(names))
        }
        return {name: found[0] for name, found in near.items() if found}

    def first_labeled(self, last: int) -> dict[str, int]:
        """By class, the first cycle up to the last one that knew labels of it; without classes that
        no label has."""
        found: dict[str, int] = {}
        for cycle in filter(self.labels_noted, range(last + 1)):
            # A cycle of an earlier version, which did not count, knew what the run began with.
            boxes = self.labels(cycle).get("boxes", dict.fromkeys(self.first_classes, 1))
            for name, count in boxes.items():
                if count:
                    found.setdefault(name, cycle)
        return found

    @cached_property
    def pool(self) -> tuple[str, ...]:
        """Ids of the images to choose from, in the order of their indices."""
        return ids_of(self._images, "pool")

    def num_images(self, cycle: int) -> int:
        """How many images the pool has in a cycle."""
        table = self._images
        return int(((table["list"] == "pool") & (table["joined"] <= cycle)).sum())

    @cached_property
    def test(self) -> tuple[str, ...]:
        """Ids of the images that metrics are measured on; () if there are none."""
        return ids_of(self._images, "test")

    @cached_property
    def _images(self) -> pd.DataFrame:
        table = read_pool(self.folder)
        assert table is not None  # there is a config.json
        return table

    @cached_property
    def _rows(self) -> dict[str, int]:
        """Where each image stands in the table; one that was held out is the same twice."""
        return {image_id: row for row, image_id in enumerate(self._images["id"])}

    @cached_property
    def has_places(self) -> bool:
        """Whether it is noted where the images lie; earlier versions did not."""
        return bool((self._images["path"] != "").all())

    @property
    def budget(self) -> int:
        """How many images a cycle chooses; of a budget in boxes or minutes as many as the newest
        batch has, and one before there is any."""
        budget = Budget.of(self.config.budget)
        if budget.in_images:
            return resolve_count(budget.amount, self.num_images(0))
        cycle = self.last_selection
        return 1 if cycle is None else len(self.selected(cycle))

    def image(self, image_id: str, data_root: Path | None = None) -> ImageRecord | None:
        """An image of the pool or the test list, whether or not its file is still there; None for
        another id, and in a run of an earlier version. data_root: where the data lie now."""
        row, root = self._rows.get(image_id), data_root or self.data_root
        if row is None or root is None:
            return None
        _, _, source, path, width, height, _ = self._images.iloc[row]
        if not path:
            return None
        return ImageRecord(image_id, source, root / path, int(width), int(height), gray=self.gray)

    # ------------------------------------------------------------------------------- the cycles

    @property
    def cycles(self) -> int:
        """How many cycles were begun."""
        return next(c for c in range(10**6) if not self.folder.exists(f"X_L_{c}.npy"))

    def done(self, cycle: int) -> list[str]:
        """Names of the cycle's finished steps, in the order in which they ended."""
        return self.folder.done_steps(cycle)

    @property
    def first_cycle(self) -> int:
        """The first cycle that the run trained itself: those before it were imported."""
        if not self.folder.exists(IMPORTED):
            return 0
        found: Imported = read_document(self.folder, IMPORTED, Imported)
        return max(len(found["cycles"]) - 1, 0)

    @property
    def trained(self) -> list[int]:
        """The cycles whose detector is kept, ascending."""
        return [c for c in range(self.cycles) if self.folder.exists(f"cycle{c}/weights.pt")]

    def labeled(self, cycle: int) -> list[str]:
        """Ids of the images that people were asked for before the cycle, all its labeled ones."""
        name = f"X_L_{cycle}.npy"
        return self.ids_at(self.folder.load_npy(name), name)

    def sample(self, cycle: int) -> list[str]:
        """Ids of the images that the cycle trains on without labels."""
        name = f"X_U_{cycle}.npy"
        return self.ids_at(self.folder.load_npy(name), name)

    def ids_at(self, indices: Iterable[int], origin: str) -> list[str]:
        """Ids of pool images. origin: the file that the indices come from. Raises RunFolderError
        for indices that the pool does not have."""
        try:
            return [self.pool[index] for index in indices]
        except (IndexError, TypeError) as error:
            raise RunFolderError(
                f"the indices are not of the {len(self.pool)} images of this run",
                where=self.folder.path(origin), remedy="restore the file from a copy",
            ) from error  # fmt: skip

    def labels(self, cycle: int) -> CycleLabels:
        """What the cycle knew of its labels when it began: counts, not the labels themselves."""
        return read_document(self.folder, f"cycle{cycle}/labels.json", CycleLabels)

    def labels_noted(self, cycle: int) -> bool:
        """Whether the cycle has noted what it knew of its labels."""
        return cycle >= 0 and self.folder.exists(f"cycle{cycle}/labels.json")

    def has_chosen(self, cycle: int) -> bool:
        """Whether the cycle has chosen images."""
        return self.folder.exists(f"cycle{cycle}/selection.json")

    def selection(self, cycle: int) -> Selection:
        """What the cycle chose."""
        return read_document(self.folder, f"cycle{cycle}/selection.json", Selection)

    def selected(self, cycle: int) -> list[str]:
        """Ids of the images that the cycle chose, most wanted first; [] before it has."""
        if not self.has_chosen(cycle):
            return []
        return [row["id"] for row in self.selection(cycle)["selected"]]

    @property
    def last_selection(self) -> int | None:
        """The newest cycle that has chosen images; None if none has."""
        cycles = reversed(range(self.cycles))
        return next(
            (c for c in cycles if self.has_chosen(c) and self.selection(c)["selected"]), None
        )

    def has_scores(self, cycle: int) -> bool:
        """Whether the cycle has scored images; an imported one has not."""
        return self.folder.exists(f"cycle{cycle}/scores.parquet")

    def scores(self, cycle: int, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The scored images of the cycle in the order of the pool: id, index, and the strategy's
        columns; columns: those to read."""
        return self.folder.load_parquet(f"cycle{cycle}/scores.parquet", columns)

    # ------------------------------------------------------------------------------ the results

    def metrics_of(self, cycle: int) -> Metrics | None:
        """The metrics of a cycle, and what they are of; None if it was not evaluated."""
        name = f"cycle{cycle}/metrics.json"
        return read_document(self.folder, name, Metrics) if self.folder.exists(name) else None

    def metrics(self) -> pd.DataFrame:
        """The metrics of all evaluated cycles, a row each; empty if there are none."""
        path = self.folder.path("metrics.csv")
        return read_metrics(path) if path.is_file() and path.stat().st_size > 1 else pd.DataFrame()

    def per_class(self, cycle: int) -> pd.DataFrame:
        """The metrics of every class, a row each; empty for a cycle that has none (imported)."""
        name = f"cycle{cycle}/per_class.csv"
        return self.folder.load_csv(name) if self.folder.exists(name) else pd.DataFrame()

    def exclusions(self, cycle: int) -> dict[str, Fault]:
        """What was left out or changed when the cycle began, by reason."""
        name = f"cycle{cycle}/exclusions.json"
        if not self.folder.exists(name):
            return {}
        return read_document(self.folder, name, dict[str, Fault])

    def environment(self) -> dict[str, Any]:
        """On what the run began; {} for a folder that lost the file."""
        name = "environment.json"
        if not self.folder.exists(name):
            return {}
        return read_document(self.folder, name, dict[str, Any])

    # ------------------------------------------------------------------------------ the training

    def training_log(self, cycle: int) -> pd.DataFrame:
        """The logged training steps of a cycle in order: stage, epoch, step, learning_rate,
        images_per_s, memory_mb and a column for each loss term."""
        rows = [
            {key: value for key, value in record.items() if key not in ("terms", "event", "time")}
            | record["terms"]
            for record in self.folder.read_log()
            if (record.get("cycle"), record.get("event")) == (cycle, "step")
            and isinstance(record.get("terms"), dict)
        ]
        return pd.DataFrame(rows)

    def loss_terms(self, cycle: int, stages: Sequence[str]) -> pd.DataFrame:
        """The loss terms of these stages, end to end: `step`, counted through, and a column for
        each term that they have. Raises RunFolderError if they logged nothing."""
        log = self.training_log(cycle)
        parts, before = [], 0
        for stage in stages if len(log) else ():
            part = log[log["stage"] == stage]
            parts.append(part.assign(step=part["step"] + before))
            before = parts[-1]["step"].max() if len(part) else before
        rows = pd.concat(parts) if parts else log
        if not len(rows):
            raise RunFolderError(
                f"no training step of {', '.join(map(shown, stages))} in cycle {cycle} was logged",
                where=self.folder.path(LOG),
                remedy="lower log_every in a new run_dir; its default logs every tenth step or so",
            )
        terms = [name for name in rows.dropna(axis=1, how="all") if name not in NOT_A_TERM]
        return rows[["step", *terms]].reset_index(drop=True)

    def weights_of_discrepancy(self) -> dict[int, float]:
        """By cycle, what discrepancy_weight=auto was there; {} without it."""
        return {
            record["cycle"]: record["discrepancy_weight"]
            for record in self.folder.read_log()
            if "discrepancy_weight" in record
        }

    def discrepancies(self, cycle: int) -> dict[str, float]:
        """How much the two classifiers disagreed on unlabeled images at the end of each stage."""
        return {
            record["stage"]: record["discrepancy"]
            for record in self.folder.read_log()
            if record.get("cycle") == cycle and "discrepancy" in record
        }


def is_run(path: str | Path) -> bool:
    """Whether the folder is a run's."""
    return (Path(path) / CONFIG).is_file()


def nearest_run(path: Path) -> str:
    """What to say of the run folder beside a place without one that is almost called so; "" if none
    is."""
    beside = [config.parent.name for config in sorted(path.parent.glob(f"*/{CONFIG}"))]
    near = difflib.get_close_matches(path.name, beside, n=1)
    return f"did you mean {path.with_name(near[0])}? " if near else ""


def refuse_cycle(cycle: int, config: Config) -> None:
    """Raises ConfigError for a cycle that a run of these settings does not have."""
    if not isinstance(cycle, int) or not 0 <= cycle < config.cycles:
        enough = 1 + (max(cycle, config.cycles) if isinstance(cycle, int) else config.cycles)
        raise ConfigError(
            f"this run has no cycle {cycle!r}",
            where="cycle",
            remedy=f"choose a whole number from 0 to {config.cycles - 1}, or ask for more cycles, "
            f"for example by overrides={{'cycles': {enough}}}",
        )
