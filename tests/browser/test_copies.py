"""Copies of the notebooks in a run folder, as `miaod lab` makes them, run by hand in a browser."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, expect

from miaod_nb.commands.copying import copy_notebooks
from miaod_nb.experiment import open_run
from miaod_nb.runs.files import RunFolder
from tests.browser.conftest import OVERRIDES
from tests.browser.lab import (
    ERRORS,
    PANEL,
    RUN_ALL,
    SIZES,
    THEME,
    TOKEN,
    WINDOWS,
    Lab,
    NotebookPage,
)

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

        def fits() -> None:
            assert page.evaluate(WIDE) == 0

        in_all_windows(page, "copy", pictures, fits)
        link = page.locator(".jp-MarkdownOutput a[href*='02_initial_training']").last
        link.scroll_into_view_if_needed()
        link.click()
        page.wait_for_url("**/doc/tree/project/runs/mine/lab/02_initial_training.ipynb*")


WRONG = {  # what stands in the first cell: what it says in place of everything
    'run_dir: str = "runs/mien"': ("there is no run in this folder", "did you mean", "runs/mine"),
    'run_dirs: str = "runs/mine"': (
        "the parameter 'run_dir' is missing",
        "'run_dirs' stands there",
    ),
    'cycle: int = "one"': ("cycle = 'one'", "a whole number"),
    "overrides: dict = {'seeed': 1}": ("seeed", "seed"),
}
OUTSIDE = """() => [...document.querySelectorAll(".jp-OutputArea-output pre")].map((one) =>
    Math.max(one.scrollWidth - one.clientWidth,
        one.getBoundingClientRect().right - window.innerWidth))"""


def in_all_windows(page: Page, name: str, pictures: Path, check: Callable[[], None]) -> None:
    """Checks and a screenshot in each theme and window."""
    for theme in ("Light", "Dark"):
        page.evaluate(THEME, f"JupyterLab {theme}")
        for width, height in WINDOWS:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(200)
            check()
            page.screenshot(path=pictures / f"{name}-{theme}-{width}x{height}.png")
    page.evaluate(THEME, "JupyterLab Light")  # the server keeps it for later pages


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_said_in_place_of_everything(lab, project, pictures, line):
    copy = project / "runs/mine/lab/05_selection.ipynb"
    wrong, name = copy.with_name("wrong.ipynb"), line.split(":")[0]
    notebook = nbformat.read(copy, 4)
    first = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    given = {one.split(":")[0]: one for one in first.source.splitlines()}
    given.pop(name.removesuffix("s"), None)  # in its place
    first.source = "\n".join({**given, name: line}.values())
    nbformat.write(notebook, wrong)
    before = elsewhere(project)
    with opened(lab, wrong.name) as page:
        (error,) = page.evaluate(ERRORS)
        assert all(words in error for words in WRONG[line]), error
        assert page.evaluate(OUTPUTS) == ["error"]  # no number, picture or view of any run

        def whole() -> None:
            (pixels,) = page.evaluate(OUTSIDE)
            assert pixels <= 1

        page.locator(".jp-OutputArea-output pre").scroll_into_view_if_needed()
        in_all_windows(page, f"refused-{name}", pictures, whole)
    assert not (project / "runs/mien").exists() and elsewhere(project) == before


def test_a_kernel_that_is_killed_in_training_goes_on_where_it_stood(lab, project, pictures):
    """The page says that the kernel died; the cells, run again, do what is left."""
    source = nbformat.read(Path(__file__).parents[2] / "notebooks/02_initial_training.ipynb", 4)
    data = shutil.copytree(open_run(run_dir=project / "runs/mine").data_root, project / "data")
    settings = dict(OVERRIDES) | {"label_set_epochs": 60, "min_epoch_steps": 20, "save_every": 0.5}
    first = next(cell for cell in source.cells if "parameters" in cell.metadata.get("tags", ()))
    first.source = (
        f"preset: str = 'tiny'\ndata_root: str = {str(data)!r}\nrun_dir: str = 'runs/killed'\n"
        f"cycle: int = 0\noverrides: dict = {settings!r}"
    )
    (project / "notebooks").mkdir()
    nbformat.write(source, project / "notebooks/02.ipynb")
    folder = RunFolder(project / "runs/killed")
    page = lab.browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{lab.address}/doc/tree/project/notebooks/02.ipynb?token={TOKEN}&reset")
    page.wait_for_function("() => window.jupyterapp")
    pid = int(NotebookPage(page).python("__import__('os').getpid()"))
    page.evaluate(RUN_ALL.replace("await app.commands.execute", "app.commands.execute"))
    until(lambda: folder.exists("cycle0/state.pt"))
    steps = len(folder.read_log())
    os.kill(pid, signal.SIGKILL)
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("died", timeout=20_000)
    in_all_windows(page, "killed", pictures, lambda: expect(dialog).to_be_visible())
    dialog.get_by_role("button").last.click()
    page.evaluate(f"async () => {{ {PANEL} }}")
    page.evaluate(RUN_ALL)
    assert page.evaluate(ERRORS) == []
    logged = [one["step"] for one in folder.read_log() if one["event"] == "step"]
    assert logged == list(range(1, 60 * 20 + 1)) and len(logged) > steps  # each step once
    assert folder.done_steps(0)[-1] == "label_set"
    said = page.locator(".jp-OutputArea-output", has_text="cycle 0 label-set: goes on after step")
    expect(said).to_be_visible()
    page.evaluate(f"async () => {{ {PANEL} await panel.sessionContext.shutdown(); }}")
    page.close()


def until(is_true: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.05)
