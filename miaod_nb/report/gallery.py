"""The images that a cycle chose as its detector sees them: boxes, reasons, heat maps."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from miaod_nb import plots
from miaod_nb.errors import MiaodError
from miaod_nb.inspection import maps
from miaod_nb.inspection.reasons import Place, is_told_by_anchors, places, where_in_words
from miaod_nb.inspection.seeing import image_and_values
from miaod_nb.inspection.table import SHOWN_SCORE
from miaod_nb.inspection.values import AnchorValues
from miaod_nb.progress import progress
from miaod_nb.report.beginning import shown_label
from miaod_nb.report.drawing import card, drawn_panels
from miaod_nb.report.pieces import Card, Cards, Picture, Piece, Text
from miaod_nb.report.reported import ReportedRun
from miaod_nb.runs.schema import SelectedImage
from miaod_nb.selection.choosing import cost_text, prices_of
from miaod_nb.selection.uncertainty import num_averaged
from miaod_nb.trained.detector import Detector
from miaod_nb.wording import number_text

CARDS = 8  # images of a gallery
MOST_NAMED = 10  # boxes of an image; names of more would cover it
MAPS = 3  # images with heat maps

Seen = tuple[SelectedImage, tuple[np.ndarray, AnchorValues]]


def gallery(run: ReportedRun) -> list[Piece]:
    """The first images of the newest batch as the detector of that cycle sees them."""
    cycle = run.record.last_selection
    if cycle is None:
        return [Text(f"{run.name} has not chosen images yet.")]
    if cycle not in run.record.trained:
        return [Text(f"The detector of cycle {cycle} of {run.name} is not in the run folder, so "
                     "the images that it chose are not shown.")]  # fmt: skip
    rows = run.selected(cycle)
    there = [row for row in rows if run.image(row["id"])]
    if not there:
        return [Text(f"The images that {run.name} chose are not there any more: "
                     f"{run.trouble or 'restore them to see them here'}.")]  # fmt: skip
    seen = _seen(run, cycle, there[:CARDS])
    gone = len(rows) - len(there)
    pieces: list[Piece] = [Text(_introduction(run, cycle, len(rows), gone, seen))]
    pieces.append(Cards([_card(run, row, *one) for row, one in seen]))
    if run.card.explained_by == "discrepancy":
        pieces += [_heat_maps(run, row, *one, n) for n, (row, one) in enumerate(seen[:MAPS])]
    return pieces


def _seen(run: ReportedRun, cycle: int, rows: Sequence[SelectedImage]) -> list[Seen]:
    """The images and what the cycle's detector says of their anchors; one that cannot be decoded is
    passed over."""
    detector = Detector.load(run.record.folder.root, cycle)
    found = []
    for row in progress(rows, f"{run.name}: the batch of cycle {cycle}"):
        record = run.image(row["id"])
        try:
            assert record is not None  # the caller has looked
            found.append((row, image_and_values(detector.model, record, run.record.config)))
        except MiaodError:
            continue
    return found


def _cost(run: ReportedRun, cycle: int) -> str:
    """What the batch is expected to cost and from where that is known, as sentences; "" where the
    budget is in images."""
    selection = run.record.selection(cycle)
    prices = prices_of(selection)
    if prices is None:
        return ""
    told = "; ".join(prices.lines())
    return f" They are expected to cost {cost_text(selection)} ({told})."


def _introduction(run: ReportedRun, cycle: int, count: int, gone: int, seen: Sequence[Seen]) -> str:
    """What the pictures show; of what none of them has nothing is said."""
    text = (
        f"{run.name} ({shown_label(run.label)}): the first of the {count} images that cycle "
        f"{cycle} chose to be labeled next.{_cost(run, cycle)}"
    )
    if any(len(values.detections.above(SHOWN_SCORE)) for _, (_, values) in seen):
        text += (f" Solid blue boxes are what its detector finds, with scores of {SHOWN_SCORE} and "
                 f"more; where there are at most {MOST_NAMED}, they are named as far as there is "
                 "room.")  # fmt: skip
    else:
        text += f" Its detector finds nothing in them with a score of {SHOWN_SCORE} or more."
    disputed = [place for _, (_, values) in seen for place in _disputed(run, values)]
    if disputed:
        text += (" Dash-dotted boxes, on top, are the places that bring the largest parts of the "
                 "score, with numbers, as far as there is room, in the order of the words below "
                 "the picture.")  # fmt: skip
    if any(place.label >= 0 for place in disputed):
        text += (" Brackets in these words hold the higher and the lower of what the two "
                 "classifiers say of the class there, or of another one that they "
                 "dispute.")  # fmt: skip
    return text + (f" {gone} of these images are not there any more." * bool(gone))


def _card(run: ReportedRun, row: SelectedImage, image: np.ndarray, values: AnchorValues) -> Card:
    """The image with the boxes found in it, and why it was chosen."""
    found = values.detections.above(SHOWN_SCORE)
    texts = found.texts(run.record.classes)
    boxes = _disputed_boxes(run, values)

    def draw(axes: Axes) -> None:
        numbers = [str(n + 1) for n in range(len(boxes))]
        plots.boxes_on_image(axes, image, boxes, numbers, role="anchor")
        shown = texts if len(texts) <= MOST_NAMED else ()
        plots.add_boxes(axes, found.boxes, shown, role="prediction")
        plots.add_boxes(axes, boxes, role="anchor")  # again: predictions do not cover them

    score = "" if row["score"] is None else f" · {number_text(row['score'])}"
    reason = row["reason"]
    if is_told_by_anchors(run.card, run.record.config):
        reason += f"; {where_in_words(values, run.record.classes, _k(run, values))}"
    alt = f"image {row['id']} with {len(found)} boxes that the detector finds"
    picture = card(image, draw, alt + f": {', '.join(texts)}" * bool(texts), reason)
    return Card(picture, f"{row['rank']} · {row['id']}{score}")


def _disputed(run: ReportedRun, values: AnchorValues) -> list[Place]:
    """The places that the reason in words counts, in its order."""
    is_told = is_told_by_anchors(run.card, run.record.config)
    return places(values, _k(run, values)) if is_told else []


def _disputed_boxes(run: ReportedRun, values: AnchorValues) -> np.ndarray:
    """Their boxes: (N, 4)."""
    return values.boxes[[place.anchor for place in _disputed(run, values)]]


def _k(run: ReportedRun, values: AnchorValues) -> int:
    return num_averaged(run.record.config.top_k, len(values.discrepancy))


def _heat_maps(
    run: ReportedRun, row: SelectedImage, image: np.ndarray, values: AnchorValues, number: int
) -> Picture:
    """Image, discrepancy, weight and both together; the first figure explains them."""
    names = ("discrepancy", "weight", "re-weighted discrepancy")
    layers = {name: maps.anchor_map(layer, values.grid, values.size)
              for name, layer in zip(names, values.layers().values(), strict=True)}  # fmt: skip
    height, width = values.size
    averaged = ["", " (what the score averages)"]
    if run.record.config.weighted_selection:
        averaged.reverse()
    boxes = _disputed_boxes(run, values)
    marked = " with the places that the words count" * bool(len(boxes))
    explained = (
        f"From left to right: the image{marked}; where the two classifiers disagree{averaged[1]}; "
        "where the detector believes an object to be (weight; 1 is an average anchor); both "
        f"multiplied{averaged[0]}, which is what training uses to pass over noise in the "
        "background. Bright is high; each map has its own scale."
    )
    return drawn_panels(
        partial(_draw_maps, image=image, values=layers, boxes=boxes), (1, 4),
        f"Heat maps of {row['id']}, rank {row['rank']}",
        f"{row['id']}, rank {row['rank']}. " + explained * (number == 0),
        (10, 2.4 * height / width + 0.6), kind="jpeg",
    )  # fmt: skip


def _draw_maps(
    panels: np.ndarray, image: np.ndarray, values: dict[str, np.ndarray], boxes: np.ndarray
) -> None:
    panels[0, 0].figure.get_layout_engine().set(w_pad=0.1)  # the scales' numbers do not touch
    plots.heat_map_row(panels[0], image, values, boxes)
