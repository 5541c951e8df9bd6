"""Files that a setting names, by their content."""

import hashlib
from pathlib import Path

from miaod_nb.errors import ConfigError


def weights_file(given: str) -> Path:
    """The file of a whole detector's weights; the folder of a run's cycle stands for its own."""
    path = Path(given).expanduser()
    return path / "weights.pt" if path.is_dir() else path


def content_hash(path: Path, setting: str) -> str:
    """The first 16 hex digits of the file's SHA-256. setting: that names it. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise ConfigError(
            f"the weight file cannot be read ({error.strerror})",
            where=f"{setting} = {path}",
            remedy=_REMEDIES[setting],
        ) from None


_REMEDIES = {
    "backbone_weights": "give the path of a file, imagenet, or none",
    "weights": "give the path of a file, or of the folder of a run's cycle such as "
    "runs/toy/cycle3, or leave it out",
}
