"""The values of a few images that are named, also of a detector that is still in training."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from miaod_nb.data.plans import inference_plan
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector.folding import folded
from miaod_nb.errors import RunFolderError
from miaod_nb.experiment.cycle import Experiment
from miaod_nb.experiment.inference import planned_results
from miaod_nb.experiment.session import memory_explained, prepare_torch
from miaod_nb.inspection.anchor_values import pool_index
from miaod_nb.inspection.inspected import refuse_other_settings
from miaod_nb.inspection.table import k_grid, make_table, own_column, row_of
from miaod_nb.inspection.values import AnchorValues, anchor_arrays


def values_now(run: Experiment, cycle: int, ids: Sequence[str]) -> dict[str, AnchorValues]:
    """The values of these images by id, by the cycle's detector as it is now. They are not kept:
    further training changes them. Raises ConfigError, DataError and RunFolderError."""
    records = [run.study.pool[pool_index(run, image_id)] for image_id in ids]
    _refuse_unbegun(run, cycle)
    prepare_torch(run.config, run.device)
    model = folded(run.model_so_far(cycle))
    plan = inference_plan(records, InputSize.of(run.config), run.config.inference_batch_size)
    compute = partial(anchor_arrays, model, config=run.config)
    with memory_explained():
        found = {
            image_id: AnchorValues.from_arrays(image_id, {k: v.numpy() for k, v in arrays.items()})
            for batch in planned_results(model, records, plan, compute, run.config)
            for image_id, arrays in batch.items()
        }
    return {image_id: found[image_id] for image_id in ids}


def table_of(run: Experiment, values: Mapping[str, AnchorValues]) -> pd.DataFrame:
    """A table as `keep_anchor_values` makes it, of these images alone: scores are of `values`, and
    ranks count these images."""
    config, classes = run.config, run.study.classes
    counts = k_grid(config, max(len(one.discrepancy) for one in values.values()))
    rows = {image_id: row_of(one, config, classes, counts) for image_id, one in values.items()}
    own = own_column(config, counts[-1])
    ordered = sorted(rows, key=lambda image_id: -rows[image_id][own])
    images = pd.DataFrame({
        "id": ordered, "index": [pool_index(run, image_id) for image_id in ordered],
        "score": [rows[image_id][own] for image_id in ordered],
        "rank": np.arange(1, len(ordered) + 1), "kind": "best", "stands_for": 1.0,
    })  # fmt: skip
    return make_table(images, [rows[image_id] for image_id in ordered], own)


def _refuse_unbegun(run: Experiment, cycle: int) -> None:
    refuse_other_settings(run)
    run.refuse_imported(cycle)
    if not any(run.folder.exists(f"cycle{cycle}/{name}") for name in ("weights.pt", "state.pt")):
        raise RunFolderError(
            f"the training of cycle {cycle} has not begun: there is no detector to ask",
            where=run.folder.path(f"cycle{cycle}"),
            remedy="choose a cycle that is done, or run this one first: `miaod run`, or the "
            f"notebooks with cycle={cycle}",
        )
