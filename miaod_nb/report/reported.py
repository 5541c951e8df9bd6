"""A run as a report reads it: by ids, from its folder, also when its images are gone since."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from miaod_nb.boxes import Objects
from miaod_nb.config import Config
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.experiment import Run
from miaod_nb.plots.look import FULL
from miaod_nb.runs.card import Card
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.record import RunRecord
from miaod_nb.runs.tables import read_metrics
from miaod_nb.selection.registry import card_of_run
from miaod_nb.trained.weight_files import cycles_with_weights


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
    experiment: Run | None
    trouble: str

    @property
    def labels_all(self) -> bool:
        """Whether it is the ceiling, a run on all labels."""
        return self.config.strategy == FULL

    @property
    def trains_adversarially(self) -> bool:
        """Whether images without labels are trained on too."""
        return self.card.training_of(self.config.training) == "mi_aod"

    @cached_property
    def card(self) -> Card:
        """What is known of the strategy."""
        return card_of_run(RunRecord.open(self.folder.root))

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
        dataset = self.experiment.dataset
        there = [i for i in self.labeled(self.cycles - 1) if i in dataset.records]
        return dataset.oracle.read(there, self.classes, FaultCounts())

    def num_boxes(self, cycle: int) -> int:
        """How many boxes the images have that were labeled when a cycle began."""
        return sum(len(self.objects[i]) for i in self.labeled(cycle) if i in self.objects)

    def record(self, image_id: str) -> ImageRecord | None:
        """The image, if it is still there."""
        found = self.experiment.dataset.records.get(image_id) if self.experiment else None
        return found if found and found.image_path.is_file() else None
