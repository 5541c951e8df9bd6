"""A JSON file for each image, as X-AnyLabeling and labelme write them: that a tool saved it tells
that somebody looked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from miaod_nb.data.records import FaultCounts
from miaod_nb.errors import DataError
from miaod_nb.labeling.exchange import Returned, ReturnedBox
from miaod_nb.labeling.export.tool import OURS
from miaod_nb.labeling.ingest.format import (
    Format,
    around,
    files_in,
    is_number,
    mapping,
    name_of,
    read_json,
    size_of,
    start_of,
)
from miaod_nb.labeling.names import Images

TURNED = {"polygon": "polygon", "rotation": "rotated box"}  # what a box is put around


def fits(path: Path) -> bool:
    """Whether a file here is labelme's."""
    return any(map(_is_labelme, files_in(path, ".json")))


def _is_labelme(path: Path) -> bool:
    start = start_of(path)
    return start.startswith("{") and '"shapes"' in start and '"imagePath"' in start


def read(path: Path, images: Images, faults: FaultCounts) -> list[Returned]:
    """What each file says of its image. A damaged one of several is counted."""
    returned = []
    for file in files_in(path, ".json"):
        try:
            content = read_json(file)
            if not isinstance(content, Mapping) or not isinstance(content.get("shapes"), list):
                raise DataError("the file has no list of shapes", where=file,
                                remedy="name files of labelme or X-AnyLabeling")  # fmt: skip
        except DataError as error:
            if file == path:
                raise
            faults.add(error.what, file.name)
            continue
        returned.append(_returned(file, content, faults))
    return returned


def _returned(path: Path, content: Mapping[str, Any], faults: FaultCounts) -> Returned:
    name = name_of(path)
    if content.get("version") == OURS:
        faults.add("as it was exported: no tool has saved it", path.name)
        return Returned(name, "untouched")
    if content.get("checked") == "failed":
        return Returned(name, "skipped")
    shapes = [mapping(one) for one in content["shapes"]]
    boxes = [box for one in shapes if (box := _box(one, path.name, faults))]
    size = size_of(content.get("imageWidth"), content.get("imageHeight"))
    return Returned(name, "labeled" if boxes or not shapes else "untouched", boxes, size)


def _box(shape: Mapping[str, Any], name: str, faults: FaultCounts) -> ReturnedBox | None:
    """The box of a shape, None where it has none that can be used."""
    kind, label, points = shape.get("shape_type"), shape.get("label"), shape.get("points")
    if kind not in ("rectangle", *TURNED):
        faults.add(f"shape that is no box ({kind})", name)
        return None
    if not isinstance(label, str) or not label.strip():
        faults.add("box without a label", name)
        return None
    points = points if isinstance(points, list) else []
    corners = [
        (one[0], one[1])
        for one in points
        if isinstance(one, list) and len(one) == 2 and is_number(one[0]) and is_number(one[1])
    ]
    if len(corners) < 2 or len(corners) < len(points):
        faults.add("box without numbers", name)
        return None
    if kind in TURNED:
        faults.add(f"{TURNED[kind]}: the upright box around it is taken", name)
    return ReturnedBox(label.strip(), around(corners))


FORMAT = Format("x-anylabeling", "X-AnyLabeling, labelme (JSON)", fits, read)
