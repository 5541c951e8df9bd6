"""Folders that a command writes its results into."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from miaod_nb.errors import DataError, RunFolderError
from miaod_nb.store import RunFolder


@contextmanager
def out_folder(path: Path) -> Iterator[RunFolder]:
    """The folder that `--out` names, whose files are written whole or not at all.

    Raises DataError for faults of the disk.
    """
    try:
        yield RunFolder(path)
    except RunFolderError as error:
        raise DataError(
            error.what, where=error.where, remedy="mend that, or choose another --out"
        ) from error
