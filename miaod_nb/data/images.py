"""Image files: which are read, what is found in them, and how they become pixels."""

import hashlib
import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from miaod_nb.data.records import Measured, Range
from miaod_nb.data.upright import orientation_of, upright
from miaod_nb.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

MIN_SIDE = 32
MOST_PIXELS = 2**28  # 0.8 GB of RGB; files of a few kB may claim far more
TOO_LARGE = f"image of more than {MOST_PIXELS // 10**6} million pixels"
Image.MAX_IMAGE_PIXELS = MOST_PIXELS  # Pillow warns above it, and `check_image` refuses
Image.init()
NO_DECODER = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}  # Pillow tells these, and no more
IMAGE_SUFFIXES = frozenset(
    suffix
    for suffix, kind in Image.registered_extensions().items()
    if kind in Image.OPEN.keys() - NO_DECODER
)
NOT_READ = "image of a format that is not read"
DEEP = 0, 2**16  # black and white where nothing is known of a data set


def is_image(path: Path) -> bool:
    """Whether the name is that of an image, also of a format that is not read."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    kind, _ = mimetypes.guess_type(path.name)
    return kind is not None and kind.startswith("image/")


def check_image(path: Path) -> Measured | str:
    """What is found in a usable image; or why it is not usable."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                return TOO_LARGE
            if min(width, height) < MIN_SIDE:
                return f"image with a side under {MIN_SIDE} px"
            stored = orientation_of(image)
            image.load()
            turn = orientation_of(image)  # 1 where Pillow has turned it already (TIFF)
            width, height = image.size[::-1] if turn >= 5 else image.size
            orientation = stored if turn == 1 else turn
            return Measured(
                width, height, orientation, _digest(path), _is_clear(image), *_extremes(image)
            )
    except Exception as error:  # the decoders of damaged files raise errors of every kind
        return _why_not(path, error)


def glance(path: Path) -> tuple[int, int] | str:
    """Width and height of an upright image as the head of its file says them; or why it is not
    usable. What is damaged further on is not seen."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                return TOO_LARGE
            lies = orientation_of(image) >= 5  # on its side
            return image.size[::-1] if lies else image.size
    except Exception as error:  # the decoders of damaged files raise errors of every kind
        return _why_not(path, error)


def load_image(path: Path, gray: Range | None = None) -> "Tensor":
    """The image as uint8 (3, H, W) RGB, upright (boxes refer to that).

    Gray, palette and CMYK images are converted, and what shows through is laid on white, as
    browsers show it. gray: which values of deep gray are black and white. Raises DataError naming
    the file when it cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            image.load()
            rgb = np.array(upright(_to_rgb(image, gray or DEEP), orientation_of(image)))
    except Exception as error:  # the decoders of damaged files raise errors of every kind
        raise DataError(
            f"the image cannot be read any more ({getattr(error, 'strerror', None) or error})",
            where=path,
            remedy="restore the file; it was readable when the image list was checked",
        ) from error
    import torch  # who only looks at files does not wait for it

    return torch.from_numpy(rgb).permute(2, 0, 1).contiguous()


def gray_range(found: Iterable[Measured]) -> Range | None:
    """The lowest and the highest value of all deep gray images; None: there is none."""
    deep = [one for one in found if one.low < one.high]
    return (min(one.low for one in deep), max(one.high for one in deep)) if deep else None


def _why_not(path: Path, error: Exception) -> str:
    """Why a file is no usable image, from what opening it raised."""
    if isinstance(error, Image.DecompressionBombError):
        return TOO_LARGE
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return NOT_READ
    return "image truncated" if "truncated" in str(error) else "image unreadable"


def _digest(path: Path) -> int:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8))
    return int.from_bytes(found.digest(), signed=True)


def _is_clear(image: Image.Image) -> bool:
    return image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith(("I", "F"))


def _extremes(image: Image.Image) -> Range:
    values = np.asarray(image) if _is_deep(image) else np.zeros(1)
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0, 0)


def _to_rgb(image: Image.Image, gray: Range) -> Image.Image:
    if _is_deep(image):
        low, high = gray
        scaled = (np.asarray(image, np.float64) - low) * (256 / (high - low))
        image = Image.fromarray(np.nan_to_num(scaled).clip(0, 255).astype(np.uint8))
    elif image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    return image.convert("RGB")
