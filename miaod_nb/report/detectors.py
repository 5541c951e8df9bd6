"""The part of a report about the detectors: what they find, how sure they are, how they learned."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from miaod_nb import plots
from miaod_nb.boxes import Detections
from miaod_nb.errors import RunFolderError
from miaod_nb.evaluation.reliability import calibration_error, judge, reliability
from miaod_nb.passes.inference import detect_images
from miaod_nb.passes.kept_detections import load_detections, save_detections
from miaod_nb.report.beginning import shown_label
from miaod_nb.report.drawing import drawn
from miaod_nb.report.losses import losses
from miaod_nb.report.measured import Measured, one_of_each
from miaod_nb.report.pieces import Piece, Section, Table, Text
from miaod_nb.report.reported import ReportedRun
from miaod_nb.trained.detector import Detector

SURE = 0.5  # the score from which a detection counts as found

Judged = tuple[np.ndarray, np.ndarray]  # scores of detections, and which are right


def detectors(runs: Sequence[ReportedRun], groups: Sequence[Measured]) -> Section:
    """True positives, calibration and training."""
    pieces: list[Piece] = []
    for group in groups:
        pieces += _of_group(group)
    pieces = pieces or [Text("There are no evaluated images, so it is not known how many of the "
                             "boxes found are right.")]  # fmt: skip
    for run in one_of_each(runs):
        pieces += losses(run)
    return Section("The detectors", pieces)


def _of_group(group: Measured) -> list[Piece]:
    found = {run.name: judge_cycles(run) for run in group.runs if not run.trouble}
    found = {name: cycles for name, cycles in found.items() if cycles}
    if not found:
        return [Text("The boxes that the detectors found in the evaluated images are not in the "
                     "run folders and cannot be found again, because detectors or images are "
                     "missing.")]  # fmt: skip
    runs = [run for run in group.runs if run.name in found]
    return [*_true_positives(runs, found, _num_objects(runs[0])), *_calibration(runs, found)]


def judge_cycles(run: ReportedRun) -> dict[int, Judged]:
    """The detections of every cycle in the evaluated images: scores, and which are right."""
    if run.experiment is None or not run.record.test:
        return {}
    truths = run.experiment.dataset.test_objects
    found = {}
    for cycle in run.metrics["cycle"] if len(run.metrics) else ():
        detections = load_detections(run.record.folder, cycle, run.record.test)
        if detections is None and cycle in run.record.trained:
            detections = _detect_again(run, cycle)
        if detections is not None:
            of_truths = [detections[image_id] for image_id in truths]
            found[int(cycle)] = judge(of_truths, list(truths.values()))
    return found


def _detect_again(run: ReportedRun, cycle: int) -> dict[str, Detections]:
    """What the cycle's detector finds, kept for the next report where that is possible: runs of
    today have it."""
    assert run.experiment is not None  # the caller has looked
    model, test = Detector.load(run.record.folder.root, cycle).model, run.experiment.dataset.test
    found = detect_images(
        model, test, run.record.config, f"{run.name}: detections of cycle {cycle}"
    )
    with suppress(RunFolderError):  # a folder that cannot be written is read on
        save_detections(run.record.folder, cycle, found)
    return found


def _num_objects(run: ReportedRun) -> int:
    assert run.experiment is not None  # its detections were judged
    objects = run.experiment.dataset.test_objects.values()
    return sum(int((~one.ignored).sum()) for one in objects)


def _true_positives(
    runs: Sequence[ReportedRun], found: dict[str, dict[int, Judged]], objects: int
) -> list[Piece]:
    rows = [
        {"strategy": run.label, "images": int(images),
         "found": int((is_true & (scores >= SURE)).sum())}
        for run in runs if not run.card.labels_all
        for cycle, images in zip(run.metrics["cycle"], run.metrics["labeled_images"], strict=True)
        if cycle in found[run.name]
        for scores, is_true in [found[run.name][cycle]]
    ]  # fmt: skip
    if not rows:
        return []
    order = list(dict.fromkeys(row["strategy"] for row in rows))
    table = pd.DataFrame(rows).pivot_table("found", "images", "strategy")[order]
    return [drawn(
        lambda axes: plots.true_positive_counts(axes, table),
        "Objects found by the detector of each cycle",
        f"How many of the {objects} objects in the evaluated images each cycle's detector finds: "
        f"detections of score {SURE} and more that overlap an object of their class by half. "
        "Several runs of a kind are averaged.", (7, 1 + 0.35 * table.size + 0.2 * len(table)),
    )]  # fmt: skip


def _calibration(runs: Sequence[ReportedRun], found: dict[str, dict[int, Judged]]) -> list[Piece]:
    """The newest judged cycle of each kind of run."""
    tables, rows = {}, []
    for run in one_of_each(runs):
        cycle, (scores, is_true) = max(found[run.name].items())
        table = tables[run.label] = reliability(scores, is_true)
        rows.append({"run": run.name, "strategy": shown_label(run.label), "cycle": cycle,
                     "detections": int(table["detections"].sum()),
                     "right": float(is_true.mean()) if len(is_true) else float("nan"),
                     "mean distance of score and share": calibration_error(table)})  # fmt: skip
    return [
        drawn(
            lambda axes: plots.calibration(axes, tables),
            "Calibration of the newest detectors",
            "Can a score be believed? Detections are sorted by score into ten parts; on the "
            "diagonal a score of 0.7 is right in 7 of 10 cases, above it the detector is more "
            "often right than it says, below it less often. Parts of fewer than 10 detections are "
            "left out.", (6, 4.5),
        ),
        Table("All detections of the newest evaluated cycle, most of them of low scores.",
              pd.DataFrame(rows)),
    ]  # fmt: skip
