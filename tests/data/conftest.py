"""A small VOC year folder for the tests of lists and annotations."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def year(tmp_path: Path, make_voc: Callable[..., Path]) -> Path:
    """A year folder of four trainval images, the last without objects, and two test images."""
    return make_voc(tmp_path / "VOC2007", num_trainval=4, num_test=2)
