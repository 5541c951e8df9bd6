"""Label Studio's JSON: the only one of its exports that tells "nothing there", "skipped" and "never
opened" apart, and that keeps what became of each suggested box."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from miaod_nb.data.records import FaultCounts
from miaod_nb.data.upright import Box
from miaod_nb.errors import DataError, disk_fault
from miaod_nb.labeling.exchange import Origin, Returned, ReturnedBox
from miaod_nb.labeling.ingest.format import Format, is_number
from miaod_nb.labeling.names import Images

ORIGINS: dict[str, Origin] = {
    "prediction": "accepted", "prediction-changed": "changed", "manual": "drawn",
}  # fmt: skip
Json = Mapping[str, Any]


def fits(path: Path) -> bool:
    """Whether it is a JSON list of tasks with annotations."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        start = file.read(1 << 16)
    return start.lstrip().startswith("[") and '"annotations"' in start and '"data"' in start


def read(path: Path, images: Images, faults: FaultCounts) -> list[Returned]:
    """What became of each task."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fault, remedy = disk_fault(error)
        raise DataError(f"the file cannot be read ({fault})", where=path, remedy=remedy) from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"the file is no JSON: {error}", where=path, remedy="export it again as JSON"
        ) from None
    if not isinstance(content, list):
        raise DataError("the file is no list of tasks", where=path,
                        remedy="export the project as JSON (not JSON-MIN)")  # fmt: skip
    tasks = [task for task in content if isinstance(task, Mapping)]
    if len(tasks) < len(content):
        faults.add("entry that is no task", path.name, len(content) - len(tasks))
    return [returned(task, images, faults) for task in tasks]


def returned(task: Json, images: Images, faults: FaultCounts) -> Returned:
    """What became of a task."""
    data = _mapping(task.get("data"))
    name = str(data.get("image_id") or data.get("image") or f"task {task.get('id')}")
    given = [one for one in _list(task.get("annotations")) if isinstance(one, Mapping)]
    done = [one for one in given if not one.get("was_cancelled")]
    if not done:
        if task.get("drafts"):
            faults.add("begun and not submitted (draft)", name)
        return Returned(name, "skipped" if given else "untouched")
    if len(done) > 1:
        faults.add("annotated more than once: the ground truth, else the newest, counts", name)
    kept = max(done, key=lambda one: (bool(one.get("ground_truth")), str(one.get("updated_at"))))
    regions = [one for one in _list(kept.get("result")) if isinstance(one, Mapping)]
    size = next((found for one in regions if (found := _size_of(one))), None)
    record = images.find(name, FaultCounts())  # its faults are the importer's to count
    scale = size or ((record.width, record.height) if record else None)
    boxes = [
        box for one in regions if scale and (box := _box(one, scale, name, faults)) is not None
    ]
    if regions and not boxes:  # what was left out is counted, and no sign that nothing is there
        return Returned(name, "untouched")
    by, seconds = kept.get("completed_by"), kept.get("lead_time")
    if isinstance(by, Mapping):
        by = by.get("email") or by.get("id")
    return Returned(
        name, "labeled", boxes, size, "" if by is None else str(by),
        float(seconds) if is_number(seconds) else None,
        _time(kept.get("updated_at") or kept.get("created_at")),
        in_bulk=seconds is None and bool(boxes) and not any(box.origin for box in boxes),
    )  # fmt: skip


def _box(region: Json, size: tuple[int, int], name: str, faults: FaultCounts) -> ReturnedBox | None:
    """The box of a region, None where it has none that can be used."""
    value = _mapping(region.get("value"))
    labels = value.get("rectanglelabels")
    if labels is None:
        kind = region.get("type")
        faults.add(f"region that is no labeled rectangle ({kind})", name)
        return None
    if not isinstance(labels, list) or len(labels) != 1 or not str(labels[0]).strip():
        faults.add("rectangle without a label, or with several", name)
        return None
    sides = [one for key in ("x", "y", "width", "height") if is_number(one := value.get(key))]
    if len(sides) < 4:
        faults.add("rectangle without numbers", name)
        return None
    box = _pixels(sides, size)
    if turned := value.get("rotation"):
        if not is_number(turned):
            faults.add("rectangle without numbers", name)
            return None
        box = _enclosing(box, math.radians(turned))
        faults.add("rotated rectangle: the upright box around it is taken", name)
    return ReturnedBox(str(labels[0]).strip(), box, ORIGINS.get(str(region.get("origin")), ""))


def _pixels(sides: Sequence[float], size: tuple[int, int]) -> Box:
    """Percent of the image (x, y, width, height) as a box in pixels."""
    x, y, width, height = sides
    across, down = size[0] / 100, size[1] / 100
    return x * across, y * down, (x + width) * across, (y + height) * down


def _enclosing(box: Box, angle: float) -> Box:
    """The upright box around one that is turned clockwise about its upper left corner."""
    x1, y1, x2, y2 = box
    cos, sin = math.cos(angle), math.sin(angle)
    corners = [
        (x1 + dx * cos - dy * sin, y1 + dx * sin + dy * cos)
        for dx in (0.0, x2 - x1)
        for dy in (0.0, y2 - y1)
    ]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _size_of(region: Json) -> tuple[int, int] | None:
    width, height = region.get("original_width"), region.get("original_height")
    if not (is_number(width) and is_number(height) and width > 0 and height > 0):
        return None
    return round(width), round(height)


def _time(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


FORMAT = Format("label-studio", "Label Studio (JSON)", fits, read)
