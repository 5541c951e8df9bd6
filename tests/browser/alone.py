"""Views as pages alone, in windows of every size: what they show is measured here."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator

from tests.browser.lab import WINDOWS

CONTRAST = """(root, [selector, property]) => {
    const light = (color) => {
        const [r, g, b] = color.match(/[\\d.]+/g).map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = light(getComputedStyle(root).backgroundColor);
    const found = [...root.querySelectorAll(selector)].map((part) => {
        const ink = light(getComputedStyle(part)[property]);
        return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    });
    return Math.min(...found);
}"""


def frame(found: Locator) -> dict[str, float]:
    """The edges of an element in the window."""
    box = found.bounding_box()
    assert box is not None
    return {"left": box["x"], "top": box["y"], "right": box["x"] + box["width"],
            "bottom": box["y"] + box["height"]}  # fmt: skip


def contrast(view: Locator, selector: str, name: str = "color") -> float:
    """The least contrast to the view's paper of the CSS colors called so of some elements."""
    return float(view.evaluate(CONTRAST, [selector, name]))


class Shows:
    """`Shows(browser, folder)(html, window)`: the view of a page, ready; `close` closes them."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.file = browser, folder / "page.html"
        self.contexts: list[Any] = []

    def __call__(self, html: str, window: tuple[int, int] = WINDOWS[0], **look: Any) -> Locator:
        """look: keywords of the browser's context. The page's clock goes on by hand too."""
        self.file.write_text(html, encoding="utf-8")
        size = {"width": window[0], "height": window[1]}
        self.contexts.append(self.browser.new_context(viewport=size, **look))
        page = self.contexts[-1].new_page()
        page.clock.install()
        page.goto(self.file.as_uri())
        view = page.locator('.miaod-view[data-ready="1"]')
        view.wait_for()
        return view

    def close(self) -> None:
        for context in self.contexts:
            context.close()
