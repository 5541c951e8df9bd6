"""Asking a cycle's detector about images of the pool."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector.folding import fold
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import RunFolderError
from miaod_nb.experiment.run import Run
from miaod_nb.inspection.inspected import do_it_first
from miaod_nb.passes.image_pass import Columns, Row, compute_rows
from miaod_nb.runs.machine import memory_explained, prepare_torch


def ask_detector(
    run: Run, cycle: int, records: Sequence[ImageRecord],
    compute: Callable[[DetectionModel, UnlabeledBatch], Columns], in_training: bool = False,
) -> Iterator[tuple[str, Row]]:  # fmt: skip
    """What `compute` finds of each image, by id and as soon as its batch is done.

    in_training: the cycle's detector may be one that is not finished. Raises ConfigError, DataError
    and RunFolderError.
    """
    model = detector_of(run, cycle, in_training)
    with memory_explained():
        yield from compute_rows(model, records, partial(compute, model), run.config)


def detector_of(run: Run, cycle: int, in_training: bool = False) -> DetectionModel:
    """The cycle's detector, ready to look at images. Raises as `ask_detector` does."""
    _refuse_untrained(run, cycle, in_training)
    prepare_torch(run.config, run.device)
    return fold(run.model_so_far(cycle) if in_training else run.load_model(cycle))


def _refuse_untrained(run: Run, cycle: int, in_training: bool) -> None:
    run.refuse_imported(cycle)
    files = ("weights.pt", "state.pt") if in_training else ("weights.pt",)
    if not any(run.folder.exists(f"cycle{cycle}/{name}") for name in files):
        state = "has not begun to train" if in_training else "is not trained yet"
        raise RunFolderError(
            f"cycle {cycle} {state}: there is no detector to ask",
            where=run.folder.path(f"cycle{cycle}"),
            remedy=do_it_first(cycle),
        )
