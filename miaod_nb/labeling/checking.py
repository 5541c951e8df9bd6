"""The labels of a run, compared with what detectors find that were not trained on them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from miaod_nb.boxes import Detections, Objects
from miaod_nb.data.records import FaultCounts
from miaod_nb.errors import RunFolderError
from miaod_nb.experiment.run import Run
from miaod_nb.labeling.doubt_table import COLUMNS, described
from miaod_nb.labeling.doubts import doubts, num_confirmed
from miaod_nb.labeling.exchange import Suggestion
from miaod_nb.labeling.exporting import suggested
from miaod_nb.passes.inference import detect_images
from miaod_nb.passes.kept_detections import keep_detections, kept_detections
from miaod_nb.progress import progress
from miaod_nb.runs.label_store import LabelStore
from miaod_nb.runs.machine import memory_explained, prepare_torch

LEAST = 0.4  # score of a doubt that people are shown


class Judge(NamedTuple):
    """Who is asked about an image: the detector that a cycle trained. seen: on its labels, too."""

    cycle: int
    seen: bool


@dataclass(frozen=True)
class Check:
    """What comes of the labels of a run, or of some of its images.

    table: what to look at again, a row each, the most doubtful first: the COLUMNS. images, labels:
    how many were compared; seen: ids of the images whose labels every detector was trained on;
    confirmed: how many labels a detector is sure of. unchecked: ids of images about which no
    detector was asked yet. faults: what could not be compared, by reason.
    """

    table: pd.DataFrame
    images: int
    labels: int
    confirmed: int
    seen: Sequence[str]
    unchecked: Sequence[str]
    faults: FaultCounts

    @property
    def kinds(self) -> str:
        """How many doubts of each kind there are, in words, the most frequent first."""
        counts = Counter(self.table["doubt"]).most_common()
        return ", ".join(f"{count} {kind}" for kind, count in counts)

    def summary(self) -> str:
        """How much is to be looked at again."""
        return f"{len(self.table)} to look at again" + f": {self.kinds}" * bool(self.kinds)

    def lines(self) -> list[str]:
        """What was compared, for people; the rows of the table are not among them."""
        lines = [f"{self.labels} labels of {self.images} images are compared with what a detector "
                 f"finds there; it is sure of {self.confirmed} of them"]  # fmt: skip
        if self.seen:
            lines.append(f"every detector was trained on the labels of {len(self.seen)} of these "
                         "images, and tends to repeat their errors")  # fmt: skip
        return [*lines, *(f"not compared: {line}" for line in self.faults.lines())]


def check_labels(
    run: Run, least: float = LEAST, ids: Collection[str] | None = None, only_kept: bool = False
) -> Check:
    """Compares labels with what detectors find that were not trained on them.

    least: the lowest score of a doubt. ids: the images to look at; left out, all whose labels the
    run has read or got: those that it asked for, and those of the test list. only_kept: no detector
    is asked; images of which it is not known what one finds are `unchecked`. Raises RunFolderError
    where no detector is trained yet, and others.
    """
    if not run.record.trained:
        raise RunFolderError(
            "no detector is trained yet that could be asked about labels", where=run.folder.root,
            remedy=f"miaod run --run-dir {run.folder.root}",
        )  # fmt: skip
    faults = FaultCounts()
    labeled, classes = _labels(run, ids, faults)
    judges = judges_of(run, labeled)
    found, shown = _found(run, judges, only_kept), _suggestions(run)
    rows, confirmed = [], 0
    for image_id in progress(found, "labels compared"):
        judge, objects = judges[image_id], labeled[image_id]
        known = run.record.classes_of(judge.cycle)
        new = int((objects.labels >= len(known)).sum())
        if new:
            faults.add("label of a class that the detector does not know", image_id, new)
        confirmed += num_confirmed(objects, found[image_id])
        rows += [
            {"image": image_id, "detector": judge.cycle, "seen": judge.seen}
            | described(doubt, objects, found[image_id], classes, shown.get(image_id, ()))
            for doubt in doubts(objects, found[image_id], len(known))
            if round(doubt.score, 4) >= least
        ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    table = table.sort_values(["score", "image"], ascending=[False, True], kind="stable")
    return Check(
        table.reset_index(drop=True), len(found), sum(len(labeled[i]) for i in found), confirmed,
        [i for i in found if judges[i].seen], [i for i in labeled if i not in found], faults,
    )  # fmt: skip


def imported_lines(run: Run, ids: Collection[str]) -> list[str]:
    """What is doubtful about labels that were just imported, as far as it is known already what a
    detector finds in their images; [] where there is no detector yet. Raises as `check_labels`."""
    if not run.record.trained or not ids:
        return []
    check, lines = check_labels(run, ids=ids, only_kept=True), []
    if check.images:
        first = "".join(f"; first {row.image}: {row.what}" for row in check.table[:1].itertuples())
        lines.append(f"labels of {check.images} images compared: {check.summary()}{first}")
    if check.unchecked:
        lines.append(f"labels of {len(check.unchecked)} images not compared with a detector yet")
    if len(check.table) or check.unchecked:
        lines.append(f"to see which may be wrong: miaod review {run.folder.root} --labels")
    return lines


def judges_of(run: Run, ids: Collection[str]) -> dict[str, Judge]:
    """Who is asked about each of these images: the newest detector that was not trained on its
    labels; where each one was, the newest."""
    record = run.record
    joined: dict[str, int] = {}  # the first cycle that trained on the labels of an image
    for cycle in range(record.cycles):
        noted = record.labels_noted(cycle)
        without = record.labels(cycle).get("asked", []) if noted else []
        joined = dict.fromkeys({*record.labeled(cycle)} - {*without}, cycle) | joined
    for image_id in run.dataset.ids(run.dataset.held_out):
        joined.pop(image_id, None)
    judges = {}
    for image_id in ids:
        before = [c for c in record.trained if c < joined.get(image_id, record.cycles)]
        judges[image_id] = Judge(max(before or record.trained), seen=not before)
    return judges


def _labels(
    run: Run, ids: Collection[str] | None, faults: FaultCounts
) -> tuple[dict[str, Objects], Sequence[str]]:
    """The labels that the run may know, by image, and the names of their classes."""
    record, dataset = run.record, run.dataset
    asked = dict.fromkeys([*record.labeled(record.cycles - 1), *LabelStore(run.folder).answers()])
    wanted = [i for i in asked if ids is None or i in ids]
    there, classes = [i for i in wanted if i in dataset.records], record.classes
    # What else is wrong with labels is told when they are used.
    if dataset.config.classes is None:
        found, classes = dataset.oracle.read_growing(there, classes, FaultCounts())
    else:
        found = dataset.oracle.read(there, classes, FaultCounts())
    for image_id in wanted:
        if image_id not in dataset.records:
            faults.add("image that is missing", image_id)
        elif image_id not in found:
            faults.add("image without labels yet, or with some that cannot be used", image_id)
    for image_id in dataset.test_objects:
        if image_id in found or (ids is not None and image_id not in ids):
            continue
        if image_id in dataset.records:
            faults.add("test image called as an image of the pool", image_id)
        else:
            found[image_id] = dataset.test_objects[image_id]
    return found, classes


def _found(run: Run, judges: Mapping[str, Judge], only_kept: bool) -> dict[str, Detections]:
    """What the judge of each image finds there, by id; what is new is kept."""
    dataset = run.dataset
    held_out = dataset.ids(dataset.held_out)
    evaluated = {*held_out, *(r.id for r in dataset.test if r.id not in dataset.records)}
    records = {record.id: record for record in dataset.test} | dict(dataset.records)
    found: dict[str, Detections] = {}
    for cycle in sorted({judge.cycle for judge in judges.values()}):
        wanted = [i for i, judge in judges.items() if judge.cycle == cycle]
        kept = kept_detections(run.folder, cycle, evaluated)
        new = [records[i] for i in wanted if i not in kept and not only_kept]
        if new:
            prepare_torch(run.config, run.device)
            with memory_explained():
                seen = detect_images(
                    run.load_model(cycle), new, run.config, f"cycle {cycle}: labels to compare"
                )
            with suppress(RunFolderError):  # a folder that cannot be written is read on
                keep_detections(run.folder, cycle, seen)
            kept |= seen
        found |= {i: kept[i] for i in wanted if i in kept}
    return found


def _suggestions(run: Run) -> dict[str, list[Suggestion]]:
    """The boxes that were suggested to those who labeled, by image."""
    shown: dict[str, list[Suggestion]] = {}
    for cycle in range(run.record.cycles):
        shown |= suggested(run.folder, cycle)
    return shown
