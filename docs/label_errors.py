"""How many label errors stand at the top of the list of `miaod review RUN --labels`, where it is
known which there are: errors planted in the labels of evaluated images, which no detector was
trained on.

`python docs/label_errors.py runs/toy` measures that with the detector of every cycle of a run, from
the detections that the run keeps. Of all labels 5 % each are given another class, moved by 25 to
60 % of their size in both directions, removed, and added where nothing is.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from miaod_nb.boxes import Detections, Objects, pairwise_iou
from miaod_nb.experiment import Run, open_run
from miaod_nb.labeling.checking import LEAST
from miaod_nb.labeling.doubts import Doubt, doubts
from miaod_nb.passes.kept_detections import load_detections

KINDS = ("swapped", "moved", "removed", "spurious")
SHARE = 0.05  # of all labels, for each kind of error; and of the list that is looked at first
MOVED = 0.25, 0.6  # parts of a side by which a box is moved
SEEDS = range(10)

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


def measure(run: Run, cycle: int, seed: int) -> dict[str, float]:
    """How many planted errors of each kind stand among the first of the list, and what else is to
    be told of it."""
    dataset, known = run.dataset, len(run.record.classes_of(cycle))
    assert known > 1, "the class of a label cannot be swapped where there is one class"
    labels = dataset.test_objects
    found = load_detections(run.folder, cycle, list(labels))
    assert found is not None, f"cycle {cycle} was not evaluated"
    sizes = {record.id: (record.width, record.height) for record in dataset.test}
    given, planted = plant(labels, sizes, known, seed)
    rows = ranked(given, found, known)
    hits = [error_of(image_id, doubt, planted, found) for image_id, doubt in rows]
    total = sum(map(len, given.values()))
    places = total + sum(one.kind == "removed" for one in planted)  # that may be looked at
    shown = sum(doubt.score >= LEAST for _, doubt in rows)
    result: dict[str, float] = {"labels": total}
    for name, length in (("", round(SHARE * total)), (" in all", len(planted)), (" shown", shown)):
        right = {hit for hit in hits[:length] if hit is not None}
        counts = Counter(planted[hit].kind for hit in right)
        result |= {f"{kind}{name}": counts[kind] for kind in KINDS}
        result |= {f"errors{name}": len(right), f"rows{name}": length}
        result[f"chance{name}"] = length * len(planted) / places
    clean = ranked(labels, found, known)
    return result | {"false alarms": sum(doubt.score >= LEAST for _, doubt in clean)}


def table(run: Run) -> pd.DataFrame:
    """A row for each cycle and each length of the list: means over the seeds and, in brackets,
    standard deviations."""
    rows = []
    for cycle in run.record.trained:
        results = pd.DataFrame([measure(run, cycle, seed) for seed in SEEDS])
        metrics = run.record.metrics_of(cycle)
        score = metrics["metrics"]["VOC12 AP@0.5 (area)"] if metrics else float("nan")
        for name, what in (("", "5 % of the labels"), (" in all", "as many as errors"),
                           (" shown", f"score {LEAST} and more")):  # fmt: skip
            mean, spread = results.mean(), results.std()
            row = {"cycle": cycle, "AP": f"{score:.2f}", "list": what,
                   "rows": f"{mean[f'rows{name}']:.0f}"}  # fmt: skip
            for kind in ("errors", *KINDS):
                row[kind] = f"{mean[kind + name]:.1f} ({spread[kind + name]:.1f})"
            rows.append(row | {"by chance": f"{mean[f'chance{name}']:.1f}"})
    return pd.DataFrame(rows)


def main(run_dirs: Sequence[str]) -> None:
    """Prints a Markdown table for each run."""
    for run_dir in run_dirs:
        run = open_run(run_dir=run_dir)
        found = table(run)
        print(f"\n{run.record.name}, {run.dataset.evaluated_on}:\n")
        for cells in (found, ["---"] * len(found.columns), *found.itertuples(index=False)):
            print(f"| {' | '.join(map(str, cells))} |")
        for cycle in run.record.trained:
            alarms = measure(run, cycle, SEEDS[0])["false alarms"]
            print(f"\ncycle {cycle}: {alarms:.0f} rows of score {LEAST} without planted errors")


if __name__ == "__main__":
    main(sys.argv[1:])
