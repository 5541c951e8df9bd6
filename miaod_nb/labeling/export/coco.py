"""A COCO file beside the images: suggested boxes have a `score`, images `rank`, `uncertainty` and
`reason`, fields of our own that some tools drop."""

from typing import Any

from miaod_nb.labeling.exchange import Batch, Suggestion, Task
from miaod_nb.labeling.export.tool import OURS, Tool, refuse_saved
from miaod_nb.runs.files import RunFolder

FILE = "annotations/instances_default.json"


def write(batch: Batch, folder: RunFolder) -> None:
    """Writes the file; all ids count from 1, since 0 means nothing to several tools."""
    refuse_saved(folder, [FILE], f'"contributor": "{OURS}"')
    numbers = {name: number for number, name in enumerate(batch.classes, start=1)}
    boxes = [
        (image_id, one)
        for image_id, task in enumerate(batch.tasks, start=1)
        for one in task.suggestions
    ]
    folder.save_json(FILE, {
        "info": {"description": f"suggested boxes, {batch.run}, cycle {batch.cycle}",
                 "contributor": OURS},
        "images": [_image(number, task) for number, task in enumerate(batch.tasks, start=1)],
        "categories": [{"id": number, "name": name, "supercategory": ""}
                       for name, number in numbers.items()],
        "annotations": [_annotation(number, image_id, numbers[one.name], one)
                        for number, (image_id, one) in enumerate(boxes, start=1)],
    })  # fmt: skip


def _image(number: int, task: Task) -> dict[str, Any]:
    width, height = task.size
    return {
        "id": number, "file_name": task.file, "width": width, "height": height,
        "image_id": task.id, "rank": task.rank, "uncertainty": task.uncertainty,
        "reason": task.reason,
    }  # fmt: skip


def _annotation(number: int, image_id: int, category: int, one: Suggestion) -> dict[str, Any]:
    x1, y1, x2, y2 = one.box
    return {
        "id": number, "image_id": image_id, "category_id": category,
        "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0,
        "segmentation": [], "score": one.score,
    }  # fmt: skip


TOOL = Tool(
    name="coco", label="COCO", write=write,
    next_step="give {out}/images and {out}/" + FILE + " to the label tool. Afterwards export as "
    "COCO",
)  # fmt: skip
