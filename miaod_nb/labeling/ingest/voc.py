"""An XML file an image, as VOC has them. An image without a file may show nothing, or nobody looked
at it."""

import re
from pathlib import Path

from miaod_nb.data.layouts.voc import read_voc
from miaod_nb.data.records import AnnotationFault, FaultCounts, Labels
from miaod_nb.labeling.exchange import Returned, ReturnedBox
from miaod_nb.labeling.export.tool import OURS
from miaod_nb.labeling.ingest.format import (
    LESS,
    Format,
    files_in,
    name_of,
    pictures_without,
    size_of,
    start_of,
)
from miaod_nb.labeling.names import Images


def fits(path: Path) -> bool:
    """Whether a file here is VOC's."""
    return any(re.search(r"<annotation[\s>]", start_of(file)) for file in files_in(path, ".xml"))


def read(path: Path, images: Images, faults: FaultCounts) -> list[Returned]:
    """What each file says of its image; of pictures without a file, nothing."""
    files = files_in(path, ".xml")
    returned = [one for file in files if (one := _in_file(file, faults))]
    return returned + pictures_without(path, files, images)


def _in_file(path: Path, faults: FaultCounts) -> Returned | None:
    """What a file says; None where it cannot be used."""
    name, start = name_of(path), start_of(path)
    if f"<database>{OURS}</database>" in start:
        faults.add("as it was exported: no tool has saved it", path.name)
        return Returned(name, "untouched")
    if "<database>MyDatabase</database>" in start:
        faults.add(LESS, path.name)
    try:
        labels = read_voc(path)
    except AnnotationFault as fault:
        faults.add(str(fault), path.name)
        return None
    if labels is None:
        return None
    return Returned(name, "labeled", _boxes(labels), size_of(*labels.size or (0, 0)))


def _boxes(labels: Labels) -> list[ReturnedBox]:
    """The boxes, right and bottom open. Where nothing tells that a file counts from 0, it counts
    from 1 and its last pixels belong to the box."""
    end = 1 if labels.from_1 else 0
    return [
        ReturnedBox(one.name, (x1, y1, x2 + end, y2 + end))
        for one in labels.objects
        for x1, y1, x2, y2 in [one.box]
    ]


FORMAT = Format("voc", "VOC XML", fits, read)
