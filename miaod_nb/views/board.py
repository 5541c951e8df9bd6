"""The review board of the next batch: people decide, the run folder keeps what they decided."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from traitlets import Bool, Dict, Int, List, Unicode, observe

from miaod_nb.errors import MiaodError
from miaod_nb.experiment.run import Run
from miaod_nb.inspection.features import look_alikes
from miaod_nb.inspection.reasons import class_mix
from miaod_nb.labeling.reviewing import apply_decisions, batch_to_be, decide, why_closed
from miaod_nb.selection.choosing import ASIDE
from miaod_nb.selection.decisions import decision_file, decisions_of, latest
from miaod_nb.views.base import FROM_SCRIPT, View, source, styles
from miaod_nb.views.batches import Batch, batch_of, next_command
from miaod_nb.views.cards import cards_of
from miaod_nb.views.contract import ACTIONS, Aside, Card, Mix
from miaod_nb.views.doubtful import doubtful
from miaod_nb.views.payload import PHOTO_SIDE, photo
from miaod_nb.views.stills import TILES, Still, sheet

PAGE = 60  # cards whose pictures are held at a time
PICTURE_SIDE = 320  # pixels of the longer side of these
THUMBNAIL_SIDE = 120  # and of the pictures in the drawer of what was set aside


class Board(View):
    """See `board`. Its state as the script has it:

    cards: each a `Card`; pictures: data URLs of the cards of this `page`; decisions: a `Decided` by
    id; aside: an `Aside` by id; mix: a `Mix` for each class. events: what the script decided, each
    an `Event`; saved: the last n that was dealt with. apply: grows with every wish to rewrite the
    batch, and applied follows it. replace: whether others take free places. closed: why nothing can
    be decided any more. doubted: how many labels of the run may be wrong, in words; doubts: each a
    `Doubtful`, the most doubtful ones.
    """

    _esm = source(
        "events.js", "decisions.js", "cards.js", "drawer.js", "doubtful.js", "boardparts.js",
        "board.js",
    )  # fmt: skip
    _css = styles("board.css")
    heading = Unicode("").tag(sync=True)
    cards: List[Any] = List().tag(sync=True)
    pictures = Dict().tag(sync=True)
    decisions = Dict().tag(sync=True)
    aside = Dict().tag(sync=True)
    mix: List[Any] = List().tag(sync=True)
    page = Int(0).tag(**FROM_SCRIPT)
    page_size = Int(PAGE).tag(sync=True)
    events: List[Any] = List().tag(**FROM_SCRIPT)
    saved = Int(0).tag(sync=True)
    status = Unicode("").tag(sync=True)
    apply = Int(0).tag(**FROM_SCRIPT)
    applied = Int(0).tag(sync=True)
    replace = Bool(True).tag(**FROM_SCRIPT)
    wanted = Unicode("").tag(**FROM_SCRIPT)
    enlarged = Dict().tag(sync=True)
    closed = Unicode("").tag(sync=True)
    doubts: List[Any] = List().tag(sync=True)
    doubted = Unicode("").tag(sync=True)

    def look_at(self, run: Run, cycle: int | None) -> None:
        """Shows the batch of a cycle. Raises DecisionError and others."""
        self._run, batch = run, batch_of(run, cycle)
        with self.hold_sync():
            self._read_decisions(batch.cycle)
            self._show(batch)
            self.doubted, self.doubts = doubtful(run)

    def still(self) -> Still | None:
        """The first images of the batch, with what was decided about them."""
        if not self.cards:
            return None
        cards = self.cards[self.page * PAGE :][:TILES]
        tiles = [(self.pictures.get(card["id"], ""), self._caption(card)) for card in cards]
        return Still(f"{self.heading}; {len(cards)} of them by their rank.", sheet(tiles))

    def _caption(self, card: Card) -> str:
        action = self.decisions.get(card["id"], {}).get("action")
        word = f"{ACTIONS[action]['word']}: " if action else ""
        return f"{card['rank']}. {word}{card['id']}"

    @observe("events")
    def _write_down(self, change: Any) -> None:
        """Appends what is new among the events to the decision file; one that fails does not hold
        back the others."""
        cycle, faults = self._batch.cycle, []
        with self.hold_sync(), self.explaining():
            for event in [one for one in self.events if one["n"] > self.saved]:
                self.saved = event["n"]
                try:
                    decide(self._run.record, cycle, event["id"], event["action"], event["note"])
                except MiaodError as error:
                    faults.append(error)
            self.closed = why_closed(self._run.record, cycle)  # the run may have gone on meanwhile
            self._read_decisions(cycle)
            self._show_aside()
            if faults:
                raise faults[0]

    @observe("apply")
    def _apply(self, change: Any) -> None:
        """Rewrites the batch as the decisions say, and shows it."""
        before, cycle = set(self._batch.ids), self._batch.cycle
        with self.hold_sync(), self.explaining():
            try:
                apply_decisions(self._run.record, cycle, self.replace)
                self._show(batch_of(self._run, cycle))
                now = set(self._batch.ids)
                self.status = (
                    f"The batch is written anew, {len(before - now)} out and {len(now - before)} "
                    f"in: {self._path('selection.json')}. Next: label these "
                    f"images, then `{next_command(self._run, cycle)}`"
                )
            finally:
                self.applied = self.apply

    @observe("page")
    def _show_page(self, change: Any = None) -> None:
        cards = self.cards[self.page * PAGE : (self.page + 1) * PAGE]
        self.pictures = {card["id"]: self._picture(card["id"]) for card in cards}

    @observe("wanted")
    def _enlarge(self, change: Any) -> None:
        self.enlarged = {"id": self.wanted, "source": self._picture(self.wanted, PHOTO_SIDE)}

    def _show(self, batch: Batch) -> None:
        """Brings a batch to the board."""
        run, cycle, self._batch = self._run, batch.cycle, batch
        self.mix = mix_of(run, cycle)  # asks about all images at once, the cards one by one
        pairs = []
        if run.card.columns:
            pairs = look_alikes(run, cycle, batch.ids)
        self.heading = f"Batch of cycle {cycle}, {run.folder.root.name}: {len(batch.ids)} images"
        self.closed = why_closed(run.record, cycle)
        self.cards = cards_of(run, cycle, batch.rows, pairs)
        self.page = min(self.page, (len(self.cards) - 1) // PAGE)
        self._show_page()
        self._show_aside()

    def _show_aside(self) -> None:
        """Brings the images that a decision keeps out of the batch, or lets into it again."""
        outside = self.decisions.keys() - set(self._batch.ids)
        undone = {i for i in outside & self._once_aside if not self.decisions[i]["action"]}
        if undone:  # not all of them were in the batch before they were set aside
            with suppress(MiaodError):  # what is wrong, Apply says
                undone &= set(batch_to_be(self._run.record, self._batch.cycle))
        found = {}
        for image_id, decision in self.decisions.items():
            if image_id in undone or (image_id in outside and decision["action"]):
                known = self.aside.get(image_id, {"fault": "not looked at"})
                found[image_id] = self._thumbnail(image_id) if known["fault"] else known
        self.aside = found

    def _read_decisions(self, cycle: int) -> None:
        lines = decisions_of(self._run.record, cycle)
        self.decisions = {
            image_id: {"action": one.action if one.action in ACTIONS else "", "note": one.note}
            for image_id, one in latest(lines).items()
        }
        self._once_aside = {one.id for one in lines if one.action in ASIDE}
        path = self._run.folder.path(decision_file(cycle))
        count = "1 decision is" if len(lines) == 1 else f"{len(lines)} decisions are"
        self.status = (
            f"{count} saved in {path}" if lines
            else f"Every decision is saved at once, as a line of {path}"
        )  # fmt: skip

    def _path(self, name: str) -> Path:
        return self._run.folder.path(f"cycle{self._batch.cycle}/{name}")

    def _picture(self, image_id: str, longest: int = PICTURE_SIDE) -> str:
        """The picture of an image; "" if its file cannot be read any more, which its card says."""
        record = self._run.image(image_id)
        try:
            return photo(record, longest) if record else ""
        except MiaodError:
            return ""

    def _thumbnail(self, image_id: str) -> Aside:
        record = self._run.image(image_id)
        if record is None:
            return {"source": "", "fault": "The run does not say where this image lies."}
        try:
            return {"source": photo(record, THUMBNAIL_SIDE), "fault": ""}
        except MiaodError as error:
            return {"source": "", "fault": str(error)}


def board(run: Run, cycle: int | None = None) -> Board:
    """The images that a cycle of a run chose, as cards to decide about.

    cycle: None is the newest that has chosen images. Every decision is a line of the cycle's
    decision file at once; the button "Apply" writes the batch anew, as `apply_decisions` does. What
    cannot be shown or done is said in the view.
    """
    view = Board()
    with view.explaining():
        view.look_at(run, cycle)
    return view


def mix_of(run: Run, cycle: int) -> list[Mix]:
    """How many objects of each class the detector sees in the batch, and the labeled set has."""
    table = class_mix(run, cycle)[["class", "batch", "labeled"]]
    return [
        {"name": name, "batch": int(batch), "labeled": int(labeled)}
        for name, batch, labeled in table.itertuples(index=False)
    ]
