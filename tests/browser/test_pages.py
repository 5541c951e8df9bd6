"""The pages to read, the report and the notebooks: in every window, light, dark and on paper; and
figures in a dark JupyterLab."""

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from miaod_nb import plots
from miaod_nb.commands.essay import report_page
from miaod_nb.report.drawing import drawn
from miaod_nb.report.page import as_html
from miaod_nb.report.pieces import Command, Facts, Report, Section, Table, Text
from tests.browser.lab import WINDOWS

pytestmark = pytest.mark.slow

LONG = "/home/" + "a-long-name-of-a-folder/" * 9
WIDE = pd.DataFrame([{f"a column of numbers {n}": n / 7 for n in range(30)}])
OUTSIDE = """() => [...document.querySelectorAll("main *, .jp-Cell *")].filter((one) => {
    const box = one.getBoundingClientRect();
    const frame = one.matches(".jp-OutputArea-output") && one.parentElement.getBoundingClientRect();
    return box.width && box.right > (frame ? frame.right : innerWidth) + 1 &&
        !one.matches("math, table") &&
        !one.parentElement.closest(".wide, .jp-OutputArea-output, math");
}).map((one) => one.outerHTML.slice(0, 80))"""
BRIGHT = """(name) => {
    const [r, g, b] = getComputedStyle(document.body)[name].match(/[\\d.]+/g).map(Number);
    return (r + g + b) / 3 > 128;
}"""


def report_of_all_kinds() -> str:
    picture = drawn(lambda axes: plots.training_curves(axes, pd.DataFrame({"step": [1, 2], "box":
                    [1.0, 0.5]})), "the loss falls from 1 to 0.5", LONG)  # fmt: skip
    pieces = [Text(LONG), Facts({"term": LONG}), Command(f"miaod run --run-dir {LONG}"),
              Table("All.", WIDE), picture]  # fmt: skip
    return as_html(Report(f"Report of {LONG}", [Section("One", pieces)]))


def page_of_notebooks() -> str:
    v4 = nbformat.v4
    table = v4.new_output("display_data", data={"text/html": WIDE.to_html()})
    path = v4.new_output("stream", text=f"loaded from {LONG}")
    cell = v4.new_code_cell("table", outputs=[path, table])
    cells = [v4.new_markdown_cell(f"# One\n\n{LONG}"), cell]
    return report_page([v4.new_notebook(cells=cells)], "mine")


PAGES = {"report": report_of_all_kinds, "notebooks": page_of_notebooks}


@pytest.fixture(params=PAGES)
def file(request, tmp_path) -> Path:
    path: Path = tmp_path / f"{request.param}.html"
    path.write_text(PAGES[request.param](), encoding="utf-8")
    return path


def opened(browser: Browser, file: Path, scheme: str) -> Page:
    page = browser.new_context(color_scheme=scheme).new_page()
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_in_any_window(browser, file, scheme, pictures):
    page = opened(browser, file, scheme)
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OUTSIDE) == []
        page.screenshot(path=pictures / f"{file.stem}-{scheme}-{width}x{height}.png")
    box = page.locator(".wide, .jp-RenderedHTML")
    assert box.evaluate("(one) => { one.scrollLeft = 99; return one.scrollLeft; }") == 99
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_follow_the_color_scheme_and_are_light_on_paper(browser, file, scheme):
    page = opened(browser, file, scheme)
    is_light = scheme == "light"
    assert page.evaluate(BRIGHT, "backgroundColor") is is_light
    assert page.evaluate(BRIGHT, "color") is not is_light
    page.emulate_media(media="print")
    assert page.evaluate(BRIGHT, "backgroundColor") and not page.evaluate(BRIGHT, "color")
    page.context.close()


def test_figures_in_a_dark_notebook_have_a_white_sheet(lab):
    code = (
        "import matplotlib.pyplot as plt\nfrom miaod_nb import plots\n"
        "plt.style.use('dark_background')\nplots.use_style()\nplt.plot([0, 1]);"
    )
    with lab.open(code) as notebook:
        notebook.run()
        image = notebook.page.locator(".jp-RenderedImage img")
        image.wait_for()
        corner = image.evaluate("""(one) => {
            const canvas = document.createElement("canvas");
            Object.assign(canvas, { width: one.naturalWidth, height: one.naturalHeight });
            const context = canvas.getContext("2d");
            context.drawImage(one, 0, 0);
            return [...context.getImageData(0, 0, 1, 1).data];
        }""")
    assert corner == [255, 255, 255, 255]
