"""Pictures and data sets with what the doctor is to find."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from miaod_nb.experiment import open_run


def scene(seed: int, size: tuple[int, int] = (128, 96)) -> Image.Image:
    """A picture of clouds in color, as photos are: most of it in low frequencies."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    clouds = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    return clouds.filter(ImageFilter.GaussianBlur(1))


def begun(data_root: Path, run_dir: Path, **overrides: object) -> Path:
    """The folder of a run that `miaod new` would leave: described, nothing trained."""
    settings = {"initial": 4, "budget": 2, "threads": 1, "device": "cpu"} | overrides
    run = open_run(
        "tiny", data_root=data_root, run_dir=run_dir, overrides=settings, needs_labels=False
    )
    with run.hold():
        return run_dir


@pytest.fixture
def voc(tmp_path: Path, make_voc: Callable[..., Path]) -> Path:
    """A year folder of 12 trainval images and 4 to test on, to be spoiled."""
    return make_voc(tmp_path / "VOC2007")
