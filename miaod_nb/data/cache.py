"""Decoded images kept for the next epoch, in one file that every process maps into its memory."""

import os
import tempfile
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from miaod_nb.data.images import load_image
from miaod_nb.data.records import ImageRecord
from miaod_nb.progress import say


class ImageCache:
    """Loads images; those that fit below a limit are decoded only the first time.

    The pixels lie in a temporary file, so that worker processes share them and the system can drop
    them when memory is short. It has no name, so it ends with this process even if that is killed;
    others find it by the number that it has here. limit_mb: MiB of pixels; 0: none are
    kept. Where the disk lacks the space, images are decoded each time.
    """

    def __init__(self, records: Iterable[ImageRecord], limit_mb: int) -> None:
        self._places: dict[str, tuple[int, int]] = {}  # of an image: its number, its first byte
        size = 0
        for record in records:
            end = size + 3 * record.height * record.width
            if end <= limit_mb * 2**20 and record.id not in self._places:
                self._places[record.id] = len(self._places), size
                size = end
        self._size = size
        self._bytes: np.ndarray | None = None
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            os.posix_fallocate(self._file.fileno(), 0, max(size + len(self._places), 1))
        except OSError as error:
            say(f"images are decoded in every epoch: {size >> 20} MiB do not fit into "
                f"{tempfile.gettempdir()} ({error.strerror}); cache_mb asks for less")  # fmt: skip
            self._places = {}
        self._path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"

    def __getstate__(self) -> dict[str, Any]:
        """For a process that does not share this one's memory: it maps the file itself."""
        return self.__dict__ | {"_file": None, "_bytes": None}

    def load(self, record: ImageRecord) -> Tensor:
        """The image as uint8 RGB (3, H, W). Raises DataError as `load_image` does."""
        if record.id not in self._places:
            return load_image(record.image_path, record.gray)
        if self._bytes is None:
            self._bytes = np.memmap(self._path, np.uint8, "r+")
        number, start = self._places[record.id]
        pixels = self._bytes[start : start + 3 * record.height * record.width]
        marks = self._bytes[self._size :]  # whether an image is there, behind all the pixels
        if not marks[number]:
            image = load_image(record.image_path, record.gray)
            pixels[:] = image.numpy().reshape(-1)
            marks[number] = 1  # last: who sees the mark finds the pixels
            return image
        return torch.from_numpy(np.array(pixels)).view(3, record.height, record.width)
