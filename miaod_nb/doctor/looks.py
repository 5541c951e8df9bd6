"""What tells an image from others: its pixels, and a hash that survives being saved anew."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageStat

from miaod_nb.data.images import load_image
from miaod_nb.data.records import ImageRecord
from miaod_nb.progress import progress

SIDE, FREQUENCIES = 32, 8  # of the small picture that is hashed, and of its cosine transform
_PLACES = (np.arange(SIDE) + 0.5) * np.pi / SIDE
COSINES = np.cos(np.outer(np.arange(FREQUENCIES), _PLACES))  # (8, 32): the low rows of a DCT-II


class Look(NamedTuple):
    """What is kept of an image, as the detector gets it.

    pixels: digest of size and decoded pixels. small: uint8 (32, 32), gray. hash: of it, 64 bits;
    mirrored: of its mirror image. contrast: standard deviation of the gray picture.
    """

    pixels: bytes
    small: np.ndarray
    hash: int
    mirrored: int
    contrast: float


def looks_of(records: Sequence[ImageRecord]) -> Iterator[Look]:
    """What is kept of each image, in order. Raises DataError for one that is gone since."""
    pool = ThreadPoolExecutor(2)  # decoding leaves the interpreter lock
    try:
        yield from progress(pool.map(_look_of, records), "looking for copies", len(records))
    finally:
        pool.shutdown(cancel_futures=True)


def _look_of(record: ImageRecord) -> Look:
    image = load_image(record.image_path, record.gray).numpy()
    digest = blake2b(image.data, digest_size=16, salt=f"{record.width}x{record.height}".encode())
    gray = Image.fromarray(image.transpose(1, 2, 0)).convert("L")
    small = np.asarray(gray.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    contrast = ImageStat.Stat(gray).stddev[0]
    return Look(digest.digest(), small, phash(small), phash(small[:, ::-1]), contrast)


def phash(small: np.ndarray) -> int:
    """The perceptual hash of a small gray picture (32, 32): which of its 64 lowest frequencies are
    above their median."""
    waves = COSINES @ small.astype(np.float64) @ COSINES.T
    return int.from_bytes(np.packbits(waves > np.median(waves)).tobytes())
