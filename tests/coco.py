"""COCO data sets made of VOC ones, so that the two readers can be compared."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from PIL import Image

LISTS = ("trainval", "test")
Document = dict[str, list[dict[str, Any]]]


def write_coco(root: Path, year: Path, lists: Iterable[str] = LISTS) -> Path:
    """`root`, filled as a COCO folder with the lists of a VOC year folder.

    Images are links in a folder of the list's name. Category ids have gaps and ascend with the
    class names, of which all lists share one table; it stands in the file backwards.
    """
    ids = {name: (year / f"ImageSets/Main/{name}.txt").read_text().split() for name in lists}
    objects = {image_id: _objects(year, image_id) for of_one in ids.values() for image_id in of_one}
    names = sorted({name for of_one in objects.values() for name, _ in of_one})
    categories = [{"id": 3 + 2 * k, "name": name} for k, name in enumerate(names)][::-1]
    (root / "annotations").mkdir(parents=True)
    for number, (list_name, members) in enumerate(ids.items(), start=1):
        (root / list_name).mkdir()
        document: Document = {"images": [], "categories": categories, "annotations": []}
        for place, image_id in enumerate(members):
            coco_id = 1000 * number + place
            file = next((year / "JPEGImages").glob(f"{image_id}.*")).resolve()
            (root / list_name / file.name).symlink_to(file)
            width, height = Image.open(file).size
            document["images"].append(
                {"id": coco_id, "file_name": file.name, "width": width, "height": height}
            )
            for name, box in objects[image_id]:
                document["annotations"].append({
                    "id": len(document["annotations"]) + 1, "image_id": coco_id, "bbox": box,
                    "category_id": 3 + 2 * names.index(name), "area": box[2] * box[3], "iscrowd": 0,
                })  # fmt: skip
        annotation_file(root, list_name).write_text(json.dumps(document))
    return root


def subset_of(year: Path, root: Path, **counts: int) -> Path:
    """`root` as a year folder with the first images of some lists of another one, by links."""
    (root / "ImageSets/Main").mkdir(parents=True)
    for folder in ("JPEGImages", "Annotations"):
        (root / folder).symlink_to(year / folder)
    for name, count in counts.items():
        ids = (year / f"ImageSets/Main/{name}.txt").read_text().split()[:count]
        (root / f"ImageSets/Main/{name}.txt").write_text("\n".join(ids))
    return root


def annotation_file(root: Path, list_name: str = "trainval") -> Path:
    return root / f"annotations/instances_{list_name}.json"


def change(root: Path, edit: Callable[[Document], object], list_name: str = "trainval") -> None:
    """Lets `edit` change the list's file in place."""
    path = annotation_file(root, list_name)
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def _objects(year: Path, image_id: str) -> list[tuple[str, list[int]]]:
    """Class and COCO box (0-based x, y, width, height) of each object of a VOC annotation."""
    found = []
    for element in ElementTree.parse(year / f"Annotations/{image_id}.xml").iter("object"):
        x1, y1, x2, y2 = (
            int(element.findtext(f"bndbox/{tag}") or "") for tag in ("xmin", "ymin", "xmax", "ymax")
        )
        found.append((element.findtext("name") or "", [x1 - 1, y1 - 1, x2 - x1, y2 - y1]))
    return found
