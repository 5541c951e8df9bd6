"""The values of anchors of a cycle's images, each image in a file of the run folder."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import pandas as pd

from miaod_nb.data.plans import padded_sizes
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize
from miaod_nb.errors import ConfigError, RunFolderError
from miaod_nb.experiment.run import Run
from miaod_nb.inspection.asking import ask_detector
from miaod_nb.inspection.inspected import inspected, inspected_ids
from miaod_nb.inspection.table import k_grid, make_table, most_anchors, own_column, row_of
from miaod_nb.inspection.values import AnchorValues, anchor_arrays
from miaod_nb.progress import progress, say
from miaod_nb.runs.files import RunFolder

__all__ = [
    "AnchorValues", "all_values", "anchor_values", "inspected_ids", "k_grid", "keep_anchor_values",
    "pool_index", "read_or_none",
]  # fmt: skip
Read = TypeVar("Read")
NEWEST = "least_confidence"  # a column of the table that earlier versions did not keep


def anchor_values(run: Run, cycle: int, image_id: str) -> AnchorValues:
    """The values of an image of the train list, labeled or not: from its file, which is made if it
    is not there. Raises ConfigError, DataError and RunFolderError."""
    index = pool_index(run, image_id)
    kept = _kept(run, cycle, index)
    return kept or next(_computed(run, cycle, [index]))


def keep_anchor_values(run: Run, cycle: int) -> pd.DataFrame:
    """The table of the inspected images, the most uncertain first; their values are written first
    where they are not there yet. What was cut off goes on.

    Columns: those of `inspected`; entropy and least_confidence, of the detections, as these
    strategies have it; `class <name>`, how many objects the detector sees; `boxes <name>`, how many
    its scores let expect; and for each k of `k_grid` `mean <k>` of the
    discrepancy, also `max` and `sum`, and the same of the weighted uncertainty as `weighted ...`.
    Raises ConfigError, DataError and RunFolderError.
    """
    images = inspected(run, cycle)
    file, indices = f"cycle{cycle}/anchors/table.parquet", images["index"].tolist()
    if all(run.folder.exists(_file(cycle, index)) for index in indices):
        kept = read_or_none(run.folder, file, run.folder.load_parquet)
        if kept is not None and NEWEST in kept and kept["id"].tolist() == images["id"].tolist():
            return kept
    table = _made_table(run, cycle, images)
    run.folder.save_parquet(file, table)
    return table


def _made_table(run: Run, cycle: int, images: pd.DataFrame) -> pd.DataFrame:
    classes, indices = run.record.classes_of(cycle), images["index"].tolist()
    config = run.config
    sizes = padded_sizes(pool_records(run, indices), InputSize.of(config))
    found = progress(all_values(run, cycle, indices), f"cycle {cycle} anchors", len(indices))
    rows: dict[str, dict[str, float]] = {}
    counts: list[int] = []
    for values in found:
        counts = counts or k_grid(config, most_anchors(values.grid, sizes))
        rows[values.id] = row_of(values, config, classes, counts)
    ordered = [rows[image_id] for image_id in images["id"]]
    return make_table(images, ordered, own_column(run.card, config, counts[-1]))


def all_values(run: Run, cycle: int, indices: Sequence[int]) -> Iterator[AnchorValues]:
    """The values of these images of the pool, those first whose files are there."""
    missing = []
    for index in indices:
        kept = _kept(run, cycle, index)
        if kept is None:
            missing.append(index)
        else:
            yield kept
    if missing:
        yield from _computed(run, cycle, missing)


def pool_index(run: Run, image_id: str) -> int:
    """The place of an image in the pool. Raises ConfigError."""
    if image_id in run.record.pool:
        return run.record.pool.index(image_id)
    raise ConfigError(
        f"there is no image '{image_id}' in the pool of this run",
        where=run.data_root,
        remedy="give the id of an image of the pool; restore its file if it was deleted",
    )


def pool_records(run: Run, indices: Sequence[int]) -> list[ImageRecord]:
    """The images at these places in the pool."""
    return [find_image(run, run.record.pool[index]) for index in indices]


def find_image(run: Run, image_id: str) -> ImageRecord:
    """An image of the run. Raises ConfigError for an id that it does not have."""
    found = run.image(image_id)
    if found is None:
        raise ConfigError(
            f"there is no image '{image_id}' in this run", where=run.folder.root,
            remedy="give the id of one of its images; restore its file if it was deleted",
        )  # fmt: skip
    return found


def _kept(run: Run, cycle: int, index: int) -> AnchorValues | None:
    """The values in the file of the pool's image `index`; None if it is not there, broken, or of
    another image or version."""
    image_id = run.record.pool[index]
    arrays = read_or_none(run.folder, _file(cycle, index), run.folder.load_npz)
    if arrays is None:
        return None
    try:
        is_own = str(arrays["id"]) == image_id
        return AnchorValues.from_arrays(image_id, arrays) if is_own else None
    except KeyError:
        return None


def read_or_none(folder: RunFolder, file: str, load: Callable[[str], Read]) -> Read | None:
    """What a file holds that can be made anew; None if it is not there, or broken, which is
    said."""
    if not folder.exists(file):
        return None
    try:
        return load(file)
    except RunFolderError as error:
        say(f"  {folder.path(file)} is made anew: {error.what}")
        return None


def _computed(run: Run, cycle: int, indices: Sequence[int]) -> Iterator[AnchorValues]:
    """The values of these images of the pool, each as soon as its file is written."""
    places = {run.record.pool[index]: index for index in indices}
    records = pool_records(run, indices)
    for image_id, arrays in ask_detector(
        run, cycle, records, partial(anchor_arrays, config=run.config)
    ):
        run.folder.save_npz(_file(cycle, places[image_id]), id=image_id, **arrays)
        yield AnchorValues.from_arrays(image_id, arrays)


def _file(cycle: int, index: int) -> str:
    return f"cycle{cycle}/anchors/{index}.npz"
