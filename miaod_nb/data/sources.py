"""Data folders as image records, and images as tensors; no image's labels are read here."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from miaod_nb.data.checked import CheckedImages
from miaod_nb.data.layouts.coco import CocoLayout
from miaod_nb.data.layouts.voc import VocLayout
from miaod_nb.data.records import FaultCounts, ImageRecord, Listed
from miaod_nb.errors import DataError
from miaod_nb.progress import progress

MIN_SIDE = 32


def scan_list(
    data_root: Path,
    list_name: str,
    faults: FaultCounts,
    *,
    required: bool = True,
    drop_empty: bool = False,
    checked: CheckedImages | None = None,
) -> list[ImageRecord]:
    """The usable images of a list, in its order.

    data_root is a VOC year folder, a folder holding several (then one year after the other, sorted
    by name; a year without the list is skipped), or a folder with COCO files in `annotations`.
    Every image is decoded once, so that a damaged one is counted in `faults` and left out here and
    not met in training; VOC annotations are not opened, of COCO's only the ids are looked at.
    required=False: no such list gives [] instead of an error. drop_empty: images of a COCO file
    without an annotation are counted and left out. checked: sizes of images that were decoded
    before, which stand for decoding them again; it learns those of the others.
    Raises DataError when the folder, the list or every listed image is missing, and when one id
    stands for two different images; ConfigError for drop_empty in VOC layout.
    """
    layout = _layout_of(Path(data_root))
    if not layout.has_list(list_name):
        if not required:
            return []
        raise DataError(
            f"there is no image list '{list_name}'",
            where=layout.list_file(list_name),
            remedy=_name_lists(layout.list_names()),
        )
    listed = layout.listed(list_name, faults)
    if drop_empty:
        listed = layout.with_objects(listed, faults)
    records = _check_images(listed, faults, checked or CheckedImages(Path(data_root)))
    if not records:
        found = "; ".join(faults.lines()) or "the list is empty"
        raise DataError(
            f"no image of the list '{list_name}' can be used ({found})",
            where=layout.list_file(list_name),
            remedy=f"put the listed images into {layout.image_place(list_name)}, or correct the "
            "list",
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


def _layout_of(data_root: Path) -> VocLayout | CocoLayout:
    if not data_root.is_dir():
        raise DataError(
            "there is no such data folder",
            where=data_root,
            remedy="correct data_root: a VOC year folder, a folder with several, or a COCO folder",
        )
    layout = VocLayout.found_in(data_root) or CocoLayout.found_in(data_root)
    if layout is None:
        raise DataError(
            "this folder is neither in VOC layout nor in COCO layout",
            where=data_root,
            remedy="data_root needs JPEGImages, Annotations and ImageSets/Main, or year folders "
            "(VOC2007, VOC2012) that have them; or annotations/instances_<list>.json and the "
            "images in <list> or images",
        )
    return layout


def _name_lists(names: Sequence[str]) -> str:
    if not names:
        return "write one image id a line into this file"
    return "use one that exists: " + ", ".join(names[:8]) + (", ..." if names[8:] else "")


def _check_images(
    listed: Sequence[Listed], faults: FaultCounts, checked: CheckedImages
) -> list[ImageRecord]:
    paths = [item.image_path for item in listed]
    rows = checked.look_up(paths)
    sizes = rows[["width", "height"]].to_numpy(copy=True)
    decoded = iter(_decode([paths[i] for i in np.flatnonzero(sizes[:, 0] == 0)], len(paths)))
    records = []
    for place, item in enumerate(listed):
        if not sizes[place, 0]:
            found = next(decoded)
            if isinstance(found, str):
                faults.add(found, item.id)
                continue
            sizes[place] = found
        width, height = sizes[place].tolist()
        records.append(ImageRecord(*item[:4], width, height, item.coco_id))
    checked.keep(rows.assign(width=sizes[:, 0], height=sizes[:, 1]))
    return records


def _decode(paths: Sequence[Path], total: int) -> list[tuple[int, int] | str]:
    """What `check_image` says of each of these; total: of images, most of them known perhaps."""
    pool = ThreadPoolExecutor(2)  # decoding leaves the interpreter lock
    try:
        sizes = pool.map(check_image, paths)
        return list(progress(sizes, "checking images", total, total - len(paths)))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the images still queued


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
