"""Copies of the notebooks in a run folder, as `miaod lab` makes them, run by hand in a browser."""

import shutil
from pathlib import Path

import pytest

from miaod_nb.commands.copying import copy_notebooks
from miaod_nb.experiment import open_run
from tests.browser.lab import ERRORS, RUN_ALL, SIZES, TOKEN, WINDOWS, Lab

pytestmark = pytest.mark.slow


@pytest.fixture
def project(lab: Lab, run) -> Path:
    """A project's folder that the browser shows, with a finished run in it."""
    folder = lab.folder / "project"
    (folder / "runs").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("")  # what the folder of a project has
    shutil.copytree(run.folder.root, folder / "runs/mine")
    return folder


def test_a_copy_runs_where_it_lies_and_leaves_nothing_elsewhere(lab, project, pictures):
    mine = open_run(run_dir=project / "runs/mine")
    copy_notebooks(mine, renew=False)
    before = {path for path in project.rglob("*") if "runs" not in path.parts}
    page = lab.browser.new_page(viewport=dict(zip(("width", "height"), SIZES[0], strict=True)))
    page.goto(f"{lab.address}/doc/tree/project/runs/mine/lab/01_data.ipynb?token={TOKEN}&reset")
    page.wait_for_function("() => window.jupyterapp")
    page.evaluate(RUN_ALL)
    assert page.evaluate(ERRORS) == []
    assert {path for path in project.rglob("*") if "runs" not in path.parts} == before
    assert [path.name for path in (project / "runs").iterdir()] == ["mine"]
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(200)
        page.screenshot(path=pictures / f"copy-{width}x{height}.png")
    link = page.locator(".jp-MarkdownOutput a[href*='02_initial_training']").last
    link.scroll_into_view_if_needed()
    link.click()
    page.wait_for_url("**/doc/tree/project/runs/mine/lab/02_initial_training.ipynb*")
    page.close()
