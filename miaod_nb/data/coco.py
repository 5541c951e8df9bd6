"""COCO data sets: which images a list names, and the objects of an image."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO

from miaod_nb.data.coco_file import load_coco
from miaod_nb.data.records import AnnotationFault, FaultCounts, ImageRecord, Listed, RawObject

PREFIX = "instances_"


@dataclass(frozen=True)
class CocoLayout:
    """A data root with COCO files in `annotations`: instances_<list>.json or <list>.json."""

    root: Path

    @classmethod
    def found_in(cls, data_root: Path) -> "CocoLayout | None":
        """The layout of this folder; None when it is another one."""
        return cls(data_root) if any((data_root / "annotations").glob("*.json")) else None

    def has_list(self, name: str) -> bool:
        return self.list_file(name).is_file()

    def list_file(self, name: str) -> Path:
        """Where the list of that name is, or would have to be."""
        folder = self.root / "annotations"
        plain, prefixed = folder / f"{name}.json", folder / f"{PREFIX}{name}.json"
        return plain if plain.is_file() and not prefixed.is_file() else prefixed

    def list_names(self) -> list[str]:
        """Names of the lists that are there, those of COCO's instances first."""
        stems = [path.stem for path in (self.root / "annotations").glob("*.json")]
        stems.sort(key=lambda stem: (not stem.startswith(PREFIX), stem))
        return list(dict.fromkeys(stem.removeprefix(PREFIX) for stem in stems))

    def image_place(self, name: str) -> str:
        """Where the images of a list belong, in words."""
        return f"{' or '.join(map(str, self._image_folders(name)))}, under their file_name"

    def listed(self, name: str, faults: FaultCounts) -> list[Listed]:
        """The images of the list's file, in its order; missing and repeated ones are counted, and
        annotations that belong to none of them.

        An image's id is its file's name without suffix, or, unless these all differ, its COCO id.
        Raises DataError for a file that is not COCO's or has two images of one id.
        """
        path = self.list_file(name)
        index = load_coco(path)
        _count_stray_annotations(index, faults)
        images = _each_file_once(index.dataset["images"], faults)
        stems = [Path(image["file_name"]).stem for image in images]
        ids = stems if len(set(stems)) == len(stems) else [str(image["id"]) for image in images]
        found = []
        for image_id, image in zip(ids, images, strict=True):
            image_path = self._image_path(name, image["file_name"])
            if image_path is None:
                faults.add("listed image missing", image_id)
            else:
                found.append(Listed(image_id, Path(name).name, image_path, path, image["id"]))
        return found

    def with_objects(self, listed: list[Listed], faults: FaultCounts) -> list[Listed]:
        """Those images that have an annotation, whatever it says; the others are counted."""
        kept = []
        for item in listed:
            if load_coco(item.annotation_path).imgToAnns.get(item.coco_id):
                kept.append(item)
            else:
                faults.add("image without objects, left out (empty_images=drop)", item.id)
        return kept

    def _image_folders(self, name: str) -> list[Path]:
        return [self.root / name, self.root / "images" / name, self.root / "images"]

    def _image_path(self, name: str, file_name: str) -> Path | None:
        paths = (folder / file_name for folder in self._image_folders(name))
        return next((path for path in paths if path.is_file()), None)


def _each_file_once(images: Iterable[dict[str, Any]], faults: FaultCounts) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for image in images:
        if image["file_name"] in found:
            faults.add("listed twice", image["file_name"])
        found.setdefault(image["file_name"], image)
    return list(found.values())


def _count_stray_annotations(index: COCO, faults: FaultCounts) -> None:
    """Counts annotations without an image, and ids of more than one; looks at ids alone."""
    annotations = index.dataset["annotations"]
    for entry in annotations:
        if entry["image_id"] not in index.imgs:
            faults.add("annotation of an image that is not in the file", f"id {entry['id']}")
    for annotation_id, count in Counter(entry["id"] for entry in annotations).items():
        if count > 1:
            faults.add("annotation id used again", f"id {annotation_id}", count - 1)


# ------------------------------------------------------------------------------------- annotations


def category_ids(path: Path) -> dict[str, int]:
    """The class names of a COCO file with their category ids, in the order of the ids."""
    return {category["name"]: number for number, category in sorted(load_coco(path).cats.items())}


def declared_classes(records: Iterable[ImageRecord]) -> list[str]:
    """The class names that the COCO files of these images list, whether or not an object has
    them, in category order; [] for images in VOC layout."""
    paths = dict.fromkeys(r.annotation_path for r in records if r.coco_id is not None)
    return list(dict.fromkeys(name for path in paths for name in category_ids(path)))


def read_coco(path: Path, coco_id: int) -> list[RawObject]:
    """The objects of an image of a COCO file, unchecked but for being complete and numeric.

    Raises AnnotationFault when the file has no annotations at all or no such image, and for an
    object of an unknown category or without a numeric box; DataError as `load_coco`.
    """
    index = load_coco(path)
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
