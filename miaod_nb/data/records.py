"""What is known of an image, and the faults met on the way to it and its objects."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


class Listed(NamedTuple):
    """An image that a list names, before it was opened."""

    id: str
    source: str
    image_path: Path
    annotation_path: Path
    coco_id: int | None = None


@dataclass(frozen=True)
class ImageRecord:
    """One usable image: where it lies and how large it is (pixels, from the image itself).

    annotation_path: its own VOC XML file, or the COCO file that it shares with others and in which
    it has the number coco_id.
    """

    id: str
    source: str
    image_path: Path
    annotation_path: Path
    width: int
    height: int
    coco_id: int | None = None

    @property
    def labels_at(self) -> Path:
        """Where the labels of this image and of those around it are kept: a folder of VOC XML
        files, or a COCO file."""
        return self.annotation_path.parent if self.coco_id is None else self.annotation_path


class RawObject(NamedTuple):
    """An object as its file has it, unchecked: class name, box (xyxy, pixels, 0-based), marks, and
    the area of its outline in square pixels where the file tells it."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool = False
    crowd: bool = False
    area: float | None = None


class AnnotationFault(Exception):
    """An annotation that cannot be used; its text is the reason to count it under."""


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
