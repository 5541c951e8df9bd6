"""What a grid of runs came to: its two files, read and checked."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from miaod_nb.errors import DataError, nearest_path
from miaod_nb.evaluation import VOC12_AP
from miaod_nb.plots.look import FULL
from miaod_nb.runs.cells import as_it_was
from miaod_nb.runs.identity import named_folder, project_folder

TABLE, RESAMPLED = "table.csv", "resampled.parquet"
COMMITTED = Path("docs/results/toy")  # the grid that the project itself shows
CURRENCIES = ("images", "boxes", "minutes")
KEYS = ["recipe", "selection", "seed", "cycle"]
TEXTS = ["recipe", "training", "selection"]
REMEDY = "`miaod grid` writes it again from the run folders"


@dataclass(frozen=True)
class Grid:
    """The results of a grid.

    table: a row a run and evaluated cycle: recipe, training, selection, seed, cycle, images, boxes
    and minutes so far, and a column a metric. resampled: the headline metric of the same rows on
    resamples of the test images, or None. told: what the intervals are over, and why.
    """

    folder: Path
    table: pd.DataFrame
    resampled: pd.DataFrame | None
    told: str

    @property
    def units(self) -> list[str]:
        """What the labels of all runs are counted in."""
        return [unit for unit in CURRENCIES if self.table[unit].notna().all()]


def read_grid(folder: str | Path = "") -> Grid:
    """The grid in a folder; "": the one that the project itself shows. Raises DataError for a
    folder without a table, and for a table that is none of a grid's."""
    root = named_folder(folder) if str(folder) else project_folder() / COMMITTED
    path = root / TABLE
    if not path.is_file():
        near = "" if root.exists() else nearest_path(root)
        raise DataError(
            "there is no table of a grid", where=path,
            remedy=f"{near}name the folder of a grid: `miaod grid grid.yaml` makes "
            "one, with its table",
        )  # fmt: skip
    table = _read_table(path)
    resampled, told = _read_resampled(root / RESAMPLED, table)
    return Grid(root, table, resampled, told)


def _read_table(path: Path) -> pd.DataFrame:
    try:
        table = as_it_was(pd.read_csv(path, dtype=dict.fromkeys(TEXTS, str), na_values=[""],
                                      keep_default_na=False))  # fmt: skip
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise DataError(f"this is no table: {error}", where=path, remedy=REMEDY) from error
    check_table(table, path)
    return table


def check_table(table: pd.DataFrame, where: object = "table") -> None:
    """Raises DataError for a table that lacks a column or a value that is needed, has a run twice,
    or holds runs on other data."""
    numbers = ["seed", "cycle", "images", VOC12_AP]
    missing = [name for name in (*TEXTS, *numbers, "boxes", "minutes") if name not in table]
    if missing or not len(table):
        what = f"lacks the column {missing[0]}" if missing else "has no row"
        raise DataError(f"the table of the grid {what}", where=where, remedy=REMEDY)
    for name in (*TEXTS, *numbers):
        texts = name in TEXTS
        if table[name].isna().any() or texts == pd.api.types.is_numeric_dtype(table[name]):
            raise DataError(
                f"the column {name} has gaps or holds something else: runs without it cannot be "
                "compared", where=where, remedy=REMEDY,
            )  # fmt: skip
    twice = table[table.duplicated(KEYS)]
    if len(twice):
        run = ", ".join(f"{name} {twice.iloc[0][name]}" for name in KEYS)
        raise DataError(f"the table has two rows of {run}", where=where, remedy=REMEDY)
    pools = table.loc[table["selection"] == FULL, "images"].unique()
    if len(pools) > 1:
        raise DataError(
            f"all labels are {pools[0]:g} images in one run and {pools[1]:g} in another: these are "
            "runs on other data, whose numbers cannot stand beside each other", where=where,
            remedy="make one grid a data set",
        )  # fmt: skip


def _read_resampled(path: Path, table: pd.DataFrame) -> tuple[pd.DataFrame | None, str]:
    """The resamples, if every row of the table has them, and what intervals are over."""
    alone = "The 95 % intervals are over the seeds alone, for these test images"
    if not path.is_file():
        return None, f"{alone}: there is no {path.name} beside the table."
    try:
        resampled = pd.read_parquet(path)
        keys = pd.MultiIndex.from_frame(table[KEYS])
        lacking = ~keys.isin(pd.MultiIndex.from_frame(resampled[KEYS]))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"these are no resamples of a grid: {error}", where=path,
                        remedy=REMEDY) from error  # fmt: skip
    if lacking.any():
        return None, f"{alone}: {path.name} lacks {lacking.sum()} of {len(table)} rows."
    count = resampled.shape[1] - len(KEYS)
    return resampled, f"The 95 % intervals are over seeds and test images ({count} resamples)."
