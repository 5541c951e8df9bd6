"""Batches that other rules would choose, by hand."""

import numpy as np
import pandas as pd
import pytest

from miaod_nb.errors import ConfigError
from miaod_nb.inspection.replay import Difference, difference, kept_counts, replay

TABLE = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "rank": [1, 2, 3, 9],
        "stands_for": [1.0, 1.0, 1.0, 7.0],
        "entropy": [0.0, 0.1, 0.1, 0.6],
        "mean 1": [0.5, 0.9, 0.1, 0.2],
        "mean 10": [0.4, 0.3, 0.2, 0.1],
        "max": [0.5, 0.9, 0.1, 0.2],
        "sum": [1.0, 2.0, 3.0, 4.0],
        "weighted mean 10": [0.1, 0.1, 0.3, 0.2],
    }
)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"k": 10}, ["a", "b"]),
        ({"k": 1}, ["b", "a"]),
        ({"k": 10, "weighted": True}, ["c", "d"]),
        ({"aggregate": "max"}, ["b", "a"]),
        ({"aggregate": "sum"}, ["d", "c"]),
        ({"strategy": "entropy", "k": 77}, ["d", "b"]),  # of equal ones that of better rank
    ],
)
def test_rules_choose_by_their_column(rules, expected):
    assert replay(TABLE, budget=2, **rules) == expected
    reversed_table = TABLE.iloc[::-1].reset_index(drop=True)
    assert replay(reversed_table, budget=2, **rules) == expected


def test_an_image_of_the_sample_is_drawn_as_often_as_those_it_stands_for():
    drawn = [replay(TABLE, strategy="random", budget=1, seed=seed)[0] for seed in range(400)]
    shares = pd.Series(drawn).value_counts(normalize=True)
    assert shares["d"] == pytest.approx(0.7, abs=0.07)
    assert np.ptp(shares[["a", "b", "c"]]) < 0.1
    both = [replay(TABLE, strategy="random", budget=4, seed=5) for _ in range(2)]
    assert both[0] == both[1] and sorted(both[0]) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"k": 2}, "choose one of 1, 10"),
        ({}, "choose one of 1, 10"),
        ({"k": 1, "budget": 5}, "from 1 to 4"),
        ({"k": 1, "budget": 0}, "from 1 to 4"),
        ({"strategy": "full"}, "mi_aod, entropy, least_confidence, random"),
        ({"aggregate": "median"}, "mean, max, sum"),
    ],
)
def test_what_cannot_be_replayed_is_explained(rules, said):
    with pytest.raises(ConfigError, match=said):
        replay(TABLE, **{"budget": 1} | rules)


def test_the_counts_that_are_kept():
    assert kept_counts(TABLE) == [1, 10]


def test_difference_of_two_batches():
    expected = Difference(added=["d", "e"], dropped=["a"], jaccard=2 / 5)
    assert difference(["a", "b", "c"], ["c", "d", "b", "e"]) == expected
    assert difference(["a"], ["a"]) == Difference([], [], 1.0)
    assert difference([], []).jaccard == 1
