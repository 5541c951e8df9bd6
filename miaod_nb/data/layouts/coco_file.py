"""A COCO annotation file, checked and indexed by pycocotools: its header for everyone, and the
objects of an image for the oracle alone."""

import contextlib
import io
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pycocotools.coco import COCO

from miaod_nb.data.records import AnnotationFault, RawObject
from miaod_nb.errors import DataError, disk_fault

NEEDED: dict[str, dict[str, Any]] = {  # what the entries of each list must have
    "images": {"id": int, "file_name": str},
    "categories": {"id": int, "name": str},
    "annotations": {"id": int | str, "image_id": int, "category_id": int},
}
DISTINCT = (("images", "id"), ("categories", "id"), ("categories", "name"))


class CocoHeader(NamedTuple):
    """What a file says without its annotations: of those, no more than their ids and images.

    images: as in the file. categories: names by id. annotations: (id, image id) of each.
    annotated: ids of the images that have one.
    """

    images: Sequence[Mapping[str, Any]]
    categories: Mapping[int, str]
    annotations: Sequence[tuple[int | str, int]]
    annotated: frozenset[int]


class _Loaded(NamedTuple):
    header: CocoHeader
    index: COCO


def coco_header(path: Path) -> CocoHeader:
    """The file's header; lists that the file lacks are empty.

    The file is read once, and again when it was changed. Raises DataError for one that cannot be
    read or is not a COCO annotation file.
    """
    return _loaded(path).header


def read_coco(path: Path, coco_id: int) -> list[RawObject]:
    """The objects of an image of a COCO file, unchecked but for being complete and numeric.

    Raises AnnotationFault when the file has no annotations at all or no such image, and for an
    object of an unknown category or without a numeric box; DataError as `coco_header`.
    """
    index = _loaded(path).index
    if not index.anns or coco_id not in index.imgs:
        raise AnnotationFault("annotation missing")
    return [_read_object(entry, index.cats) for entry in index.imgToAnns.get(coco_id, [])]


def _read_object(entry: dict[str, Any], categories: Mapping[int, dict[str, Any]]) -> RawObject:
    if entry["category_id"] not in categories:
        raise AnnotationFault("annotation malformed: category that is not in the file")
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise AnnotationFault("annotation malformed: coordinate missing or not a number")
    x, y, width, height = map(float, box)
    area = entry.get("area", -1)
    return RawObject(
        name=categories[entry["category_id"]]["name"],
        box=(x, y, x + width, y + height),
        crowd=entry.get("iscrowd") == 1,
        area=float(area) if _is_number(area) and area >= 0 else None,
    )


def _is_number(value: Any) -> bool:
    """Whether it is a finite number that fits a float."""
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def _loaded(path: Path) -> _Loaded:
    try:
        status = path.stat()
        return _load(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        fault, remedy = disk_fault(error)
        raise DataError(
            f"the annotation file cannot be read ({fault})", where=path, remedy=remedy
        ) from None


@lru_cache(maxsize=4)
def _load(path: Path, mtime_ns: int, size: int) -> _Loaded:
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
    return _Loaded(_header_of(dataset), index)


def _header_of(dataset: Mapping[str, Any]) -> CocoHeader:
    annotations = [(entry["id"], entry["image_id"]) for entry in dataset["annotations"]]
    return CocoHeader(
        images=dataset["images"],
        categories={category["id"]: category["name"] for category in dataset["categories"]},
        annotations=annotations,
        annotated=frozenset(image_id for _, image_id in annotations),
    )


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
