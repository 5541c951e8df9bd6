"""Tasks in Label Studio's JSON, and the configuration of a project.

Images are served by Label Studio itself, from local files: the folder that holds the export's
folder is its document root. Facts about the format were tried with version 1.23.
"""

import colorsys
import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from miaod_nb.labeling.exchange import Batch, Suggestion, Task
from miaod_nb.labeling.export.tool import Tool
from miaod_nb.runs.files import RunFolder

TASKS, CONFIG = "tasks.json", "config.xml"
LABEL, IMAGE = "label", "image"  # what the configuration calls the boxes and the picture


def write(batch: Batch, folder: RunFolder) -> None:
    """Writes tasks.json, whose order is that of the ranks, and config.xml."""
    folder.save_text(CONFIG, labeling_config(batch.classes))
    folder.save_json(TASKS, [task_of(task, batch, folder.root.name) for task in batch.tasks])


def labeling_config(classes: Sequence[str]) -> str:
    """The labeling interface: the reason above the image, and a color for each class."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Text", name="why", value="$reason")
    ElementTree.SubElement(view, "Image", name=IMAGE, value="$image", zoom="true")
    labels = ElementTree.SubElement(
        view, "RectangleLabels", name=LABEL, toName=IMAGE, canRotate="false"
    )
    for place, name in enumerate(classes):  # it gives several classes one color by itself
        color = _color(place / len(classes))
        ElementTree.SubElement(labels, "Label", value=name, background=color)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def task_of(task: Task, batch: Batch, folder: str) -> dict[str, Any]:
    """A task as Label Studio imports it. folder: the name of the export's folder.

    `image_id` brings the image back, whatever becomes of its file name.
    """
    data = {
        "image": f"/data/local-files/?d={quote(f'{folder}/images/{task.file}')}",
        "image_id": task.id, "rank": task.rank, "uncertainty": task.uncertainty,
        "reason": f"Rank {task.rank}: {task.reason}", "run": batch.fingerprint,
        "cycle": batch.cycle,
    }  # fmt: skip
    boxes = [_region(one, place, task) for place, one in enumerate(task.suggestions)]
    suggestion: dict[str, Any] = {"model_version": f"miaod cycle {batch.cycle}", "result": boxes}
    if task.suggestions:  # Label Studio takes it for how sure the model is of the image
        suggestion["score"] = min(one.score for one in task.suggestions)
    return {"data": data, "predictions": [suggestion]}


def _region(one: Suggestion, place: int, task: Task) -> dict[str, Any]:
    """A suggested box; sides are percent of the upright image."""
    (width, height), (x1, y1, x2, y2) = task.size, one.box
    name = f"{task.id}/{place}"  # two regions of one id would be merged
    return {
        "id": hashlib.sha256(name.encode()).hexdigest()[:10],
        "from_name": LABEL, "to_name": IMAGE, "type": "rectanglelabels", "score": one.score,
        "original_width": width, "original_height": height, "image_rotation": 0,
        "value": {
            "x": 100 * x1 / width, "y": 100 * y1 / height,
            "width": 100 * (x2 - x1) / width, "height": 100 * (y2 - y1) / height,
            "rotation": 0, "rectanglelabels": [one.name],
        },
    }  # fmt: skip


def _color(hue: float) -> str:
    red, green, blue = colorsys.hls_to_rgb(hue, 0.45, 0.8)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


NEXT = """\
1. start Label Studio so that it serves the images:
     export LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true
     export LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={parent}
     label-studio start
2. make a project; paste {out}/config.xml into
   Settings > Labeling Interface > Code
3. Settings > Cloud Storage > Add Source Storage > Local files: the path
   {out}
   (save it; no sync)
4. Import {out}/tasks.json
5. when it is labeled: Export > JSON"""

TOOL = Tool(name="label-studio", label="Label Studio", write=write, next_step=NEXT)
