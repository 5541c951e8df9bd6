"""Pictures of the views of a run for the documentation, as a browser shows them:

python -m tests.browser.pictures runs/toy docs/pictures
"""

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

import miaod_nb
from miaod_nb import views as widgets
from miaod_nb.experiment import Run
from tests.browser.lab import chromium

WIDTH, QUALITY = 1000, 85  # pixels, and JPEG's scale
MOST = 760  # pixels of a picture's height


def nothing(page: Page) -> None:
    """Leaves the view as it opens."""


def click_and_show_anchors(page: Page) -> None:
    """The viewer as it is after a click on the picture's middle."""
    page.keyboard.press("a")
    page.locator(".miaod-viewer canvas").first.click()


def select_a_box(page: Page) -> None:
    """The annotator with the box in the middle of the picture selected, if one is there."""
    page.locator(".miaod-annotator canvas").click()


VIEWS: dict[str, tuple[Callable[..., widgets.View], Callable[[Page], None]]] = {
    "viewer": (widgets.uncertainty_viewer, click_and_show_anchors),
    "board": (widgets.board, nothing),
    "annotator": (widgets.annotator, select_a_box),
    "space": (widgets.selection_space, nothing),
}


def take_pictures(run: Run, out: Path) -> None:
    """Writes a small JPEG of every view of the run's newest batch."""
    out.mkdir(parents=True, exist_ok=True)
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        for name, (make, use) in VIEWS.items():
            file = Path(folder) / f"{name}.html"
            file.write_text(widgets.page(make(run), name), encoding="utf-8")
            page = browser.new_page(viewport={"width": WIDTH + 48, "height": 820})
            page.goto(file.as_uri())
            view = page.locator(".miaod-view[data-ready='1']")
            view.focus()
            use(page)
            picture = Image.open(io.BytesIO(view.screenshot())).convert("RGB")
            picture = picture.crop((0, 0, picture.width, min(picture.height, MOST)))
            picture.save(out / f"{name}.jpg", quality=QUALITY, optimize=True)
            page.close()


if __name__ == "__main__":
    take_pictures(miaod_nb.open_run(run_dir=sys.argv[1]), Path(sys.argv[2]))
