"""Annotations as objects, and the oracle: the one reader of the pool's labels."""

import difflib
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from miaod_nb.boxes import Objects
from miaod_nb.data.records import (
    UNFIT,
    AnnotationFault,
    FaultCounts,
    ImageRecord,
    LabelReader,
    Labels,
    RawObject,
    shown_name,
)
from miaod_nb.data.sources import Source
from miaod_nb.data.upright import Box, upright_box
from miaod_nb.errors import DataError
from miaod_nb.progress import progress

LEAST_SIDE = 1e-3  # of a box, in pixels: less than the precision of its coordinates in an image
OUTLINE = 0.01, 1.01  # parts of a box that the area of an outline may have


def to_objects(
    raw: Iterable[RawObject], classes: Sequence[str], record: ImageRecord, faults: FaultCounts
) -> Objects:
    """The objects of the given classes with boxes that can be used; the rest is counted.

    Boxes are clipped to [0, width] x [0, height] as long as more than a pixel remains on both
    sides. An image left without objects is background.
    """
    kept: dict[tuple[int, Box], RawObject] = {}  # by label and box
    for item in raw:
        box, fault = usable_box(item.box, record.width, record.height)
        if item.name not in classes and box is not None:
            faults.add("object of a class left out by `classes`", record.id)
            continue
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
    areas = []
    for (_, box), item in kept.items():
        least, most = (part * _box_area(item.box) for part in OUTLINE)
        is_known = item.area is not None and least <= item.area <= most
        areas.append(item.area if is_known else _box_area(box))
        if item.area is not None and not is_known:
            faults.add("area that does not fit its box, that of the box taken", record.id)
    return Objects(
        boxes=np.array([box for _, box in kept], dtype=np.float32).reshape(-1, 4),
        labels=np.array([label for label, _ in kept], dtype=np.int64),
        difficult=np.array([item.difficult for item in kept.values()], dtype=bool),
        crowd=np.array([item.crowd for item in kept.values()], dtype=bool),
        area=np.array(areas, dtype=np.float64),
    )


def _box_area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def usable_box(box: Box, width: int, height: int) -> tuple[Box | None, str | None]:
    """The box inside the image, None for a useless one; and its fault, if it has one."""
    x1, y1, x2, y2 = box
    shortest = min(x2 - x1, y2 - y1)
    if shortest < -1:  # counted from 1, a box of one pixel ends where it begins
        return None, "inverted box"
    if shortest < LEAST_SIDE:
        return None, "box smaller than a pixel"
    clipped = (max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height)))
    if clipped == box:
        return clipped, None
    if min(clipped[2] - clipped[0], clipped[3] - clipped[1]) <= 1:
        return None, "box outside the image"
    return clipped, "box clipped to the image"


def fitted_objects(labels: Labels, record: ImageRecord, faults: FaultCounts) -> Sequence[RawObject]:
    """The objects in the frame of the upright image, in pixels, as the size tells that their
    annotation gives the picture; what is done for that is counted. Raises AnnotationFault for an
    annotation of a picture of another shape."""
    objects, upright, stored = labels.objects, (record.width, record.height), record.stored_size
    size = labels.size or upright
    if _are_parts_of_one(objects):
        faults.add("coordinates that are parts of one, multiplied by the size", record.id)
        objects = _scaled(objects, *size)
    if size == upright[::-1] != upright == stored:
        faults.add("annotation with width and height swapped, boxes used as they are", record.id)
        return objects
    frame = size
    if size not in (upright, stored):
        if _reach_beyond(objects, size):
            faults.add("annotation with a size that its boxes leave, used as they are", record.id)
            return objects
        alike = [one for one in (upright, stored) if _have_one_shape(one, size)]
        if not alike:
            raise AnnotationFault("annotation of a picture of another shape")
        frame = alike[0]
        faults.add("annotation of the picture in another size, boxes scaled", record.id)
        objects = _scaled(objects, frame[0] / size[0], frame[1] / size[1])
    if frame == upright:
        return objects
    faults.add("boxes of the picture before it was turned (EXIF), turned too", record.id)
    return [
        item._replace(box=upright_box(item.box, record.orientation, stored)) for item in objects
    ]


def _are_parts_of_one(objects: Iterable[RawObject]) -> bool:
    sides = list(itertools.chain(*(item.box for item in objects)))
    return any(side % 1 for side in sides) and 0 <= min(sides) <= max(sides) <= 1 + LEAST_SIDE


def _reach_beyond(objects: Iterable[RawObject], size: tuple[int, int]) -> bool:
    """Whether a box ends more than a pixel outside a picture of that size."""
    return any(item.box[2] > size[0] + 1 or item.box[3] > size[1] + 1 for item in objects)


def _have_one_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one is the other, enlarged or not, as far as whole pixels tell."""
    return abs(one[0] * other[1] - one[1] * other[0]) <= max(sum(one), sum(other))


def _scaled(objects: Iterable[RawObject], x: float, y: float) -> list[RawObject]:
    return [
        item._replace(
            box=(item.box[0] * x, item.box[1] * y, item.box[2] * x, item.box[3] * y),
            area=None if item.area is None else item.area * x * y,
        )
        for item in objects
    ]


class AnswersFirst:
    """The labels of a data set, save those of images that were answered for: these hold."""

    def __init__(self, answers: LabelReader, source: LabelReader) -> None:
        self._answers, self._source = answers, source

    def labels(self, image_id: str) -> Labels | None:
        """See LabelReader."""
        found = self._answers.labels(image_id)
        return self._source.labels(image_id) if found is None else found

    def labels_at(self, image_id: str) -> Path:
        """See LabelReader."""
        is_answered = self._answers.labels(image_id) is not None
        return (self._answers if is_answered else self._source).labels_at(image_id)


class CountedFrom0:
    """The labels of a data set whose VOC files count pixels from 0 where nothing in them tells."""

    def __init__(self, source: LabelReader) -> None:
        self._source = source
        self.labels_at = source.labels_at

    def labels(self, image_id: str) -> Labels | None:
        """See LabelReader."""
        found = self._source.labels(image_id)
        if found is None or not found.from_1:
            return found
        objects = [
            one._replace(box=(x1 + 1, y1 + 1, x2 + 1, y2 + 1))
            for one in found.objects
            for x1, y1, x2, y2 in [one.box]
        ]
        note = "annotation taken to count pixels from 0: voc_pixels_from says so"
        return replace(found, objects=objects, notes=(*found.notes, note), from_1=False)


def as_counted(source: LabelReader, pixels_from: int) -> LabelReader:
    """The labels of a data set. pixels_from: the setting voc_pixels_from."""
    return source if pixels_from else CountedFrom0(source)


class Oracle:
    """The only reader of the pool's labels: it is asked for the images just selected."""

    def __init__(self, reader: LabelReader, records: Iterable[ImageRecord]) -> None:
        self.records = {record.id: record for record in records}
        self._reader = reader
        self._opened: dict[str, None] = {}

    def labels_at(self, image_id: str) -> Path:
        """The file that holds an image's labels, or would hold them."""
        return self._reader.labels_at(image_id)

    @property
    def opened(self) -> list[str]:
        """Ids of the images whose annotations were opened, in order, each once."""
        return list(self._opened)

    def class_names(self, ids: Iterable[str], faults: FaultCounts) -> list[str]:
        """The class names that occur in the annotations of these images, sorted."""
        return sorted({item.name for _, raw in self.read_raw(ids, faults) for item in raw})

    def any_certain(self, ids: Iterable[str]) -> bool:
        """Whether one of these images, which have usable labels, was labeled for certain."""
        return any(labels.certain for labels in self._usable_labels(ids))

    def pixels_short(self, ids: Iterable[str]) -> int:
        """By how many pixels the boxes of these images, whose labels may be read, end too early at
        the right and at the bottom: 1 where most annotations count from 1, as VOC's own, else 0."""
        found = [labels.from_1 for labels in self._usable_labels(ids)]
        return int(sum(found) > len(found) / 2)

    def _usable_labels(self, ids: Iterable[str]) -> Iterator[Labels]:
        for image_id in ids:
            with suppress(AnnotationFault):  # also of an annotation that somebody is changing
                labels = self._reader.labels(image_id)
                if labels is not None:
                    yield labels

    def read(
        self, ids: Iterable[str], classes: Sequence[str], faults: FaultCounts
    ) -> dict[str, Objects]:
        """The objects of these images by id; an image without usable annotation is left out.

        Faults are counted by reason, objects of other classes among them.
        """
        found = self.read_raw(ids, faults)
        return {record.id: to_objects(raw, classes, record, faults) for record, raw in found}

    def read_growing(
        self, ids: Iterable[str], classes: Sequence[str], faults: FaultCounts
    ) -> tuple[dict[str, Objects], tuple[str, ...]]:
        """As `read`, but classes that are new, in boxes that can be used, join behind the others,
        sorted: the objects, and all classes. Raises DataError for a name that is another spelling
        of a class."""
        found = list(self.read_raw(ids, faults))
        new: set[str] = set()
        for record, raw in found:
            size = record.width, record.height
            usable = {item.name for item in raw if usable_box(item.box, *size)[0] is not None}
            for name in sorted(usable - {*classes, *new}):
                self._refuse_respelled(name, [*classes, *sorted(new)], record.id)
                refuse_unfit_classes([name], self.labels_at(record.id))
                new.add(name)
        grown = (*classes, *sorted(new))
        return {record.id: to_objects(raw, grown, record, faults) for record, raw in found}, grown

    def _refuse_respelled(self, name: str, classes: Sequence[str], image_id: str) -> None:
        """Raises DataError for a name that differs from a class by case, blanks, hyphens alone."""
        if known := respelled(name, classes):
            raise DataError(
                f"the label '{name}' is another spelling of the class '{known}'",
                where=self.labels_at(image_id),
                remedy=f"write '{known}' there, as the other labels do",
            )

    def read_raw(
        self, ids: Iterable[str], faults: FaultCounts
    ) -> Iterator[tuple[ImageRecord, Sequence[RawObject]]]:
        """The objects of these images as their files have them, boxes in the frame of the upright
        image but not checked; an image without usable annotation is left out and counted."""
        for image_id in progress(list(ids), "reading annotations"):
            self._opened[image_id] = None
            record = self.records[image_id]
            try:
                labels = self._reader.labels(image_id)
                objects = None if labels is None else fitted_objects(labels, record, faults)
            except AnnotationFault as fault:
                faults.add(str(fault), image_id)
                continue
            if labels is None or objects is None:
                faults.add("annotation missing", image_id)
                continue
            for note in labels.notes:
                faults.add(note, image_id)
            yield record, objects


def refuse_misspelled_classes(classes: Sequence[str], seen: Sequence[str], where: object) -> None:
    """Raises DataError for a class that no label read has, beside one that labels have and that is
    almost called so; and if no class is there at all. Others may turn up later."""
    others = [name for name in seen if name not in classes]
    for name in (name for name in classes if name not in seen):
        nearest = _nearest(name, others)
        if nearest or not set(classes) & set(seen):
            raise DataError(
                f"no label has the class '{name}'",
                where=where,
                remedy="correct or drop it in `classes`" + (nearest or _nearest(name, seen)),
            )


def refuse_unfit_classes(classes: Iterable[str], where: object) -> None:
    """Raises DataError for a class whose name no line of text can hold."""
    for name in classes:
        if UNFIT.search(name):
            raise DataError(
                f"the class name '{shown_name(name)}' holds a line break or bytes that are no text",
                where=where, remedy="rename the class there",
            )  # fmt: skip


def nearest_name(name: str, known: Sequence[str]) -> str:
    """The known name that is almost spelled so; "" if none is."""
    return next(iter(difflib.get_close_matches(name, known, n=1)), "")


def _nearest(name: str, known: Sequence[str]) -> str:
    near = nearest_name(name, known)
    return f"; the nearest known name is '{near}'" if near else ""


def respelled(name: str, classes: Iterable[str]) -> str:
    """The class that differs from the name by case, blanks, hyphens alone; "" if none does."""
    return next((one for one in classes if _letters(one) == _letters(name)), "")


def count_spellings(classes: Iterable[str], faults: FaultCounts) -> None:
    """Counts classes that are another one in another spelling."""
    first: dict[str, str] = {}
    for name in classes:
        known = first.setdefault(_letters(name), name)
        if known != name:
            faults.add("class that is another one in another spelling", f"{known} / {name}")


def _letters(name: str) -> str:
    """What is left of a name without case, blanks, hyphens, underscores and forms of Unicode."""
    return re.sub(r"[\s_-]", "", unicodedata.normalize("NFKC", name).casefold())


def audit(
    source: Source, records: Sequence[ImageRecord], classes: Sequence[str] | None
) -> tuple[pd.DataFrame, FaultCounts]:
    """A table of the labels of all these images, one row a class, and the faults in them.

    Columns: images, objects, difficult (counts). classes=None: those that the source declares, or
    those found. Reads every label. Raises DataError for a class that is not there.
    """
    oracle, faults = Oracle(source, records), FaultCounts()
    ids = list(oracle.records)
    known = list(source.classes()) or oracle.class_names(ids, FaultCounts())
    if classes is None:
        classes = known
    refuse_misspelled_classes(classes, known, source.labels_at(ids[0]))
    count_spellings(classes, faults)
    counts = np.zeros((len(classes), 3), dtype=np.int64)
    for objects in oracle.read(ids, classes, faults).values():
        counts[np.unique(objects.labels), 0] += 1
        np.add.at(counts[:, 1], objects.labels, 1)
        np.add.at(counts[:, 2], objects.labels[objects.difficult], 1)
    index = pd.Index(classes, name="class")
    return pd.DataFrame(counts, index=index, columns=["images", "objects", "difficult"]), faults
