"""The annotator's picture in a browser, and a real mouse over it."""

from typing import Any

import pytest
from playwright.sync_api import Locator

SUGGESTED = [["disc", [10.0, 8.0, 30.0, 26.0], 0.83], ["square", [22.0, 16.0, 44.0, 40.0], 0.46]]
NEAR = 0.01  # pixels: what the browser rounds of a picture's place


class Easel:
    """The picture in the browser and the mouse over it. Places are pixels of the picture, as the
    browser itself says where it has drawn it."""

    def __init__(self, view: Locator) -> None:
        self.view, self.mouse, self.keyboard = view, view.page.mouse, view.page.keyboard
        self.size = view.locator("img").evaluate("(one) => [one.naturalWidth, one.naturalHeight]")

    @property
    def frame(self) -> dict[str, float]:
        frame = self.view.locator("img").bounding_box()
        assert frame is not None
        return dict(frame)

    def spot(self, x: float, y: float) -> tuple[int, int]:
        """The whole pixel of the window that is nearest to a place."""
        frame = self.frame
        return (round(frame["x"] + x * frame["width"] / self.size[0]),
                round(frame["y"] + y * frame["height"] / self.size[1]))  # fmt: skip

    def place(self, spot: tuple[int, int]) -> tuple[float, float]:
        """The place under a pixel of the window."""
        frame = self.frame
        return ((spot[0] - frame["x"]) * self.size[0] / frame["width"],
                (spot[1] - frame["y"]) * self.size[1] / frame["height"])  # fmt: skip

    def drag(
        self, start: tuple[float, float], end: tuple[float, float], button: str = "left"
    ) -> Any:
        """Drags from one place to another; returns what lies where the mouse really was."""
        spots = self.spot(*start), self.spot(*end)
        before = self.place(spots[0]), self.place(spots[1])
        self.mouse.move(*spots[0])
        self.mouse.down(button=button)
        self.mouse.move(*spots[1], steps=5)
        self.mouse.up(button=button)
        return before

    def click(self, x: float, y: float) -> None:
        self.mouse.click(*self.spot(x, y))


def between(start: tuple[float, float], end: tuple[float, float]) -> Any:
    """The box between two places, to compare with."""
    (a, b), (c, d) = start, end
    return pytest.approx([min(a, c), min(b, d), max(a, c), max(b, d)], abs=NEAR)
