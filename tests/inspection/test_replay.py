"""Batches that other rules would choose, by hand."""

import numpy as np
import pandas as pd
import pytest

from miaod_nb.errors import ConfigError
from miaod_nb.inspection.replay import (
    Difference,
    Seen,
    costs_of,
    difference,
    kept_counts,
    replay,
)
from miaod_nb.selection.costs import BoxEstimate, Seconds

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


ADDED = TABLE.assign(**{
    "least_confidence": [0.1, 0.2, 0.3, 0.4], "boxes cat": [3.0, 2.0, 1.0, 0.0],
    "boxes dog": [0.0, 0.0, 0.0, 0.5], "class cat": [3, 2, 1, 0], "class dog": 0,
})  # fmt: skip
SEEN = Seen(
    features=np.array([[1, 0], [1, 0], [0, 1], [-1, -1]], np.float16),
    labeled_features=np.array([[0, 1]], np.float16), labeled_boxes=np.array([[4.0, 0.0]]),
    seconds=Seconds(30.0, 30.0),
)  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, ["a", "b"]),
        ({"max_similarity": 0.9}, ["a", "d"]),  # b looks like a, and c like what is labeled
        ({"class_target": "even"}, ["a", "d"]),  # dogs are short
        ({"second": "entropy"}, ["a", "d"]), ({"second": "least_confidence"}, ["a", "d"]),
        ({"second": "entropy", "share": 100}, ["a", "b"]),
        ({"unit": "boxes", "budget": 2}, ["d", "c"]),  # 0.1 for one, 0.2 for one; b has 0.3 for two
        ({"unit": "minutes", "budget": 2.5}, ["a", "d"]),  # 0.2 a minute; only d fits beside
    ],
)  # fmt: skip
def test_what_is_added_to_a_strategy_decides_too(rules, expected):
    given = {"k": 10, "budget": 2} | rules
    found = replay(ADDED, seen=SEEN, **given)
    assert sorted(found) == sorted(expected)
    turned = SEEN._replace(features=SEEN.features[::-1])
    assert replay(ADDED.iloc[::-1].reset_index(drop=True), seen=turned, **given) == found


def test_costs_go_by_what_is_seen_or_by_scores_where_they_were_compared_with_labels():
    assert costs_of(ADDED, SEEN, "boxes").tolist() == [3, 2, 1, 1]
    assert costs_of(ADDED, SEEN, "minutes").tolist() == [2, 1.5, 1, 0.5]
    fitted = SEEN._replace(estimate=BoxEstimate(2.0))
    assert costs_of(ADDED, fitted, "boxes").tolist() == [6, 4, 2, 1]


def test_the_counts_that_are_kept():
    assert kept_counts(TABLE) == [1, 10]


def test_difference_of_two_batches():
    expected = Difference(added=["d", "e"], dropped=["a"], jaccard=2 / 5)
    assert difference(["a", "b", "c"], ["c", "d", "b", "e"]) == expected
    assert difference(["a"], ["a"]) == Difference([], [], 1.0)
    assert difference([], []).jaccard == 1
