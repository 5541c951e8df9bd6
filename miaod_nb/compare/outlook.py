"""What the next batch and all labels would probably bring to runs of one kind.

These differ in their seeds alone; all of it is of one metric.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from miaod_nb.errors import DataError
from miaod_nb.evaluation import headline
from miaod_nb.evaluation.extrapolation import Curves, Forecast, fit_curves
from miaod_nb.runs.record import RunRecord
from miaod_nb.selection.registry import card_of_run

FARTHEST = 10  # times the labeled images so far: how far a curve is continued, and was checked
STEPS = 60  # of a drawn curve


@dataclass(frozen=True)
class Outlook:
    """What more labels would probably bring.

    batch: images of the next batch, 0 if none are left; pool: all images that can be labeled, None
    where that is not known.
    """

    curves: Curves
    batch: int
    pool: int | None

    @property
    def gain(self) -> Forecast:
        """By how much the next batch raises the curve."""
        return self.curves.gain(self.batch)

    @property
    def full(self) -> Forecast | None:
        """The mAP measured with all labels; None where that is too far away to be told."""
        if self.pool is None or self.pool > FARTHEST * self.curves.last:
            return None
        return self.curves.measured_at(max(self.pool, self.curves.last))

    @property
    def continued(self) -> pd.DataFrame:
        """The curve from the first measured point to all labels, or as far as can be told, or by
        three batches: `labeled_images`, and `mean`, `low` and `high` of what one run would have."""
        last = self.curves.last
        end = min(max(self.pool or last + 3 * self.batch, last), FARTHEST * last)
        images = np.union1d(np.geomspace(self.curves.first, end, STEPS), list(self.marks.values()))
        images = np.union1d(images, last)
        found = pd.DataFrame([asdict(self.curves.measured_at(one)) for one in images])
        return found.assign(labeled_images=images)

    @property
    def marks(self) -> dict[str, float]:
        """Where along the curve something is to be read, by name."""
        after = {"next batch": self.curves.last + self.batch} if self.batch else {}
        everything = {f"all {self.pool}": float(self.pool)} if self.pool and self.full else {}
        return {name: at for name, at in (after | everything).items() if at >= self.curves.last}

    @property
    def text(self) -> str:
        """Both in a sentence."""
        if not self.batch:
            return "all images are labeled: there is no next batch"
        said = f"the next {_images(self.batch)} would probably bring {told(self.gain)} mAP"
        if self.pool is None:
            return said
        if self.full is None:
            far = f"are too many to tell from {self.curves.last:.0f} labeled ones"
            return f"{said}; all {self.pool} {far}"
        return f"{said}; all {self.pool} labels about {told(self.full)}"


def look_ahead(table: pd.DataFrame, metric: str, batch: int, pool: int | None) -> Outlook:
    """What the next `batch` images and all `pool` would bring to runs of one kind.

    table: rows with `labeled_images` and `metric`; what was not measured is left out. Raises
    DataError for fewer than three numbers of labeled images.
    """
    rows = table.dropna(subset=metric)
    curves = fit_curves(rows["labeled_images"], rows[metric])
    left = batch if pool is None else max(min(batch, pool - int(curves.last)), 0)
    return Outlook(curves, left, pool)


def outlook_of(record: RunRecord) -> str:
    """What more labels would bring to a run, or why that cannot be told; "" for a run in which no
    cycle was evaluated, or that has all labels from the start."""
    table, metric = record.metrics(), headline(record.config.preset)
    if not len(table) or card_of_run(record).labels_all or metric not in table:
        return ""
    try:
        return look_ahead(table, metric, *next_labels(record)).text
    except DataError as error:
        return error.what


def next_labels(record: RunRecord) -> tuple[int, int]:
    """How many images the run's next batch has, and how many can be labeled in all."""
    return record.budget, len(record.pool)


def _images(count: int) -> str:
    return f"{count} images" if count > 1 else "image"


def told(forecast: Forecast) -> str:
    """A forecast and its interval."""
    return f"{forecast.mean:.2f} ({forecast.low:.2f} to {forecast.high:.2f})"
