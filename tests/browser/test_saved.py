"""Notebooks with views after they were saved: opened again trusted and not, and as HTML pages."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from playwright.sync_api import Page, expect

from miaod_nb.commands.copying import keeping_views
from miaod_nb.commands.essay import report_page
from miaod_nb.views.base import WITHOUT_SCRIPTS
from miaod_nb.views.stills import RUN_AGAIN
from tests.browser.lab import PANEL, THEME, TOKEN, WINDOWS, Lab, jupyter_lab

pytestmark = pytest.mark.slow

LARGEST = 5_000_000  # bytes of a notebook with all views
NAMES = ("viewer", "board", "annotator", "space", "whatif")
VIEWS = ("uncertainty_viewer", "board", "annotator", "selection_space", "what_if")
PICTURES = 4  # with the run's own settings the replay changes nothing, so it has none to show
BROKEN = ("model not found", "Loading widget", "object at 0x", "Failed to")
SAVE = f"""async () => {{ {PANEL}
    await panel.context.save();
    await panel.sessionContext.shutdown();
}}"""


def cells(run) -> list[str]:
    folder = str(run.folder.root)
    first = f"from miaod_nb import open_run, views\nrun = open_run(run_dir={folder!r})"
    return [first, *(f"views.{name}(run)" for name in VIEWS)]


@pytest.fixture(scope="module")
def by_hand(lab: Lab, run) -> Path:
    """A notebook that was run and saved by a person, who then ended its kernel."""
    before = set(lab.folder.iterdir())
    with lab.open(*cells(run)) as notebook:
        notebook.run()
        for name in NAMES:
            notebook.view(name)
        assert seen(notebook.page, ".miaod-still") == 0  # the views themselves are there
        notebook.page.evaluate(SAVE)
    (saved,) = set(lab.folder.glob("*.ipynb")) - before
    return saved


@pytest.fixture(scope="module")
def executed(lab: Lab, run, tmp_path_factory) -> Path:
    """The same notebook as papermill executes it: with the state of its views."""
    folder = tmp_path_factory.mktemp("executed")
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells(run)])
    nbformat.write(made, folder / "in.ipynb")
    # In a process of its own: Playwright's event loop is running in this one.
    call("papermill", "in.ipynb", lab.folder / "executed.ipynb", "--kernel", "python3", at=folder)
    return lab.folder / "executed.ipynb"


def call(module: str, *words: object, at: Path) -> None:
    command = [sys.executable, "-m", module, *map(str, words)]
    subprocess.run(command, cwd=at, check=True, capture_output=True)


@contextmanager
def opened_again(lab: Lab, file: Path) -> Iterator[Page]:
    page = lab.browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{lab.address}/doc/tree/{file.name}?token={TOKEN}&reset")
    page.wait_for_function("() => window.jupyterapp")
    page.evaluate(f"async () => {{ {PANEL} }}")
    yield page
    page.close()


def not_trusted(file: Path) -> Path:
    """The notebook as if it came from somebody else: nobody here has signed it."""
    content = json.loads(file.read_text(encoding="utf-8"))
    content["metadata"]["from"] = "elsewhere"
    copy = file.with_name(f"{file.stem}-from-elsewhere.ipynb")
    copy.write_text(json.dumps(content), encoding="utf-8")
    return copy


def seen(page: Page, selector: str) -> int:
    """How many of these elements a reader sees."""
    return page.locator(f"{selector}:visible").count()


def check_stills(page: Page, name: str, pictures: Path) -> None:
    """A sentence for every view, pictures that are there in whole, and nothing that is broken."""
    expect(page.locator(".miaod-still:visible")).to_have_count(len(VIEWS))
    images = page.locator(".miaod-still img:visible")
    expect(images).to_have_count(PICTURES)
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(200)
        for image in images.all():
            box = image.bounding_box()
            assert box and box["width"] > 200 and box["x"] + box["width"] <= width
            assert image.evaluate("(one) => one.naturalWidth") > 600
        images.first.scroll_into_view_if_needed()
        page.screenshot(path=pictures / f"{name}-{width}x{height}.png")
    text = page.locator("body").inner_text()
    assert text.count(RUN_AGAIN) == len(VIEWS)
    assert not [words for words in BROKEN if words in text]


def test_saved_by_hand_and_opened_again(lab, by_hand, pictures):
    assert by_hand.stat().st_size < LARGEST
    with opened_again(lab, by_hand) as page:
        check_stills(page, "saved-trusted", pictures)
        assert WITHOUT_SCRIPTS not in page.locator("body").inner_text()
        page.evaluate(THEME, "JupyterLab Dark")
        page.wait_for_timeout(1000)
        check_stills(page, "saved-trusted-dark", pictures)
        page.evaluate(THEME, "JupyterLab Light")  # the server keeps it for later pages
    with opened_again(lab, not_trusted(by_hand)) as page:
        check_stills(page, "saved-untrusted", pictures)


def test_where_miaod_lab_saves_them_views_live_again(browser, run, tmp_path_factory, pictures):
    folder = tmp_path_factory.mktemp("keeping")
    with jupyter_lab(browser, folder, keeping_views()) as lab:
        with lab.open(*cells(run)) as notebook:
            notebook.run()
            for name in NAMES:
                notebook.view(name)
            notebook.page.evaluate(SAVE)
        (saved,) = lab.folder.glob("*.ipynb")
        assert saved.stat().st_size < LARGEST
        with opened_again(lab, saved) as page:
            check_views(page)
            page.screenshot(path=pictures / "kept-trusted.png")
        with opened_again(lab, not_trusted(saved)) as page:
            check_stills(page, "kept-untrusted", pictures)


def check_views(page: Page) -> None:
    """Every view lives, without a kernel."""
    for name in NAMES:
        page.locator(f'.miaod-{name}[data-ready="1"]').wait_for(timeout=20_000)
    assert seen(page, ".miaod-still") == 0


def test_executed_and_opened_again(lab, executed, pictures):
    assert executed.stat().st_size < LARGEST
    with opened_again(lab, not_trusted(executed)) as page:
        check_stills(page, "executed-untrusted", pictures)
    # By the notary that the server asks, whose signatures lie in its own folder.
    notary = NotebookNotary(data_dir=str(lab.folder.parent / "DATA"))
    notary.sign(nbformat.read(executed, nbformat.NO_CONVERT))
    with opened_again(lab, executed) as page:
        check_views(page)
        page.screenshot(path=pictures / "executed-trusted.png")


@pytest.mark.parametrize("way", ["by_hand", "executed"])
def test_as_a_page_that_nbconvert_makes(way, browser, request, tmp_path, pictures):
    """Without a network: nothing of the widgets' own scripts can be loaded then."""
    call("nbconvert", "--to", "html", request.getfixturevalue(way), "--output-dir", tmp_path,
         "--output", "page", at=tmp_path)  # fmt: skip
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri(), wait_until="domcontentloaded")
    check_stills(page, f"nbconvert-{way}", pictures)
    context.close()


def test_the_page_of_notebooks_shows_pictures_where_scripts_are_off(browser, executed, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(report_page([nbformat.read(executed, 4)], "title"), encoding="utf-8")
    for scripts, stills in ((True, 0), (False, len(VIEWS))):
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        page.goto(path.as_uri())
        expect(page.locator(".miaod-still:visible")).to_have_count(stills)
        assert seen(page, ".miaod-view") == (len(VIEWS) if scripts else 0)
        context.close()
