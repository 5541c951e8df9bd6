"""A batch for a label tool: its images in the order of their rank, with the boxes that the cycle's
detector suggests, in a folder that needs nothing else."""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from miaod_nb.boxes import Detections
from miaod_nb.data.images import load_image
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.data.upright import upright
from miaod_nb.errors import ConfigError, DataError, disk_fault
from miaod_nb.experiment.run import Run
from miaod_nb.labeling import reviewing
from miaod_nb.labeling.exchange import Batch, Suggestion, Task
from miaod_nb.labeling.export import TOOLS, Tool
from miaod_nb.passes.inference import detect_images
from miaod_nb.passes.kept_detections import keep_detections
from miaod_nb.progress import progress
from miaod_nb.runs.files import RunFolder, written_whole
from miaod_nb.runs.identity import has_begun
from miaod_nb.runs.label_store import LabelStore
from miaod_nb.runs.pool_file import LEDGER
from miaod_nb.runs.schema import SelectedImage

SHOWN = {"AVIF", "BMP", "GIF", "JPEG", "MPO", "PNG", "WEBP"}  # formats that browsers show
LOWEST_SCORE = 0.3  # of a box that is suggested
FIRST = -1  # stands for a cycle: the images to begin with, which no cycle has chosen


def tool_of(name: str) -> Tool:
    """The label tool of that name. Raises ConfigError."""
    if name not in TOOLS:
        raise ConfigError(f"no batch can be written for '{name}'", where="to",
                          remedy=f"choose one of {', '.join(TOOLS)}")  # fmt: skip
    return TOOLS[name]


def parse_scores(texts: Sequence[str]) -> dict[str, float]:
    """Lowest scores by class, "" for all others, of texts such as "0.5" and "crab=0.2". Raises
    ConfigError."""
    found = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = -1.0
        if not 0 <= found[name] <= 1:
            raise ConfigError(f"'{text}' is no lowest score", where="score",
                              remedy="give a number from 0 to 1, or CLASS=NUMBER")  # fmt: skip
    return found


def export_batch(
    run: Run, tool: Tool, cycle: int, scores: Mapping[str, float], out: Path, link: bool = False
) -> tuple[Batch, FaultCounts]:
    """Writes a cycle's batch for a label tool, without the images that are answered for already,
    and notes in the run folder what was suggested.

    scores: the lowest score of a suggested box by class, "" for all others; LOWEST_SCORE if that is
    left out. link: the folder has links to the images instead of copies. Returns the batch, and the
    images that cannot be used, by reason. A rerun after a crash writes all of it again.

    Raises ConfigError for a class that the run does not have, DataError where nothing is left to
    label or the folder cannot be written, and RunFolderError, also where another process is at
    work.
    """
    with run.folder.lock():
        batch, faults = make_batch(run, cycle, scores)
        write_batch(batch, tool, out, link)
        note_export(run, batch, tool.name, out)
    return batch, faults


def note_export(run: Run, batch: Batch, tool: str, out: Path) -> None:
    """Notes in the run folder where the batch went, and what was suggested for its images; what was
    for others stays."""
    about = {"cycle": batch.cycle, "tool": tool, "out": str(out), "time": time.time()}
    now = {task.id: task.suggestions for task in batch.tasks}
    images = {**suggested(run.folder, batch.cycle), **now}
    run.folder.save_json(exported_file(batch.cycle), {**about, "images": images})
    run.folder.append_line(LEDGER, json.dumps({"event": "exported", **about, "images": [*now]}))


def write_batch(batch: Batch, tool: Tool, out: Path, link: bool = False) -> None:
    """Writes images and tasks into a folder, each file whole and the tasks last, so that whoever
    finds them finds all images. Raises DataError and RunFolderError."""
    folder = RunFolder(out)
    folder.remove_leftovers("", f"{tool.images}/**/")  # label tools would take them for images
    tasks = [_placed(task, folder, tool, link) for task in progress(batch.tasks, "images")]
    tool.write(replace(batch, tasks=tasks), folder)


def make_batch(
    run: Run, cycle: int, scores: Mapping[str, float],
    known: Mapping[str, Sequence[Suggestion]] | None = None, most: int | None = None,
) -> tuple[Batch, FaultCounts]:  # fmt: skip
    """The images of a cycle's batch that nobody answered for, and those that cannot be used. Before
    a detector was trained nothing is suggested. known: what was suggested before, by image: the
    detector is asked about the others alone. most: images, those of the first ranks."""
    record, faults = run.record, FaultCounts()
    classes = run.dataset.classes if cycle == FIRST else record.classes_of(cycle)
    for name in scores.keys() - {"", *classes}:
        raise ConfigError(f"this run has no class '{name}'", where="score",
                          remedy=f"choose among {', '.join(classes)}")  # fmt: skip
    answered = LabelStore(run.folder).answers()
    waiting = [row for row in rows_of(run, cycle) if row["id"] not in answered]
    rows, later = waiting[:most], waiting[len(waiting[:most]) :]
    for row in later:
        faults.add(f"image beyond the first {most}: it comes when these are labeled", row["id"])
    images = _images(run, rows, faults)
    if not images:
        raise DataError(
            f"no image of {batch_name(cycle)} is left to label"
            + "".join(f"; {line}" for line in faults.lines()),
            where=run.folder.root,
            remedy=f"miaod run --run-dir {run.folder.root} goes on",
        )
    boxes = dict(known or {})
    new = [image for image_id, image in images.items() if image_id not in boxes]
    if new and cycle != FIRST:
        found = detect_images(run.load_model(cycle), new, run.config, "boxes to suggest")
        keep_detections(run.folder, cycle, found)  # to be compared with the labels to come
        short = pixels_short(run)
        boxes |= {
            i: _suggestions(one, classes, scores, images[i], short) for i, one in found.items()
        }
    tasks = [
        _task(row, images[row["id"]], boxes.get(row["id"], ()))
        for row in rows
        if row["id"] in images
    ]
    return Batch(record.name, record.fingerprint, cycle, classes, tasks), faults


def newest_batch(run: Run) -> int:
    """The cycle whose batch is to be labeled: the newest one that has chosen images, or FIRST
    before the run has begun. Raises DecisionError where the labels are under way."""
    return reviewing.newest_batch(run.record) if has_begun(run.folder) else FIRST


def rows_of(run: Run, cycle: int) -> list[SelectedImage]:
    """The rows of a cycle's batch, the most wanted first."""
    if cycle != FIRST:
        return run.record.selection(cycle)["selected"]
    first = run.dataset.first.labeled.tolist()
    index_of = dict(zip(run.dataset.ids(first), first, strict=True))
    why = run.dataset.chosen_first or dict.fromkeys(index_of, "drawn at random to begin with")
    return [
        {"rank": rank, "id": image_id, "index": index_of[image_id], "score": None, "reason": reason}
        for rank, (image_id, reason) in enumerate(why.items(), 1)
    ]


def batch_name(cycle: int) -> str:
    """What a batch is called."""
    return "the first batch" if cycle == FIRST else f"the batch of cycle {cycle}"


def short_name(cycle: int) -> str:
    """The same as a part of file names."""
    return "first" if cycle == FIRST else f"cycle{cycle}"


def exported_file(cycle: int) -> str:
    """Where a run folder keeps what was suggested for a cycle's batch when it was exported last."""
    return f"labels/exported/{short_name(cycle)}.json"


def suggested(folder: RunFolder, cycle: int) -> dict[str, list[Suggestion]]:
    """What was suggested for a cycle's batch, by image; {} if it was not exported."""
    name = exported_file(cycle)
    if not folder.exists(name):
        return {}
    images: Mapping[str, list[list[Any]]] = folder.load_json(name)["images"]
    return {
        image_id: [Suggestion(label, tuple(box), score) for label, box, score in boxes]
        for image_id, boxes in images.items()
    }


def _images(run: Run, rows: Sequence[SelectedImage], faults: FaultCounts) -> dict[str, ImageRecord]:
    """The images of these rows that are there, by id."""
    found = {}
    for row in rows:
        if image := run.dataset.records.get(row["id"]):  # with its EXIF orientation
            found[row["id"]] = image
        else:
            faults.add("image of the batch missing or unreadable", row["id"])
    return found


def _task(row: SelectedImage, image: ImageRecord, suggestions: Sequence[Suggestion]) -> Task:
    return Task(
        id=row["id"], file=row["id"] + image.image_path.suffix, path=image.image_path,
        size=(image.width, image.height), stored_size=image.stored_size,
        orientation=image.orientation, rank=row["rank"], uncertainty=row["score"],
        reason=row["reason"], suggestions=suggestions, gray=image.gray,
    )  # fmt: skip


def pixels_short(run: Run) -> int:
    """By how many pixels boxes of this run end too early at the right and at the bottom, labels and
    detections alike; 1 where its first labels are VOC's own, which the authors read so."""
    first = run.dataset.first.labeled
    return run.dataset.oracle.pixels_short(run.dataset.ids(first))


def _suggestions(
    found: Detections, classes: Sequence[str], scores: Mapping[str, float], image: ImageRecord,
    short: int,
) -> list[Suggestion]:  # fmt: skip
    """The boxes that are sure enough, right and bottom open."""
    lowest = scores.get("", LOWEST_SCORE)
    width, height = image.width, image.height
    boxes = zip(found.names(classes), found.boxes.tolist(), found.scores.tolist(), strict=True)
    return [
        Suggestion(name, (x1, y1, min(x2 + short, width), min(y2 + short, height)), score)
        for name, (x1, y1, x2, y2), score in boxes
        if score >= scores.get(name, lowest)
    ]


def _placed(task: Task, folder: RunFolder, tool: Tool, link: bool) -> Task:
    """Puts the image of a task into the folder of an export; the task as it is there. Raises
    DataError."""
    as_seen, target = tool.turns_images, folder.root / tool.images
    try:
        shown = not as_seen or _is_shown(task.path)
        if not shown:
            task = replace(task, file=str(PurePosixPath(task.file).with_suffix(".png")))
        file = PurePosixPath(tool.images, task.file)
        target = folder.path(str(file.parent)) / file.name
        with written_whole(target) as place:
            if not shown:  # as the detector sees it
                picture = load_image(task.path, task.gray).permute(1, 2, 0).numpy()
                Image.fromarray(picture).save(place)
            elif as_seen and task.orientation > 1:
                with Image.open(task.path) as image:
                    profile = image.info.get("icc_profile")
                    turned = upright(image, task.orientation)
                    turned.save(place, format=image.format, quality=95, icc_profile=profile)
            elif link:
                place.symlink_to(task.path.resolve())
            else:
                shutil.copyfile(task.path, place)
    except OSError as error:
        raise _not_placed(task, target, error) from None
    return replace(task, orientation=1, stored_size=task.size) if as_seen else task


def _not_placed(task: Task, target: Path, error: OSError) -> DataError:
    fault, remedy = disk_fault(error)
    if error.errno is None or str(error.filename) == str(task.path):  # decoders have no number
        return DataError(
            f"the image '{task.id}' cannot be read any more ({fault})", where=task.path,
            remedy="restore the file, and give the same command again",
        )  # fmt: skip
    return DataError(
        f"the image '{task.id}' cannot be put there ({fault})", where=target,
        remedy=f"{remedy}, and give the same command again",
    )  # fmt: skip


def _is_shown(path: Path) -> bool:
    """Whether browsers show the image; of gray they show 8 bits."""
    with Image.open(path) as image:
        return image.format in SHOWN and not image.mode.startswith(("I", "F"))
