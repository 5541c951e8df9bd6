"""Tables whose texts no spreadsheet takes for formulas: names of classes and files, and people's
notes, come from others."""

import re
from collections.abc import Callable

import pandas as pd
from pandas.api.types import is_numeric_dtype

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # how a text begins that a spreadsheet might execute
QUOTED = re.compile(r"'+[=+\-@\t\r]")


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a quote before every text that begins like a formula, which spreadsheets then
    show as it is."""
    return _with_texts(table, lambda text: f"'{text}" if FORMULA.match(text) else text)


def as_it_was(table: pd.DataFrame) -> pd.DataFrame:
    """The table before `without_formulas`."""
    return _with_texts(table, lambda text: text[1:] if QUOTED.match(text) else text)


def _with_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """The table with each of its texts changed, those of its head too."""

    def changed(value: object) -> object:
        return change(value) if isinstance(value, str) else value

    return pd.DataFrame({
        changed(name): column if is_numeric_dtype(column) else column.map(changed)
        for name, column in table.items()
    })  # fmt: skip
