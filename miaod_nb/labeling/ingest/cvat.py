"""CVAT's own XML ("CVAT for images"): every image is listed, looked at or not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from miaod_nb.data.records import FaultCounts
from miaod_nb.data.upright import Box
from miaod_nb.errors import DataError
from miaod_nb.labeling.exchange import Returned, ReturnedBox
from miaod_nb.labeling.export.cvat import ABOUT
from miaod_nb.labeling.export.tool import OURS
from miaod_nb.labeling.ingest.format import Format, around, files_in, size_of, start_of, turned
from miaod_nb.labeling.names import Images

UPLOADED = {"file", "auto"}  # sources of boxes that no person drew or moved


def fits(path: Path) -> bool:
    """Whether a file here is CVAT's."""
    return any("<annotations" in start_of(file) for file in files_in(path, ".xml"))


def read(path: Path, images: Images, faults: FaultCounts) -> list[Returned]:
    """What the files say of the images that they list."""
    return [one for file in files_in(path, ".xml") for one in _in_file(file, faults)]


def _in_file(path: Path, faults: FaultCounts) -> Iterator[Returned]:
    root = _root(path)
    if root.find("track") is not None:
        raise DataError("these are the annotations of a video", where=path,
                        remedy="export the task as 'CVAT for images 1.1'")  # fmt: skip
    ours = root.findtext("meta/source") == OURS
    for image in root.iter("image"):
        name = image.get("name", "")
        if ours:
            faults.add("as it was exported: no tool has saved it", name)
            yield Returned(name, "untouched")
            continue
        size = size_of(_number(image.get("width")), _number(image.get("height")))
        boxes = [box for one in image if (box := _box(one, name, faults))]
        sources = {one.get("source") for one in image if one.tag != "tag"}
        if sources and not boxes:  # shapes, but none that can be used
            yield Returned(name, "untouched")
        else:
            yield Returned(name, "labeled" if sources - UPLOADED else "listed", boxes, size)


def _root(path: Path) -> Any:
    """The root of an XML file. Raises DataError."""
    try:
        return ElementTree.fromstring(path.read_bytes())
    except (OSError, ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise DataError(
            f"the file cannot be read as XML ({error})", where=path,
            remedy="export the task again as 'CVAT for images 1.1'",
        ) from None  # fmt: skip


def _box(element: Any, name: str, faults: FaultCounts) -> ReturnedBox | None:
    """The box of an element, None where it has none that can be used."""
    if element.tag == "tag":
        if element.get("label") != ABOUT:
            faults.add("tag: it is no box", name)
        return None
    label = (element.get("label") or "").strip()
    if element.tag not in ("box", "polygon"):
        faults.add(f"shape that is no box ({element.tag})", name)
        return None
    box = _sides(element) if element.tag == "box" else _outline(element)
    if not label or box is None:
        faults.add("box without a label or numbers", name)
        return None
    if element.tag == "polygon":
        faults.add("polygon: the upright box around it is taken", name)
    if degrees := _number(element.get("rotation")):
        faults.add("rotated box: the upright box around it is taken", name)
        box = turned(box, degrees)
    return ReturnedBox(label, box)


def _sides(element: Any) -> Box | None:
    sides = [_number(element.get(side)) for side in ("xtl", "ytl", "xbr", "ybr")]
    x1, y1, x2, y2 = sides
    return None if x1 is None or y1 is None or x2 is None or y2 is None else (x1, y1, x2, y2)


def _outline(element: Any) -> Box | None:
    """The box around the points of a polygon: "x,y;x,y;...\"."""
    pairs = [pair.split(",") for pair in element.get("points", "").split(";")]
    points = [
        (x, y) for one in pairs if len(one) == 2
        if (x := _number(one[0])) is not None and (y := _number(one[1])) is not None
    ]  # fmt: skip
    return around(points) if points and len(points) == len(pairs) else None


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


FORMAT = Format("cvat", "CVAT (XML for images)", fits, read)
