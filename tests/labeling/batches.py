"""A batch of images with difficult names and turns, and what people make of it in label tools."""

import json
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.data.upright import TURNS
from miaod_nb.labeling.exchange import Batch, Suggestion, Task
from miaod_nb.labeling.importing import format_of, read_labels
from miaod_nb.labeling.names import Images

CLASSES = ("WBC", 'say "so"', "yes", "1", "<&>", "red, round")
SIZE = (640, 480)  # of the upright images
NAMES = ("cam1/0001", "cam2/0001", "photo 1 (b)", "a+b", "c#d", "Größe", "barn.v2")
TURNED = tuple(f"turned/{orientation}" for orientation in range(2, 9))
BOX = (213.33333, 96.59, 373.3125, 240.587)  # fractions that no format has room for as they are


def make_batch(folder: Path) -> Batch:
    """Images, and a box of each class in each of them, at another place each."""
    tasks = []
    for rank, image_id in enumerate((*NAMES, *TURNED), start=1):
        orientation = int(image_id[-1]) if image_id in TURNED else 1
        path = folder / f"{image_id}.jpg"
        take_photo(path, orientation)
        boxes = [
            Suggestion(name, (BOX[0] + rank, BOX[1] + k, BOX[2] + rank, BOX[3] + k), 0.9 - 0.1 * k)
            for k, name in enumerate(CLASSES)
        ]
        tasks.append(Task(
            image_id, f"{image_id}.jpg", path, SIZE, SIZE[::-1] if orientation >= 5 else SIZE,
            orientation, rank, 1 / rank, f"it is <{image_id}>, \"quite\" & so", boxes,
        ))  # fmt: skip
    return Batch("mine", "0badcafe", 0, CLASSES, tasks)


def take_photo(path: Path, orientation: int) -> None:
    """Writes a picture as a camera stores it that was held so."""
    picture, exif = Image.new("RGB", SIZE, (0, 90, 0)), Image.Exif()
    if orientation > 1:
        exif[0x0112] = orientation
        picture = picture.transpose(TURNS[{6: 8, 8: 6}.get(orientation, orientation)])
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, exif=exif)


def images_of(batch: Batch) -> Images:
    """The batch as a run knows it, beside an image that is not in it."""
    records = {
        task.id: ImageRecord(task.id, "s", task.path, *task.size, orientation=task.orientation)
        for task in batch.tasks
    }
    return Images(records | {"other": ImageRecord("other", "s", Path("other.jpg"), *SIZE)})


def bring_back(path: Path, batch: Batch, complete: bool = False):
    """What a file says of the images: states, boxes, and what was counted."""
    faults = FaultCounts()
    found, boxes = read_labels(path, format_of(path), images_of(batch), complete, faults)
    counts = {reason: entry["count"] for reason, entry in faults.as_dict().items()}
    return {image_id: one.state for image_id, one in found.items()}, boxes, counts


def error_of(boxes, batch: Batch) -> float:
    """By how many pixels a side differs at most from what was suggested; all must be there."""
    assert boxes.keys() == {task.id for task in batch.tasks}
    worst = 0.0
    for task in batch.tasks:
        pairs = list(zip(boxes[task.id], task.suggestions, strict=True))
        assert [given.name for given, _ in pairs] == [one.name for _, one in pairs]
        sides = [zip(given.box, one.box, strict=True) for given, one in pairs]
        worst = max([worst, *(abs(a - b) for both in sides for a, b in both)])
    return worst


# ------------------------------------------------ what tools write when a person saves everything


def save_in_cvat(out: Path) -> Path:
    """As CVAT writes a task in which each first box was moved back and forth."""
    root = ElementTree.parse(out / "annotations.xml").getroot()
    meta = root.find("meta")
    meta.remove(meta.find("source"))
    ElementTree.SubElement(meta, "dumped").text = "2026-11-28 06:00:00.000000+00:00"
    for image in root.iter("image"):
        for place, box in enumerate(image.iter("box")):
            box.set("source", "file" if place else "manual")
            for side in ("xtl", "ytl", "xbr", "ybr"):
                box.set(side, f"{float(box.get(side)):.2f}")
    path = out / "cvat/annotations.xml"
    path.parent.mkdir()
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    return path


def save_beside(out: Path, four: bool) -> Path:
    """As X-AnyLabeling (four corners) or labelme save each file."""
    for path in (out / "images").rglob("*.json"):
        content = json.loads(path.read_text())
        content["version"] = "4.2.1" if four else "6.3.1"
        with Image.open(path.parent / content["imagePath"]) as image:
            content["imageWidth"], content["imageHeight"] = image.size
        for shape in content["shapes"]:
            (x1, y1), (x2, y2) = shape["points"]
            if four:
                shape["points"] = [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]
        path.write_text(json.dumps(content))
    return out / "images"


def save_as_coco(out: Path) -> Path:
    """As a tool that writes its own name into the file, and drops what it does not know."""
    path = out / "annotations/instances_default.json"
    content = json.loads(path.read_text())
    content["info"] = {"contributor": "someone"}
    for image in content["images"]:
        for key in ("image_id", "rank", "uncertainty", "reason"):
            del image[key]
    path.write_text(json.dumps(content))
    return out


def save_as_voc(out: Path) -> Path:
    """As CVAT does: from 0, with decimals."""
    for path in (out / "Annotations").rglob("*.xml"):
        path.write_text(path.read_text().replace(">miaod<", ">Unknown<"))
    return out / "Annotations"


def save_as_yolo(out: Path) -> Path:
    """Rows without scores, six decimals."""
    for path in (out / "predictions").rglob("*.txt"):
        rows = [row.split()[:5] for row in path.read_text().splitlines()]
        labels = Path(str(path).replace("predictions", "labels"))
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text("".join(
            f"{row[0]} {' '.join(f'{float(share):.6f}' for share in row[1:])}\n" for row in rows
        ))  # fmt: skip
    return out


SAVED = {  # tool: what saves everything, and how far a side may move, in pixels
    "cvat": (save_in_cvat, 0.0051),
    "x-anylabeling": (lambda out: save_beside(out, four=True), 1e-9),
    "labelme": (lambda out: save_beside(out, four=False), 1e-9),
    "coco": (save_as_coco, 1e-9),
    "voc": (save_as_voc, 0.000051),
    "yolo": (save_as_yolo, 0.00065),
}
