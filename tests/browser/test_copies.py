"""Copies of the notebooks in a run folder, as `miaod lab` makes them, run by hand in a browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page

from miaod_nb.commands.copying import copy_notebooks
from miaod_nb.experiment import open_run
from tests.browser.lab import ERRORS, PANEL, RUN_ALL, SIZES, THEME, TOKEN, WINDOWS, Lab

pytestmark = pytest.mark.slow

OUTPUTS = f"""async () => {{ {PANEL}
    return [...panel.content.model.cells].flatMap((cell) => cell.toJSON().outputs || [])
        .map((output) => output.output_type);
}}"""
WIDE = """() => [...document.querySelectorAll(".jp-OutputArea-output")].filter((one) =>
    one.getBoundingClientRect().right > window.innerWidth + 1).length"""


@pytest.fixture(scope="module")
def project(lab: Lab, run) -> Path:
    """A project's folder that the browser shows, with a finished run and its copies in it."""
    folder = lab.folder / "project"
    (folder / "runs").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("")  # what the folder of a project has
    shutil.copytree(run.folder.root, folder / "runs/mine")
    copy_notebooks(open_run(run_dir=folder / "runs/mine"), renew=False)
    return folder


@contextmanager
def opened(lab: Lab, name: str) -> Iterator[Page]:
    """A copy in the browser, all of whose cells were run."""
    page = lab.browser.new_page(viewport=dict(zip(("width", "height"), SIZES[0], strict=True)))
    page.goto(f"{lab.address}/doc/tree/project/runs/mine/lab/{name}?token={TOKEN}&reset")
    page.wait_for_function("() => window.jupyterapp")
    page.evaluate(RUN_ALL)
    yield page
    page.evaluate(f"async () => {{ {PANEL} await panel.sessionContext.shutdown(); }}")
    page.close()


def elsewhere(project: Path) -> set[Path]:
    """What lies in the project outside of its runs."""
    return {path for path in project.rglob("*") if "runs" not in path.relative_to(project).parts}


def test_a_copy_runs_where_it_lies_and_leaves_nothing_elsewhere(lab, project, pictures):
    before = elsewhere(project)
    with opened(lab, "01_data.ipynb") as page:
        assert page.evaluate(ERRORS) == []
        assert elsewhere(project) == before
        assert [path.name for path in (project / "runs").iterdir()] == ["mine"]
        for theme in ("Light", "Dark"):
            page.evaluate(THEME, f"JupyterLab {theme}")
            for width, height in WINDOWS:
                page.set_viewport_size({"width": width, "height": height})
                page.wait_for_timeout(200)
                assert page.evaluate(WIDE) == 0
                page.screenshot(path=pictures / f"copy-{theme}-{width}x{height}.png")
        page.evaluate(THEME, "JupyterLab Light")  # the server keeps it for later pages
        link = page.locator(".jp-MarkdownOutput a[href*='02_initial_training']").last
        link.scroll_into_view_if_needed()
        link.click()
        page.wait_for_url("**/doc/tree/project/runs/mine/lab/02_initial_training.ipynb*")


def test_a_misspelled_run_is_refused_before_anything_is_shown(lab, project):
    copy = project / "runs/mine/lab/05_selection.ipynb"
    assert "cycle: int = 1  #" in copy.read_text()  # the newest batch
    wrong = copy.with_name("wrong.ipynb")
    wrong.write_text(copy.read_text().replace("runs/mine", "runs/mien"))
    with opened(lab, wrong.name) as page:
        (error,) = page.evaluate(ERRORS)
        assert "there is no run in this folder" in error and "did you mean" in error
        assert "runs/mine" in error and page.evaluate(OUTPUTS) == ["error"]
    assert not (project / "runs/mien").exists()
