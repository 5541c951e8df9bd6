"""A folder of images, as people have them: in folders below as deep as they like, with labels
beside them, in a folder of their own, or none."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from miaod_nb.data.images import IMAGE_SUFFIXES, NOT_READ, is_image
from miaod_nb.data.layouts.label_files import (
    LabelFiles,
    files_below,
    find_labels,
    read_text,
)
from miaod_nb.data.layouts.voc import WHOLE
from miaod_nb.data.records import FaultCounts, ImageRecord, Labels
from miaod_nb.errors import DataError

SOURCE = "images"
DESCRIPTION = "data.json"  # names the folders of a pool whose images and labels lie apart


class FolderSource:
    """All images of a folder and the folders below, but hidden ones: one list. An image's id is its
    path without suffix."""

    layout = "image folder"
    needs = "images, in folders below as deep as you like"

    def __init__(self, images: Path, labels: Path) -> None:
        self.root = images
        self._labels_root = labels
        self._labels: LabelFiles | None = find_labels(labels)

    @classmethod
    def found_in(cls, data_root: Path) -> "FolderSource | None":
        """The data set in this folder, or that a description names; None where no image is."""
        if data_root.is_file():
            return cls(*_described(data_root)) if data_root.name == DESCRIPTION else None
        has_one = any(path.suffix.lower() in IMAGE_SUFFIXES for path in files_below(data_root))
        return cls(data_root, data_root) if has_one else None

    @property
    def label_form(self) -> str:
        """The format of the labels, in words; "" where there are none."""
        return self._labels.form if self._labels else ""

    def list_names(self) -> list[str]:
        """The one that has all images; others lie elsewhere, and are named by their whole path."""
        return [WHOLE]

    def list_file(self, name: str) -> Path:
        """The folder itself for the list of all images."""
        return self.root if name == WHOLE else self.root / f"{name}.txt"

    def image_place(self, name: str) -> str:
        """Where the images of a list belong, in words."""
        return str(self.root)

    def images(self, list_name: str, faults: FaultCounts) -> list[ImageRecord]:
        """All images, sorted, not opened; of a list that lies elsewhere, those with its ids. Raises
        DataError when one id stands for two images."""
        found: dict[str, Path] = {}
        for path in files_below(self.root):
            if is_image(path) and path.suffix.lower() not in IMAGE_SUFFIXES:
                faults.add(NOT_READ, path.name)
            elif path.suffix.lower() in IMAGE_SUFFIXES:
                image_id = path.relative_to(self.root).with_suffix("").as_posix()
                if image_id in found:
                    raise DataError(
                        f"two different images have the id '{image_id}'",
                        where=f"{found[image_id]} and {path}",
                        remedy="rename or remove one of them",
                    )
                found[image_id] = path
        if self._labels:
            self._labels.match(found, faults)
        if Path(list_name).is_absolute():
            found = _listed(self.list_file(list_name), found, faults)
        return [ImageRecord(image_id, SOURCE, path) for image_id, path in found.items()]

    def labels(self, image_id: str) -> Labels | None:
        """See LabelReader."""
        return self._labels.labels(image_id) if self._labels else None

    def labels_at(self, image_id: str) -> Path:
        """See LabelReader."""
        if self._labels:
            return self._labels.labels_at(image_id)
        return self._labels_root / f"{image_id}.xml"

    def labeled_ids(self) -> Collection[str]:
        """Those that have a label file, or an annotation in the COCO file."""
        return self._labels.labeled_ids() if self._labels else ()

    def annotated(self) -> Collection[str] | None:
        """Told by a COCO file alone."""
        return self._labels.annotated() if self._labels else None

    def classes(self) -> Mapping[str, int]:
        """Those that the labels declare."""
        names = self._labels.classes() if self._labels else ()
        return {name: number for number, name in enumerate(names)}

    def result_id(self, image_id: str) -> str:
        """What result files name the image by."""
        return image_id


def _listed(path: Path, there: Mapping[str, Path], faults: FaultCounts) -> dict[str, Path]:
    """Those of the images whose ids, a line each, a list has; others of it are counted."""
    ids = [line for line in read_text(path).splitlines() if line.strip()]
    for image_id in ids:
        if image_id not in there:
            faults.add("listed image missing", image_id)
    return {image_id: there[image_id] for image_id in ids if image_id in there}


def _described(path: Path) -> tuple[Path, Path]:
    """Images and labels folder that a description names. Raises DataError."""
    try:
        content: Any = json.loads(path.read_bytes())
        places = [Path(content[key]) for key in ("images", "labels")]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(
            "the file does not name the folders of images and labels", where=path,
            remedy='write it as {"images": "/path/to/photos", "labels": "/path/to/labels"}',
        ) from None  # fmt: skip
    for place in places:
        if not place.is_dir():
            raise DataError("there is no such folder", where=place,
                            remedy=f"correct it in {path}")  # fmt: skip
    return places[0], places[1]
