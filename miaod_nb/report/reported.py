"""A run as a report shows it: its record, and the data where pictures or test labels are asked."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from miaod_nb.data.records import ImageRecord
from miaod_nb.experiment import Run
from miaod_nb.experiment.opening import GENERATED
from miaod_nb.runs.card import BOXES, Card
from miaod_nb.runs.record import RunRecord
from miaod_nb.runs.schema import SelectedImage
from miaod_nb.selection.registry import card_of_run


@dataclass(frozen=True)
class ReportedRun:
    """One run. label: of runs that are the same but for their seeds, and of no others.

    record: what its folder says. experiment: what reads its images; None where that is impossible.
    trouble: why images, or some of them, cannot be shown; "" if all can.
    """

    name: str
    label: str
    record: RunRecord
    experiment: Run | None
    trouble: str

    @cached_property
    def card(self) -> Card:
        """What is known of the strategy."""
        return card_of_run(self.record)

    @property
    def draws_by_lot(self) -> bool:
        """Whether it chooses without looking at images: the yardstick for other choices."""
        return set(self.card.columns) <= {BOXES} and not self.card.labels_all

    @property
    def is_generated(self) -> bool:
        """Whether its images are those that its preset draws."""
        preset = self.record.config.preset
        return preset in GENERATED and Path(self.record.data_root or "").name == preset

    @property
    def trains_adversarially(self) -> bool:
        """Whether images without labels are trained on too."""
        return self.card.training_of(self.record.config.training) == "mi_aod"

    @property
    def finished(self) -> int:
        """How many cycles were evaluated or have chosen images."""
        record = self.record
        return sum(
            record.metrics_of(cycle) is not None or record.has_chosen(cycle)
            for cycle in range(record.cycles)
        )

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """The evaluated cycles, a row each; empty if there are none."""
        return self.record.metrics()

    def selected(self, cycle: int) -> list[SelectedImage]:
        """What a cycle chose, most wanted first; [] before it has."""
        has_chosen = self.record.has_chosen(cycle)
        return self.record.selection(cycle)["selected"] if has_chosen else []

    def boxes(self, cycle: int) -> dict[str, int] | None:
        """How many objects of each class the labeled images of a cycle show: as the cycle noted,
        or, in a run of an earlier version, by opening their labels; None where they are gone."""
        if self.experiment is not None:
            return self.experiment.labels(cycle).get("boxes")
        is_noted = self.record.labels_noted(cycle)
        return self.record.labels(cycle).get("boxes") if is_noted else None

    def image(self, image_id: str) -> ImageRecord | None:
        """The image, if its file is still there."""
        found = self.record.image(image_id)
        if found is None and self.experiment:
            found = self.experiment.dataset.records.get(image_id)
        return found if found and found.image_path.is_file() else None
