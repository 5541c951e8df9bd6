"""The table of a cycle's inspected images: what each would score by other rules."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from miaod_nb.config import Config
from miaod_nb.detector.anchors import AnchorGrid
from miaod_nb.inspection.values import AnchorValues
from miaod_nb.runs.card import Card
from miaod_nb.selection.class_coverage import class_boxes
from miaod_nb.selection.entropy import Entropy
from miaod_nb.selection.least_confidence import LeastConfidence
from miaod_nb.selection.outputs import Outputs
from miaod_nb.selection.uncertainty import num_averaged

GRID_COUNTS = 12  # counts of anchors between one and all that means are kept for
SCORED = {"entropy": Entropy, "least_confidence": LeastConfidence}  # by detections alone
SHOWN_SCORE = 0.3  # from which a detection counts as an object that the detector sees


def k_grid(config: Config, num_anchors: int) -> list[int]:
    """The counts of anchors that means are kept for, ascending: log-spaced from 1 to all, and the
    run's own among them.

    num_anchors: of the largest image. Where `top_k` is a fraction these are fractions too: a
    smaller image averages its share.
    """
    counts = np.geomspace(1, num_anchors, GRID_COUNTS).round().astype(int).tolist()
    return sorted({*counts, num_averaged(config.top_k, num_anchors)})


def column_of(strategy: str, aggregate: str, k: int | None, weighted: bool) -> str:
    """The column of the table that ranks images by such a rule."""
    if strategy in SCORED:
        return strategy
    return ("weighted " if weighted else "") + (f"mean {k}" if aggregate == "mean" else aggregate)


def own_column(card: Card, config: Config, num_anchors: int) -> str:
    """The column that ranks images as the run itself has; of a strategy that the table has no
    column for, the recorded score."""
    if not card.explained_by:
        return "score"
    k = num_averaged(config.top_k, num_anchors)
    return column_of(card.explained_by, "mean", k, config.weighted_selection)


def most_anchors(grid: AnchorGrid, padded_sizes: Iterable[tuple[int, int]]) -> int:
    """The number of anchors of the largest of these images (h, w), by the grid of any image."""
    return max(
        sum(
            math.ceil(height / stride) * math.ceil(width / stride) * per_cell
            for stride, per_cell in zip(grid.strides, grid.anchors_per_cell, strict=True)
        )
        for height, width in padded_sizes
    )


def row_of(
    values: AnchorValues, config: Config, classes: Sequence[str], counts: Sequence[int]
) -> dict[str, float]:
    """What the table says of an image. counts: the `k_grid` of the largest image."""
    found = values.detections
    seen = np.bincount(found.above(SHOWN_SCORE).labels, minlength=len(classes))
    outputs = Outputs(found, len(classes))
    expected = class_boxes(outputs)
    averaged = {k: own_count(k, config, len(values.discrepancy), counts[-1]) for k in counts}
    weighted = _aggregates(values.weighted, averaged)
    return (
        {name: float(kind(config).see(outputs)["score"]) for name, kind in SCORED.items()}
        | {f"class {name}": int(seen[c]) for c, name in enumerate(classes)}
        | {f"boxes {name}": float(expected[c]) for c, name in enumerate(classes)}
        | _aggregates(values.discrepancy, averaged)
        | {f"weighted {name}": value for name, value in weighted.items()}
    )


def make_table(inspected: pd.DataFrame, rows: Iterable[dict[str, float]], own: str) -> pd.DataFrame:
    """The images with their rows beside them. The column `own` gets the scores that the run
    recorded, which differ in the last digits, so that its own ranking is there exactly."""
    table = pd.concat([inspected, pd.DataFrame(list(rows))], axis=1)
    return table.assign(**{own: table["score"]})


def own_count(k: int, config: Config, own_anchors: int, num_anchors: int) -> int:
    """How many of an image's own anchors the count k stands for."""
    if k == num_averaged(config.top_k, num_anchors):
        return num_averaged(config.top_k, own_anchors)
    if config.top_k < 1:
        return max(k * own_anchors // num_anchors, 1)
    return min(k, own_anchors)


def _aggregates(values: np.ndarray, averaged: dict[int, int]) -> dict[str, float]:
    """Means over the largest values, of as many as `averaged` says for each k; max and sum."""
    sums = np.sort(values)[::-1].cumsum(dtype=np.float64)
    means = {f"mean {k}": float(sums[count - 1] / count) for k, count in averaged.items()}
    return means | {"max": float(sums[0]), "sum": float(sums[-1])}
