"""Data folders as image records; no image's labels are read here."""

import difflib
from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pandas as pd

from miaod_nb.data.checked import COLUMNS, FOUND, CheckedImages
from miaod_nb.data.images import check_image, gray_range
from miaod_nb.data.layouts.coco import CocoSource
from miaod_nb.data.layouts.folder import FolderSource
from miaod_nb.data.layouts.voc import VocSource
from miaod_nb.data.layouts.yolo import YoloSource
from miaod_nb.data.records import (
    UNFIT,
    UNFIT_NAME,
    FaultCounts,
    ImageRecord,
    Labels,
    Measured,
    Range,
)
from miaod_nb.errors import DataError, nearest_path
from miaod_nb.plugins import load_plugins
from miaod_nb.progress import progress


class Source(Protocol):
    """A data set of one layout: images and, apart from them, their labels.

    labels, labeled_ids, annotated, classes and result_id speak of the images of the list that
    `images` was asked for last. A new layout is a class of this kind in a file of `layouts`, and
    its entry in LAYOUTS.
    """

    layout: str  # its name, in words
    needs: str  # what has to be in the data folder, in words

    @classmethod
    def found_in(cls, data_root: Path) -> "Source | None":
        """The data set in this folder; None when it has another layout."""

    def list_names(self) -> list[str]:
        """Names of the lists that are there, those that one might want first."""

    def list_file(self, name: str) -> Path:
        """Where the list of that name is, or would have to be."""

    def image_place(self, name: str) -> str:
        """Where the images of a list belong, in words."""

    def images(self, list_name: str, faults: FaultCounts) -> list[ImageRecord]:
        """The images of a list that is there, in its order, not opened; what is missing is counted.
        Raises DataError, also when one id stands for two different images."""

    def labels(self, image_id: str) -> Labels | None:
        """See LabelReader."""

    def labels_at(self, image_id: str) -> Path:
        """See LabelReader."""

    def labeled_ids(self) -> Collection[str]:
        """Ids of the images that have labels, as far as that can be told without opening them."""

    def annotated(self) -> Container[str] | None:
        """Ids of the images that have an annotation, told without a look at it; None: not told."""

    def classes(self) -> Mapping[str, int]:
        """The class names that are declared, each with the data set's own number, in order."""

    def result_id(self, image_id: str) -> str | int:
        """What files of results name the image by."""


LAYOUTS: list[type[Source]] = [VocSource, CocoSource, YoloSource]  # then FolderSource


def open_source(data_root: Path) -> Source:
    """The data set in a folder: a VOC year folder, one that holds several (then one year after the
    other, sorted by name; a year without a list is skipped), one with COCO files in `annotations`
    or a data.yaml of YOLO's, or else all images in it. Raises DataError for any other folder."""
    load_plugins()
    if not data_root.exists():
        raise DataError(
            "there is no such data folder",
            where=data_root,
            remedy=nearest_path(data_root)
            + "correct data_root: a folder of images, or a data set in VOC, COCO or YOLO "
            "layout",
        )
    layouts: list[type[Source]] = [*LAYOUTS, FolderSource]
    source = next(filter(None, (one.found_in(data_root) for one in layouts)), None)
    if source is None:
        names = " layout nor in ".join(one.layout for one in LAYOUTS)
        raise DataError(
            f"this folder is neither in {names} layout, nor does it hold an image",
            where=data_root,
            remedy=f"data_root needs {'; or '.join(one.needs for one in layouts)}",
        )
    return source


def scan_list(
    source: Source,
    list_name: str,
    faults: FaultCounts,
    *,
    required: bool = True,
    drop_empty: bool = False,
    checked: CheckedImages | None = None,
    gray: Range | None = None,
) -> list[ImageRecord]:
    """The usable images of a list, in its order.

    Every image is decoded once, so that a damaged one is counted in `faults` and left out here and
    not met in training; annotations are not looked at. required=False: no such list gives []
    instead of an error. drop_empty: images without an annotation are counted and left out, which
    needs a source that tells them. checked: what was found in images before, which stands for
    decoding them again; it learns of the others. gray: see `check_images`.
    Raises DataError when the list or every listed image is missing, and as `Source.images` does.
    """
    place = source.list_file(list_name)
    if not place.exists():
        if not required:
            return []
        raise DataError(f"there is no image list '{list_name}'", where=place,
                        remedy=other_lists(source, list_name))  # fmt: skip
    listed = source.images(list_name, faults)
    if drop_empty:
        listed = _annotated(source, listed, faults)
    records = check_images(listed, faults, checked or CheckedImages(Path()), gray)
    if not records:
        found, belong = "; ".join(faults.lines()), source.image_place(list_name)
        if place.is_dir():
            raise DataError(f"no image can be used ({found or 'there is none'})", where=place,
                            remedy=f"put images into {belong}")  # fmt: skip
        raise DataError(
            f"no image of the list '{list_name}' can be used ({found or 'the list is empty'})",
            where=place,
            remedy=f"put the listed images into {belong}, or correct the list",
        )
    return records


def other_lists(source: Source, name: str, but: str = "") -> str:
    """The remedy for a list that is not there: the nearest that is, and those that are. but: a list
    that must not be named."""
    names = [one for one in source.list_names() if one != but]
    if not names:
        return f"write one image id a line into {source.list_file(name)}"
    if (whole := source.list_file(names[0])).is_dir():
        return f"name '{names[0]}', which stands for all images of {whole}"
    there = ", ".join(names[:8]) + (", ..." if names[8:] else "")
    return f"{nearest_list(names, name)}use one that exists: {there}"


def lists_without(data_root: Path, paths: Container[Path]) -> list[str]:
    """Names of the lists of a data set that have images, and none of those in these files; the many
    lists that VOC has of single classes are passed over."""
    source, found = open_source(data_root), []
    for name in source.list_names():
        if "_" in name or not source.list_file(name).is_file():
            continue
        try:
            images = source.images(name, FaultCounts())
        except DataError:
            continue
        if images and not any(image.image_path in paths for image in images):
            found.append(name)
    return found


def nearest_list(names: Sequence[str], name: str) -> str:
    """What to say of the list that is almost called so; "" if none is."""
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{near[0]}'? " if near else ""


def _annotated(
    source: Source, listed: Sequence[ImageRecord], faults: FaultCounts
) -> list[ImageRecord]:
    """Those images that have an annotation, whatever it says; the others are counted."""
    annotated = source.annotated() or ()
    for record in listed:
        if record.id not in annotated:
            faults.add("image without objects, left out (empty_images=drop)", record.id)
    return [record for record in listed if record.id in annotated]


def check_images(
    listed: Sequence[ImageRecord],
    faults: FaultCounts,
    checked: CheckedImages,
    gray: Range | None = None,
) -> list[ImageRecord]:
    """The usable ones of these images, with what was found in them; the others are counted, those
    whose names no list and no table can hold among them.

    gray: the range of deep gray images where it is not that of these.
    """
    for record in listed:
        if UNFIT.search(record.id):
            faults.add(UNFIT_NAME, record.id)
    listed = [record for record in listed if not UNFIT.search(record.id)]
    paths = [record.image_path for record in listed]
    rows = checked.look_up(paths)
    known = [Measured(*row) for row in rows[FOUND].itertuples(index=False, name=None)]
    decoded = iter(
        _decode([path for path, one in zip(paths, known, strict=True) if not one.width], len(paths))
    )
    found = [one if one.width else next(decoded) for one in known]
    usable = [one for one in found if isinstance(one, Measured)]
    gray = gray or gray_range(usable)
    times = Counter(one.digest for one in usable)
    records = []
    for place, (record, one) in enumerate(zip(listed, found, strict=True)):
        if isinstance(one, str):
            faults.add(one, record.id)
            continue
        known[place] = one
        for reason in _special(one, gray):
            faults.add(reason, record.id)
        if times[one.digest] > 1:
            faults.add("file that is byte for byte another one of the list", record.id)
        records.append(
            replace(
                record, width=one.width, height=one.height, orientation=one.orientation,
                digest=one.digest, gray=gray,
            )
        )  # fmt: skip
    checked.keep(rows.assign(**pd.DataFrame(known, columns=FOUND)).astype(COLUMNS))
    return records


def _special(one: Measured, gray: Range | None) -> Iterator[str]:
    """What is to be counted of a usable image."""
    if one.orientation != 1:
        yield "photo turned upright (EXIF)"
    if one.clear:
        yield "image that shows something through, laid on white"
    if gray and one.low < one.high:
        low, high = gray
        yield f"deep gray image, values from {low:g} (black) to {high:g} (white)"
        if one.high - one.low < (high - low) / 8:
            yield "deep gray image with less than an eighth of these values"


def _decode(paths: Sequence[Path], total: int) -> list[Measured | str]:
    """What `check_image` says of each of these; total: of images, most of them known perhaps."""
    pool = ThreadPoolExecutor(2)  # decoding leaves the interpreter lock
    try:
        found = pool.map(check_image, paths)
        return list(progress(found, "checking images", total, total - len(paths)))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the images still queued
