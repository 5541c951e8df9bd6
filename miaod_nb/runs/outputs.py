"""Folders that a command writes its results into."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from miaod_nb.errors import DataError, RunFolderError
from miaod_nb.runs.files import RunFolder


def check_out(path: Path) -> None:
    """Refuses an `--out` that no files can be written into. Raises DataError."""
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        what = "--out is a file" if nearest == path else "--out lies below a file"
        raise DataError(f"{what}, but a folder is written", where=nearest,
                        remedy="choose another --out")  # fmt: skip
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise DataError("no write permission: --out cannot be written", where=nearest,
                        remedy="make the folder writable, or choose another --out")  # fmt: skip


def refuse_run(path: Path) -> None:
    """Refuses an `--out` whose files would replace those of a run. Raises DataError."""
    path = path.resolve()
    run = path.parent if path.name.startswith("cycle") else path
    if (run / "config.json").is_file():
        raise DataError("the files of this run would be overwritten", where=path,
                        remedy="choose another --out, for example a new folder in the run folder "
                        f"({run / 'evaluated'})")  # fmt: skip


@contextmanager
def out_folder(path: Path) -> Iterator[RunFolder]:
    """The folder that `--out` names, whose files are written whole or not at all.

    Raises DataError for faults of the disk.
    """
    check_out(path)
    try:
        yield RunFolder(path)
    except RunFolderError as error:
        raise DataError(
            error.what, where=error.where, remedy="mend that, or choose another --out"
        ) from error
