"""The table of inspected images, by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from miaod_nb.boxes import Detections
from miaod_nb.config import make_config
from miaod_nb.detector.anchors import anchor_grid
from miaod_nb.inspection.table import k_grid, make_table, most_anchors, own_column, row_of
from miaod_nb.inspection.values import AnchorValues
from miaod_nb.runs.card import Card
from miaod_nb.selection.registry import card_of

CLASSES = ("dog", "sheep")


def values_with(discrepancy, weighted=None, scores=(), labels=()):
    boxes = np.zeros((len(scores), 4), np.float32)
    found = Detections(boxes, np.array(scores, np.float32), np.array(labels, np.int64))
    discrepancy = np.array(discrepancy, dtype=np.float32)
    weighted = discrepancy if weighted is None else np.array(weighted, dtype=np.float32)
    nothing = np.zeros((0, 4))
    return AnchorValues(
        "a", (8, 8), anchor_grid([(1, 1)], [8], [torch.zeros(1, 4)]), discrepancy, discrepancy,
        weighted, nothing, nothing, nothing, nothing, nothing, found,
    )  # fmt: skip


def config_with(**settings):
    return make_config("tiny", settings)


def row(values, config, num_anchors):
    return row_of(values, config, CLASSES, k_grid(config, num_anchors))


@pytest.mark.parametrize(
    ("top_k", "num_anchors", "own"),
    [(0.09, 2040, 183), (10000, 2040, 2040), (70, 2040, 70), (10000, 116000, 10000), (0.5, 1, 1)],
)
def test_counts_reach_from_one_anchor_to_all_with_the_runs_own(top_k, num_anchors, own):
    counts = k_grid(config_with(top_k=top_k), num_anchors)
    assert counts[0] == 1 and counts[-1] == num_anchors and own in counts
    assert counts == sorted(set(counts)) and len(counts) <= 13
    ratios = np.diff(np.log([k for k in counts if k != own or k in (1, num_anchors)]))
    assert num_anchors < 100 or ratios.max() < 2.1 * np.log(num_anchors) / 11


def test_means_maximum_and_sum_by_hand():
    values = values_with([0.1, 0.4, 0.0, 0.2], weighted=[0.0, 0.1, 0.3, 0.0])
    found = row(values, config_with(top_k=2), 4)
    assert found["mean 1"] == found["max"] == pytest.approx(0.4)
    assert found["mean 2"] == pytest.approx(0.3)
    assert found["mean 4"] == pytest.approx(0.175)
    assert found["sum"] == pytest.approx(0.7)
    assert found["weighted mean 2"] == pytest.approx(0.2)
    assert found["weighted max"] == pytest.approx(0.3) and found["weighted sum"] == pytest.approx(
        0.4
    )


def test_a_smaller_image_averages_its_share_or_what_it_has():
    """Of 4 anchors where the largest image has 8: a count stays one, a fraction halves."""
    values = values_with([4, 3, 2, 1])
    found = row(values, config_with(top_k=3), 8)
    assert found["mean 3"] == 3 and found["mean 8"] == 2.5
    found = row(values, config_with(top_k=0.5), 8)
    assert found["mean 4"] == 3.5 and found["mean 8"] == 2.5 and found["mean 1"] == 4


def test_objects_that_the_detector_sees_are_counted_by_class():
    values = values_with([0.0], scores=[0.9, 0.3, 0.29, 0.5], labels=[1, 1, 1, 0])
    found = row(values, config_with(), 1)
    assert found["class dog"] == 1 and found["class sheep"] == 2


@pytest.mark.parametrize(("aggregate", "expected"), [("max", np.log(2)), ("sum", np.log(2) + 0.0)])
def test_entropy_is_that_of_the_strategy(aggregate, expected):
    config = config_with(entropy_aggregate=aggregate)
    values = values_with([0.0], scores=[0.5, 1.0], labels=[0, 0])
    assert row(values, config, 1)["entropy"] == pytest.approx(expected)
    assert row(values_with([0.0]), config, 1)["entropy"] == 0


@pytest.mark.parametrize(
    ("settings", "column"),
    [({"top_k": 3}, "mean 3"), ({"top_k": 3, "weighted_selection": True}, "weighted mean 3"),
     ({"strategy": "entropy"}, "entropy")],
)  # fmt: skip
def test_the_runs_own_column_has_the_recorded_scores(settings, column):
    config = config_with(**settings)
    inspected = pd.DataFrame({"id": ["a", "b"], "score": [0.75, 0.5]})
    rows = [row(values_with([1, 2, 3, 4]), config, 4) for _ in "ab"]
    table = make_table(inspected, rows, own_column(card_of(config.strategy), config, 4))
    assert [name for name in table if table[name].tolist() == [0.75, 0.5]] == ["score", column]


def test_another_strategy_leaves_the_columns_alone():
    own = Card("margin", "margin", "", "", ranks_by="score")
    assert own_column(own, config_with(), 4) == "score"


def test_the_largest_image_counts():
    grid = anchor_grid([(2, 3), (1, 2)], [8, 16], [torch.zeros(2, 4), torch.zeros(3, 4)])
    assert most_anchors(grid, [(16, 24), (8, 8)]) == len(grid.boxes) == 18
    assert most_anchors(grid, [(8, 8)]) == 5
