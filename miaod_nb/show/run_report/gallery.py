"""The images that a cycle chose as its detector sees them: boxes, reasons, heat maps."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from miaod_nb.errors import MiaodError
from miaod_nb.experiment.trained import Detector
from miaod_nb.inspection.anchor_values import all_values
from miaod_nb.inspection.reasons import is_told_by_anchors, reason_in_words
from miaod_nb.inspection.table import SHOWN_SCORE
from miaod_nb.progress import progress
from miaod_nb.selection.uncertainty import num_averaged
from miaod_nb.show import maps, plots
from miaod_nb.show.run_report.beginning import shown_label
from miaod_nb.show.run_report.drawing import card, drawn_panels
from miaod_nb.show.run_report.pieces import Card, Cards, Picture, Piece, Text
from miaod_nb.show.run_report.reported import ReportedRun
from miaod_nb.show.views import View, view

CARDS = 8  # images of a gallery
MAPS = 3  # images with heat maps
ANCHORS = 5  # marked in an image


def gallery(run: ReportedRun) -> list[Piece]:
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
    words = _words(run, cycle, [row["id"] for row, _ in seen])
    gone = len(rows) - len(there)
    pieces: list[Piece] = [Text(_introduction(run, cycle, len(rows), gone))]
    pieces.append(Cards([_card(run, row, one, words) for row, one in seen]))
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
                 "disagree most. In words: the places that bring the largest parts of the score; "
                 "in brackets what the two classifiers say of the class there.")  # fmt: skip
    return text + (f" {gone} of these images are not there any more." * bool(gone))


def _words(run: ReportedRun, cycle: int, ids: Sequence[str]) -> dict[str, str]:
    """Why MI-AOD wants these images, by id, as far as that can be said of each by itself."""
    config, words = run.config, {}
    if run.experiment is None or run.trouble or not is_told_by_anchors(config):
        return {}
    try:
        indices = [run.pool.index(image_id) for image_id in ids]
        for values in all_values(run.experiment, cycle, indices):
            k = num_averaged(config.top_k, len(values.discrepancy))
            words[values.id] = reason_in_words(values, run.classes, k)
    except MiaodError:  # such as a folder that cannot be written: what is recorded must do
        return words
    return words


def _card(run: ReportedRun, row: dict[str, Any], seen: View, words: Mapping[str, str]) -> Card:
    """The image with the boxes found in it; why it was chosen in `words` by id, or as recorded."""
    sure = seen.detections.scores >= SHOWN_SCORE
    scores, labels = seen.detections.scores[sure].tolist(), seen.detections.labels[sure].tolist()
    texts = [f"{run.classes[label]} {score:.2f}"
             for label, score in zip(labels, scores, strict=True)]  # fmt: skip

    def draw(axes: Axes) -> None:
        anchors = _anchors(seen) if run.config.strategy == "mi_aod" else ()
        plots.boxes_on_image(axes, seen.image, anchors, role="anchor")
        plots.add_boxes(axes, seen.detections.boxes[sure].cpu(), texts, role="prediction")

    score = "" if row["score"] is None else f" · {row['score']:.3g}"
    reason = words.get(row["id"], row["reason"])
    picture = card(seen.image, draw, f"image {row['id']}", reason)
    return Card(picture, f"{row['rank']} · {row['id']}{score}")


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
        "From left to right: the image; where the two classifiers disagree (the largest difference "
        "of their scores of a class); where the detector believes an object to be (weight; 1 is an "
        "average anchor); both multiplied, which is what training uses to pass over noise in the "
        "background. Bright is high; each map has its own scale."
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
