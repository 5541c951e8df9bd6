"""What every file here says of its label tool."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from miaod_nb.errors import DataError
from miaod_nb.labeling.exchange import Batch
from miaod_nb.runs.files import RunFolder

OURS = "miaod"  # the mark of a file that no tool has saved yet


@dataclass(frozen=True)
class Tool:
    """A label tool that batches are written for.

    name: what commands call it; label: its own name. write: puts the batch into a folder, beside
    the images, which lie below its folder `images`. next_step: what people do with the folder, with
    {out} for it and {parent} for the one it lies in. turns_images: whether copies of images have to
    be upright themselves, in a format that browsers show.
    """

    name: str
    label: str
    write: Callable[[Batch, RunFolder], None]
    next_step: str
    images: str = "images"
    turns_images: bool = False


def refuse_saved(folder: RunFolder, files: Iterable[str], mark: str) -> None:
    """Raises DataError where a file is there that a label tool has saved since, as the lack of this
    mark tells: an export would write over somebody's work."""
    for name in files:
        if folder.exists(name) and mark not in folder.load_text(name):
            raise DataError(
                "a label tool has saved this file: its labels would be lost",
                where=folder.path(name),
                remedy="import the folder first, or export to another one (--out)",
            )
