"""A batch that people label in the notebook itself: what they draw is kept at once, and handed in
as the file of a label tool is."""

import time
from collections.abc import Mapping
from typing import Any

from miaod_nb.errors import DecisionError
from miaod_nb.experiment.run import Run
from miaod_nb.labeling.exchange import Batch
from miaod_nb.labeling.exporting import (
    batch_name,
    make_batch,
    note_export,
    rows_of,
    short_name,
    suggested,
)
from miaod_nb.labeling.importing import Import, import_labels
from miaod_nb.labeling.ingest import notebook
from miaod_nb.labeling.ingest.notebook import Drawing, Drawings
from miaod_nb.runs.label_store import LabelStore
from miaod_nb.runs.record import RunRecord

MOST = 200  # images at a time: the detector is asked about all of them when the view opens


def drawing_file(cycle: int) -> str:
    """Where a run folder keeps what was drawn for a cycle's batch."""
    return f"labels/{short_name(cycle)}-notebook.json"


def batch_to_draw(run: Run, cycle: int) -> tuple[Batch, list[str]]:
    """The images of a batch that nobody answered for, MOST of them, with the boxes that were
    suggested when it was exported, or that its detector suggests now; and what was left out, in
    words. Raises what `make_batch` raises."""
    batch, faults = make_batch(run, cycle, {}, suggested(run.folder, cycle), MOST)
    answered = LabelStore(run.folder).answers().keys() & {row["id"] for row in rows_of(run, cycle)}
    for image_id in sorted(answered):
        faults.add("image labeled already", image_id)
    return batch, faults.lines()


def drawings_of(record: RunRecord, cycle: int) -> dict[str, Drawing]:
    """What was drawn for a batch, by image; {} if nothing was yet. Raises DataError."""
    path = record.folder.path(drawing_file(cycle))
    return notebook.read_drawings(path).images if path.exists() else {}


def keep_drawings(run: Run, batch: Batch, drawn: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes down what people made of some images of the batch; of the others all stays. drawn: the
    fields of a `Drawing` but its time, by image.

    With it the run notes what was suggested, if it has not yet. Raises DataError for a damaged
    file, and RunFolderError.
    """
    folder, name = run.folder, drawing_file(batch.cycle)
    now = time.time()
    new = {i: Drawing.model_validate({**one, "time": now}) for i, one in drawn.items()}
    before = drawings_of(run.record, batch.cycle)
    if {task.id for task in batch.tasks} - suggested(folder, batch.cycle).keys():
        note_export(run, batch, "notebook", folder.path(name))
    whole = Drawings(
        tool="miaod-notebook", run=batch.fingerprint, cycle=batch.cycle, images={**before, **new}
    )
    folder.save_text(name, whole.model_dump_json(indent=1) + "\n")


def why_too_late(record: RunRecord, cycle: int) -> str:
    """Why a batch cannot be labeled in the notebook any more, in words; "" if it can."""
    if "split" not in record.done(cycle + 1):
        return ""
    return f"Cycle {cycle + 1} has begun with {batch_name(cycle)}: nothing is drawn any more."


def hand_in(run: Run, cycle: int) -> Import:
    """Takes over what is done and skipped of what was drawn for a batch, as `import_labels` does.
    Raises DecisionError where it is too late, and what `import_labels` raises."""
    path = run.folder.path(drawing_file(cycle))
    if what := why_too_late(run.record, cycle):
        raise DecisionError(
            what, where=path, remedy=f"`miaod import {run.folder.root} {path}` takes them over",
        )  # fmt: skip
    return import_labels(run, path, notebook.FORMAT, cycle)
