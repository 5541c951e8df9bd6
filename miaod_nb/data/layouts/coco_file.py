"""A COCO annotation file, checked: its images and classes, and the objects of an image."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from miaod_nb.data.records import AnnotationFault, FaultCounts, RawObject
from miaod_nb.errors import DataError, unreadable

NEEDED: dict[str, dict[str, Any]] = {  # what the entries of each list must have
    "images": {"id": int, "file_name": str},
    "categories": {"id": int, "name": str},
    "annotations": {"image_id": int, "category_id": int},
}
DISTINCT = (("images", "id"), ("categories", "id"), ("categories", "name"))
Entry = Mapping[str, Any]


class CocoFile(NamedTuple):
    """What a file says; made by `read`.

    stamp: of the file as it was read. images: by id, as in the file. categories: names by id, in
    the order of the ids. annotations: those of each image, by its id; empty if the file has none.
    info: who wrote it, as it says itself.
    """

    stamp: tuple[int, int]
    images: Mapping[int, Entry]
    categories: Mapping[int, str]
    annotations: Mapping[int, Sequence[Entry]]
    info: Entry

    @classmethod
    def read(cls, path: Path, before: "CocoFile | None" = None) -> "CocoFile":
        """The file's content; `before` if the file did not change since that was read. Raises
        DataError for one that cannot be read or is not a COCO annotation file."""
        try:
            status = path.stat()
            stamp = status.st_mtime_ns, status.st_size
            if before is not None and before.stamp == stamp:
                return before
            content = path.read_bytes()
        except OSError as error:
            raise unreadable(path, error) from None
        return cls(stamp, *_checked(content, path))

    def objects(self, image_id: int) -> list[RawObject]:
        """The objects of an image, unchecked but for being complete and numeric. Raises
        AnnotationFault for one of an unknown category or without a numeric box."""
        return [
            _read_object(entry, self.categories) for entry in self.annotations.get(image_id, ())
        ]

    def notes(self, image_id: int) -> Iterator[str]:
        """What is to be counted of the annotations of an image, though they are used."""
        for entry in self.annotations.get(image_id, ()):
            if entry.get("ignore") == 1:
                yield "mark `ignore`, not used (as in pycocotools)"
            if entry.get("iscrowd", 0) not in (0, 1):
                yield "mark `iscrowd` that is neither 0 nor 1, taken for 0"

    def count_strays(self, faults: FaultCounts) -> None:
        """Counts annotations without an image, those without an id, and ids of more than one."""
        ids: Counter[int | str] = Counter()
        for image_id, entries in self.annotations.items():
            for entry in entries:
                annotation_id = entry.get("id")
                if image_id not in self.images:
                    faults.add(
                        "annotation of an image that is not in the file", f"id {annotation_id}"
                    )
                if isinstance(annotation_id, int | str):
                    ids[annotation_id] += 1
                else:
                    faults.add("annotation without an id", f"image {image_id}")
        for annotation_id, count in ids.items():
            if count > 1:
                faults.add("annotation id used again", f"id {annotation_id}", count - 1)


def size_of(image: Entry) -> tuple[int, int] | None:
    """Width and height that the file gives an image, if it does."""
    width, height = image.get("width"), image.get("height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return width, height
    return None


def _read_object(entry: Entry, categories: Mapping[int, str]) -> RawObject:
    if entry["category_id"] not in categories:
        raise AnnotationFault("annotation malformed: category that is not in the file")
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise AnnotationFault("annotation malformed: coordinate missing or not a number")
    x, y, width, height = map(float, box)
    area = entry.get("area", -1)
    return RawObject(
        name=categories[entry["category_id"]],
        box=(x, y, x + width, y + height),
        crowd=entry.get("iscrowd") == 1,
        area=float(area) if _is_number(area) and area >= 0 else None,
    )


def _is_number(value: Any) -> bool:
    """Whether it is a finite number that fits a float."""
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def _checked(
    content: bytes, path: Path
) -> tuple[dict[int, Entry], dict[int, str], dict[int, list[Entry]], Entry]:
    """Images, categories, annotations and info of a file's content, as CocoFile has them."""
    try:
        dataset = json.loads(content)
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
    dataset["categories"] = _without_project(dataset["categories"], dataset["annotations"])
    for kind, key in DISTINCT:
        _refuse_repeated(dataset[kind], kind, key, path)
    annotations: dict[int, list[Entry]] = {}
    for entry in dataset["annotations"]:
        entry.pop("segmentation", None)  # most of a large file, and never used
        annotations.setdefault(entry["image_id"], []).append(entry)
    names = {category["id"]: category["name"] for category in dataset["categories"]}
    images = {image["id"]: image for image in dataset["images"]}
    info = dataset.get("info")
    return images, dict(sorted(names.items())), annotations, info if isinstance(info, dict) else {}


def _without_project(categories: Sequence[Entry], annotations: Sequence[Entry]) -> list[Entry]:
    """The categories without Roboflow's first one, which is its project: above others, and never
    used."""
    above = [one.get("supercategory") for one in categories if one["id"] != 0]
    used = {entry["category_id"] for entry in annotations}
    return [one for one in categories if one["id"] != 0 or one["name"] not in above or 0 in used]


def _check_entries(entries: Any, kind: str, needed: dict[str, Any], path: Path) -> None:
    if not isinstance(entries, list):
        raise _not_coco(f"its {kind} are no list", path)
    for number, entry in enumerate(entries):
        for key, type_ in needed.items():
            value = entry.get(key) if isinstance(entry, dict) else None
            empty = isinstance(value, str) and not value.strip()
            if not isinstance(value, type_) or isinstance(value, bool) or empty:
                raise _not_coco(f"{kind}[{number}] has no usable {key}", path)


def _refuse_repeated(entries: Sequence[Entry], kind: str, key: str, path: Path) -> None:
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
        remedy="images need id and file_name, categories id and name, annotations image_id and "
        "category_id; the ids are whole numbers",
    )
