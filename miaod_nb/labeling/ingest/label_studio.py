"""Label Studio's JSON: the only one of its exports that tells "nothing there", "skipped" and "never
opened" apart, and that keeps what became of each suggested box."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from miaod_nb.data.records import FaultCounts
from miaod_nb.data.upright import Box
from miaod_nb.labeling.exchange import Origin, Returned, ReturnedBox
from miaod_nb.labeling.ingest.format import (
    Format,
    Json,
    around,
    is_number,
    mapping,
    read_entries,
    size_of,
    start_of,
)
from miaod_nb.labeling.names import Images

ORIGINS: dict[str, Origin] = {
    "prediction": "accepted", "prediction-changed": "changed", "manual": "drawn",
}  # fmt: skip
CUT = 0.01  # pixels over the edge that are rounding and not worth a word


def fits(path: Path) -> bool:
    """Whether it is a JSON list of tasks with annotations."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    start = start_of(path)  # of a task with many boxes not even all annotations
    return start.startswith("[") and '"annotations"' in start


def read(path: Path, images: Images, faults: FaultCounts) -> list[Returned]:
    """What became of each task."""
    tasks = read_entries(path, "task", "export the project as JSON (not JSON-MIN)", faults)
    return [returned(task, images, faults) for task in tasks]


def returned(task: Json, images: Images, faults: FaultCounts) -> Returned:
    """What became of a task."""
    data = mapping(task.get("data"))
    name = _text(data.get("image_id")) or _text(data.get("image"))
    name = name or f"task {_text(task.get('id'))}"
    run = _text(data.get("run"))
    given = _maps(task.get("annotations"))
    done = [one for one in given if not one.get("was_cancelled")]
    if not given and task.get("drafts"):
        faults.add("begun and not submitted (draft)", name)
    if not done:
        return Returned(name, "skipped" if given else "untouched", run=run)
    if len(done) > 1:
        faults.add("annotated more than once: the ground truth, else the newest, counts", name)
    if len(done) < len(given):
        faults.add("skipped, but annotated too: the annotation counts", name)
    kept = max(done, key=lambda one: (bool(one.get("ground_truth")), _time(one) or 0.0))
    regions, seconds = _maps(kept.get("result")), kept.get("lead_time")
    sizes = (size_of(one.get("original_width"), one.get("original_height")) for one in regions)
    size = next(filter(None, sizes), None)
    record = images.find(name, FaultCounts())  # its faults are the importer's to count
    scale = size or ((record.width, record.height) if record else None)
    boxes = _boxes(regions, scale, name, faults) if scale else []
    if regions and not boxes:  # what was left out is counted, and no sign that nothing is there
        return Returned(name, "untouched", run=run)
    by = kept.get("completed_by")
    if isinstance(by, Mapping):
        by = by.get("email") or by.get("id")
    return Returned(
        name, "labeled", boxes, size, _text(by),
        float(seconds) if is_number(seconds) else None, _time(kept),
        in_bulk=seconds is None and not any(one.get("origin") for one in regions), run=run,
    )  # fmt: skip


def _boxes(
    regions: Sequence[Json], size: tuple[int, int], name: str, faults: FaultCounts
) -> list[ReturnedBox]:
    """The boxes of an annotation. A label stands in its rectangle, or apart under the same id."""
    apart = {
        _text(one.get("id")): mapping(one.get("value")).get(kind)
        for kind in ("choices", "labels")  # of both the labels count
        for one in regions
        if one.get("type") == kind
    }
    plain = {_text(one.get("id")) for one in regions if one.get("type") == "rectangle"}
    found = []
    for region in regions:
        kind, own = _text(region.get("type")), _text(region.get("id"))
        if kind in ("rectanglelabels", "rectangle"):
            labels = mapping(region.get("value")).get("rectanglelabels") or apart.get(own)
            if (box := _box(region, labels, size, name, faults)) is not None:
                found.append(box)
        elif own not in plain or kind not in ("choices", "labels"):
            faults.add(f"region that is no rectangle ({kind}): left out", name)
    return found


def _box(
    region: Json, labels: Any, size: tuple[int, int], name: str, faults: FaultCounts
) -> ReturnedBox | None:
    """The box of a rectangle, None where it has none that can be used."""
    value = mapping(region.get("value"))
    label = _text(labels[0]).strip() if isinstance(labels, list) and len(labels) == 1 else ""
    if not label:
        faults.add("rectangle without a label, or with several: left out", name)
        return None
    numbers: list[Any] = [value.get(key) for key in ("x", "y", "width", "height")]
    numbers.append(value.get("rotation") or 0)
    whole = _placed(numbers, size) if all(map(is_number, numbers)) else (math.nan,) * 4
    if not all(map(math.isfinite, whole)):
        faults.add("rectangle without numbers: left out", name)
        return None
    if numbers[4]:
        faults.add("rotated rectangle: the upright box around it is taken", name)
    x1, y1, x2, y2 = whole
    inside = max(x1, 0.0), max(y1, 0.0), min(x2, size[0]), min(y2, size[1])
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        faults.add("rectangle without area, or outside the image: left out", name)
        return None
    if max(abs(a - b) for a, b in zip(whole, inside, strict=True)) > CUT:
        faults.add("rectangle over the edge of the image: clipped", name)
    return ReturnedBox(label, inside, ORIGINS.get(_text(region.get("origin")), ""))


def _placed(numbers: Sequence[float], size: tuple[int, int]) -> Box:
    """The upright box in pixels around a rectangle, given in percent (x, y, width, height), that is
    turned clockwise by some degrees about its upper left corner."""
    across, down = size[0] / 100, size[1] / 100
    x, y, width, height, degrees = numbers
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [
        (x * across + dx * cos - dy * sin, y * down + dx * sin + dy * cos)
        for dx in (0.0, width * across)
        for dy in (0.0, height * down)
    ]
    return around(corners)


def _time(annotation: Json) -> float | None:
    text = _text(annotation.get("updated_at")) or _text(annotation.get("created_at"))
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


def _text(value: Any) -> str:
    """A text or whole number as text that can be written, "" for all else."""
    is_plain = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value).encode(errors="replace").decode() if is_plain else ""


def _maps(value: Any) -> list[Json]:
    """The mappings in a list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


FORMAT = Format("label-studio", "Label Studio (JSON)", fits, read)
