"""A COCO annotation file, checked and indexed by pycocotools."""

import contextlib
import io
import json
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO

from miaod_nb.errors import DataError, disk_fault

NEEDED: dict[str, dict[str, Any]] = {  # what the entries of each list must have
    "images": {"id": int, "file_name": str},
    "categories": {"id": int, "name": str},
    "annotations": {"id": int | str, "image_id": int, "category_id": int},
}
DISTINCT = (("images", "id"), ("categories", "id"), ("categories", "name"))


def load_coco(path: Path) -> COCO:
    """The file as pycocotools indexes it; read once, and again when it was changed.

    `dataset` has all three lists: without annotations, or categories, they are empty. Raises
    DataError for a file that cannot be read or is not a COCO annotation file.
    """
    try:
        status = path.stat()
        return _load(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        fault, remedy = disk_fault(error)
        raise DataError(
            f"the annotation file cannot be read ({fault})", where=path, remedy=remedy
        ) from None


@lru_cache(maxsize=4)
def _load(path: Path, mtime_ns: int, size: int) -> COCO:
    try:
        dataset = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"the annotation file is damaged or cut off: it is no JSON ({error})",
            where=path,
            remedy="unpack or export it again",
        ) from None
    if not isinstance(dataset, dict) or not isinstance(dataset.get("images"), list):
        raise _not_coco("it has no list of images", path)
    for kind, needed in NEEDED.items():
        dataset[kind] = dataset.get(kind) or []
        _check_entries(dataset[kind], kind, needed, path)
    for category in dataset["categories"]:
        category["name"] = category["name"].strip()
    for entry in dataset["annotations"]:
        entry.pop("segmentation", None)  # most of a large file, and never used
    for kind, key in DISTINCT:
        _refuse_repeated(dataset[kind], kind, key, path)
    index = COCO()
    index.dataset = dataset
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        index.createIndex()
    return index


def _check_entries(entries: Any, kind: str, needed: dict[str, Any], path: Path) -> None:
    if not isinstance(entries, list):
        raise _not_coco(f"its {kind} are no list", path)
    for number, entry in enumerate(entries):
        for key, type_ in needed.items():
            value = entry.get(key) if isinstance(entry, dict) else None
            empty = isinstance(value, str) and not value.strip()
            if not isinstance(value, type_) or isinstance(value, bool) or empty:
                raise _not_coco(f"{kind}[{number}] has no usable {key}", path)


def _refuse_repeated(entries: list[dict[str, Any]], kind: str, key: str, path: Path) -> None:
    counts = Counter(entry[key] for entry in entries)
    repeated = next((value for value, count in counts.items() if count > 1), None)
    if repeated is not None:
        raise DataError(
            f"{counts[repeated]} {kind} have the {key} {repeated!r}",
            where=f"{path}, {kind}",
            remedy="give each its own, and correct the annotations that refer to it",
        )


def _not_coco(fault: str, path: Path) -> DataError:
    return DataError(
        f"this is not a COCO annotation file: {fault}",
        where=path,
        remedy="images need id and file_name, categories id and name, annotations id, image_id "
        "and category_id; the ids are whole numbers",
    )
