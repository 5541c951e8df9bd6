"""The code that trains, as a digest: weights that other code has made are not equal work."""

import hashlib
import inspect
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOMS = ("data", "detector", "learning")  # what weights come from
PACKAGE = Path(__file__).parents[1]


@lru_cache
def code_digest(detector: Callable[..., Any]) -> str:
    """SHA-256 (hex) of the source files of the rooms that train, and of that in which this maker
    of detectors stands."""
    digest = hashlib.sha256()
    for path in (p for room in ROOMS for p in sorted((PACKAGE / room).rglob("*.py"))):
        digest.update(f"{path.relative_to(PACKAGE)}\n".encode() + path.read_bytes())
    digest.update(_source_around(detector))
    return digest.hexdigest()


def _source_around(function: Callable[..., Any]) -> bytes:
    """The file in which a function stands; of one in a notebook its own text."""
    file = Path(inspect.getsourcefile(function) or "")
    return file.read_bytes() if file.is_file() else inspect.getsource(function).encode()
