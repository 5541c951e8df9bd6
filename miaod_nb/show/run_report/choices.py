"""The part of a report about the images that were chosen, and why."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from miaod_nb.errors import MiaodError
from miaod_nb.experiment.trained import Detector
from miaod_nb.progress import progress
from miaod_nb.show import maps, plots
from miaod_nb.show.run_report.beginning import shown_label
from miaod_nb.show.run_report.data_part import class_mixes
from miaod_nb.show.run_report.drawing import card, drawn, drawn_panels
from miaod_nb.show.run_report.measured import one_of_each
from miaod_nb.show.run_report.pieces import Card, Cards, Picture, Piece, Section, Text
from miaod_nb.show.run_report.reported import ReportedRun
from miaod_nb.show.views import View, view

CARDS = 8  # images of a gallery
MAPS = 3  # images with heat maps
ANCHORS = 5  # marked in an image
SHOWN_SCORE = 0.3  # from which a detection is drawn


def choices(runs: Sequence[ReportedRun]) -> Section:
    """Scores, classes, the newest batch of every kind of run, and heat maps."""
    kinds = [run for run in one_of_each(runs) if not run.labels_all]
    pieces: list[Piece] = [plot for run in kinds for plot in _histogram(run)]
    pieces += class_mixes(runs)
    for run in kinds:
        pieces += _gallery(run)
    return Section("What was chosen", pieces or [Text("No cycle has chosen images yet.")])


def _histogram(run: ReportedRun) -> list[Piece]:
    cycle = run.last_selection
    path = f"cycle{cycle}/scores.parquet"
    if cycle is None or not run.folder.exists(path):
        return []
    table = run.folder.load_parquet(path, ["id", "score"])
    chosen = table["id"].isin([row["id"] for row in run.selected(cycle)]).to_numpy()
    name = "image uncertainty" if run.config.strategy == "mi_aod" else f"score of {run.label}"
    return [drawn(
        lambda axes: plots.score_histogram(axes, table["score"].to_numpy(), chosen, name),
        f"Scores of the pool in cycle {cycle} of {run.name}",
        f"{run.name}: the scores of all images that cycle {cycle} could choose from. The highest "
        "are chosen; few images far on the right mean that the detector has clear favorites.",
    )]  # fmt: skip


def _gallery(run: ReportedRun) -> list[Piece]:
    """The first images of the newest batch as the detector of that cycle sees them."""
    cycle = run.last_selection
    if cycle is None:
        return [Text(f"{run.name} has not chosen images yet.")]
    if cycle not in run.trained_cycles:
        return [Text(f"The detector of cycle {cycle} of {run.name} is not in the run folder, so "
                     "the images that it chose are not shown.")]  # fmt: skip
    rows = run.selected(cycle)
    there = [row for row in rows if run.record(row["id"])]
    if not there:
        return [Text(f"The images that {run.name} chose are not there any more: "
                     f"{run.trouble or 'restore them to see them here'}.")]  # fmt: skip
    seen = _views(run, cycle, there[:CARDS])
    gone = len(rows) - len(there)
    pieces: list[Piece] = [Text(_introduction(run, cycle, len(rows), gone))]
    pieces.append(Cards([_card(run, row, one) for row, one in seen]))
    if run.config.strategy == "mi_aod":
        pieces += [_heat_maps(row, one, n) for n, (row, one) in enumerate(seen[:MAPS])]
    return pieces


def _views(
    run: ReportedRun, cycle: int, rows: Sequence[dict[str, Any]]
) -> list[tuple[dict[str, Any], View]]:
    """What the cycle's detector sees in the images; one that cannot be decoded is passed over."""
    detector = Detector.load(run.folder.root, cycle)
    found = []
    for row in progress(rows, f"{run.name}: the batch of cycle {cycle}"):
        record = run.record(row["id"])
        try:
            assert record is not None  # the caller has looked
            found.append((row, view(detector.model, record, run.config)))
        except MiaodError:
            continue
    return found


def _introduction(run: ReportedRun, cycle: int, count: int, gone: int) -> str:
    text = (
        f"{run.name} ({shown_label(run.label)}): the first of the {count} images that cycle "
        f"{cycle} chose to be labeled next. Solid blue boxes are what its detector finds, with "
        f"scores of {SHOWN_SCORE} and more."
    )
    if run.config.strategy == "mi_aod":
        text += (f" Dash-dotted boxes are the {ANCHORS} anchors on which its two classifiers "
                 "disagree most: they drove the choice.")  # fmt: skip
    return text + (f" {gone} of these images are not there any more." * bool(gone))


def _card(run: ReportedRun, row: dict[str, Any], seen: View) -> Card:
    sure = seen.detections.scores >= SHOWN_SCORE
    scores, labels = seen.detections.scores[sure].tolist(), seen.detections.labels[sure].tolist()
    texts = [f"{run.classes[label]} {score:.2f}"
             for label, score in zip(labels, scores, strict=True)]  # fmt: skip

    def draw(axes: Axes) -> None:
        anchors = _anchors(seen) if run.config.strategy == "mi_aod" else ()
        plots.boxes_on_image(axes, seen.image, anchors, role="anchor")
        plots.add_boxes(axes, seen.detections.boxes[sure].cpu(), texts, role="prediction")

    score = "" if row["score"] is None else f" · {row['score']:.2g}"
    picture = card(seen.image, draw, f"image {row['id']}", _reason(row, seen, run))
    return Card(picture, f"{row['rank']} · {row['id']}{score}")


def _reason(row: dict[str, Any], seen: View, run: ReportedRun) -> str:
    return str(row["reason"])


def _anchors(seen: View) -> np.ndarray:
    return maps.top_anchors(seen.instances, seen.grid, seen.size, ANCHORS)


def _heat_maps(row: dict[str, Any], seen: View, number: int) -> Picture:
    """Image, discrepancy, weight and both together; the first figure explains them."""
    discrepancy = (seen.probs_1 - seen.probs_2).abs()
    weights = seen.relative_weights
    quantities = {"discrepancy": discrepancy, "weight": weights,
                  "re-weighted discrepancy": discrepancy * weights}  # fmt: skip
    values = {name: maps.anchor_map(one.amax(dim=1), seen.grid, seen.size)
              for name, one in quantities.items()}  # fmt: skip
    height, width = seen.size
    explained = (
        "From left to right: the image; where the two classifiers disagree; where the detector "
        "believes an object to be (weight; 1 is an average anchor); both multiplied, which is what "
        "training uses to pass over noise in the background. Bright is high; each map has its own "
        "scale."
    )
    return drawn_panels(
        partial(_draw_maps, image=seen.image, values=values, anchors=_anchors(seen)), (1, 4),
        f"Heat maps of {row['id']}, rank {row['rank']}",
        f"{row['id']}, rank {row['rank']}. " + explained * (number == 0),
        (10, 2.4 * height / width + 0.6), kind="jpeg",
    )  # fmt: skip


def _draw_maps(
    panels: np.ndarray, image: np.ndarray, values: dict[str, np.ndarray], anchors: np.ndarray
) -> None:
    panels[0, 0].figure.get_layout_engine().set(w_pad=0.1)  # the scales' numbers do not touch
    plots.heat_map_row(panels[0], image, values, anchors)
