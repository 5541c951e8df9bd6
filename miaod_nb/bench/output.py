"""The file that `--json` names."""

import os
from pathlib import Path
from typing import Any

from miaod_nb.errors import DataError, RunFolderError
from miaod_nb.runs.files import RunFolder


def check_json(path: Path) -> None:
    """Refuses a file that cannot be written, before minutes are spent. Raises DataError."""
    remedy = "make the folder, or choose another --json"
    if path.is_dir():
        raise DataError("--json is a folder, but a file is written", where=path,
                        remedy="add a file name, for example bench.json")  # fmt: skip
    if not path.parent.is_dir():
        raise DataError("the folder of --json is not there", where=path.parent, remedy=remedy)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise DataError("no write permission: --json cannot be written", where=path.parent,
                        remedy="make the folder writable, or choose another --json")  # fmt: skip


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Writes the file whole or not at all. Raises DataError for faults of the disk."""
    try:
        RunFolder(path.parent).save_json(path.name, document)
    except RunFolderError as error:
        raise DataError(
            error.what, where=error.where, remedy="mend that, or choose another --json"
        ) from error
