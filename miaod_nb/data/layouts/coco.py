"""COCO data sets: which images a list names, and which classes."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from miaod_nb.data.layouts.coco_file import CocoHeader, coco_header
from miaod_nb.data.records import FaultCounts, ImageRecord, Listed

PREFIX = "instances_"
Entry = Mapping[str, Any]


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
        """The images of the list's file, in its order; missing and repeated ones and those with a
        path out of the data folder are counted, and annotations that belong to none of them.

        An image's id is its file's name without suffix, or, unless these all differ, its COCO id.
        Raises DataError for a file that is not COCO's or has two images of one id.
        """
        path = self.list_file(name)
        header = coco_header(path)
        _count_stray_annotations(header, faults)
        images = _each_file_once(header.images, faults)
        stems = [Path(image["file_name"]).stem for image in images]
        ids = stems if len(set(stems)) == len(stems) else [str(image["id"]) for image in images]
        found = []
        for image_id, image in zip(ids, images, strict=True):
            if _leads_out(image["file_name"]):
                faults.add("file name leads out of the data folder", image_id)
                continue
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
            if item.coco_id in coco_header(item.annotation_path).annotated:
                kept.append(item)
            else:
                faults.add("image without objects, left out (empty_images=drop)", item.id)
        return kept

    def _image_folders(self, name: str) -> list[Path]:
        return [self.root / name, self.root / "images" / name, self.root / "images"]

    def _image_path(self, name: str, file_name: str) -> Path | None:
        paths = (folder / file_name for folder in self._image_folders(name))
        return next((path for path in paths if path.is_file()), None)


def _leads_out(file_name: str) -> bool:
    """Whether it is absolute or climbs with `..`; links inside the data folder are the user's."""
    return Path(file_name).is_absolute() or ".." in Path(file_name).parts


def _each_file_once(images: Iterable[Entry], faults: FaultCounts) -> list[Entry]:
    found: dict[str, Entry] = {}
    for image in images:
        if image["file_name"] in found:
            faults.add("listed twice", image["file_name"])
        found.setdefault(image["file_name"], image)
    return list(found.values())


def _count_stray_annotations(header: CocoHeader, faults: FaultCounts) -> None:
    """Counts annotations without an image, and ids of more than one."""
    image_ids = {image["id"] for image in header.images}
    for annotation_id, image_id in header.annotations:
        if image_id not in image_ids:
            faults.add("annotation of an image that is not in the file", f"id {annotation_id}")
    for annotation_id, count in Counter(one for one, _ in header.annotations).items():
        if count > 1:
            faults.add("annotation id used again", f"id {annotation_id}", count - 1)


def category_ids(path: Path) -> dict[str, int]:
    """The class names of a COCO file with their category ids, in the order of the ids."""
    return {name: number for number, name in sorted(coco_header(path).categories.items())}


def declared_classes(records: Iterable[ImageRecord]) -> list[str]:
    """The class names that the COCO files of these images list, whether or not an object has
    them, in category order; [] for images in VOC layout."""
    paths = dict.fromkeys(r.annotation_path for r in records if r.coco_id is not None)
    return list(dict.fromkeys(name for path in paths for name in category_ids(path)))


def lacks_annotations(record: ImageRecord) -> bool:
    """Whether the image's COCO file has no annotation of it: it is unlabeled or shows no object,
    and the file cannot say which. Not so for images in VOC layout, which have files of their own.
    """
    if record.coco_id is None:
        return False
    return record.coco_id not in coco_header(record.annotation_path).annotated
