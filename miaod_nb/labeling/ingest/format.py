"""What every file here says of its label tool, and how it finds and opens the tool's files."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from miaod_nb.data.records import FaultCounts
from miaod_nb.data.upright import Box
from miaod_nb.errors import DataError, unreadable
from miaod_nb.labeling.exchange import Returned
from miaod_nb.labeling.ingest.archives import TEXTS
from miaod_nb.labeling.names import Images

LESS = "less than Label Studio knows: its JSON tells who skipped what, and has turned boxes right"
Json = Mapping[str, Any]
GLANCE = 1 << 16  # bytes of a file that tell its format


@dataclass(frozen=True)
class Format:
    """What a label tool gives back.

    name: what commands call it; label: its own name. fits: whether a file or folder is of this
    format, by a glance. read: what it says of each image, faults counted; raises DataError for one
    that cannot be read at all. The images tell sizes where a file has only fractions of them.
    """

    name: str
    label: str
    fits: Callable[[Path], bool]
    read: Callable[[Path, Images, FaultCounts], Sequence[Returned]]


def files_in(path: Path, *suffixes: str) -> list[Path]:
    """The file itself, or those in the folder and below, that have one of these suffixes."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [
        file for file in files
        if file.suffix.lower() in suffixes and not file.name.startswith(".") and file.is_file()
    ]  # fmt: skip


def name_of(file: Path) -> str:
    """What a file that lies beside its image, or in folders like those of the images, calls it."""
    return file.absolute().as_posix()


def start_of(path: Path) -> str:
    """How the text of a file begins; "" for one that cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(GLANCE).decode("utf-8-sig", errors="replace").lstrip()
    except OSError:
        return ""


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises DataError."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"the file is no JSON: {error}", where=path, remedy="export it again as JSON"
        ) from None


def read_entries(path: Path, what: str, remedy: str, faults: FaultCounts) -> list[Json]:
    """The mappings in a JSON list; other entries are counted. what: they are, in words. Raises
    DataError."""
    content = read_json(path)
    if not isinstance(content, list):
        raise DataError(f"the file is no list of {what}s", where=path, remedy=remedy)
    entries = [one for one in content if isinstance(one, Mapping)]
    if len(entries) < len(content):
        faults.add(f"entry that is no {what}", path.name, len(content) - len(entries))
    return entries


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can be
        return False


def size_of(width: Any, height: Any) -> tuple[int, int] | None:
    """The size that a file tells, if it is one."""
    if not (is_number(width) and is_number(height) and min(width, height) >= 1):
        return None
    return round(width), round(height)


def pictures_without(path: Path, files: Iterable[Path], images: Images) -> list[Returned]:
    """The images of the run that lie in the folder too, and that none of these files is called
    as, whether or not it can be used."""
    others = (one for one in path.rglob("*") if one.suffix.lower() not in TEXTS and one.is_file())
    known = _called(files, images)
    return [
        Returned(name, "listed")
        for image_id, name in sorted(_called(others, images).items())
        if image_id not in known
    ]


def _called(files: Iterable[Path], images: Images) -> dict[str, str]:
    """The names of the files that are called as an image of the run, by its id."""
    names = map(name_of, files)
    return {image.id: name for name in names if (image := images.find(name, FaultCounts()))}


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, if it is a mapping; else an empty one."""
    return value if isinstance(value, Mapping) else {}


def around(points: Sequence[tuple[float, float]]) -> Box:
    """The upright box around points."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def turned(box: Box, degrees: float) -> Box:
    """The upright box around one that is turned clockwise about its center."""
    x1, y1, x2, y2 = box
    x, y, angle = (x1 + x2) / 2, (y1 + y2) / 2, math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    return around([
        (x + dx * cos - dy * sin, y + dx * sin + dy * cos)
        for dx in (x1 - x, x2 - x)
        for dy in (y1 - y, y2 - y)
    ])  # fmt: skip
