"""The values of a few images that are named, also of a detector that is still in training."""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd

from miaod_nb.experiment.run import Run
from miaod_nb.inspection.anchor_values import pool_index, pool_records
from miaod_nb.inspection.asking import ask_detector
from miaod_nb.inspection.table import k_grid, make_table, own_column, row_of
from miaod_nb.inspection.values import AnchorValues, anchor_arrays


def values_now(run: Run, cycle: int, ids: Sequence[str]) -> dict[str, AnchorValues]:
    """The values of these images by id, by the cycle's detector as it is now. They are not kept:
    further training changes them. Raises ConfigError, DataError and RunFolderError."""
    records = pool_records(run, [pool_index(run, image_id) for image_id in ids])
    compute = partial(anchor_arrays, config=run.config)
    found = dict(ask_detector(run, cycle, records, compute, in_training=True))
    return {image_id: AnchorValues.from_arrays(image_id, found[image_id]) for image_id in ids}


def table_of(run: Run, values: Mapping[str, AnchorValues]) -> pd.DataFrame:
    """A table as `keep_anchor_values` makes it, of these images alone: scores are of `values`, and
    ranks count these images; of a strategy whose score is no value of anchors there are none."""
    config, classes = run.config, run.record.classes
    counts = k_grid(config, max(len(one.discrepancy) for one in values.values()))
    rows = {image_id: row_of(one, config, classes, counts) for image_id, one in values.items()}
    own = own_column(run.card, config, counts[-1])
    scores = {image_id: row.get(own, math.nan) for image_id, row in rows.items()}
    is_scored = not any(map(math.isnan, scores.values()))
    ordered = sorted(scores, key=lambda image_id: -scores[image_id]) if is_scored else list(scores)
    images = pd.DataFrame({
        "id": ordered, "index": [pool_index(run, image_id) for image_id in ordered],
        "score": [scores[image_id] for image_id in ordered],
        "rank": [place if is_scored else math.nan for place in range(1, len(ordered) + 1)],
        "kind": "best", "stands_for": 1.0,
    })  # fmt: skip
    return make_table(images, [rows[image_id] for image_id in ordered], own)
