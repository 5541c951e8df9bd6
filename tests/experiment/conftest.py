"""A data set and a finished run on it, which many tests compare with."""

from pathlib import Path

import pytest

from tests.conftest import write_voc
from tests.experiment.helpers import run_arguments, run_child


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VOC year folder of 12 trainval and 4 test images; tests must not change it."""
    return write_voc(tmp_path_factory.mktemp("data") / "VOC2007")


@pytest.fixture(scope="session")
def reference(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two cycles that nothing interrupted; tests must not change it."""
    folder = tmp_path_factory.mktemp("reference")
    code = run_child(run_arguments(data_root, folder / "run"), folder / "output.txt")
    assert code == 0, (folder / "output.txt").read_text()
    return folder / "run"
