"""The page of a whole round on data of one's own: types its commands and writes down what they say.

`python docs/first_batch.py VOC_FOLDER > docs/first-batch.md` takes 320 images of a labeled data set
in VOC layout, leaves 20 of them their labels, and answers the batch from the others as a person
would in Label Studio.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from miaod_nb.boxes import pairwise_iou
from miaod_nb.data.layouts.voc import read_voc

NUM_PHOTOS, NUM_LABELED = 320, 20
OUT = (
    "miaod new --images photos --labels labels --name mypool",
    "miaod doctor runs/mypool",
    "miaod run --run-dir runs/mypool --set cycles=1",
    "miaod export runs/mypool --to label-studio",
)
BACK = (
    "miaod import runs/mypool project-1.json",
    "miaod run --run-dir runs/mypool --set cycles=2",
    "miaod report runs/mypool",
)
TASKS, ANSWERS = "runs/mypool/labels/cycle0-label-studio/tasks.json", "project-1.json"
SEEN = 0.5  # overlap from which on a suggested box is taken for an object's, and
EXACT = 0.9  # for so good that nobody moves it
PROGRESS = re.compile(r"\d+% +\d+/\d+ \[|\d+ \[[\d:]+,|^  [a-z_0-9]+ \d+/\d+  ")


def lay_out(voc: Path, folder: Path) -> None:
    """Puts photos, and the labels of a few of them, into the folder."""
    ids = sorted((voc / "ImageSets/Main/trainval.txt").read_text().split())
    random.Random(0).shuffle(ids)
    for name in ("photos", "labels"):
        (folder / name).mkdir()
    for image_id in ids[:NUM_PHOTOS]:
        shutil.copy(voc / f"JPEGImages/{image_id}.jpg", folder / "photos")
    for image_id in ids[:NUM_LABELED]:
        shutil.copy(voc / f"Annotations/{image_id}.xml", folder / "labels")


def type_command(command: str, folder: Path, settings: Sequence[str] = ()) -> tuple[str, float]:
    """What a command says in the folder, without its progress, and how many seconds it took.
    settings: of the run that `miaod new` makes."""
    more = "".join(f" --set {one}" for one in settings) * command.startswith("miaod new")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    begun = time.monotonic()
    done = subprocess.run(
        ["bash", "-c", command + more], cwd=folder, env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{command}\n{done.stdout}")
    lines = re.split(r"[\r\n]+", done.stdout.replace(f"{folder}/", ""))
    said = "\n".join(line for line in lines if line.strip() and not PROGRESS.search(line))
    return said, time.monotonic() - begun


def answer_tasks(voc: Path, folder: Path) -> None:
    """Label Studio's export after a person's work on the batch: boxes kept, moved, deleted and
    drawn; the third image shows nothing, the fourth is skipped, and the last was never opened."""
    tasks = json.loads((folder / TASKS).read_text())
    for place, task in enumerate(tasks[:-1]):
        regions = [] if place in (2, 3) else _regions(task, voc)
        task["annotations"] = [{"result": regions, "was_cancelled": place == 3, "lead_time": 20.0,
                                "completed_by": 1}]  # fmt: skip
    tasks[-1]["annotations"] = []
    (folder / ANSWERS).write_text(json.dumps(tasks))


def _regions(task: Mapping[str, Any], voc: Path) -> list[dict[str, Any]]:
    """The objects of an image as regions: of suggested boxes, if there are any that fit."""
    suggested = [one for given in task.get("predictions", ()) for one in given["result"]]
    labels = read_voc(voc / f"Annotations/{task['data']['image_id']}.xml")
    assert labels is not None and labels.size is not None
    width, height = labels.size
    regions = []
    for item in labels.objects:
        x1, y1, x2, y2 = item.box
        x2, y2 = x2 + labels.from_1, y2 + labels.from_1
        region = {
            "type": "rectanglelabels", "origin": "manual", "from_name": "label",
            "to_name": "image", "original_width": width, "original_height": height,
            "value": {"x": 100 * x1 / width, "y": 100 * y1 / height,
                      "width": 100 * (x2 - x1) / width, "height": 100 * (y2 - y1) / height,
                      "rotation": 0, "rectanglelabels": [item.name]},
        }  # fmt: skip
        overlaps = [_overlap(region, one) for one in suggested]
        if overlaps and max(overlaps) >= SEEN:
            nearest = suggested.pop(overlaps.index(max(overlaps)))
            is_right = nearest["value"]["rectanglelabels"] == [item.name]
            kept = max(overlaps) >= EXACT and is_right
            region = {**(nearest if kept else region),
                      "origin": "prediction" if kept else "prediction-changed"}  # fmt: skip
        regions.append(region)
    return regions


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    boxes = []
    for value in (one["value"], other["value"]):
        x, y = value["x"], value["y"]
        boxes.append(np.array([[x, y, x + value["width"], y + value["height"]]]))
    return float(pairwise_iou(boxes[0], boxes[1])[0, 0])


PAGE = """\
# From a folder of photos to labels and back

{photos} photos in a folder, labels of {labeled} of them in another, and a label tool: this is all
that is typed, and what is said, but for the lines of progress. `python docs/first_batch.py
VOC_FOLDER` wrote it from the pack `{pack}`, on {cores} CPU cores ({cpu}). A test types the same
commands.

## Out: {out_minutes} minutes

{out}

The detector trains on {trained} images and is measured on the other {held_out} of the {labeled},
which tells next to nothing of it. `miaod export` ends with the steps in Label Studio.

Without any labels the first images are drawn by chance, or, with
`miaod new ... --set initial_strategy=typicality`, chosen by what they look like
([the first batch](strategies.md#the-first-batch)); `miaod export` brings them out.

## In the label tool

The batch stands there in the order of its ranks, with the suggested boxes. Here a script answers in
the person's place, from the labels that the pack has: suggested boxes are kept, moved, given
another class or deleted, missing ones drawn; the third image is submitted empty, the fourth
skipped, the last one never opened. Then *Export > JSON*. How a person does that in the tool, and
what each tool gives back: [label tools](label-tools.md).

## Back, and the second cycle: {back_minutes} minutes

{back}

The skipped image left the batch. The one that was never opened is as unlabeled as before: the next
cycle may choose it again. `miaod history runs/mypool IMAGE` tells the story of an image,
`miaod import --undo` takes an import back.
"""


def main(voc: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(voc, folder)
        out, out_seconds = _typed(OUT, folder)
        answer_tasks(voc, folder)
        back, back_seconds = _typed(BACK, folder)
    held_out = NUM_LABELED // 5
    print(PAGE.format(
        photos=NUM_PHOTOS, labeled=NUM_LABELED, pack=voc.name, cores=os.cpu_count(),
        cpu=torch.backends.cpu.get_cpu_capability(), out=out, back=back, held_out=held_out,
        trained=NUM_LABELED - held_out, out_minutes=f"{out_seconds / 60:.1f}",
        back_minutes=f"{back_seconds / 60:.1f}",
    ), end="")  # fmt: skip


def _typed(commands: Sequence[str], folder: Path) -> tuple[str, float]:
    """The commands with what they say, as blocks of a page, and their seconds."""
    done = [(command, *type_command(command, folder)) for command in commands]
    blocks = [f"```\n$ {command}\n{said}\n```" for command, said, _ in done]
    return "\n\n".join(blocks), sum(seconds for _, _, seconds in done)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
