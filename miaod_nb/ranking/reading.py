"""Files about images of any program, read: boxes as a table, and which images are labeled.

A file of boxes is a list in COCO's results format, as in `prediction_files`, whose entries may have
all class scores of the box (`scores`, in the order of the classes); or a CSV table with the columns
of `adapters`, where `scores` is such a list in JSON.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from miaod_nb.data.layouts.coco_file import CocoFile
from miaod_nb.errors import DataError, nearest_path, unreadable
from miaod_nb.ranking.adapters import COLUMNS
from miaod_nb.trained.image_names import Called
from miaod_nb.trained.prediction_files import (
    CATEGORIES,
    FORMAT,
    Categories,
    categories_beside,
    read_list,
    wrong_entry,
)

FILE_NAME, SCORES = "file_name", "scores"  # columns that may be there besides


def read_boxes(path: Path, named: Categories) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The boxes of a file, a row each, and the names of all classes in their order, () where
    nothing says it. named: categories that labels name, where no `categories.json` lies beside
    the file. Raises DataError."""
    _refuse_missing(path)
    if path.suffix.lower() == ".csv":
        return _read_csv(path), ()
    entries = read_list(path, FORMAT)
    categories = categories_beside(path) if path.with_name(CATEGORIES).is_file() else named
    rows = []
    for position, entry in enumerate(entries):
        try:
            rows.append(_row(entry, categories))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise wrong_entry(path, f"entry {position}", error, FORMAT) from None
    table = pd.DataFrame(rows, columns=[*COLUMNS, FILE_NAME, SCORES])
    return table if table[SCORES].notna().any() else table.drop(columns=SCORES), tuple(
        categories.values()
    )


class LabeledImages(NamedTuple):
    """Images that are labeled. called: what they are called. boxes: how many each has, in their
    order; () where that is not told. categories: names by number, {} where these are not told."""

    called: Sequence[Called]
    boxes: Sequence[int] = ()
    categories: Categories = MappingProxyType({})


def read_labeled(labeled: Path | Sequence[str]) -> LabeledImages:
    """The images that a COCO file has, or a text file with a name a line, or that are named. Raises
    DataError."""
    if not isinstance(labeled, Path):
        return LabeledImages([Called(str(name)) for name in labeled])
    _refuse_missing(labeled)
    if labeled.suffix.lower() == ".json":
        file = CocoFile.read(labeled)
        # By name alone: the numbers of two COCO files need not be of the same images.
        names = [str(image["file_name"]) for image in file.images.values()]
        boxes = [len(file.annotations.get(number, ())) for number in file.images]
        return LabeledImages([Called(name, name) for name in names], boxes, file.categories)
    try:
        lines = labeled.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise unreadable(labeled, error) from None
    except ValueError:
        raise DataError(
            "the file is no text in UTF-8", where=labeled,
            remedy="give a COCO file (.json), or a text file with the name of an image a line",
        ) from None  # fmt: skip
    return LabeledImages([Called(line.strip()) for line in lines if line.strip()])


def _refuse_missing(path: Path) -> None:
    if not path.exists():
        raise DataError("there is no such file", where=path,
                        remedy=f"{nearest_path(path)}correct the path")  # fmt: skip


def _row(entry: Any, categories: Mapping[int, str]) -> tuple[Any, ...]:
    """An entry in COCO's results format as a row."""
    number, image_id = entry["category_id"], entry["image_id"]
    if categories and number not in categories:
        raise ValueError(f"no category is named {number!r} (by {CATEGORIES} or the labels)")
    if not isinstance(image_id, str | int):
        raise ValueError("image_id is neither a text nor a whole number")
    if not isinstance(entry["bbox"], list) or len(entry["bbox"]) != 4:
        raise ValueError("bbox is no list of four numbers")
    x, y, width, height = map(float, entry["bbox"])
    name = categories.get(number, "" if number is None else str(number))
    others = str(entry.get("file_name", "")), entry.get(SCORES)
    return image_id, x, y, x + width, y + height, float(entry["score"]), name, *others


def _read_csv(path: Path) -> pd.DataFrame:
    try:  # all as text, so that names that look like numbers, or like nothing (N/A), stay names
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if not isinstance(table.index, pd.RangeIndex):
            raise ValueError("rows have more cells than the first line has names")
        if SCORES in table:
            table[SCORES] = [_scores(text) for text in table[SCORES]]
        return table
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, TypeError) as error:  # pandas' own errors are ValueErrors
        columns = ", ".join(COLUMNS)
        raise DataError(f"the table cannot be read: {error}", where=path,
                        remedy=f"write it as CSV with the columns {columns}") from None  # fmt: skip


def _scores(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"scores {text!r} are no list in JSON, such as [0.7, 0.2]") from None
