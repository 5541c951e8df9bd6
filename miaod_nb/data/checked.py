"""What was found in images before, so that unchanged files need not be decoded again."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from miaod_nb.data.records import Measured

# path: below the data folder. bytes, mtime_ns: of the file, before it was decoded. The rest: see
# Measured.
COLUMNS = {
    "path": "str", "bytes": "int64", "mtime_ns": "int64", "width": "int32", "height": "int32",
    "orientation": "int32", "digest": "int64", "clear": "int32", "low": "float64",
    "high": "float64",
}  # fmt: skip
STAMP = ["bytes", "mtime_ns"]
SIZE = ["width", "height", "orientation"]
FOUND = list(Measured._fields)


class CheckedImages:
    """What is known of the usable image files of a data folder, in a table with the COLUMNS.

    A row holds while the file's length and time of change stay the same. Files that cannot be used
    are not kept: they are few, and the fault may have been the disk's. before: the table that an
    earlier process made, or None; anything else counts as None.
    """

    def __init__(self, root: Path, before: pd.DataFrame | None = None) -> None:
        self._prefix = f"{root}/"
        self._before = _empty() if before is None or not _is_of_images(before) else before
        self._found = [_empty()]

    @property
    def table(self) -> pd.DataFrame:
        """What this process knows of the files that it was asked about."""
        return pd.concat(self._found).drop_duplicates("path", ignore_index=True)

    def look_up(self, paths: Sequence[Path]) -> pd.DataFrame:
        """A row for each file, all FOUND in it 0 where it has to be decoded."""
        names = [str(path).removeprefix(self._prefix) for path in paths]
        stamps = np.fromiter(_stamps(paths), np.dtype((np.int64, 2)), len(paths))
        rows = self._before.set_index("path").reindex(names, fill_value=0)
        is_other = (rows[STAMP].to_numpy() != stamps).any(axis=1)
        rows.loc[is_other, FOUND] = 0
        rows[STAMP] = stamps
        return rows.reset_index(names="path").astype(COLUMNS)

    def keep(self, rows: pd.DataFrame) -> None:
        """Takes over the rows that `look_up` gave, with that filled in which was missing."""
        self._found.append(rows[rows["width"] > 0])


def _empty() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in COLUMNS}).astype(COLUMNS)


def _is_of_images(table: pd.DataFrame) -> bool:
    if list(table) != list(COLUMNS) or not table["path"].is_unique:
        return False
    kinds = [str(table[name].dtype) for name in [*STAMP, *FOUND]]
    return kinds == list(COLUMNS.values())[1:] and bool((table[SIZE] > 0).all(axis=None))


def _stamps(paths: Sequence[Path]) -> Iterator[tuple[int, int]]:
    """Length and time of change of each file; -1 for one that cannot be asked."""
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            yield -1, -1
        else:
            yield status.st_size, status.st_mtime_ns
