"""The selection space: the images of a cycle by what the detector's features have in common."""

from typing import Any

from traitlets import Bool, Dict, Int, List, Unicode, observe

from miaod_nb.errors import DataError
from miaod_nb.experiment.run import Run
from miaod_nb.inspection.features import pool_features
from miaod_nb.labeling.reviewing import decide_all, why_closed
from miaod_nb.selection.batch import refuse_too_many
from miaod_nb.selection.decisions import Action, decision_file, verdicts_of
from miaod_nb.views.base import FROM_SCRIPT, View, source, styles
from miaod_nb.views.batches import Batch, batch_of, scores_of
from miaod_nb.views.contract import Picture, Point
from miaod_nb.views.payload import photo
from miaod_nb.views.stills import Still, scatter

PICTURE_SIDE = 320  # pixels of the longer side of a picture
SMALL_SIDE = 128  # the same of the encircled images
SHOWN = 24  # encircled images that are shown


class Space(View):
    """See `selection_space`; `ids` are those that were encircled last. Its state:

    points: each a `Point`; shares: of the variance that x and y have. wanted: the image that the
    script wants to see, thumbnail: its `Picture`. lasso_ids: the encircled images, the most
    uncertain first and the labeled ones last; gallery: a `Picture` of each of the first. decisions:
    the action by id that holds; budget: how many images a batch has. wish: what the script wants to
    be done, a `Wish`; answered: the n of the last one that was dealt with; undoable: whether "undo"
    finds something. closed: why nothing can be decided any more.
    """

    _esm = source("geometry.js", "map.js", "encircled.js", "space.js")
    _css = styles("space.css")
    heading = Unicode("").tag(sync=True)
    points: List[Any] = List().tag(sync=True)
    shares: List[Any] = List().tag(sync=True)
    wanted = Unicode("").tag(**FROM_SCRIPT)
    thumbnail = Dict().tag(sync=True)
    lasso_ids: List[Any] = List().tag(**FROM_SCRIPT)
    gallery: List[Any] = List().tag(sync=True)
    decisions = Dict().tag(sync=True)
    budget = Int(0).tag(sync=True)
    wish = Dict().tag(**FROM_SCRIPT)
    answered = Int(0).tag(sync=True)
    undoable = Bool(False).tag(sync=True)
    status = Unicode("").tag(sync=True)
    closed = Unicode("").tag(sync=True)

    def look_at(self, run: Run, cycle: int | None) -> None:
        """Shows the images of a cycle. Raises ConfigError and others."""
        self._run, batch = run, batch_of(run, cycle)
        self._cycle = batch.cycle
        self._small: dict[str, str] = {}  # pictures made so far
        # Of each act: what it made of the images, and what held for them before.
        self._undoing: list[tuple[Action, dict[str, Action]]] = []
        with self.hold_sync():
            self.heading = f"Selection space: cycle {batch.cycle} of {run.folder.root.name}"
            self.points, self.shares = map_of(run, batch)
            if len(self.points) < len(run.record.pool):
                self.heading += f", {len(self.points)} of {len(run.record.pool)} images"
            self.budget = run.record.selection(batch.cycle)["budget"]
            self._read_decisions()

    def still(self) -> Still | None:
        """The map."""
        return Still(f"{self.heading}.", scatter(self.points)) if self.points else None

    @property
    def ids(self) -> list[str]:
        """Ids of the images that were encircled last."""
        return list(self.lasso_ids)

    @observe("wanted")
    def _show(self, change: Any) -> None:
        with self.explaining():
            if record := self._run.image(self.wanted):
                self.thumbnail = {"id": record.id, "source": photo(record, PICTURE_SIDE)}

    @observe("lasso_ids")
    def _show_encircled(self, change: Any) -> None:
        self.gallery = [self._picture(image_id) for image_id in self.lasso_ids[:SHOWN]]

    @observe("wish")
    def _deal_with_wish(self, change: Any) -> None:
        with self.hold_sync(), self.explaining():
            try:
                if self.wish["action"] == "undo":
                    self._undo()
                else:
                    self._decide(self.wish["action"])
            finally:
                self.answered = self.wish["n"]
                self.undoable = bool(self._undoing)
                self._read_decisions()

    def _decide(self, action: Action) -> None:
        """Decides about the encircled images that are not labeled."""
        record, cycle = self._run.record, self._cycle
        labeled, before = set(record.labeled(cycle)), verdicts_of(record, cycle)
        ids = [image_id for image_id in self.lasso_ids if image_id not in labeled]
        if not ids:
            return  # labeled ones alone
        if action == "accept":
            wanted = {*before.wanted, *ids} - labeled
            refuse_too_many(len(wanted), self.budget)
        decide_all(record, cycle, dict.fromkeys(ids, action))
        self._undoing.append((action, {image_id: before.action_of(image_id) for image_id in ids}))
        self._say("asked for" if action == "accept" else "skipped", len(ids))

    def _undo(self) -> None:
        """Takes the newest act back: what held before holds again, but for images that somebody
        decided otherwise about since then, as on the board."""
        if not self._undoing:
            return
        action, before = self._undoing[-1]
        now = verdicts_of(self._run.record, self._cycle)
        mine = {i: held for i, held in before.items() if now.action_of(i) == action}
        decide_all(self._run.record, self._cycle, mine)
        self._undoing.pop()
        self._say("as before", len(mine), len(before) - len(mine))

    def _say(self, what: str, count: int, left: int = 0) -> None:
        """left: how many images stay as somebody decided since then."""
        root = self._run.folder.root
        others = f" ({left} decided otherwise since then: left as they are)" if left else ""
        self.status = (
            f"{count} image{'s' * (count != 1)} {what}{others}: saved in "
            f"{self._run.folder.path(decision_file(self._cycle))}. The board shows it when its "
            f"cell is run again; Apply there, or `miaod review {root}`, makes the batch anew."
        )

    def _read_decisions(self) -> None:
        self.closed = why_closed(self._run.record, self._cycle)
        verdicts = verdicts_of(self._run.record, self._cycle)
        self.decisions = {**dict.fromkeys(verdicts.wanted, "accept"), **verdicts.barred}

    def _picture(self, image_id: str) -> Picture:
        """A small picture; one without a source if its file cannot be read any more."""
        if image_id not in self._small:
            record = self._run.image(image_id)
            try:
                self._small[image_id] = photo(record, SMALL_SIDE) if record else ""
            except DataError:
                self._small[image_id] = ""
        return {"id": image_id, "source": self._small[image_id]}


def selection_space(run: Run, cycle: int | None = None) -> Space:
    """The images of a cycle of a run on a map where the detector's features put them.

    cycle: None is the newest that has chosen images. The `ids` of the view are those that were
    encircled, by the mouse or one by one with the keys; those that are not labeled can be skipped
    or asked for, as on the board. What cannot be shown or done is said in the view.
    """
    view = Space()
    with view.explaining():
        view.look_at(run, cycle)
    return view


def map_of(run: Run, batch: Batch) -> tuple[list[Point], list[float]]:
    """Where each image of the map lies, how uncertain it is, and whether it was labeled before the
    cycle or selected in it; and the shares of the variance that the two axes have."""
    table, shares = pool_features(run, batch.cycle)
    scores = scores_of(run, batch.cycle)
    labeled = set(run.record.labeled(batch.cycle))
    chosen = set(batch.ids)
    points: list[Point] = [
        {
            "id": row.id, "x": round(row.x, 4), "y": round(row.y, 4), "score": scores.get(row.id),
            "kind": "selected" if row.id in chosen else "labeled" if row.id in labeled else "pool",
        }
        for row in table.itertuples()
    ]  # fmt: skip
    return points, [round(share, 4) for share in shares]
