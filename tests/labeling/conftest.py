"""A run whose cycle 0 has chosen images that nobody labeled yet."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from miaod_nb.experiment import Run, open_run
from tests.experiment.helpers import miaod, run_arguments

QUICK = {"rounds": 0, "min_epoch_steps": 1, "training": "label_set", "cycles": 1}


@pytest.fixture(scope="module")
def waiting(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that asks for 6 images, none of which is labeled; tests must not change it."""
    folder = tmp_path_factory.mktemp("waiting")
    data = shutil.copytree(data_root, folder / "data")
    order = np.arange(12)
    np.random.RandomState(0).shuffle(order)
    pool = (data / "ImageSets/Main/trainval.txt").read_text().split()
    for place in order[4:]:
        (data / f"Annotations/{pool[place]}.xml").unlink()
    assert miaod(*run_arguments(data, folder / "run", **QUICK, budget=6)).code == 0
    return folder / "run"


@pytest.fixture
def asking(waiting: Path, tmp_path: Path) -> Run:
    """The same, to be changed."""
    return open_run(run_dir=shutil.copytree(waiting, tmp_path / "run"))
