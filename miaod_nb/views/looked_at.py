"""One cycle of a run as a view asks it: scores, what is labeled, what was selected, the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from miaod_nb.data.records import FaultCounts
from miaod_nb.experiment.run import Run
from miaod_nb.inspection.anchor_values import AnchorValues, anchor_values, keep_anchor_values
from miaod_nb.inspection.replay import kept_counts
from miaod_nb.inspection.some_images import table_of, values_now
from miaod_nb.inspection.table import own_count, row_of
from miaod_nb.views.contract import Standing, Truth


@dataclass(frozen=True)
class LookedAt:
    """A cycle of a run; `scored` says that its images have scores. ids: the images to look at,
    which a cycle that is still in training may have; () are those that it scored."""

    run: Run
    cycle: int
    scored: bool = True
    ids: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The run's folder and the cycle."""
        return f"{self.run.folder.root.name}, cycle {self.cycle}"

    @cached_property
    def table(self) -> pd.DataFrame:
        """The images to look at by id, the most uncertain first; made if it is not there."""
        if self.ids:
            return table_of(self.run, self._named).set_index("id", drop=False)
        return keep_anchor_values(self.run, self.cycle).set_index("id", drop=False)

    @cached_property
    def _named(self) -> dict[str, AnchorValues]:
        return values_now(self.run, self.cycle, self.ids)

    def values(self, image_id: str) -> AnchorValues:
        """Of an image's anchors; the detector is asked if nobody did before."""
        if self.ids and image_id in self._named:
            return self._named[image_id]
        return anchor_values(self.run, self.cycle, image_id)

    @cached_property
    def labeled(self) -> frozenset[str]:
        """Ids of the images that were labeled at the beginning of the cycle."""
        return frozenset(self.run.record.labeled(self.cycle))

    @cached_property
    def selected(self) -> frozenset[str]:
        """Ids of the images that the cycle selected; none if it has not got this far."""
        return frozenset(self.run.record.selected(self.cycle))

    @cached_property
    def ks(self) -> list[int]:
        """The counts of anchors for which the table has means, ascending."""
        return kept_counts(self.table)

    @property
    def prefix(self) -> str:
        """How the columns begin that hold what the run averages."""
        return "weighted " if self.run.config.weighted_selection else ""

    def state_of(self, image_id: str) -> str:
        """ "labeled", "selected" or "pool"."""
        if image_id in self.labeled:
            return "labeled"
        return "selected" if image_id in self.selected else "pool"

    def truth(self, image_id: str, size: tuple[int, int]) -> Truth | None:
        """The objects of a labeled image in pixels of an image of `size` (H, W); None for one that
        is not labeled: its annotation stays closed."""
        if image_id not in self.labeled:
            return None
        dataset = self.run.dataset
        classes = self.run.record.classes
        found = dataset.oracle.read([image_id], classes, FaultCounts()).get(image_id)
        if found is None:
            return None
        record = dataset.records[image_id]
        scale = np.array([size[1] / record.width, size[0] / record.height] * 2)
        names = [classes[label] + " (ignored)" * bool(left_out)
                 for label, left_out in zip(found.labels, found.ignored, strict=True)]  # fmt: skip
        return {"boxes": (found.boxes * scale).round(1).tolist(), "names": names}

    def standing(self, values: AnchorValues, ks: Sequence[int]) -> Standing:
        """Where an image stands: score and rank as recorded, and its mean and rank for each k, with
        the count of its own anchors that the k stands for.

        Ranks are among the `ranked` inspected images; an image that is not in the pool has none.
        """
        columns = [f"{self.prefix}mean {k}" for k in ks]
        row = row_of(values, self.run.config, self.run.record.classes, ks)
        anchors = len(values.discrepancy)
        facts: Standing = {
            "state": self.state_of(values.id), "score": None, "rank": None, "pool": None,
            "ranks": None, "ranked": 0, "means": [row[c] for c in columns],
            "counts": [own_count(k, self.run.config, anchors, ks[-1]) for k in ks],
        }  # fmt: skip
        if not self.scored or values.id not in self.table.index:
            return facts
        recorded = self.table.loc[values.id]
        facts |= {
            "score": None if pd.isna(recorded["score"]) else float(recorded["score"]),
            "rank": None if pd.isna(recorded["rank"]) else int(recorded["rank"]),
            "pool": round(float(self.table["stands_for"].sum())), "ranked": len(self.table),
        }  # fmt: skip
        if not set(columns) <= set(self.table):  # a run of another k
            return facts
        ranks = [1 + int((self.table[name] > recorded[name]).sum()) for name in columns]
        facts |= {"means": [float(recorded[name]) for name in columns], "ranks": ranks}
        return facts
