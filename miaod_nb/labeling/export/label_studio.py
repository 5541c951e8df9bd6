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
    """The labeling interface: the reason above the image, and a color for each class. A run that
    knows no class yet leaves a place for them."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Text", name="why", value="$reason")
    ElementTree.SubElement(view, "Image", name=IMAGE, value="$image", zoom="true")
    labels = ElementTree.SubElement(
        view, "RectangleLabels", name=LABEL, toName=IMAGE, canRotate="false"
    )
    for place, name in enumerate(classes):  # it gives several classes one color by itself
        color = _color(place / len(classes))
        ElementTree.SubElement(labels, "Label", value=name, background=color)
    if not classes:
        labels.append(ElementTree.Comment(' your classes: <Label value="..." /> '))
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
    if not task.suggestions:
        return {"data": data}
    suggestion = {
        "model_version": f"miaod cycle {batch.cycle}",
        "score": min(one.score for one in task.suggestions),  # how sure the model is of the image
        "result": [_region(one, place, task) for place, one in enumerate(task.suggestions)],
    }
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
1. Start Label Studio (pip install label-studio, in an environment of its own) so that it may show
   the images:
     export LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true
     export LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={parent}
     label-studio start
   One that runs without them has to be started again; one that runs with another document root
   needs the batch there: miaod export ... --out DOCUMENT_ROOT/NAME
2. Create Project. Data Import: upload {out}/tasks.json
   Labeling Setup > Custom template > Code: paste {out}/config.xml
   (and put your classes in, where the run does not know any yet). Save.
3. Settings > Cloud Storage > Add Source Storage > Local Files, with any title and the path
     {out}/images
   Test Connection, Next, Next, Save.
4. Label All Tasks. Submit each image, also one whose boxes are right as they are, or that shows
   nothing (delete its boxes first). Skip those that nobody can label.
5. Export > JSON"""

TOOL = Tool(
    name="label-studio", label="Label Studio", write=write, next_step=NEXT,
    turns_images=True,  # Chromium, for one, shows a WebP image as it is stored
)  # fmt: skip
