"""Finished runs on images of several sizes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from miaod_nb.experiment import Run, open_run
from tests.conftest import write_voc

# 12 of 16 images are scored: the best 10 and the other 2. score_threshold: so that a detector that
# has learned little detects something.
OVERRIDES = {
    "initial": 4, "budget": 2, "cycles": 1, "score_threshold": 0, "threads": 1, "device": "cpu",
    "inference_batch_size": 3,
}  # fmt: skip


@pytest.fixture(scope="session")
def mixed_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two VOC years: after resizing, images of 64 x 48 and of 64 x 27 pixels, in both
    orientations; tests must not change them."""
    root = tmp_path_factory.mktemp("mixed")
    write_voc(root / "VOC2007", num_trainval=8, num_test=2)
    write_voc(root / "VOC2012", num_trainval=8, num_test=2, size=(96, 40), seed=1, prefix="b")
    return root


@pytest.fixture(scope="session")
def finished(mixed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """`finished(**overrides)`: a run of one cycle, made once; tests must not change it."""
    made: dict[str, Run] = {}

    def run_with(**overrides: Any) -> Run:
        key = repr(sorted(overrides.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("finished") / "run"
            settings = OVERRIDES | overrides
            made[key] = open_run("tiny", data_root=mixed_data, run_dir=folder, overrides=settings)
            made[key].run()
        return made[key]

    return run_with


@pytest.fixture
def copied(finished, tmp_path) -> Callable[..., Run]:
    """`copied(**overrides)`: the same in a folder of its own, with no values kept yet."""

    def copy(**overrides: Any) -> Run:
        source = finished(**overrides).folder.root
        target = shutil.copytree(source, tmp_path / "run")
        return open_run(run_dir=target)

    return copy
