"""What is known of an image, and the faults met on the way to it and its objects."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Range = tuple[float, float]  # of values of deep gray: what is black, and what is white


class Measured(NamedTuple):
    """What was found in a file.

    width, height: of the picture when it is upright; orientation: as ImageRecord has it. digest: of
    the bytes, equal for equal files. clear: whether something shows through. low, high: of the
    values of deep gray (16 bits and more, or fractions); equal for all other pictures.
    """

    width: int
    height: int
    orientation: int
    digest: int
    clear: bool
    low: float
    high: float


@dataclass(frozen=True)
class ImageRecord:
    """One image: where it lies and how large it is.

    width, height: of the image as people see it, in pixels, from the file itself; 0 as long as it
    was not opened. orientation: how its EXIF entry says it has to be turned for that, 1 (not at
    all) to 8. digest: of the file, 0 as long as it was not opened. gray: which values of deep gray
    are black and white in its data set; None where it has no such images.
    """

    id: str
    source: str
    image_path: Path
    width: int = 0
    height: int = 0
    orientation: int = 1
    digest: int = 0
    gray: Range | None = None

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the picture as the file has it, before it is turned."""
        lies = self.orientation >= 5  # on its side
        return (self.height, self.width) if lies else (self.width, self.height)


class RawObject(NamedTuple):
    """An object as its file has it, unchecked: class name, box (xyxy, pixels, 0-based), marks, and
    the area of its outline in square pixels where the file tells it."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool = False
    crowd: bool = False
    area: float | None = None


@dataclass(frozen=True)
class Labels:
    """What was said of the objects of one image; no objects: nothing is there.

    size: width and height of the picture that the boxes are of, where it is told. certain: whether
    somebody labeled the image; False: only that no object of it is known. notes: what is to be
    counted of them. from_1: whether they were counted from pixel 1, as VOC's own: then a box lacks
    its last pixels at the right and at the bottom.
    """

    objects: Sequence[RawObject]
    size: tuple[int, int] | None = None
    certain: bool = True
    notes: Sequence[str] = ()
    from_1: bool = False


class LabelReader(Protocol):
    """Whoever knows labels: a data set, or what people answered in a run."""

    def labels(self, image_id: str) -> Labels | None:
        """The image's labels, unchecked but for being complete and numeric; None: not labeled.
        Raises AnnotationFault for labels that cannot be used."""

    def labels_at(self, image_id: str) -> Path:
        """The file that holds the image's labels, or would hold them."""


class AnnotationFault(Exception):
    """An annotation that cannot be used; its text is the reason to count it under."""


UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # in names: line breaks, bytes that are no text
UNFIT_NAME = "image whose name holds a line break or bytes that are no text"


def shown_name(name: str) -> str:
    """The name as a line of text can have it."""
    return UNFIT.sub(lambda found: ascii(found[0])[1:-1], name)


class FaultCounts:
    """Faults of single files or objects, counted by reason, with the first few as examples."""

    MAX_EXAMPLES = 5

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, reason: str, example: str, n: int = 1) -> None:
        """Counts `n` more faults of this reason, met in the image named `example`."""
        example = shown_name(example)
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
