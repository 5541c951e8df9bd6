"""Data folders as image records, and images as tensors; no image's labels are read here."""

import difflib
import math
from collections.abc import Collection, Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from miaod_nb.data.checked import SIZE, CheckedImages
from miaod_nb.data.layouts.coco import CocoSource
from miaod_nb.data.layouts.folder import FolderSource
from miaod_nb.data.layouts.voc import VocSource
from miaod_nb.data.layouts.yolo import YoloSource
from miaod_nb.data.records import FaultCounts, ImageRecord, Labels
from miaod_nb.data.upright import orientation_of, upright
from miaod_nb.errors import DataError
from miaod_nb.plugins import load_plugins
from miaod_nb.progress import progress

MIN_SIDE = 32
Measured = tuple[int, int, int]


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
            remedy="correct data_root: a folder of images, or a data set in VOC, COCO or YOLO "
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
) -> list[ImageRecord]:
    """The usable images of a list, in its order.

    Every image is decoded once, so that a damaged one is counted in `faults` and left out here and
    not met in training; annotations are not looked at. required=False: no such list gives []
    instead of an error. drop_empty: images without an annotation are counted and left out, which
    needs a source that tells them. checked: sizes of images that were decoded before, which stand
    for decoding them again; it learns those of the others.
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
    records = check_images(listed, faults, checked or CheckedImages(Path()))
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


def nearest_list(names: Sequence[str], name: str) -> str:
    """What to say of the list that is almost called so; "" if none is."""
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{near[0]}'? " if near else ""


def load_image(path: Path) -> Tensor:
    """The image as uint8 (3, H, W) RGB, upright (boxes refer to that).

    Gray, palette, CMYK, alpha and 16-bit images are converted. Raises DataError naming the file
    when it cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            image.load()
            rgb = np.array(upright(_to_rgb(image), orientation_of(image)))
    except Exception as error:  # the decoders of damaged files raise errors of every kind
        raise DataError(
            f"the image cannot be read any more ({getattr(error, 'strerror', None) or error})",
            where=path,
            remedy="restore the file; it was readable when the image list was checked",
        ) from error
    return torch.from_numpy(rgb).permute(2, 0, 1).contiguous()


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit gray: convert("RGB") would clip it to white
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


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
    listed: Sequence[ImageRecord], faults: FaultCounts, checked: CheckedImages
) -> list[ImageRecord]:
    """The usable ones of these images, with their sizes; the others are counted."""
    paths = [record.image_path for record in listed]
    rows = checked.look_up(paths)
    sizes = rows[SIZE].to_numpy(copy=True)
    decoded = iter(_decode([paths[i] for i in np.flatnonzero(sizes[:, 0] == 0)], len(paths)))
    records = []
    for place, record in enumerate(listed):
        if not sizes[place, 0]:
            found = next(decoded)
            if isinstance(found, str):
                faults.add(found, record.id)
                continue
            sizes[place] = found
        width, height, orientation = sizes[place].tolist()
        if orientation != 1:
            faults.add("photo turned upright (EXIF)", record.id)
        records.append(replace(record, width=width, height=height, orientation=orientation))
    checked.keep(rows.assign(**dict(zip(SIZE, sizes.T, strict=True))))
    return records


def _decode(paths: Sequence[Path], total: int) -> list[Measured | str]:
    """What `check_image` says of each of these; total: of images, most of them known perhaps."""
    pool = ThreadPoolExecutor(2)  # decoding leaves the interpreter lock
    try:
        sizes = pool.map(check_image, paths)
        return list(progress(sizes, "checking images", total, total - len(paths)))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the images still queued


def check_image(path: Path) -> Measured | str:
    """Width and height of a usable image when it is upright, and the orientation of its file (as
    ImageRecord has them); or why it is not usable."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if not 0 < width * height <= (Image.MAX_IMAGE_PIXELS or math.inf):
                return "image with impossible dimensions"
            if min(width, height) < MIN_SIDE:
                return f"image with a side under {MIN_SIDE} px"
            image.load()
            orientation = orientation_of(image)
            if orientation >= 5:
                width, height = height, width
            return width, height, orientation
    except Image.DecompressionBombError:
        return "image with impossible dimensions"
    except Exception as error:  # the decoders of damaged files raise errors of every kind
        return "image truncated" if "truncated" in str(error) else "image unreadable"
