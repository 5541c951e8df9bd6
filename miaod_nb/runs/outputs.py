"""Files and folders that a command writes its results into.

option: how the command is given the place.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from miaod_nb.errors import DataError, RunFolderError
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.record import is_run


def check_out(path: Path, option: str = "--out") -> None:
    """Refuses a folder that no files can be written into. Raises DataError."""
    _check_nearest(path, path, option)


def check_file(path: Path, option: str = "--out") -> None:
    """Refuses a file that cannot be written. Raises DataError."""
    if path.is_dir():
        raise DataError(
            f"{option} is a folder, but a file is written",
            where=path,
            remedy="add a file name to it",
        )
    _check_nearest(path.parent, path, option)


def _check_nearest(path: Path, given: Path, option: str) -> None:
    """Refuses a folder where it, or the nearest one above it, cannot be written into."""
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        what = f"{option} is a file" if nearest == given else f"{option} lies below a file"
        raise DataError(
            f"{what}, but a folder is written", where=nearest, remedy=f"choose another {option}"
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise DataError(
            f"no write permission: {option} cannot be written",
            where=nearest,
            remedy=f"make the folder writable, or choose another {option}",
        )


def refuse_run(path: Path) -> None:
    """Refuses an `--out` whose files would replace those of a run. Raises DataError."""
    path = path.resolve()
    run = path.parent if path.name.startswith("cycle") else path
    if is_run(run):
        raise DataError(
            "the files of this run would be overwritten",
            where=path,
            remedy="choose another --out, for example a new folder in the run folder "
            f"({run / 'evaluated'})",
        )


@contextmanager
def out_folder(path: Path, option: str = "--out") -> Iterator[RunFolder]:
    """The folder of that name, whose files are written whole or not at all.

    Raises DataError for faults of the disk.
    """
    check_out(path, option)
    try:
        yield RunFolder(path)
    except RunFolderError as error:
        raise DataError(
            error.what, where=error.where, remedy=f"mend that, or choose another {option}"
        ) from error
