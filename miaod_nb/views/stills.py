"""What stands for a view where it cannot live: a picture of what it shows first, and a sentence.

A view is displayed as two outputs: the live view, and this one, whose style shows one of the two:
the picture goes where a live view stands before it, and where none does, what stands in its place
(an empty frame, "model not found") goes. Where no style is obeyed, no view lives either.
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from miaod_nb import plots
from miaod_nb.plots.look import STYLES

RUN_AGAIN = "Run this cell again to use the view."
TILES, COLUMNS = 12, 6  # pictures of a sheet, and of its row
WIDTH = 9.0  # inches
LONGEST = 28  # letters of a caption
KINDS: dict[str, dict[str, Any]] = {  # of the images on the map
    "pool": {"color": STYLES["random"]["color"], "marker": "o", "s": 10},
    "labeled": {"color": "black", "marker": "x", "s": 22, "linewidths": 1},
    "selected": {"color": STYLES["mi_aod"]["color"], "marker": "s", "s": 26},
}
CHOICE = """
<style>
.jp-OutputArea-child:has(.miaod-view) + .jp-OutputArea-child:has(.miaod-still),
.jp-OutputArea-child:not(:has(.miaod-view)):has(+ .jp-OutputArea-child .miaod-still),
.cell_container:has(.miaod-view) .miaod-still { display: none; }
.miaod-still img { max-width: 100%; border-radius: 4px; }
</style>"""  # .jp-: JupyterLab, and pages that nbconvert makes; .cell_container: VS Code


class Still(NamedTuple):
    """A sentence that says what a view shows, and a picture of it (JPEG); b"": there is none."""

    sentence: str
    picture: bytes = b""


def output_of(still: Still) -> dict[str, str]:
    """The output of a notebook for a still. The picture is there twice: viewers that do not trust a
    notebook show images, but not all of them HTML."""
    sentence = f"{still.sentence} {RUN_AGAIN}"
    output = {"text/plain": sentence}
    image = ""
    if still.picture:
        output["image/jpeg"] = base64.b64encode(still.picture).decode()
        source = f"data:image/jpeg;base64,{output['image/jpeg']}"
        image = f'<img alt="{html.escape(still.sentence)}" src="{source}">'
    text = f"<p>{html.escape(sentence)}</p>"
    output["text/html"] = f'<div class="miaod-still">{text}{image}</div>{CHOICE}'
    return output


def heat_picture(
    photo: np.ndarray, boxes: Sequence[Any], texts: Sequence[str], heat: np.ndarray, label: str
) -> bytes:
    """An image with its detections and, beside it, a layer of the viewer.

    photo: uint8 (H, W, 3), boxes in its pixels; heat: (H, W).
    """
    height, width = photo.shape[:2]
    with plots.style():
        figure = _figure(WIDTH * min(0.5 * height / width, 0.45) + 0.5)
        left, right = figure.subplots(1, 2)
        plots.boxes_on_image(left, photo, boxes, texts, role="prediction")
        plots.heat_map(right, photo, heat, label)
        return _jpeg(figure)


def sheet(tiles: Sequence[tuple[str, str]]) -> bytes:
    """Pictures (data URLs, "" is none) in rows, each with a caption; b"" if there are none."""
    if not tiles:
        return b""
    rows = -(-len(tiles) // COLUMNS)
    with plots.style():
        figure = _figure(1.75 * rows)
        panels = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
        for axes in panels:
            axes.set_axis_off()
        for axes, (source, caption) in zip(panels, tiles, strict=False):
            if source:
                axes.imshow(opened(source))
            short = caption if len(caption) <= LONGEST else f"{caption[:LONGEST]}…"
            axes.set_title(plots.drawable(short), fontsize=7, parse_math=False)
        return _jpeg(figure)


def scatter(points: Sequence[Mapping[str, Any]]) -> bytes:
    """Images as points, by what became of them."""
    with plots.style():
        figure = _figure(WIDTH * 0.55)
        axes: Axes = figure.subplots()
        for kind, look in KINDS.items():
            of_kind = [point for point in points if point["kind"] == kind]
            axes.scatter(
                [point["x"] for point in of_kind], [point["y"] for point in of_kind],
                label=f"{kind} ({len(of_kind)})", **look,
            )  # fmt: skip
        axes.set(xlabel="first axis of the features", ylabel="second axis of the features")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return _jpeg(figure)


def opened(source: str) -> Image.Image:
    """The image of a data URL."""
    content = base64.b64decode(source.partition(",")[2])
    return Image.open(io.BytesIO(content)).convert("RGB")


def _figure(height: float) -> Figure:
    """A figure that a notebook does not show by itself, as it would one of pyplot."""
    return Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")


def _jpeg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=100, pil_kwargs={"quality": 82})
    return buffer.getvalue()
