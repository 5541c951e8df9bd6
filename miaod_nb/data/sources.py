"""VOC folders as image records, and images as tensors; annotations are not opened here."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.errors import DataError
from miaod_nb.progress import progress

MIN_SIDE = 32
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
SOURCE_NAMES = {"VOC2007": "07", "VOC2012": "12"}  # as the authors' id lists name them


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
        if path.suffix.lower() in IMAGE_SUFFIXES and path.exists():  # a link may lead nowhere
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
        sizes = pool.map(check_image, [item.image_path for item in listed])
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


def check_image(path: Path) -> tuple[int, int] | str:
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
