"""The table of what a strategy saw in images of a cycle, as it is read."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from miaod_nb.errors import RunFolderError
from miaod_nb.runs.card import PER_CLASS
from miaod_nb.runs.files import RunFolder


def table_place(cycle: int, name: str = "scores") -> str:
    """The folder of the table's shards in the run folder; name: scores, or labeled for what was
    seen in the labeled images."""
    return f"cycle{cycle}/{name}.parquet"


def headers_of(column: str, classes: Sequence[str]) -> list[str]:
    """What a column of the strategy is called in the table: a class has a column of its own."""
    return [f"class {one}" for one in classes] if column == PER_CLASS else [column]


def load_column(
    folder: RunFolder, place: str, column: str, classes: Sequence[str], indices: np.ndarray
) -> np.ndarray:
    """A column of the images at these indices of the pool: float32 (N,), or (N, ...) of vectors.
    Raises RunFolderError for a table of other images."""
    headers = headers_of(column, classes)
    table = folder.load_parquet(place, ["index", *headers])
    if not np.array_equal(table["index"], indices):
        raise RunFolderError(
            f"these are not the scores of the {len(indices)} images to choose among",
            where=folder.path(place),
            remedy="restore the folder from a copy, or choose another run_dir",
        )
    try:
        return _values(table[headers], column)
    except ValueError as error:  # vectors of several lengths
        raise RunFolderError(
            f"the column {column} does not have one shape for all images",
            where=folder.path(place),
            remedy="mend the strategy's `observe`, or restore the folder from a copy",
        ) from error


def _values(table: pd.DataFrame, column: str) -> np.ndarray:
    if column == PER_CLASS:
        return table.to_numpy(np.float32)
    is_number = table[column].dtype != object
    return table[column].to_numpy(np.float32) if is_number else np.stack(table[column].to_list())
