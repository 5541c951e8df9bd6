"""The code that trains, as a digest: weights that other code has made are not equal work."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from miaod_nb.plugins import source_of

ROOMS = ("data", "detector", "learning")  # what weights come from
PACKAGE = Path(__file__).parents[1]


@lru_cache
def code_digest(detector: Callable[..., Any]) -> str:
    """SHA-256 (hex) of the source files of the rooms that train, and of that in which this maker
    of detectors stands."""
    digest = hashlib.sha256()
    for path in (p for room in ROOMS for p in sorted((PACKAGE / room).rglob("*.py"))):
        digest.update(f"{path.relative_to(PACKAGE)}\n".encode() + path.read_bytes())
    digest.update(source_of(detector))
    return digest.hexdigest()
