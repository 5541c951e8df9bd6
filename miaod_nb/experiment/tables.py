"""Tables as text for a terminal."""

import math
import re
from typing import Any

import pandas as pd


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
