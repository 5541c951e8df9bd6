"""What people meet who mistype a parameter in a notebook that has shown their run before."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from miaod_nb.commands.copying import copy_notebooks
from miaod_nb.experiment import open_run
from tests.browser.alone import frame
from tests.browser.lab import ERRORS, PANEL, RUN_ALL, SIZES, THEME, TOKEN, WINDOWS, Lab

pytestmark = pytest.mark.slow

LEAST_CONTRAST = 4.5  # of text, as WCAG asks for it
OUTPUTS = f"""async () => {{ {PANEL}
    return [...panel.content.model.cells].flatMap((cell) => cell.toJSON().outputs || [])
        .map((output) => output.output_type);
}}"""
TYPE = f"""async ([before, after]) => {{ {PANEL}
    const cell = [...panel.content.model.cells].find((one) =>
        (one.getMetadata("tags") || []).includes("parameters"));
    cell.sharedModel.setSource(cell.sharedModel.getSource().replace(before, after));
}}"""
# Contrast of the text with what it stands on, papers that let others through laid over each other.
CONTRAST = """(root) => {
    const color = (text) => {
        const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
        return [r, g, b, a];
    };
    const light = (rgb) => {
        const [r, g, b] = rgb.map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = (part) => {
        if (!part) return [255, 255, 255];
        const [r, g, b, a] = color(getComputedStyle(part).backgroundColor);
        const below = a < 1 ? paper(part.parentElement) : [0, 0, 0];
        return [r, g, b].map((value, i) => a * value + (1 - a) * below[i]);
    };
    return Math.min(...[root, ...root.querySelectorAll("*")].map((part) => {
        const ink = light(color(getComputedStyle(part).color).slice(0, 3));
        const under = light(paper(part));
        return (Math.max(ink, under) + 0.05) / (Math.min(ink, under) + 0.05);
    }));
}"""


@pytest.fixture(scope="module")
def project(lab: Lab) -> Path:
    """A project's folder that the browser shows."""
    folder = lab.folder / "mishaps"
    (folder / "runs").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("")  # what the folder of a project has
    return folder


@contextmanager
def opened(lab: Lab, copy: Path) -> Iterator[Page]:
    """A copy in the browser, not run yet; its kernel ends with it."""
    page = lab.browser.new_page(viewport=dict(zip(("width", "height"), SIZES[0], strict=True)))
    place = copy.relative_to(lab.folder).as_posix()
    page.goto(f"{lab.address}/doc/tree/{place}?token={TOKEN}&reset")
    page.wait_for_function("() => window.jupyterapp")
    try:
        yield page
    finally:
        page.evaluate(THEME, "JupyterLab Light")  # the server keeps it for later pages
        page.evaluate(f"async () => {{ {PANEL} await panel.sessionContext.shutdown(); }}")
        page.close()


def is_readable(text: Locator) -> None:
    """The text lies in the window, needs no scrolling to the side, and stands out."""
    page = text.page
    assert page.viewport_size is not None
    edges = frame(text)
    assert edges["left"] >= 0 and edges["right"] <= page.viewport_size["width"]
    assert edges["top"] >= 0 and edges["bottom"] <= page.viewport_size["height"]
    assert text.evaluate("(part) => part.scrollWidth <= part.clientWidth")
    assert text.evaluate(CONTRAST) >= LEAST_CONTRAST


def is_readable_everywhere(text: Locator, picture: Path) -> None:
    """In every window, light and dark; pictures are kept of them."""
    page = text.page
    for theme in ("Light", "Dark"):
        page.evaluate(THEME, f"JupyterLab {theme}")
        for width, height in WINDOWS:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(200)
            text.scroll_into_view_if_needed()
            page.screenshot(path=f"{picture}-{theme}-{width}x{height}.png")
            is_readable(text)


def test_a_mistyped_parameter_is_answered_in_place_of_what_was_shown(lab, run, project, pictures):
    """First in a kernel that is new, then in one that has shown the right run."""
    root = Path(shutil.copytree(run.folder.root, project / "runs/mine"))
    copy_notebooks(open_run(run_dir=root), renew=False)
    with opened(lab, root / "lab/05_selection.ipynb") as page:
        for name, before, after, words in (
            ("run", "runs/mine", "runs/mien", ("no run in this folder", "did you mean", "/mine")),
            ("name", "run_dir: str", "rundir: str", ("'run_dir' is missing", "'rundir'")),
            ("word", "cycle: int = 1", "cycle: int = 'one'", ("'one' is not", "a whole number")),
        ):
            page.evaluate(TYPE, [before, after])
            page.evaluate(RUN_ALL)
            assert page.evaluate(OUTPUTS) == ["error"]
            (error,) = page.evaluate(ERRORS)
            assert all(one in error for one in words), error
            shown = page.locator(".jp-OutputArea-output:visible")
            expect(shown).to_have_count(1)
            expect(shown).to_contain_text("what to do:")
            is_readable_everywhere(shown, pictures / f"mistyped-{name}")
            page.evaluate(TYPE, [after, before])
            page.evaluate(RUN_ALL)
            assert page.evaluate(ERRORS) == [] and len(page.evaluate(OUTPUTS)) > 10
    assert [path.name for path in (project / "runs").iterdir()] == ["mine"]
