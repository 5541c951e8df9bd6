"""Tables of metrics: read from their files, and as text for a terminal."""

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd

from miaod_nb.errors import DataError
from miaod_nb.evaluation import VOC07_AP, VOC12_AP
from miaod_nb.runs.cells import as_it_was

NOT_METRICS = (
    "strategy", "training", "trained_images", "labeled_percent", "evaluated_on", "seed",
)  # fmt: skip
NUMBERS, TEXTS = ("cycle", "labeled_images"), ("strategy", "evaluated_on")


def read_metrics(path: Path) -> pd.DataFrame:
    """The `metrics.csv` of a run, a row an evaluated cycle. Raises DataError for a damaged file,
    and for another table."""
    try:  # a list may be called None or NA
        table = pd.read_csv(
            path, converters=dict.fromkeys(TEXTS, str), keep_default_na=False, na_values=[""]
        )
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise _no_metrics(path, str(error).strip()) from error
    table = as_it_was(table)
    measured = [name for name in (VOC07_AP, VOC12_AP) if name in table]
    missing = [name for name in (*NUMBERS, *TEXTS) if name not in table]
    if missing or (len(table) and not measured):
        raise _no_metrics(path, f"there is no column {', '.join(missing) or VOC12_AP}")
    for name in (*NUMBERS, *measured):
        if len(table) and not pd.api.types.is_numeric_dtype(table[name]):
            raise _no_metrics(path, f"the column {name} holds something other than numbers")
    for name in (*NUMBERS, *TEXTS):
        if (table[name].isna() | (table[name] == "")).any():
            raise _no_metrics(path, f"the column {name} has gaps")
    return table


def _no_metrics(path: Path, reason: str) -> DataError:
    return DataError(
        f"this is not a table of metrics: {reason}",
        where=path,
        remedy="name a run folder of miaod, or restore the file (the run's next evaluated cycle "
        "writes it again)",
    )


def metric_lines(table: pd.DataFrame) -> list[str]:
    """The metrics of a run as text, a row for each evaluated cycle; [] if there are none."""
    if not len(table):
        return []
    measured = ", ".join(dict.fromkeys(table["evaluated_on"]))
    columns = [name for name in table if name not in NOT_METRICS]
    return [f"evaluated on the {measured}:", *stacked_table(table[columns])]


def stacked_table(table: pd.DataFrame) -> list[str]:
    """The table's lines, with the words of each column's name on top of each other, what stands in
    brackets as one; no value: -."""
    names = [str(name).removeprefix("num_").replace("_", " ") for name in table]
    heads = [re.findall(r"\(.*?\)|\S+", name) for name in names]
    height = max(map(len, heads))
    columns = []
    for head, (_, values) in zip(heads, table.items(), strict=True):
        cells = [*[""] * (height - len(head)), *head, *map(_cell, values)]
        width = max(map(len, cells))
        is_text = not pd.api.types.is_numeric_dtype(values)
        columns.append([cell.ljust(width) if is_text else cell.rjust(width) for cell in cells])
    return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if math.isfinite(value) else "-"
    return str(value)
