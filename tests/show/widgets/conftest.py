"""A finished run of two cycles, and its control."""

from pathlib import Path

import pytest

from miaod_nb.experiment import Experiment, open_run
from tests.conftest import write_voc

OVERRIDES = {
    "initial": 4, "budget": 3, "cycles": 2, "score_threshold": 0, "threads": 1, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="package")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """A run on 16 images; tests may only add values of anchors to it."""
    folder: Path = tmp_path_factory.mktemp("widgets")
    data_root = write_voc(folder / "VOC2007", num_trainval=16)
    made = open_run("tiny", data_root=data_root, run_dir=folder / "run", overrides=OVERRIDES)
    made.run()
    return made
