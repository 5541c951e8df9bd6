"""Labels that come back from a label tool: checked, compared with what was suggested, and merged
into the labels of the run."""

import hashlib
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from miaod_nb.data.labels import fitted_objects, respelled
from miaod_nb.data.records import (
    UNFIT,
    AnnotationFault,
    FaultCounts,
    ImageRecord,
    Labels,
    RawObject,
)
from miaod_nb.errors import ConfigError, DataError
from miaod_nb.experiment.run import Run
from miaod_nb.labeling.agreement import Agreement, compare
from miaod_nb.labeling.exchange import Returned, ReturnedBox
from miaod_nb.labeling.exporting import FIRST, batch_name, pixels_short, rows_of, suggested
from miaod_nb.labeling.imports import imports_of, note_event
from miaod_nb.labeling.ingest import FORMATS, Format
from miaod_nb.labeling.ingest.archives import unpacked
from miaod_nb.labeling.names import Images
from miaod_nb.labeling.reviewing import apply_decisions, decide_all, why_closed
from miaod_nb.runs.label_store import Answer, AnsweredObject, LabelStore
from miaod_nb.selection.decisions import verdicts_of

STATES = ("untouched", "listed", "skipped", "labeled")  # of several about one image the last counts


@dataclass(frozen=True)
class Import:
    """What an import brought; made by `import_labels`.

    name: of the import, by which it can be taken back; "" where nothing is new. labeled, empty,
    skipped, untouched: ids of images; the empty ones are among the labeled. missing: ids of images
    of the batch that nobody answered for yet. replaced: ids of images that had an answer before.
    new_classes: labels that no class of the run has. faults: what was left out or changed.
    """

    name: str
    format: str
    cycle: int
    labeled: Sequence[str]
    empty: Sequence[str]
    skipped: Sequence[str]
    untouched: Sequence[str]
    missing: Sequence[str]
    replaced: Sequence[str]
    in_bulk: Sequence[str]
    new_classes: Sequence[str]
    agreement: Agreement
    seconds: float | None
    faults: FaultCounts

    def lines(self) -> list[str]:
        """The same in words."""
        text = f"{len(self.labeled)} images labeled ({len(self.empty)} of them show nothing)"
        lines = [f"{text}, {len(self.skipped)} skipped, {len(self.untouched)} untouched"]
        lines += self.agreement.lines()
        if self.seconds is not None:
            lines.append(f"median time: {self.seconds:.0f} seconds an image")
        if self.in_bulk:
            lines.append(f"{_named(self.in_bulk)} accepted by a command: nobody looked at them")
        if self.replaced:
            lines.append(f"{_named(self.replaced)} had labels before: the new ones hold")
        if self.new_classes:
            lines.append(
                f"new classes, which join with the next cycle: {', '.join(self.new_classes)}"
            )
        lines += self.faults.lines()
        if self.missing:
            lines.append(f"{_named(self.missing)} of {batch_name(self.cycle)} still to label")
        return lines


def parse_renames(texts: Sequence[str]) -> dict[str, str]:
    """Classes by label, of texts such as "Crab=crab". Raises ConfigError."""
    found = {}
    for text in texts:
        old, _, new = text.partition("=")
        if not old.strip() or not new.strip():
            raise ConfigError(f"'{text}' renames nothing", where="rename",
                              remedy="write it as LABEL=CLASS")  # fmt: skip
        found[old.strip()] = new.strip()
    return found


def refuse_no_file(files: Sequence[Path] | None) -> None:
    """Raises ConfigError where nothing is named."""
    if not files:
        raise ConfigError(
            "no file is named", where="files",
            remedy="name what the label tool wrote, for example project-1.json",
        )  # fmt: skip


def format_of(path: Path, name: str = "") -> Format:
    """The format of a file or folder that a label tool wrote; name: of the format, if it is known.
    Raises ConfigError, and DataError for a file of none of them."""
    if name and name not in FORMATS:
        raise ConfigError(f"nothing can be read of '{name}'", where="from",
                          remedy=f"choose one of {', '.join(FORMATS)}")  # fmt: skip
    if not path.exists():
        raise DataError("there is no such file or folder", where=path, remedy="correct the path")
    if name:
        return FORMATS[name]
    with unpacked(path) as place:
        fitting = [one for one in FORMATS.values() if one.fits(place)]
    if len(fitting) != 1:
        raise DataError(
            "the format of these labels is not recognized", where=path,
            remedy=f"say it by --from: {', '.join(FORMATS)}",
        )  # fmt: skip
    return fitting[0]


def import_labels(
    run: Run, path: Path, form: Format, cycle: int, complete: bool = False, by: str = "",
    rename: Mapping[str, str] | None = None,
) -> Import:  # fmt: skip
    """Takes labels over that a tool gave back, all of them or, if something is refused, none.

    cycle: whose batch was exported. complete: images without a box were looked at, too, and show
    nothing: the user's word, where a format cannot tell. by: who labeled, where the file does not
    tell. rename: class by label. Images that were skipped leave the batch. The same file again
    brings nothing new.

    Raises DataError for a file that cannot be read, or in which a label is another spelling of a
    class, ConfigError, DecisionError, and RunFolderError, also where another process is at work.
    """
    record, faults = run.record, FaultCounts()
    images = Images({image_id: run.dataset.records[image_id] for image_id in record.pool})
    found, placed = read_labels(path, form, images, complete, faults)
    boxes = {
        image_id: [box._replace(name=(rename or {}).get(box.name, box.name)) for box in given]
        for image_id, given in placed.items()
    }
    for image_id, one in found.items():
        if one.run not in ("", record.fingerprint):
            faults.add("exported by another run: used for the image of that id", image_id)
    new_classes = _new_classes(record.classes, boxes, path)
    short = pixels_short(run)
    answers = [
        _answer(i, found[i], given, form, by or found[i].by, short) for i, given in boxes.items()
    ]
    notes = {i: one.note for i, one in found.items() if one.state == "skipped"}
    name = _digest(answers, notes)
    answers = [one.model_copy(update={"imported": name}) for one in answers]
    with run.folder.lock():
        store = LabelStore(run.folder)
        known = store.answers()
        new = [one for one in answers if not _is_known(one, known)]
        to_skip = [] if why_closed(record, cycle) else _to_set_aside(run, cycle, notes)
        noted = imports_of(run.folder).get(name)
        if (new or to_skip) and (noted is None or noted.undone):
            note_event(run.folder, {
                "event": "imported", "import": name, "file": str(path), "cycle": cycle,
                "format": form.name, "images": [one.id for one in new], "skipped": to_skip,
            })  # fmt: skip
        store.answer(new, record.pool)
    skipped = _set_aside(run, cycle, notes, faults)
    before, batch = suggested(run.folder, cycle), [row["id"] for row in rows_of(run, cycle)]
    asked = {*batch} if cycle == FIRST else {*batch, *record.labeled(cycle)}
    for image_id in boxes.keys() - asked:
        faults.add("labeled, but not asked for: used once a cycle chooses it", image_id)
    looked_at = [i for i in boxes if i in before and not found[i].in_bulk]
    seconds = [one.seconds for one in answers if one.seconds is not None]
    return Import(
        name if new or to_skip else "",
        form.label, cycle, list(boxes), [i for i in boxes if not boxes[i]],
        skipped, [i for i, one in found.items() if one.state == "untouched"],
        [i for i in batch if i not in store.answers()],
        [one.id for one in new if one.id in known],
        [i for i in boxes if found[i].in_bulk], new_classes,
        sum((compare(before[i], boxes[i]) for i in looked_at), Agreement()),
        median(seconds) if seconds else None, faults,
    )  # fmt: skip


def read_labels(
    path: Path, form: Format, images: Images, complete: bool, faults: FaultCounts
) -> tuple[dict[str, Returned], dict[str, list[ReturnedBox]]]:
    """What a tool gave back: what it says of each of these images, and, of those that are labeled,
    the boxes in pixels of the upright image. Raises DataError for a file that cannot be read."""
    with unpacked(path) as place:
        found = _by_image(form.read(place, images, faults), images, complete, faults)
    boxes = {}
    for image_id, one in found.items():
        if one.state == "labeled":
            placed = _upright(one, images[image_id], faults)
            if placed is not None:
                boxes[image_id] = [box for box in placed if _is_usable(box, image_id, faults)]
    return found, boxes


def _by_image(
    returned: Sequence[Returned], images: Images, complete: bool, faults: FaultCounts
) -> dict[str, Returned]:
    """What was said of each image that the run has; of several the one with labels counts, of
    these the newest, or the last."""
    found: dict[str, Returned] = {}
    for one in returned:
        if (record := images.find(one.name, faults)) is None:
            continue
        if before := found.get(record.id):
            faults.add("image returned more than once: the newest labels count", record.id)
            one = max(before, one, key=lambda each: (STATES.index(each.state), each.time or 0.0))
        found[record.id] = one
    for image_id, one in found.items():
        if one.state == "listed":
            if not complete:
                faults.add("nothing tells whether anybody looked (--complete says that all were "
                           "looked at)", image_id)  # fmt: skip
            found[image_id] = replace(one, state="labeled" if complete else "untouched")
    return found


def _is_usable(box: ReturnedBox, image_id: str, faults: FaultCounts) -> bool:
    """Whether the box has a name and sides that can be kept; counted if not."""
    is_line = box.name and not UNFIT.search(box.name)
    if not is_line or not all(map(math.isfinite, box.box)):
        faults.add("box whose label is no text, or whose sides are no numbers", image_id)
        return False
    return True


def _upright(
    one: Returned, record: ImageRecord, faults: FaultCounts
) -> Sequence[ReturnedBox] | None:
    """The boxes in pixels of the upright image; None where they are of another picture."""
    raw = [RawObject(box.name, box.box) for box in one.boxes]
    try:
        fitted = fitted_objects(Labels(raw, one.size), record, faults)
    except AnnotationFault as fault:
        faults.add(str(fault), record.id)
        return None
    return [box._replace(box=new.box) for box, new in zip(one.boxes, fitted, strict=True)]


def _new_classes(
    classes: Sequence[str], boxes: Mapping[str, Sequence[ReturnedBox]], path: Path
) -> list[str]:
    """Labels that are no class of the run yet, sorted. Raises DataError for another spelling."""
    names = {box.name for given in boxes.values() for box in given}
    new: list[str] = []
    for name in sorted(names - {*classes}):
        if known := respelled(name, [*classes, *new]):
            raise DataError(
                f"the label '{name}' is another spelling of the class '{known}'", where=path,
                remedy=f"give --rename '{name}={known}', or write '{known}' there",
            )  # fmt: skip
        new.append(name)
    return new


def _answer(
    image_id: str, one: Returned, boxes: Sequence[ReturnedBox], form: Format, by: str, short: int
) -> Answer:
    """What is kept of an image's labels. short: the boxes of the run end so many pixels early."""
    objects = tuple(
        AnsweredObject(name=box.name, box=(x1, y1, x2 - short, y2 - short))
        for box in boxes
        for x1, y1, x2, y2 in [box.box]
    )
    return Answer(id=image_id, objects=objects, by=by, source=form.name,
                  time=one.time or time.time(), seconds=one.seconds)  # fmt: skip


def _digest(answers: Sequence[Answer], skipped: Mapping[str, str]) -> str:
    """A short name of what these answers say, and of what was skipped, and why."""
    said = [one.model_dump_json(exclude={"time", "imported"}) for one in answers]
    said += [json.dumps(one) for one in skipped.items()]
    return hashlib.sha256("\n".join(sorted(said)).encode()).hexdigest()[:8]


def _is_known(answer: Answer, known: Mapping[str, Answer]) -> bool:
    """Whether this holds for its image already."""
    before = known.get(answer.id)
    return before is not None and (before.objects, before.by) == (answer.objects, answer.by)


def _to_set_aside(run: Run, cycle: int, skipped: Iterable[str]) -> list[str]:
    """The ids among those skipped that nobody has set aside yet, and that are not labeled."""
    if cycle == FIRST:  # drawn, not chosen: no other one can take its place
        return []
    barred, labeled = verdicts_of(run.record, cycle).barred, {*run.record.labeled(cycle)}
    return [i for i in skipped if i not in barred and i not in labeled]


def _set_aside(run: Run, cycle: int, skipped: Mapping[str, str], faults: FaultCounts) -> list[str]:
    """Takes what people skipped, and noted why, out of the cycle's batch, without others in their
    places; returns the ids that are set aside now."""
    if cycle == FIRST:
        for image_id in skipped:
            faults.add("skipped, but drawn to begin with: it goes on waiting", image_id)
        return []
    record = run.record
    barred, new = verdicts_of(record, cycle).barred, _to_set_aside(run, cycle, skipped)
    if what := why_closed(record, cycle):
        for image_id in new:
            faults.add(f"skipped too late: {what}", image_id)
        return [i for i in skipped if i in barred]
    for note in dict.fromkeys(skipped[i] for i in new):
        decide_all(record, cycle, {i: "skip" for i in new if skipped[i] == note}, note)
    if not {*skipped}.isdisjoint(record.selected(cycle)):  # or decided before a crash
        apply_decisions(record, cycle, replace=False)
    return [i for i in skipped if i in barred or i in new]


def _named(ids: Sequence[str], most: int = 5) -> str:
    """How many images, and the first of them."""
    shown = ", ".join(ids[:most]) + ", ..." * (len(ids) > most)
    return f"{len(ids)} image{'s' * (len(ids) != 1)} ({shown})"
