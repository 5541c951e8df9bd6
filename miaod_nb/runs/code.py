"""The code that trains, as a digest: weights that other code has made are not equal work."""

import hashlib
import inspect
import os
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from miaod_nb.plugins import named_part

ROOMS = ("data", "detector", "learning")  # what weights come from
PACKAGE = Path(__file__).parents[1]


@lru_cache
def code_digest(detector: Callable[..., Any]) -> str:
    """SHA-256 (hex) of the source files of the rooms that train, and of that in which this maker
    of detectors stands."""
    digest = hashlib.sha256()
    for path in (p for room in ROOMS for p in sorted((PACKAGE / room).rglob("*.py"))):
        digest.update(f"{path.relative_to(PACKAGE)}\n".encode() + path.read_bytes())
    digest.update(_source_of(detector))
    return digest.hexdigest()


def _source_of(detector: Callable[..., Any]) -> bytes:
    """The file in which a maker of detectors is written, or its own text in a notebook, and with
    what it was made, if it is more than a function. Code that cannot be read is equal to none."""
    made = named_part(detector)
    with_what = b"" if made is detector else repr(getattr(detector, "__dict__", "")).encode()
    if isinstance(detector, partial):
        with_what += repr((detector.args, detector.keywords)).encode()
    try:
        file = Path(inspect.getsourcefile(made) or "")  # type: ignore[arg-type]
        text = file.read_bytes() if file.is_file() else inspect.getsource(made).encode()  # type: ignore[arg-type]
    except (OSError, TypeError):
        text = os.urandom(16)
    return text + with_what
