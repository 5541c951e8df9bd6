"""What labels are expected to cost, and batches that are worth it."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from miaod_nb.boxes import Detections
from miaod_nb.config import make_config
from miaod_nb.errors import ConfigError, DecisionError, TrainingError
from miaod_nb.passes.observing import observe
from miaod_nb.runs.card import Card
from miaod_nb.selection.batch import ASKED, choose_batch
from miaod_nb.selection.costs import BoxEstimate, Prices, Seconds, fit_boxes, fit_seconds
from miaod_nb.selection.counting import Counting, boxes_seen
from miaod_nb.selection.outputs import Outputs
from miaod_nb.selection.protocol import Candidates, Choice
from miaod_nb.selection.registry import BUILT_IN, STRATEGIES, build_strategy
from tests.tiny import lively_detector, noise, unlabeled

TOLD = Seconds(image=7.8, box=7.0)


def of(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def pool_of(values, costs) -> Candidates:
    ids = [str(place) for place in range(len(values))]
    pool = Candidates.of_all(ids, ["old"], {"score": np.array(values, np.float32)})
    return Candidates(**vars(pool) | {"costs": np.array(costs, np.float64)})


def batch(values, costs, budget: float, name: str = "entropy", **more) -> list[int]:
    """Places of the images of the batch, in its order."""
    strategy = build_strategy(make_config("tiny", {"strategy": name}))
    return [one.position for one in choose_batch(
        strategy, pool_of(values, costs), budget, [0, 0], **more
    )]  # fmt: skip


# ------------------------------------------------------------------------------ expected costs


def test_expected_boxes_are_the_sum_of_scores_times_what_labels_say():
    """True 2, 4, 6 of seen 1, 2, 5: factor 12 / 8. Left out one by one: 10/7, 8/6, 6/3 times."""
    found = fit_boxes(of(1, 2, 5), of(2, 4, 6), "of a kind")
    error = (abs(10 / 7 - 2) + abs(8 / 6 * 2 - 4) + abs(2 * 5 - 6)) / 3
    assert found == BoxEstimate(1.5, 0.0, pytest.approx(error), 3, "of a kind")
    np.testing.assert_allclose(found.boxes(np.float32([0, 2])), [0, 3])


@pytest.mark.parametrize(
    ("seen", "true", "expected"),
    [
        ([0, 0], [1, 3], BoxEstimate(0.0, 2.0, 2.0, 2)),  # it finds nothing: the mean, for all
        ([0, 4], [1, 3], BoxEstimate(1.0, 0.0, (1 + 2) / 2, 2)),  # nothing but in one
        ([2], [3], BoxEstimate(1.5, 0.0, None, 1)),  # nothing to measure the error by
        ([1, 1], [0, 0], BoxEstimate(0.0, 0.0, 0.0, 2)),  # labels without boxes
    ],
)
def test_estimates_of_little(seen, true, expected):
    assert fit_boxes(of(*seen), of(*true)) == expected


def test_an_image_costs_a_box_at_least_or_the_minutes_of_a_look_and_its_boxes():
    estimate, seen = BoxEstimate(2.0), of(0, 0.25, 3)
    np.testing.assert_array_equal(Prices(9, "boxes", estimate, TOLD).costs(seen), [1, 1, 6])
    minutes = Prices(9, "minutes", estimate, Seconds(30, 15)).costs(seen)
    np.testing.assert_allclose(minutes, [0.5, 0.625, 2])


def test_prices_are_the_same_from_their_document():
    prices = Prices(9.0, "minutes", fit_boxes(of(1, 2), of(1, 1), "x"), TOLD)
    assert Prices.of(json.loads(json.dumps(prices.as_cost([1.0, 2.5])))) == prices
    assert prices.as_cost([1.0, 2.5])["expected"] == 3.5


def test_seconds_are_learned_from_people_and_not_from_the_one_who_went_for_lunch():
    times = [(n % 5, 4.0 + 3.0 * (n % 5)) for n in range(40)]
    times[7] = (1, 3600.0)
    assert fit_seconds(times, TOLD) == Seconds(pytest.approx(4), pytest.approx(3), 40)


@pytest.mark.parametrize("times", [[], [(1, 9.0)], [(n, 1.0) for n in range(19)], [(2, 9.0)] * 99])
def test_too_few_times_or_one_number_of_boxes_tell_nothing(times):
    assert fit_seconds(times, TOLD) == TOLD


def test_nobody_works_in_no_time():
    hasty = [(n, max(20.0 - n, 0.0)) for n in range(20)]
    found = fit_seconds(hasty, TOLD)
    assert found.box == 0 and found.image >= 1


# ------------------------------------------------------------------------------- what is chosen


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (1, [2]),  # values for costs: 1, 4/3, 2, 1/2
        (4, [2, 1]),
        (5, [2, 1]),  # then 0, which costs 2, does not fit, nor does 3
        (6, [2, 1, 0]),
        (10, [2, 1, 0, 3]),
        (99, [2, 1, 0, 3]),
        (0.5, [2]),  # nothing fits: no batch is empty
    ],
)
def test_the_highest_values_for_their_costs(budget, expected):
    assert batch([2, 4, 2, 2], [2, 3, 1, 4], budget) == expected


def test_an_image_that_does_not_fit_is_passed_over():
    """For their costs 3, 2, 1: after the first 3 are left, which the second is too dear for."""
    assert batch([6, 8, 2], [2, 4, 2], 5) == [0, 2]


def test_negative_values_are_the_lower_the_more_they_cost():
    assert batch([-1, -1, -3, 1], [2, 1, 1, 9], 99) == [3, 1, 0, 2]


def test_core_set_goes_by_distance_for_cost():
    """Places 6, 5, 1 from what is labeled at 0: 6 / 3, 5 / 1 and 1 / 1. Then 1 / 3 and 1 / 1, for
    both are 1 from their nearest center."""
    features = np.float32([[6], [5], [1]])
    pool = Candidates(
        **vars(Candidates.of_all(["a", "b", "c"], ["old"], {"feature": features}))
        | {"labeled": {"feature": np.float32([[0]])}, "costs": of(3, 1, 1)}
    )
    strategy = build_strategy(make_config("tiny", {"strategy": "coreset"}))
    found = choose_batch(strategy, pool, 2, [0, 0])
    assert [one.id for one in found] == ["b", "c"]
    assert [one.id for one in choose_batch(strategy, pool, 9, [0, 0])] == ["b", "c", "a"]


def test_equal_costs_change_no_order():
    values = np.random.default_rng(0).normal(size=30)
    assert batch(values, np.full(30, 2.0), 20) == np.argsort(values)[::-1][:10].tolist()


def test_wishes_use_the_budget_up_first():
    values, costs = [2, 4, 2, 2], [2, 3, 1, 4]
    assert batch(values, costs, 6, wanted={"3"}) == [2, 3]  # 3 costs 4, then one fits
    assert batch(values, costs, 3, wanted={"3"}) == [3]  # one alone may cost more
    with pytest.raises(DecisionError, match="expected to cost 7, and the budget is 6"):
        batch(values, costs, 6, wanted={"1", "3"})
    found = choose_batch(
        build_strategy(make_config("tiny", {"strategy": "entropy"})), pool_of(values, costs), 6,
        [0, 0], wanted={"3"},
    )  # fmt: skip
    assert [(one.rank, one.reason == ASKED) for one in found] == [(1, False), (4, True)]


def test_what_is_set_aside_makes_room_unless_none_may_take_it():
    values, costs = [6, 8, 2], [2, 4, 2]
    assert batch(values, costs, 5, barred={"0"}) == [1]
    now = {str(n): {"rank": rank, "reason": ""} for n, rank in ((0, 1), (2, 3))}
    assert batch(values, costs, 5, barred={"0"}, now=now) == [2]
    assert batch(values, costs, 5, now=now) == [0, 2]


@given(st.data())
def test_no_batch_costs_more_and_no_better_image_would_have_fitted(data):
    number = data.draw(st.integers(1, 12))
    values = data.draw(st.lists(st.integers(-5, 20), min_size=number, max_size=number))
    costs = data.draw(st.lists(st.integers(1, 9), min_size=number, max_size=number))
    budget = data.draw(st.integers(1, 40))
    name = data.draw(st.sampled_from(["entropy", "random"]))
    taken = batch(values, costs, budget, name)
    assert len(taken) == len(set(taken)) >= 1
    spent = np.cumsum([costs[place] for place in taken])
    assert spent[-1] <= budget or (len(taken) == 1 and min(costs) > budget)
    assert all(costs[n] > budget - spent[-1] for n in range(number) if n not in taken)
    if name == "random":
        return
    worth = [v / c if v >= 0 else v * c for v, c in zip(values, costs, strict=True)]
    for place in set(range(number)) - set(taken):
        better = [n for n in taken if worth[n] < worth[place]]
        before = sum(costs[n] for n in taken if n not in better)
        assert not better or before + costs[place] > budget or spent[-1] > budget


@given(st.permutations(range(8)))
def test_the_order_of_the_pool_changes_nothing(order):
    values, costs = of(5, 3, 8, 9, 1, 7, 6, 2), of(1, 2, 3, 4, 1, 2, 9, 2)
    places = [order[place] for place in batch(values[order], costs[order], 9)]
    assert places == batch(values, costs, 9)


# ------------------------------------------------------------------------- counting the boxes


def test_boxes_seen_are_the_sum_of_scores():
    scores = np.float32([0.5, 0.25])
    found = Detections(np.zeros((2, 4), np.float32), scores, np.array([0, 1]))
    assert boxes_seen(Outputs(found, 2)) == 0.75
    empty = Detections(np.zeros((0, 4), np.float32), scores[:0], np.array([], int))
    assert boxes_seen(Outputs(empty, 2)) == 0


@pytest.mark.parametrize("name", [n for n in BUILT_IN if n != "full"])
def test_every_strategy_counts_boxes_where_the_budget_asks_for_it(name):
    settings = {"strategy": name, "score_threshold": 0.0}
    own = build_strategy(make_config("tiny", settings))
    counting = build_strategy(make_config("tiny", settings | {"budget": "9 boxes"}))
    assert not isinstance(own, Counting) and isinstance(counting, Counting)
    assert counting.card.columns == (*own.card.columns, "box_sum")
    model, batch = lively_detector(), unlabeled(noise(2))
    with torch.no_grad():
        together = observe(model, batch, counting)
        assert together["box_sum"].shape == (2,) and (together["box_sum"] > 0).all()
        if own.card.columns:
            for column, values in observe(model, batch, own).items():
                torch.testing.assert_close(together[column], values)


def test_all_labels_cost_what_they_cost():
    config = make_config("tiny", {"strategy": "full", "budget": "9 boxes"})
    assert not isinstance(build_strategy(config), Counting)


class Own:
    """A strategy of somebody, of a column that may fail."""

    card = Card(name="own", label="own", words="w", reason="r", ranks_by="score",
                columns=("score",))  # fmt: skip

    def observe(self, model, batch):
        raise ZeroDivisionError("mine")

    def choose(self, pool, budget, rng):
        order = np.argsort(-pool.columns["score"])
        return Choice([pool.ids[int(place)] for place in order[:budget]])


def test_errors_name_the_own_strategy_and_not_what_wraps_it(monkeypatch):
    monkeypatch.setitem(STRATEGIES, "own", lambda config: Own())
    own = build_strategy(make_config("tiny", {"strategy": "own", "budget": "9 boxes"}))
    with (
        torch.no_grad(),
        pytest.raises(TrainingError, match="'own' fails: ZeroDivisionError: mine") as caught,
    ):
        observe(lively_detector(), unlabeled(noise(1)), own)
    assert "Own" in str(caught.value.where)
    with pytest.raises(ConfigError, match="values of score for their costs") as refused:
        choose_batch(own, pool_of([2, 4, 2], [2, 9, 1]), 9, [0, 0])
    assert "Own" in str(refused.value.where)


def test_a_column_of_that_name_is_refused(monkeypatch):
    class Boxes(Own):
        card = Card(name="own", label="own", words="w", reason="r", columns=("box_sum",))

    monkeypatch.setitem(STRATEGIES, "own", lambda config: Boxes())
    with pytest.raises(ConfigError, match="has a column 'box_sum'"):
        build_strategy(make_config("tiny", {"strategy": "own", "budget": "9 boxes"}))
    assert build_strategy(make_config("tiny", {"strategy": "own"})).card.columns == ("box_sum",)
