"""Pictures: boxes, anchors and heat maps on images. Boxes are xyxy in pixels of the image."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from numpy.typing import ArrayLike

from miaod_nb.plots.letters import drawable
from miaod_nb.plots.look import PIXEL, STYLES, level_colors

# Color, dash and width in pixels; the ground truth is thin, so that it differs without color.
BOX_LINES: dict[str, tuple[str, str, float]] = {
    "truth": ("#000000", "-", 1),
    "prediction": (STYLES["mi_aod"]["color"], "-", 2),
    "missed": (STYLES["entropy"]["color"], "--", 2),
    "anchor": ("#882255", "-.", 2),
}
HALO = 2  # pixels of white in addition to a line's width
FAR_FROM_ZERO = 1 / 8  # of the largest value: from here on a scale does not begin at 0
GRAY = np.array([0.299, 0.587, 0.114])  # luma of sRGB (ITU-R BT.601)


def boxes_on_image(
    axes: Axes, image: np.ndarray, boxes: ArrayLike, texts: Sequence[str] = (), role: str = "truth"
) -> Axes:
    """The image with boxes of one role on it; `add_boxes` puts those of another role on top.

    image: uint8 (H, W, 3); boxes: (N, 4), N may be 0; texts: none, or one for each box.
    """
    _show(axes, image)
    return add_boxes(axes, boxes, texts, role)


def add_boxes(axes: Axes, boxes: ArrayLike, texts: Sequence[str] = (), role: str = "truth") -> Axes:
    """Boxes on an image that is already drawn, all of one role: a key of BOX_LINES.

    Where texts would cover each other those of the smaller boxes are left out.
    """
    color, dash, width = BOX_LINES[role]
    rows = np.asarray(boxes, dtype=float)
    for box in rows:
        _add_box(axes, box, color, dash, width)
    labeled = list(zip(rows, texts, strict=True)) if len(texts) else []
    _add_texts(axes, sorted(labeled, key=lambda pair: -_area(pair[0])))
    return axes


def anchors_on_image(axes: Axes, image: np.ndarray, levels: Mapping[str, np.ndarray]) -> Axes:
    """The anchors of one cell on each feature level, and the center of that cell.

    levels: (K, 4) boxes by the level's name, finest level first. Anchors may reach beyond the
    image; the picture then grows, so that their true size is seen.
    """
    _show(axes, image)
    for position, (boxes, color) in enumerate(
        zip(levels.values(), level_colors(len(levels)), strict=True)
    ):
        for box in boxes:
            _add_box(axes, box, color, "-", 1 + position / 2)
    every = np.concatenate(list(levels.values()))
    height, width = image.shape[:2]
    axes.set_xlim(min(0, every[:, 0].min()), max(width, every[:, 2].max()))
    axes.set_ylim(max(height, every[:, 3].max()), min(0, every[:, 1].min()))
    tallest = [boxes[boxes[:, 1].argmin()] for boxes in levels.values()]
    _add_texts(axes, list(zip(tallest, levels, strict=True)))
    center = (every[:, :2] + every[:, 2:]).mean(axis=0) / 2
    axes.plot(*center, "o", color="black", markersize=5, markeredgecolor="white")
    return axes


def heat_map(
    axes: Axes, image: np.ndarray, values: np.ndarray, label: str, vmax: float | None = None
) -> Axes:
    """Values of the pixels in color over the image in gray, with a scale that `label` names.

    image: uint8 (H, W, 3); values: (H, W), >= 0. The scale begins at 0, dark, and ends at `vmax`,
    the largest value if left out: give one `vmax` to maps that are to be compared. Without it,
    values far from 0, as weights around 1, have the scale of their own range: they would be one
    color.
    """
    lowest, highest = float(values.min()), float(values.max())
    vmin = lowest if vmax is None and highest * FAR_FROM_ZERO < lowest < highest else 0.0
    vmax = highest if vmax is None else vmax
    height, width = values.shape
    # The photo keeps half of its contrast: bright spots are not to look like high values.
    axes.imshow(image @ GRAY, cmap="gray", vmin=-128, vmax=383, extent=(0, width, height, 0))
    heat = axes.imshow(
        values, cmap="cividis", vmin=vmin, vmax=vmax or 1, alpha=0.7, extent=(0, width, height, 0)
    )
    axes.set_axis_off()
    extend = "max" if values.max() > vmax else "neither"
    scale = axes.figure.colorbar(
        heat, cax=axes.inset_axes((0, -0.1, 1, 0.05)), orientation="horizontal",
        ticks=[vmin, vmax or 1], format="{x:.2g}", extend=extend,
    )  # fmt: skip
    scale.ax.set_facecolor("gray")  # behind the transparent colors, as in the picture
    scale.set_label(drawable(label), fontsize=8, labelpad=0)
    scale.ax.tick_params(labelsize=8, length=2)
    return axes


def heat_map_row(
    panels: Sequence[Axes], image: np.ndarray, maps: Mapping[str, np.ndarray],
    boxes: ArrayLike = (),
) -> Sequence[Axes]:  # fmt: skip
    """An image, and beside it one map after the other (figure 6 of the paper: discrepancy, weight,
    re-weighted discrepancy), each on its own scale as `heat_map` has it.

    panels: one more than maps; maps: (H, W), >= 0, by what they show; boxes: the anchors to mark in
    the image, (N, 4).
    """
    first, *others = panels
    boxes_on_image(first, image, boxes, role="anchor")
    for axes, (name, values) in zip(others, maps.items(), strict=True):
        heat_map(axes, image, values, name)
    return panels


def _show(axes: Axes, image: np.ndarray) -> None:
    """Draws the image so that data units are pixels, counted from the top left corner."""
    height, width = image.shape[:2]
    axes.imshow(image, extent=(0, width, height, 0))
    axes.set_axis_off()


def _add_box(axes: Axes, box: np.ndarray, color: str, dash: str, width: float) -> None:
    solid = {"dash_offset": 0, "dash_list": None}  # the halo has no gaps, whatever the line has
    halo = withStroke(linewidth=(width + HALO) * PIXEL, foreground="white", dashes=solid)
    x1, y1, x2, y2 = box
    axes.add_patch(
        Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=color, linestyle=dash,
                  linewidth=width * PIXEL, path_effects=[halo])
    )  # fmt: skip


def _add_texts(axes: Axes, labeled: Sequence[tuple[np.ndarray, str]]) -> None:
    """Writes above each box's upper left corner, or at its lower edge or middle, but never over
    another text (then not at all) and always inside the picture."""
    axes.apply_aspect()  # texts are measured where they will be
    taken = [other.get_window_extent() for other in axes.texts]
    for box, text in labeled:
        for y in (box[1], box[3], (box[1] + box[3]) / 2):
            written = _write_inside(axes, text, box[0], y)
            place = written.get_window_extent()
            if not any(place.overlaps(other) for other in taken):
                taken.append(place)
                break
            written.remove()


def _write_inside(axes: Axes, text: str, x: float, y: float) -> Annotation:
    """The text right above a point, moved to the left and down where it would leave the picture."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    corner = (min(max(x, left), right), min(max(y, top), bottom))
    written = axes.annotate(
        drawable(text), corner, (0, 0), textcoords="offset points", fontsize=7, va="bottom",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        parse_math=False,
    )  # fmt: skip
    place, picture = written.get_window_extent(), axes.get_window_extent()
    shift = min(0, picture.x1 - place.x1), min(0, picture.y1 - place.y1)
    written.set_position((shift[0] * 72 / axes.figure.dpi, shift[1] * 72 / axes.figure.dpi))
    return written


def _area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))
