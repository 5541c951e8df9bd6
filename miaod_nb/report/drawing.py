"""Figures as files in memory."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from miaod_nb import plots
from miaod_nb.report.pieces import Picture

CARD = 2.4  # inches of a card's longest side


def drawn(
    draw: Callable[[Axes], Any], alt: str, caption: str, size: tuple[float, float] = (7, 4)
) -> Picture:
    """A figure of one pair of axes, which `draw` fills. size: in inches."""
    return drawn_panels(lambda panels: draw(panels[0, 0]), (1, 1), alt, caption, size)


def drawn_panels(
    draw: Callable[[np.ndarray], Any], shape: tuple[int, int], alt: str, caption: str,
    size: tuple[float, float], kind: str = "png",
) -> Picture:  # fmt: skip
    """A figure of several panels: draw gets them as an array of this shape. kind: png, or jpeg for
    photos."""
    with plots.style():
        figure, panels = plt.subplots(*shape, figsize=size, squeeze=False, layout="constrained")
        draw(panels)
        return Picture(_content(figure, kind), kind, alt, caption)


def card(image: np.ndarray, draw: Callable[[Axes], Any], alt: str, caption: str) -> Picture:
    """A picture that an image (H, W, 3) fills to its edges."""
    height, width = image.shape[:2]
    inches = CARD / max(height, width)
    with plots.style(), plt.rc_context({"savefig.bbox": "standard"}):
        figure = plt.figure(figsize=(width * inches, height * inches))
        draw(figure.add_axes((0, 0, 1, 1)))
        return Picture(_content(figure, "jpeg", dpi=200), "jpeg", alt, caption)


def _content(figure: Figure, kind: str, dpi: int = 150) -> bytes:
    buffer = io.BytesIO()
    quality = {"quality": 85} if kind == "jpeg" else {}
    figure.savefig(buffer, format=kind, dpi=dpi, pil_kwargs=quality)
    plt.close(figure)
    return buffer.getvalue()
