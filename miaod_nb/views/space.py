"""The selection space: the images of a cycle by what the detector's features have in common."""

from typing import Any

from traitlets import Dict, List, Unicode, observe

from miaod_nb.experiment.run import Run
from miaod_nb.inspection.features import pool_features
from miaod_nb.views.base import FROM_SCRIPT, View, source, styles
from miaod_nb.views.batches import Batch, batch_of, scores_of
from miaod_nb.views.contract import Point
from miaod_nb.views.payload import photo

PICTURE_SIDE = 320  # pixels of the longer side of a picture


class Space(View):
    """See `selection_space`; `ids` are those that were encircled last. Its state:

    points: each a `Point`. wanted: the image that the script wants to see, thumbnail: its
    `Picture`.
    """

    _esm = source("geometry.js", "space.js")
    _css = styles("space.css")
    heading = Unicode("").tag(sync=True)
    points: List[Any] = List().tag(sync=True)
    wanted = Unicode("").tag(**FROM_SCRIPT)
    thumbnail = Dict().tag(sync=True)
    lasso_ids: List[Any] = List().tag(**FROM_SCRIPT)

    def look_at(self, run: Run, cycle: int | None) -> None:
        """Shows the images of a cycle. Raises ConfigError and others."""
        self._run, batch = run, batch_of(run, cycle)
        with self.hold_sync():
            self.heading = f"Selection space: cycle {batch.cycle} of {run.folder.root.name}"
            self.points = points_of(run, batch)
            if len(self.points) < len(run.record.pool):
                self.heading += f", {len(self.points)} of {len(run.record.pool)} images"

    @property
    def ids(self) -> list[str]:
        """Ids of the images that were encircled last."""
        return list(self.lasso_ids)

    @observe("wanted")
    def _show(self, change: Any) -> None:
        with self.explaining():
            if record := self._run.image(self.wanted):
                self.thumbnail = {"id": record.id, "source": photo(record, PICTURE_SIDE)}


def selection_space(run: Run, cycle: int | None = None) -> Space:
    """The images of a cycle of a run on a map where the detector's features put them.

    cycle: None is the newest that has chosen images. The `ids` of the view are those that the
    mouse encircled. What cannot be shown is said in the view.
    """
    view = Space()
    with view.explaining():
        view.look_at(run, cycle)
    return view


def points_of(run: Run, batch: Batch) -> list[Point]:
    """Where each image of the map lies, how uncertain it is, and whether it was labeled before the
    cycle or selected in it."""
    table = pool_features(run, batch.cycle)
    scores = scores_of(run, batch.cycle)
    labeled = set(run.record.labeled(batch.cycle))
    chosen = set(batch.ids)
    return [
        {
            "id": row.id, "x": round(row.x, 4), "y": round(row.y, 4), "score": scores.get(row.id),
            "kind": "selected" if row.id in chosen else "labeled" if row.id in labeled else "pool",
        }
        for row in table.itertuples()
    ]  # fmt: skip
