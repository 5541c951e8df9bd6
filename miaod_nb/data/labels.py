"""Annotations as objects, and the oracle: the one reader of the pool's labels."""

import difflib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from miaod_nb.boxes import Objects
from miaod_nb.data.layouts.coco import declared_classes
from miaod_nb.data.layouts.coco_file import read_coco
from miaod_nb.data.layouts.voc import read_voc
from miaod_nb.data.records import AnnotationFault, FaultCounts, ImageRecord, RawObject
from miaod_nb.errors import DataError
from miaod_nb.progress import progress

LEAST_SIDE = 1e-3  # of a box, in pixels: less than the precision of its coordinates in an image
Box = tuple[float, float, float, float]


def read_annotation(record: ImageRecord) -> list[RawObject]:
    """The objects that the image's VOC XML file or COCO file gives it, unchecked but for being
    complete and numeric. Raises AnnotationFault when these cannot be had."""
    if record.coco_id is None:
        return read_voc(record.annotation_path)
    return read_coco(record.annotation_path, record.coco_id)


def to_objects(
    raw: Iterable[RawObject], classes: Sequence[str], record: ImageRecord, faults: FaultCounts
) -> Objects:
    """The objects of the given classes with boxes that can be used; the rest is counted.

    Boxes are clipped to [0, width] x [0, height] as long as more than a pixel remains on both
    sides. An image left without objects is background.
    """
    kept: dict[tuple[int, Box], RawObject] = {}  # by label and box
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
        kept.setdefault(key, item)
    if not kept:
        faults.add("image without objects", record.id)
    areas = [_box_area(box) if item.area is None else item.area for (_, box), item in kept.items()]
    return Objects(
        boxes=np.array([box for _, box in kept], dtype=np.float32).reshape(-1, 4),
        labels=np.array([label for label, _ in kept], dtype=np.int64),
        difficult=np.array([item.difficult for item in kept.values()], dtype=bool),
        crowd=np.array([item.crowd for item in kept.values()], dtype=bool),
        area=np.array(areas, dtype=np.float64),
    )


def _box_area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _usable_box(box: Box, width: int, height: int) -> tuple[Box | None, str | None]:
    """The box inside the image, None for a useless one; and its fault, if it has one."""
    x1, y1, x2, y2 = box
    if x2 < x1 or y2 < y1:
        return None, "inverted box"
    if min(x2 - x1, y2 - y1) < LEAST_SIDE:
        return None, "zero-area box"
    clipped = (max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height)))
    if clipped == box:
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
                raw = read_annotation(record)
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

    Columns: images, objects, difficult (counts). classes=None: those of the COCO file, or those
    found. Reads every label. Raises DataError for a class that is not there.
    """
    oracle, faults = Oracle(records), FaultCounts()
    ids = [record.id for record in records]
    known = declared_classes(records) or oracle.class_names(ids)
    if classes is None:
        classes = known
    places = sorted({str(record.labels_at) for record in records})
    refuse_absent_classes(classes, known, ", ".join(places))
    counts = np.zeros((len(classes), 3), dtype=np.int64)
    for objects in oracle.read(ids, classes, faults).values():
        counts[np.unique(objects.labels), 0] += 1
        np.add.at(counts[:, 1], objects.labels, 1)
        np.add.at(counts[:, 2], objects.labels[objects.difficult], 1)
    index = pd.Index(classes, name="class")
    return pd.DataFrame(counts, index=index, columns=["images", "objects", "difficult"]), faults
