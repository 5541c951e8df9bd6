"""JupyterLab in a browser and a finished run for it, each made once.

They end with this folder's tests: Playwright's event loop would be in the way of later ones.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from miaod_nb.experiment import Run, open_run
from miaod_nb.labeling.exporting import exported_file
from tests.browser.easel import SUGGESTED
from tests.browser.lab import Lab, chromium, jupyter_lab
from tests.conftest import write_voc

# 4 of 16 images are labeled first, 3 are chosen a cycle. score_threshold: so that a detector that
# has learned little detects something.
OVERRIDES = {
    "initial": 4, "budget": 3, "cycles": 2, "score_threshold": 0, "threads": 1, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="package")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab of its own in the browser."""
    with jupyter_lab(browser, tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture(scope="package")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of two cycles; tests may only add values of anchors to it."""
    folder = tmp_path_factory.mktemp("browser")
    data_root = write_voc(folder / "VOC2007", num_trainval=16)
    made = open_run("tiny", data_root=data_root, run_dir=folder / "run", overrides=OVERRIDES)
    made.run()
    return made


@pytest.fixture
def own_run(run: Run, tmp_path: Path) -> Run:
    """The run in a folder of its own: these tests decide about its images or change its batch."""
    return open_run(run_dir=shutil.copytree(run.folder.root, tmp_path / "run"))


@pytest.fixture
def labeled_here(own_run: Run) -> Run:
    """The run, each image of whose batch comes with two suggested boxes."""
    ids = own_run.record.selected(1)
    own_run.folder.save_json(exported_file(1), {"images": dict.fromkeys(ids, SUGGESTED)})
    return own_run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots are kept: the folder that MIAOD_SCREENSHOTS names, if it is set."""
    folder = Path(os.environ.get("MIAOD_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
