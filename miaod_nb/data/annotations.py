"""VOC annotations as objects, and the oracle: the one reader of the pool's labels."""

import difflib
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from miaod_nb.data.records import FaultCounts, ImageRecord, Objects
from miaod_nb.errors import DataError
from miaod_nb.progress import progress


class RawObject(NamedTuple):
    """An object as its file has it: class name, (xmin, ymin, xmax, ymax), difficult or not."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool


class AnnotationFault(Exception):
    """An annotation that cannot be used; its text is the reason to count it under."""


def read_annotation(path: Path) -> list[RawObject]:
    """The objects of a VOC XML file, unchecked but for being complete and numeric.

    Raises AnnotationFault for a file that is missing, empty, not well-formed or holds entity
    definitions, and for an object without a name or a numeric box.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise AnnotationFault("annotation missing") from None
    except OSError as error:
        raise AnnotationFault(f"annotation unreadable: {error.strerror}") from None
    if not content.strip():
        raise AnnotationFault("annotation malformed: empty file")
    try:
        root = ElementTree.fromstring(content)
    except DefusedXmlException:
        raise AnnotationFault("annotation malformed: entity definitions are refused") from None
    except (ElementTree.ParseError, ValueError, LookupError):  # the last two: bad encodings
        raise AnnotationFault("annotation malformed: not well-formed XML") from None
    return [_read_object(element) for element in root.findall("object")]


def _read_object(element: Any) -> RawObject:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise AnnotationFault("annotation malformed: object without a name")
    box = element.find("bndbox")
    if box is None:
        raise AnnotationFault("annotation malformed: object without a box")
    try:
        x1, y1, x2, y2 = (float(box.findtext(tag)) for tag in ("xmin", "ymin", "xmax", "ymax"))
    except (TypeError, ValueError):
        raise AnnotationFault("annotation malformed: coordinate missing or not a number") from None
    if not all(math.isfinite(value) for value in (x1, y1, x2, y2)):
        raise AnnotationFault("annotation malformed: coordinate missing or not a number")
    difficult = (element.findtext("difficult") or "").strip() == "1"
    return RawObject(name, (x1, y1, x2, y2), difficult)


def to_objects(
    raw: Iterable[RawObject], classes: Sequence[str], record: ImageRecord, faults: FaultCounts
) -> Objects:
    """The objects of the given classes with boxes that can be used; the rest is counted.

    VOC counts pixels from 1: coordinates are truncated to whole numbers and lowered by 1, all
    four of them, as the authors do. Boxes are clipped to [0, width] x [0, height] as long as more
    than a pixel remains on both sides. An image left without objects is background.
    """
    kept: dict[tuple[int, tuple[int, ...]], bool] = {}  # (label, box) -> difficult
    for item in raw:
        if item.name not in classes:
            faults.add("object of a class left out by `classes`", record.id)
            continue
        box, fault = _usable_box(item.box, record.width, record.height)
        if fault:
            faults.add(fault, record.id)
        if box is None:
            continue
        key = (classes.index(item.name), box)
        if key in kept:
            faults.add("exact duplicate box", record.id)
        kept.setdefault(key, item.difficult)
    if not kept:
        faults.add("image without objects", record.id)
    return Objects(
        boxes=torch.tensor([box for _, box in kept], dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor([label for label, _ in kept], dtype=torch.int64),
        difficult=torch.tensor(list(kept.values()), dtype=torch.bool),
    )


def _usable_box(
    corners: Iterable[float], width: int, height: int
) -> tuple[tuple[int, ...] | None, str | None]:
    """The 0-based box inside the image, None for a useless one; and its fault, if it has one."""
    x1, y1, x2, y2 = (int(value) - 1 for value in corners)
    if x2 < x1 or y2 < y1:
        return None, "inverted box"
    if x1 == x2 or y1 == y2:
        return None, "zero-area box"
    clipped = (max(x1, 0), max(y1, 0), min(x2, width), min(y2, height))
    if clipped == (x1, y1, x2, y2):
        return clipped, None
    if min(clipped[2] - clipped[0], clipped[3] - clipped[1]) <= 1:
        return None, "box outside the image"
    return clipped, "box clipped to the image"


class Oracle:
    """The only reader of the pool's annotations: it is asked for the images just selected."""

    def __init__(self, records: Iterable[ImageRecord]) -> None:
        self._records = {record.id: record for record in records}
        self._opened: dict[str, None] = {}

    @property
    def opened(self) -> list[str]:
        """Ids of the images whose annotations were opened, in order, each once."""
        return list(self._opened)

    def class_names(self, ids: Iterable[str]) -> list[str]:
        """The class names that occur in the annotations of these images, sorted."""
        return sorted({item.name for _, raw in self._read(ids, FaultCounts()) for item in raw})

    def read(
        self,
        ids: Iterable[str],
        classes: Sequence[str],
        faults: FaultCounts,
        *,
        refuse_unknown: bool = False,
    ) -> dict[str, Objects]:
        """The objects of these images by id; an image without usable annotation is left out.

        Faults are counted by reason. refuse_unknown: an object of another class raises DataError
        (for classes found from labels read earlier) instead of being counted and left out.
        """
        objects = {}
        for record, raw in self._read(ids, faults):
            unknown = next((item.name for item in raw if item.name not in classes), None)
            if refuse_unknown and unknown is not None:
                raise DataError(
                    f"the label '{unknown}' is not among the classes found so far",
                    where=record.annotation_path,
                    remedy="correct the name if it is misspelled"
                    + _nearest(unknown, classes)
                    + "; or use a new run_dir with `classes` set to the names to keep (others are "
                    "left out and counted), or with a larger `initial`, so that the first labels "
                    "show every class",
                )
            objects[record.id] = to_objects(raw, classes, record, faults)
        return objects

    def _read(
        self, ids: Iterable[str], faults: FaultCounts
    ) -> Iterator[tuple[ImageRecord, list[RawObject]]]:
        for image_id in progress(list(ids), "reading annotations"):
            self._opened[image_id] = None
            record = self._records[image_id]
            try:
                raw = read_annotation(record.annotation_path)
            except AnnotationFault as fault:
                faults.add(str(fault), image_id)
            else:
                yield record, raw


def refuse_absent_classes(classes: Sequence[str], seen: Sequence[str], where: object) -> None:
    """Raises DataError when a class was asked for that none of the labels read has."""
    for name in classes:
        if name not in seen:
            raise DataError(
                f"no label has the class '{name}'",
                where=where,
                remedy="correct or drop it in `classes`" + _nearest(name, seen),
            )


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; the nearest known name is '{near[0]}'" if near else ""


def audit(
    records: Sequence[ImageRecord], classes: Sequence[str] | None
) -> tuple[pd.DataFrame, FaultCounts]:
    """A table of the labels of all these images, one row a class, and the faults in them.

    Columns: images, objects, difficult (counts). classes=None: those found. Reads every label.
    Raises DataError for a class that no label has.
    """
    oracle, faults = Oracle(records), FaultCounts()
    ids = [record.id for record in records]
    seen = oracle.class_names(ids)
    if classes is None:
        classes = seen
    folders = sorted({str(record.annotation_path.parent) for record in records})
    refuse_absent_classes(classes, seen, ", ".join(folders))
    counts = np.zeros((len(classes), 3), dtype=np.int64)
    for objects in oracle.read(ids, classes, faults).values():
        labels = objects.labels.numpy()
        counts[np.unique(labels), 0] += 1
        np.add.at(counts[:, 1], labels, 1)
        np.add.at(counts[:, 2], labels[objects.difficult.numpy()], 1)
    index = pd.Index(classes, name="class")
    return pd.DataFrame(counts, index=index, columns=["images", "objects", "difficult"]), faults
