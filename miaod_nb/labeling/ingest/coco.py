"""A COCO file: it lists images, but does not tell one that shows nothing from one that nobody
looked at."""

from pathlib import Path

from miaod_nb.data.layouts.coco_file import CocoFile
from miaod_nb.data.layouts.label_files import is_coco
from miaod_nb.data.records import AnnotationFault, FaultCounts
from miaod_nb.labeling.exchange import Returned, ReturnedBox
from miaod_nb.labeling.export.tool import OURS
from miaod_nb.labeling.ingest.format import (
    LESS,
    Format,
    files_in,
    is_number,
    mapping,
    size_of,
    turned,
)
from miaod_nb.labeling.names import Images


def fits(path: Path) -> bool:
    """Whether a file here is COCO's."""
    return any(map(is_coco, files_in(path, ".json")))


def read(path: Path, images: Images, faults: FaultCounts) -> list[Returned]:
    """What the files say of the images that they list."""
    return [
        one
        for file in files_in(path, ".json")
        if path.is_file() or is_coco(file)
        for one in _in_file(file, faults)
    ]


def _in_file(path: Path, faults: FaultCounts) -> list[Returned]:
    content = CocoFile.read(path)
    content.count_strays(faults)
    by = content.info.get("contributor")
    if by == "Label Studio":  # its sizes are not those that its boxes refer to
        faults.add(LESS, path.name)
    returned = []
    for number, image in content.images.items():
        own = image.get("image_id")
        name = own if isinstance(own, str) else image["file_name"]
        if by == OURS:
            faults.add("as it was exported: no tool has saved it", name)
            returned.append(Returned(name, "untouched"))
            continue
        try:
            boxes = _boxes(content, number, name, faults)
        except AnnotationFault as fault:
            faults.add(str(fault), name)
            continue
        size = size_of(image.get("width"), image.get("height")) if by != "Label Studio" else None
        returned.append(Returned(name, "labeled" if boxes else "listed", boxes, size))
    return returned


def _boxes(content: CocoFile, number: int, name: str, faults: FaultCounts) -> list[ReturnedBox]:
    """The boxes of an image. Raises AnnotationFault."""
    boxes = []
    entries = content.annotations.get(number, ())
    for one, entry in zip(content.objects(number), entries, strict=True):
        box, degrees = one.box, mapping(entry.get("attributes")).get("rotation")
        if is_number(degrees) and degrees:  # CVAT's
            faults.add("rotated box: the upright box around it is taken", name)
            box = turned(box, degrees)
        boxes.append(ReturnedBox(one.name, box))
    return boxes


FORMAT = Format("coco", "COCO", fits, read)
