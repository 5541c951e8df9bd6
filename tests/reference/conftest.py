"""Where the reference tests find the authors' numbers: MIAOD_GOLDENS, or shared/goldens beside
the project."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

_DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "goldens"


@pytest.fixture(scope="session")
def goldens() -> Path:
    """The folder of the goldens; skips where there is none, fails where a wrong one was asked."""
    asked = os.environ.get("MIAOD_GOLDENS")
    if asked:
        folder = Path(asked)
        if not folder.is_dir():
            pytest.fail(f"MIAOD_GOLDENS={asked} is not a folder; correct or unset it")
        return folder
    if not _DEFAULT.is_dir():
        pytest.skip("no goldens beside the project; set MIAOD_GOLDENS to their folder")
    return _DEFAULT


@pytest.fixture(scope="session")
def load_golden(goldens: Path) -> Iterator[Callable[[str], np.lib.npyio.NpzFile]]:
    """A function that opens one file of the goldens by name, such as `map.npz`."""
    with ExitStack() as opened:

        def load(name: str) -> np.lib.npyio.NpzFile:
            if not (goldens / name).is_file():
                pytest.fail(f"the goldens in {goldens} have no {name}")
            return opened.enter_context(np.load(goldens / name, allow_pickle=False))

        yield load
