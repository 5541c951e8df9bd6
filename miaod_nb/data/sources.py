"""VOC folders as image records, and the one reader of their annotations."""

import difflib
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from PIL import Image
from torch import Tensor

from miaod_nb.errors import DataError
from miaod_nb.progress import progress

MIN_SIDE = 32
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
SOURCE_NAMES = {"VOC2007": "07", "VOC2012": "12"}  # as the authors' id lists name them


@dataclass(frozen=True)
class ImageRecord:
    """One usable image: where it lies and how large it is (pixels, from the image itself)."""

    id: str
    source: str
    image_path: Path
    annotation_path: Path
    width: int
    height: int


@dataclass(frozen=True)
class Objects:
    """The labeled objects of one image.

    boxes: float32 (G, 4) xyxy, pixels of the original image, 0-based. labels: int64 (G,), indices
    into the class names. difficult: bool (G,).
    """

    boxes: Tensor
    labels: Tensor
    difficult: Tensor


class FaultCounts:
    """Faults of single files or objects, counted by reason, with the first few as examples."""

    MAX_EXAMPLES = 5

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, reason: str, example: str, n: int = 1) -> None:
        """Counts `n` more faults of this reason, met in the image named `example`."""
        self._counts[reason] = self._counts.get(reason, 0) + n
        examples = self._examples.setdefault(reason, [])
        if example not in examples and len(examples) < self.MAX_EXAMPLES:
            examples.append(example)

    def merge(self, other: "FaultCounts") -> None:
        """Adds the counts of `other` to these."""
        for reason, examples in other._examples.items():
            for example in examples:
                self.add(reason, example, n=0)
            self._counts[reason] += other._counts[reason]

    def count(self, reason: str) -> int:
        """How often this reason was met."""
        return self._counts.get(reason, 0)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """{reason: {"count": int, "examples": [image id, ...]}}, JSON-ready."""
        return {
            reason: {"count": count, "examples": list(self._examples[reason])}
            for reason, count in self._counts.items()
        }

    def lines(self) -> list[str]:
        """One readable line a reason, the most frequent first."""
        ordered = sorted(self._counts.items(), key=lambda item: -item[1])
        return [f"{count} x {reason} ({self._shown(reason)})" for reason, count in ordered]

    def _shown(self, reason: str) -> str:
        examples = self._examples[reason]
        more = ", ..." if self._counts[reason] > len(examples) else ""
        return ", ".join(examples) + more


# ------------------------------------------------------------------------------------- images


class _Listed(NamedTuple):
    """An image that a list names, before it was opened."""

    id: str
    image_path: Path
    year: Path


def scan_list(
    data_root: Path, list_name: str, faults: FaultCounts, *, required: bool = True
) -> list[ImageRecord]:
    """The usable images that `ImageSets/Main/<list_name>.txt` names, in list order.

    data_root is a VOC year folder or a folder holding several (then one year after the other,
    sorted by name; a year without the list is skipped). Every image is decoded once, so that a
    damaged one is counted in `faults` and left out here and not met in training; annotations are
    not opened. required=False: no such list gives [] instead of an error.
    Raises DataError when the folder, the list or every listed image is missing, and when one id
    stands for two different images.
    """
    years = _year_folders(Path(data_root))
    years_with_list = [year for year in years if _list_path(year, list_name).is_file()]
    if not years_with_list:
        if not required:
            return []
        raise DataError(
            f"there is no image list '{list_name}'",
            where=_list_path(years[0], list_name),
            remedy=_name_lists(years),
        )
    listed: dict[str, _Listed] = {}
    for year in years_with_list:
        _add_listed(listed, year, list_name, faults)
    records = _check_images(list(listed.values()), faults)
    if not records:
        found = "; ".join(faults.lines()) or "the list is empty"
        raise DataError(
            f"no image of the list '{list_name}' can be used ({found})",
            where=years_with_list[0] / "JPEGImages",
            remedy="put the listed images there as <id>.jpg, or correct the list",
        )
    return records


def load_image(path: Path) -> Tensor:
    """The image as uint8 (3, H, W) RGB, in the file's own orientation (boxes refer to it).

    Gray, palette, CMYK, alpha and 16-bit images are converted. Raises DataError naming the file
    when it cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            rgb = np.array(_to_rgb(image))
    except Exception as error:  # the decoders of damaged files raise errors of every kind
        raise DataError(
            f"the image cannot be read any more ({error})",
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


def _year_folders(data_root: Path) -> list[Path]:
    if not data_root.is_dir():
        raise DataError(
            "there is no such data folder",
            where=data_root,
            remedy="correct data_root: a VOC year folder, or a folder with several",
        )
    if (data_root / "ImageSets/Main").is_dir():
        return [data_root]
    years = sorted(path.parent.parent for path in data_root.glob("*/ImageSets/Main"))
    if not years:
        raise DataError(
            "this folder is not in VOC layout",
            where=data_root,
            remedy="data_root needs JPEGImages, Annotations and ImageSets/Main, or year folders "
            "(VOC2007, VOC2012) that have them",
        )
    return years


def _list_path(year: Path, list_name: str) -> Path:
    return year / "ImageSets/Main" / f"{list_name}.txt"


def _name_lists(years: Sequence[Path]) -> str:
    names = {path.stem for year in years for path in (year / "ImageSets/Main").glob("*.txt")}
    # Lists of one class (dog_train) go last: VOC has sixty of them.
    ordered = sorted(names, key=lambda name: ("_" in name, name))
    if not ordered:
        return "write one image id a line into this file"
    return "use one that exists: " + ", ".join(ordered[:8]) + (", ..." if ordered[8:] else "")


def _add_listed(
    listed: dict[str, _Listed], year: Path, list_name: str, faults: FaultCounts
) -> None:
    """Appends what this year's list names to `listed`, counting missing and repeated images."""
    files: dict[str, list[Path]] = {}
    for path in sorted((year / "JPEGImages").glob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            files.setdefault(path.stem, []).append(path)
    lines = _list_path(year, list_name).read_text("utf-8-sig", errors="replace").splitlines()
    ids = [line.split()[0] for line in lines if line.strip()]  # a class list has a second column
    for image_id in ids:
        paths = files.get(image_id, [])
        known = [listed[image_id].image_path] if image_id in listed else []
        different = [path for path in paths if not path.samefile((known + paths)[0])]
        if different:
            raise DataError(
                f"two different images have the id '{image_id}'",
                where=f"{(known + paths)[0]} and {different[0]}",
                remedy="rename or remove one of them",
            )
        if known:
            faults.add("listed twice", image_id)
        elif not paths:
            faults.add("listed image missing", image_id)
        else:
            listed[image_id] = _Listed(image_id, paths[0], year)


def _check_images(listed: Sequence[_Listed], faults: FaultCounts) -> list[ImageRecord]:
    pool = ThreadPoolExecutor(2)  # decoding leaves the interpreter lock
    records = []
    try:
        sizes = pool.map(_check_image, [item.image_path for item in listed])
        for item, size in zip(listed, progress(sizes, "checking images", len(listed)), strict=True):
            if isinstance(size, str):
                faults.add(size, item.id)
                continue
            source = SOURCE_NAMES.get(item.year.name, item.year.name)
            annotation = item.year / "Annotations" / f"{item.id}.xml"
            records.append(ImageRecord(item.id, source, item.image_path, annotation, *size))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the images still queued
    return records


def _check_image(path: Path) -> tuple[int, int] | str:
    """(width, height) of a usable image, or why it is not usable."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if not 0 < width * height <= (Image.MAX_IMAGE_PIXELS or math.inf):
                return "image with impossible dimensions"
            if min(width, height) < MIN_SIDE:
                return f"image with a side under {MIN_SIDE} px"
            image.load()
            return width, height
    except Image.DecompressionBombError:
        return "image with impossible dimensions"
    except Exception as error:  # the decoders of damaged files raise errors of every kind
        return "image truncated" if "truncated" in str(error) else "image unreadable"


# -------------------------------------------------------------------------------- annotations


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
                    remedy="set `classes` to all class names" + _nearest(unknown, classes),
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
