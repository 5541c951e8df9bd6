"""A finished run of two cycles, and its control."""

import shutil
from pathlib import Path

import pytest

from miaod_nb.experiment import Run, open_run
from tests.conftest import write_voc

OVERRIDES = {
    "initial": 4, "budget": 3, "cycles": 2, "score_threshold": 0, "threads": 1, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="package")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on 16 images; tests may only add values of anchors to it."""
    folder: Path = tmp_path_factory.mktemp("widgets")
    data_root = write_voc(folder / "VOC2007", num_trainval=16)
    made = open_run("tiny", data_root=data_root, run_dir=folder / "run", overrides=OVERRIDES)
    made.run()
    return made


@pytest.fixture(scope="package")
def random_run(finished: Run) -> Run:
    """The control of the finished run that draws at random; tests must not change it."""
    control = finished.control("random")
    control.run()
    return control


@pytest.fixture
def copied(finished: Run, tmp_path: Path) -> Run:
    """The finished run in a folder of its own, which tests may change."""
    return open_run(run_dir=shutil.copytree(finished.folder.root, tmp_path / "run"))
