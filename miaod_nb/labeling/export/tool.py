"""What every file here says of its label tool."""

from collections.abc import Callable
from dataclasses import dataclass

from miaod_nb.labeling.exchange import Batch
from miaod_nb.runs.files import RunFolder


@dataclass(frozen=True)
class Tool:
    """A label tool that batches are written for.

    name: what commands call it; label: its own name. write: puts the batch into a folder, beside
    the images, which lie below its folder `images`. next_step: what people do with the folder, with
    {out} for it. turns_images: whether copies of images have to be upright themselves.
    """

    name: str
    label: str
    write: Callable[[Batch, RunFolder], None]
    next_step: str
    images: str = "images"
    turns_images: bool = False
