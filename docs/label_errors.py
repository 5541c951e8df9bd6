"""How many label errors stand at the top of the list of `miaod review RUN --labels`, where it is
known which there are: errors planted in the labels of evaluated images, which no detector was
trained on.

`python docs/label_errors.py runs/toy` measures that with the detector of every cycle of a run, from
the detections that the run keeps. Of all labels 5 % each are given another class, moved by 25 to
60 % of their size in both directions, removed, and added where nothing is.

`python docs/label_errors.py --trained runs/toy-errors` trains on such labels of toy first.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from miaod_nb.boxes import Detections, Objects, pairwise_iou
from miaod_nb.data.labels import Oracle
from miaod_nb.data.records import FaultCounts
from miaod_nb.experiment import Run, open_run
from miaod_nb.labeling.checking import LEAST, check_labels
from miaod_nb.labeling.doubts import Doubt, doubts
from miaod_nb.passes.kept_detections import kept_detections, load_detections
from miaod_nb.runs.label_store import Answer, AnsweredObject, LabelStore
from miaod_nb.runs.schema import Metrics

KINDS = ("swapped", "moved", "removed", "spurious")
SHARE = 0.05  # of all labels, for each kind of error; and of the list that is looked at first
MOVED = 0.25, 0.6  # parts of a side by which a box is moved
SEEDS = range(10)
LISTS = ("5 % of the labels", "as many as errors", f"score {LEAST} and more")

Labels = Mapping[str, Objects]


class Planted(NamedTuple):
    """An error: in which image, the place of the label there (None: it was removed), and where the
    object is, or the box that shows none."""

    kind: str
    image: str
    label: int | None
    box: np.ndarray


def plant(
    labels: Labels, sizes: Mapping[str, tuple[int, int]], num_classes: int, seed: int
) -> tuple[dict[str, Objects], list[Planted]]:
    """The labels with errors in them, and which these are. sizes: (width, height) of the images.
    Boxes to be ignored stay as they are."""
    rng = np.random.default_rng(seed)
    every = [(i, k) for i, one in labels.items() for k in np.flatnonzero(~one.ignored).tolist()]
    count = round(SHARE * len(every))
    chosen = rng.permutation(len(every))[: 3 * count].tolist()
    kinds = {every[place]: KINDS[n // count] for n, place in enumerate(chosen)}
    extra = Counter(rng.choice(list(labels), count).tolist())
    shapes = np.concatenate([one.boxes for one in labels.values()])
    given, planted = {}, []
    for image_id, objects in labels.items():
        limits = np.array(sizes[image_id], np.float32)
        rows = []  # box, label, whether it is to be ignored
        for place, box in enumerate(objects.boxes):
            kind, label = kinds.get((image_id, place), ""), int(objects.labels[place])
            if kind:
                planted.append(Planted(kind, image_id, len(rows), box))
            if kind == "removed":
                planted[-1] = planted[-1]._replace(label=None)
                continue
            if kind == "swapped":
                label = (label + int(rng.integers(1, num_classes))) % num_classes
            moved = _moved(box, limits, rng) if kind == "moved" else box
            rows.append((moved, label, objects.ignored[place]))
        for _ in range(extra[image_id]):
            box = _somewhere(objects, shapes, limits, rng)
            planted.append(Planted("spurious", image_id, len(rows), box))
            rows.append((box, int(rng.integers(num_classes)), False))
        boxes, names, ignored = zip(*rows, strict=True) if rows else ((), (), ())
        given[image_id] = Objects(
            np.array(boxes, np.float32).reshape(-1, 4), np.array(names, np.int64),
            np.array(ignored, bool),
        )  # fmt: skip
    return given, planted


def _moved(box: np.ndarray, limits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The box at another place, inside the image: towards its middle where it would leave it."""
    by = rng.uniform(*MOVED, 2) * (box[2:] - box[:2])
    signs = rng.choice([-1, 1], 2)
    leaves = (box[:2] + signs * by < 0) | (box[2:] + signs * by > limits)
    return np.clip(box + np.tile(np.where(leaves, -signs, signs) * by, 2), 0, np.tile(limits, 2))


def _somewhere(
    objects: Objects, shapes: np.ndarray, limits: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A box as large as some object, where no object is as far as there is room."""
    for _ in range(100):
        shape = shapes[rng.integers(len(shapes))]
        side = np.minimum(shape[2:] - shape[:2], limits)
        corner = rng.uniform(0, 1, 2) * (limits - side)
        box = np.concatenate([corner, corner + side]).astype(np.float32)
        if pairwise_iou(box[None], objects.boxes).max(initial=0) < 0.1:
            break
    return box


def ranked(given: Labels, found: Mapping[str, Detections], known: int) -> list[tuple[str, Doubt]]:
    """The doubts about all these images in one list."""
    every = [(i, one) for i in given for one in doubts(given[i], found[i], known)]
    return sorted(every, key=lambda row: -row[1].score)


def error_of(
    image_id: str, doubt: Doubt, planted: Sequence[Planted], found: Mapping[str, Detections]
) -> int | None:
    """Which planted error a doubt points at: it is about that label, or about a missed object where
    the object is; None: at none."""
    for number, one in enumerate(planted):
        if one.image != image_id:
            continue
        if doubt.label is not None and doubt.label == one.label:
            return number
        if doubt.label is None and one.kind in ("removed", "moved"):
            box = found[image_id].boxes[doubt.prediction]
            if pairwise_iou(box[None], one.box[None])[0, 0] >= 0.5:
                return number
    return None


def measure(
    labels: Labels, sizes: Mapping[str, tuple[int, int]], found: Mapping[str, Detections],
    known: int, seed: int,
) -> dict[str, float]:  # fmt: skip
    """How many planted errors of each kind stand among the first of the list, for lists of three
    lengths. found: what the detector, which knows `known` classes, finds in the images."""
    given, planted = plant(labels, sizes, known, seed)
    rows = ranked(given, found, known)
    hits = [error_of(image_id, doubt, planted, found) for image_id, doubt in rows]
    total = sum(map(len, given.values()))
    places = total + sum(one.kind == "removed" for one in planted)  # that may be looked at
    shown = sum(doubt.score >= LEAST for _, doubt in rows)
    result: dict[str, float] = {}
    for what, length in zip(LISTS, (round(SHARE * total), len(planted), shown), strict=True):
        right = {hit for hit in hits[:length] if hit is not None}
        counts = Counter(planted[hit].kind for hit in right)
        result |= {f"{what} {kind}": counts[kind] for kind in KINDS}
        result |= {f"{what} rows": length, f"{what} errors": len(right)}
        result[f"{what} chance"] = length * len(planted) / places
    return result


def lines_of(cycle: int, metrics: Metrics | None, results: pd.DataFrame) -> list[str]:
    """A row of the table for each length of the list: means over the seeds, a row each in the
    results, and, in brackets, standard deviations."""
    score = metrics["metrics"]["VOC12 AP@0.5 (area)"] if metrics else float("nan")
    mean, spread = results.mean(), results.std().fillna(0)
    lines = []
    for what in LISTS:
        counts = [f"{mean[key]:.1f} ({spread[key]:.1f})"
                  for key in (f"{what} {kind}" for kind in ("errors", *KINDS))]  # fmt: skip
        rows, chance = f"{mean[f'{what} rows']:.0f}", f"{mean[f'{what} chance']:.1f}"
        lines.append(f"| {' | '.join([str(cycle), f'{score:.2f}', what, rows, *counts, chance])} |")
    return lines


def evaluated(run: Run) -> list[str]:
    """The table of a run, from what the detector of each cycle found in the evaluated images."""
    labels, lines = run.dataset.test_objects, []
    sizes = {record.id: (record.width, record.height) for record in run.dataset.test}
    for cycle in run.record.trained:
        known, found = (
            len(run.record.classes_of(cycle)),
            load_detections(run.folder, cycle, [*labels]),
        )
        assert known > 1, "the class of a label cannot be swapped where there is one class"
        assert found is not None, f"cycle {cycle} was not evaluated"
        results = [measure(labels, sizes, found, known, seed) for seed in SEEDS]
        lines += lines_of(cycle, run.record.metrics_of(cycle), pd.DataFrame(results))
        alarms = sum(doubt.score >= LEAST for _, doubt in ranked(labels, found, known))
        lines.append(f"| {cycle} | | without planted errors, score {LEAST} and more | {alarms} |")
    return lines


def trained_on(run_dir: str) -> list[str]:
    """The table of a run on toy whose detector was trained on planted errors, about these."""
    settings = {"strategy": "random", "initial": 160, "cycles": 1, "threads": 1}
    begun = open_run("toy", run_dir=run_dir, overrides=settings)
    dataset = begun.dataset
    ids, classes = dataset.ids(dataset.first.labeled), dataset.classes
    labels = Oracle(dataset.source, dataset.pool).read(ids, classes, FaultCounts())
    sizes = {i: (dataset.records[i].width, dataset.records[i].height) for i in ids}
    given, _ = plant(labels, sizes, len(classes), SEEDS[0])
    answers = [
        Answer(id=image_id, by="", source="planted", time=0.0, objects=tuple(
            AnsweredObject(name=classes[label], box=tuple(box), difficult=bool(ignored))
            for box, label, ignored in zip(one.boxes.tolist(), one.labels, one.ignored, strict=True)
        ))
        for image_id, one in given.items()
    ]  # fmt: skip
    LabelStore(begun.folder).answer(answers, {record.id for record in dataset.pool})
    run = open_run("toy", run_dir=run_dir, overrides=settings)
    run.run()
    check_labels(run, ids=ids)  # keeps what the detector finds
    found = kept_detections(run.folder, 0, ())
    results = [measure(labels, sizes, found, len(classes), SEEDS[0])]
    return lines_of(0, run.record.metrics_of(0), pd.DataFrame(results))


def main(arguments: Sequence[str]) -> None:
    """Prints a Markdown table for each run."""
    titles = ("cycle", "AP", "list", "rows", "errors", *KINDS, "by chance")
    trains = arguments[:1] == ["--trained"]
    for run_dir in arguments[trains:]:
        lines = trained_on(run_dir) if trains else evaluated(open_run(run_dir=run_dir))
        print(f"\n{run_dir}\n\n| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
        print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
