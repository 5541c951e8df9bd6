"""The annotator: a small batch is labeled on a canvas in the notebook itself."""

from typing import Any

from traitlets import Dict, Int, List, Unicode, observe

from miaod_nb.errors import DecisionError, MiaodError
from miaod_nb.experiment.run import Run
from miaod_nb.labeling import drawing
from miaod_nb.labeling.exchange import Task
from miaod_nb.labeling.exporting import FIRST, batch_name, newest_batch
from miaod_nb.labeling.importing import Import
from miaod_nb.views.base import FROM_SCRIPT, View, source, styles
from miaod_nb.views.batches import batch_of, next_command
from miaod_nb.views.contract import DRAWING, Drawn, Made, Shown, ToLabel
from miaod_nb.views.payload import photo
from miaod_nb.views.stills import TILES, Still, sheet

LONGEST = 2048  # pixels of the longer side of a picture, at most: one is held at a time
THUMBNAIL_SIDE = 160  # pixels of the longer side of the pictures of a still


class Annotator(View):
    """See `annotator`. Its state as the script has it:

    tasks: each a `ToLabel`; classes: their names; drawings: a `Made` by id, of the images that
    somebody changed. wanted: the id of the image that is shown; picture: a `Shown`. events: what
    the script tells of, each a `Stroke`; saved: the last n that is written down. handing: grows
    with every wish to hand in, and handed follows it; result: what came of it, in lines. closed:
    why nothing can be drawn any more.
    """

    _esm = source(
        "events.js", "picture.js", "handles.js", "drawings.js", "easel.js", "boxes.js",
        "strokes.js", "annotatorparts.js", "annotatorshows.js", "annotator.js",
    )  # fmt: skip
    _css = styles("annotator.css")
    heading = Unicode("").tag(sync=True)
    tasks: List[Any] = List().tag(sync=True)
    classes: List[Any] = List().tag(sync=True)
    drawings = Dict().tag(sync=True)
    wanted = Unicode("").tag(**FROM_SCRIPT)
    picture = Dict().tag(sync=True)
    events: List[Any] = List().tag(**FROM_SCRIPT)
    saved = Int(0).tag(sync=True)
    status = Unicode("").tag(sync=True)
    handing = Int(0).tag(**FROM_SCRIPT)
    handed = Int(0).tag(sync=True)
    result: List[Any] = List().tag(sync=True)
    closed = Unicode("").tag(sync=True)

    def look_at(self, run: Run, cycle: int | None) -> None:
        """Shows the batch of a cycle. Raises DecisionError and others."""
        cycle = newest_batch(run) if cycle is None else cycle
        if cycle != FIRST:
            batch_of(run, cycle)  # refuses a cycle that has chosen nothing
        self._run = run
        self._batch, left_out = drawing.batch_to_draw(run, cycle)
        made = drawing.drawings_of(run.record, cycle)
        path = run.folder.path(drawing.drawing_file(cycle))
        with self.hold_sync():
            self.heading = f"{batch_name(cycle).capitalize()}, {run.folder.root.name}"
            self.tasks = [_to_label(task) for task in self._batch.tasks]
            self.drawings = {i: _made(one) for i, one in made.items()}
            self.classes = list(self._batch.classes)
            self.closed = drawing.why_too_late(run.record, cycle)
            self.status = f"Every change is saved at once in {path}"
            self.result = [f"left out: {line}" for line in left_out]
            waiting = [one["id"] for one in self.tasks if self._state_of(one["id"]) in OPEN]
            self.wanted = next(iter(waiting), self.tasks[0]["id"])

    def hand_in(self) -> Import:
        """Takes over what is done and skipped, as `miaod import` does, and shows what came of it.
        Raises DecisionError where there is no batch or the next cycle has begun, DataError and
        RunFolderError."""
        if not self.tasks:
            raise DecisionError("there is no batch here to hand in", where="annotator",
                                remedy="see what the view says")  # fmt: skip
        cycle = self._batch.cycle
        result = drawing.hand_in(self._run, cycle)
        first = f"Handed in, import {result.name}" if result.name else "Nothing new was handed in"
        command = next_command(self._run, cycle)
        self.result = [first, *result.lines(), f"`miaod import {self._run.folder.root} --undo` "
                       f"takes it back, `{command}` trains on it"]  # fmt: skip
        return result

    def still(self) -> Still | None:
        """The first images of the batch, with what became of them."""
        if not self.tasks:
            return None
        tiles = [(self._shown(one["id"], THUMBNAIL_SIDE)["source"], self._caption(one))
                 for one in self.tasks[:TILES]]  # fmt: skip
        count = sum(self._state_of(one["id"]) not in OPEN for one in self.tasks)
        return Still(f"{self.heading}: {count} of {len(self.tasks)} images done.", sheet(tiles))

    @observe("events")
    def _write_down(self, change: Any) -> None:
        """Keeps what is new among the events. What cannot be kept goes on waiting there."""
        new = [one for one in self.events if one["n"] > self.saved]
        if not new:
            return
        with self.hold_sync(), self.explaining():
            made = {one["id"]: {key: one[key] for key in Made.__annotations__} for one in new}
            drawing.keep_drawings(self._run, self._batch, made)
            self.drawings = {**self.drawings, **made}
            self.saved = new[-1]["n"]
            self.closed = drawing.why_too_late(self._run.record, self._batch.cycle)

    @observe("handing")
    def _hand_in(self, change: Any) -> None:
        with self.hold_sync(), self.explaining():
            try:
                self.hand_in()
            finally:
                self.handed = self.handing

    @observe("wanted")
    def _show(self, change: Any) -> None:
        self.picture = dict(self._shown(self.wanted, LONGEST))

    def _shown(self, image_id: str, longest: int) -> Shown:
        try:
            return {"id": image_id, "source": photo(self._run.dataset.records[image_id], longest),
                    "fault": ""}  # fmt: skip
        except MiaodError as error:
            return {"id": image_id, "source": "", "fault": str(error)}

    def _state_of(self, image_id: str) -> str:
        made = self.drawings.get(image_id)
        return str(made["state"]) if made else "waits"

    def _caption(self, task: ToLabel) -> str:
        return f"{DRAWING[self._state_of(task['id'])]['mark']} {task['rank']}. {task['id']}"


OPEN = ("waits", "begun")  # states of an image that somebody has to look at


def annotator(run: Run, cycle: int | None = None) -> Annotator:
    """The batch of a cycle, image by image, to draw its labels: for small batches, without a label
    tool.

    cycle: None is the newest that has chosen images or, before the run has begun, the images to
    begin with. What is drawn is kept in the run folder at once; "Hand in", or `hand_in`, takes over
    what is done, as `import_labels` does. What cannot be shown or done is said in the view.
    """
    view = Annotator()
    with view.explaining():
        view.look_at(run, cycle)
    return view


def _to_label(task: Task) -> ToLabel:
    suggested: list[Drawn] = [
        {"name": one.name, "box": list(one.box), "score": one.score, "origin": "accepted"}
        for one in task.suggestions
    ]
    width, height = task.size
    return {"id": task.id, "rank": task.rank, "reason": task.reason, "size": [height, width],
            "suggested": suggested}  # fmt: skip


def _made(one: drawing.Drawing) -> dict[str, Any]:
    """A drawing as the script has it."""
    return one.model_dump(mode="json", exclude={"time"})
