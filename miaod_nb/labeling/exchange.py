"""What goes out to a label tool and what comes back from it, in the terms of no tool.

All boxes are xyxy, float pixels of the upright image, 0-based, right and bottom open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from miaod_nb.data.records import Range
from miaod_nb.data.upright import Box

State = Literal["labeled", "skipped", "untouched", "listed"]
Origin = Literal["accepted", "changed", "drawn", ""]


class Suggestion(NamedTuple):
    """A box that the detector suggests: a pre-annotation. It is no label."""

    name: str
    box: Box
    score: float


@dataclass(frozen=True)
class Task:
    """An image on its way to a label tool.

    file: where it is called so, below the folder of the export's images, with slashes; path: where
    it lies. size, stored_size: width and height of the upright image, and of the file before it is
    turned as its EXIF orientation says. uncertainty: None where the strategy has no score. reason:
    why it was chosen, in words. gray: which values of deep gray are black and white.
    """

    id: str
    file: str
    path: Path
    size: tuple[int, int]
    stored_size: tuple[int, int]
    orientation: int
    rank: int
    uncertainty: float | None
    reason: str
    suggestions: Sequence[Suggestion]
    gray: Range | None = None


@dataclass(frozen=True)
class Batch:
    """What is to be labeled: images in the order of their rank, of a cycle of a run."""

    run: str
    fingerprint: str
    cycle: int
    classes: Sequence[str]
    tasks: Sequence[Task]


class ReturnedBox(NamedTuple):
    """A box as a tool gave it back. origin: what a person did with it, "" where the tool does not
    tell."""

    name: str
    box: Box
    origin: Origin = ""


@dataclass(frozen=True)
class Returned:
    """What a tool says about an image.

    name: the id of the image, or what the tool calls its file. state: "labeled" also where nothing
    is there, "untouched" where nobody decided, "listed" where the tool does not tell whether
    anybody did. size: width and height of the picture that the boxes are of, where it is told.
    by: who. seconds: that the work took. time: of the answer, seconds since 1970. in_bulk: accepted
    by a command, looked at by nobody. run: fingerprint of the run that the image was exported from.
    note: why it was skipped.
    """

    name: str
    state: State
    boxes: Sequence[ReturnedBox] = ()
    size: tuple[int, int] | None = None
    by: str = ""
    seconds: float | None = None
    time: float | None = None
    in_bulk: bool = False
    run: str = ""
    note: str = ""
