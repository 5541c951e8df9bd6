"""Files that a setting names, by their content."""

import hashlib
from pathlib import Path

from miaod_nb.errors import ConfigError


def content_hash(path: Path) -> str:
    """The first 16 hex digits of the file's SHA-256."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise ConfigError(
            f"the backbone's weight file cannot be read ({error.strerror})",
            where=f"backbone_weights = {path}",
            remedy="give the path of a file, imagenet, or none",
        ) from None
