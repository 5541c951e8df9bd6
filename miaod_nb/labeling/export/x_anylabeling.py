"""A JSON file beside each image, as X-AnyLabeling and labelme write them: what both read."""

from pathlib import PurePosixPath
from typing import Any

from miaod_nb.labeling.exchange import Batch, Suggestion, Task
from miaod_nb.labeling.export.tool import OURS, Tool, refuse_saved
from miaod_nb.runs.files import RunFolder


def write(batch: Batch, folder: RunFolder) -> None:
    """Writes a file for each image, and classes.txt with a class a line."""
    files = {f"{TOOL.images}/{task.id}.json": label_file(task) for task in batch.tasks}
    refuse_saved(folder, files, f'"version": "{OURS}"')
    folder.save_text("classes.txt", "".join(f"{name}\n" for name in batch.classes))
    for name, content in files.items():
        folder.save_json(name, content)


def label_file(task: Task) -> dict[str, Any]:
    """The file of an image. Sizes are left out: labelme would refuse some, and nobody needs them.

    Each tool puts its own version there when it saves; `checked` is X-AnyLabeling's mark of done.
    """
    return {
        "version": OURS, "flags": {}, "checked": False,
        "shapes": [_shape(one) for one in task.suggestions],
        "imagePath": PurePosixPath(task.file).name, "imageData": None,
        "description": f"Rank {task.rank}: {task.reason}", "rank": task.rank,
        "uncertainty": task.uncertainty, "reason": task.reason,
    }  # fmt: skip


def _shape(one: Suggestion) -> dict[str, Any]:
    x1, y1, x2, y2 = one.box
    return {
        "label": one.name, "points": [[x1, y1], [x2, y2]], "shape_type": "rectangle",
        "group_id": None, "description": "", "flags": {}, "score": one.score,
    }  # fmt: skip


TOOL = Tool(
    name="x-anylabeling", label="X-AnyLabeling, labelme", write=write, turns_images=True,
    next_step="open the folder {out}/images in X-AnyLabeling or labelme (classes: "
    "{out}/classes.txt). Save every image that is done, also one whose boxes are right as they are "
    "(X-AnyLabeling does so when it is marked as checked): a file that no tool saved is no answer. "
    "FILE is that folder",
)  # fmt: skip
