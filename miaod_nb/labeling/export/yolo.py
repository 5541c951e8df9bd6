"""YOLO's folders as ultralytics has them. Suggested boxes lie in `predictions`, with their scores:
in `labels` nothing would tell them from labels. They have room for nothing else."""

from typing import Any

import yaml

from miaod_nb.labeling.exchange import Batch, Task
from miaod_nb.labeling.export.tool import Tool
from miaod_nb.runs.files import RunFolder


def write(batch: Batch, folder: RunFolder) -> None:
    """Writes data.yaml (without `path`: its folders lie beside it), and a text file an image."""
    data: dict[str, Any] = {"train": TOOL.images, "val": TOOL.images, "names": [*batch.classes]}
    folder.save_text("data.yaml", yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    for task in batch.tasks:
        text = "".join(f"{row}\n" for row in _rows(task, batch))
        folder.save_text(f"predictions/train/{task.id}.txt", text)


def _rows(task: Task, batch: Batch) -> list[str]:
    """Class, center, width and height as shares of the upright image, and score, of each box."""
    width, height = task.size
    rows = []
    for name, (x1, y1, x2, y2), score in task.suggestions:
        shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height,
                  (x2 - x1) / width, (y2 - y1) / height)  # fmt: skip
        numbers = " ".join(f"{value:.8f}" for value in (*shares, score))
        rows.append(f"{batch.classes.index(name)} {numbers}")
    return rows


TOOL = Tool(
    name="yolo", label="YOLO", write=write, images="images/train",
    next_step="open {out}/images/train in the label tool, with the classes of {out}/data.yaml; "
    "suggested boxes are in {out}/predictions. Save labels to {out}/labels/train, an empty file "
    "where nothing is there. FILE is {out}",
)  # fmt: skip
