"""The batch when images are set aside: the next best take their places, and ranks stay."""

from collections.abc import Collection

import numpy as np
import pytest

from miaod_nb.config import make_config
from miaod_nb.errors import ConfigError, DecisionError
from miaod_nb.runs.card import Card
from miaod_nb.selection.batch import ASKED, choose_batch
from miaod_nb.selection.protocol import Candidates, Choice, Columns, Strategy
from miaod_nb.selection.registry import build_strategy

VALUES = np.array([0.2, 0.9, 0.1, 0.9, 0.5, 0.7, 0.5])
BY_VALUE = [3, 1, 5, 6, 4, 0, 2]  # of equal ones the later


def strategy(name: str) -> Strategy:
    return build_strategy(make_config("tiny", {"strategy": name}))


def candidates() -> Candidates:
    ids = [str(place) for place in range(len(VALUES))]
    return Candidates.of_all(ids, ["old"], columns={"score": VALUES})


def chosen(
    name: str, barred: list[int], budget: int = 3, now: dict[int, int] | None = None,
    wanted: tuple[int, ...] = (),
):  # fmt: skip
    """Positions and ranks; now: rank by position of the batch as it is."""
    rows = None if now is None else {str(i): {"rank": r, "reason": ""} for i, r in now.items()}
    found = choose_batch(
        strategy(name), candidates(), budget, [0, 0], set(map(str, barred)), rows,
        set(map(str, wanted)),
    )  # fmt: skip
    assert [one.id for one in found] == [str(one.position) for one in found]
    return [one.position for one in found], [one.rank for one in found]


@pytest.mark.parametrize("name", ["mi_aod", "entropy"])
@pytest.mark.parametrize(
    ("barred", "expected", "ranks"),
    [
        ([], [3, 1, 5], [1, 2, 3]),
        ([4], [3, 1, 5], [1, 2, 3]),  # set aside in advance, would not have been chosen
        ([1], [3, 5, 6], [1, 3, 4]),
        ([3, 6], [1, 5, 4], [2, 3, 5]),
        ([0, 1, 3, 4, 5], [6, 2], [4, 7]),  # too few are left
        (list(range(7)), [], []),
    ],
)
def test_the_next_best_take_the_places(name, barred, expected, ranks):
    assert chosen(name, barred) == (expected, ranks)


@pytest.mark.parametrize("name", ["mi_aod", "entropy", "random"])
def test_nothing_set_aside_is_the_strategys_own_choice(name):
    own = strategy(name).choose(candidates(), 3, np.random.default_rng([0, 0])).ids
    assert chosen(name, []) == ([int(i) for i in own], [1, 2, 3])


def test_a_random_batch_keeps_the_images_that_stay():
    """Setting more aside takes away no other image, and the order of replacement is fixed."""
    (first, second, third), _ = chosen("random", [])
    (stays, other, fourth), ranks = chosen("random", [second])
    assert (stays, other) == (first, third) and ranks == [1, 3, 4]
    assert fourth not in (first, second, third)
    (stays, other, fifth), ranks = chosen("random", [second, fourth])
    assert (stays, other) == (first, third) and ranks == [1, 3, 5]
    everyone, _ = chosen("random", [], budget=7)
    assert sorted(everyone) == list(range(7)) and fifth in everyone


def test_only_images_of_the_batch_take_a_place():
    assert chosen("mi_aod", [1], now={}) == ([3, 5], [1, 3])
    assert chosen("mi_aod", [1], now={4: 5}) == ([3, 5, 4], [1, 3, 5])
    assert chosen("mi_aod", [1, 3], now={4: 5}) == ([5, 4], [3, 5])
    assert chosen("mi_aod", [], now={4: 5}) == ([3, 1, 5], [1, 2, 3])


@pytest.mark.parametrize("name", ["mi_aod", "random"])
@pytest.mark.parametrize("budget", [1, 3, 7])
def test_an_image_keeps_its_rank_whatever_is_decided_about_others(name, budget):
    rng, rank_of = np.random.default_rng(1), {}
    for _ in range(40):
        barred = rng.permutation(7)[: rng.integers(7)].tolist()
        places, ranks = chosen(name, barred, budget)
        assert len(places) == min(budget, 7 - len(barred)) and ranks == sorted(ranks)
        for place, rank in zip(places, ranks, strict=True):
            assert rank_of.setdefault(place, rank) == rank
    assert len(rank_of) == len(set(rank_of.values())) > budget - 1


def test_a_pool_of_which_all_are_chosen():
    assert chosen("mi_aod", [1], budget=7) == ([3, 5, 6, 4, 0, 2], [1, 3, 4, 5, 6, 7])


# ------------------------------------------------------------------------------- images asked for


@pytest.mark.parametrize(
    ("wanted", "barred", "expected", "ranks"),
    [
        ((3,), [], [3, 1, 5], [1, 2, 3]),  # chosen anyway
        ((0,), [], [3, 1, 0], [1, 2, 6]),  # in place of the last
        ((0, 5), [], [3, 5, 0], [1, 3, 6]),  # which is not one that people want
        ((2, 0), [3], [1, 0, 2], [2, 6, 7]),
        ((2, 0, 4), [], [4, 0, 2], [5, 6, 7]),
        ((), [3], [1, 5, 6], [2, 3, 4]),
    ],
)
def test_an_image_that_is_asked_for_takes_the_place_of_the_last(wanted, barred, expected, ranks):
    assert chosen("mi_aod", barred, wanted=wanted) == (expected, ranks)


@pytest.mark.parametrize("name", ["coreset", "cdal", "typicality", "entropy", "random"])
def test_an_empty_pool_gives_an_empty_batch(name):
    """Its table does not say how long vectors are."""
    nothing = dict.fromkeys(["score", "feature", "mixture"], np.zeros(0))
    pool = Candidates.of_all([], ["z"], nothing, {"feature": np.ones((1, 4))})
    assert choose_batch(strategy(name), pool, 3, [0, 0]) == []


@pytest.mark.parametrize("name", ["coreset", "cdal", "typicality"])
def test_what_compares_images_needs_no_labeled_ones(name):
    columns = {"feature": np.eye(6), "mixture": np.eye(6)}
    pool = Candidates.of_all(list("abcdef"), columns=columns)
    assert len({one.id for one in choose_batch(strategy(name), pool, 4, [0, 0])}) == 4


def test_an_image_that_is_asked_for_takes_a_free_place_of_a_batch_that_shrinks():
    assert chosen("mi_aod", [1], now={3: 1, 5: 3}, wanted=(0,)) == ([3, 5, 0], [1, 3, 6])
    assert chosen("mi_aod", [], now={3: 1, 1: 2, 4: 5}, wanted=(4,)) == ([3, 1, 4], [1, 2, 5])


def test_no_two_images_have_one_rank_where_one_was_asked_for_before():
    pool, rule = candidates(), strategy("random")
    first, second = choose_batch(rule, pool, 2, [0, 0])
    other = next(i for i in pool.ids if i not in (first.id, second.id))
    batch = choose_batch(rule, pool, 2, [0, 0], wanted={other})
    now = {one.id: one._asdict() for one in batch}
    again = choose_batch(rule, pool, 2, [0, 0], set(), now, {other, second.id})
    assert {one.id for one in again} == {other, second.id}
    assert len({one.rank for one in again}) == 2


def test_who_asked_is_the_reason_and_goes_with_the_wish():
    def reasons(wanted: set[str], now: dict | None = None) -> dict[str, str]:
        rule, pool = strategy("mi_aod"), candidates()
        found = choose_batch(rule, pool, 3, [0], set() if now is None else {"1"}, now, wanted)
        return {one.id: one.reason for one in found}

    own = strategy("mi_aod").card.reason
    assert reasons({"0", "old", "3"}) == {"3": own, "1": own, "0": ASKED}  # "old" is labeled
    now = {"3": {"rank": 1, "reason": own}, "0": {"rank": 6, "reason": ASKED}}
    assert reasons({"0"}, now) == {"3": own, "5": own, "0": ASKED}
    assert reasons(set(), now) == {"3": own, "5": own}


def test_without_ranks_an_image_that_is_asked_for_comes_last():
    own, ranks = chosen("random", [])
    other = next(place for place in range(7) if place not in own)
    assert chosen("random", [], wanted=(other,)) == ([*own[:2], other], [*ranks[:2], 3])
    assert on_a_line(set(), wanted={"at 5.1"}) == [("at 0", 1), ("at 10", 2), ("at 5.1", 3)]


def test_wishes_that_cannot_be_met_are_refused():
    with pytest.raises(
        DecisionError, match="4 images are accepted or asked for, and a batch has 3"
    ) as error:
        chosen("mi_aod", [], wanted=(0, 1, 2, 3))
    assert "at least 1 of them" in error.value.remedy
    with pytest.raises(DecisionError, match="'9' is accepted, but the cycle did not look at it"):
        chosen("mi_aod", [], wanted=(9,))


# --------------------------------------------------------------------- rules that look at a set


class Farthest:
    """A rule of one's own, k-center on a line."""

    card = Card("farthest", "farthest", "far apart", "far from the others", columns=("place",))

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        places, taken = pool.columns["place"], [0]
        while len(taken) < min(budget, len(places)):
            taken.append(int(np.abs(places[:, None] - places[taken]).min(axis=1).argmax()))
        return Choice([pool.ids[place] for place in taken])


def on_a_line(
    barred: set[str], now: dict | None = None, wanted: Collection[str] = ()
) -> list[tuple[str, int]]:
    places = [0.0, 5, 5.1, 9.9, 10]
    pool = Candidates.of_all([f"at {p:g}" for p in places], columns={"place": np.array(places)})
    found = choose_batch(Farthest(), pool, 3, [0], barred, now, wanted)
    assert {one.reason for one in found} <= {"far from the others", "as before", ASKED}
    return [(one.id, one.rank) for one in found]


def test_a_rule_that_looks_at_several_images_never_sees_those_set_aside():
    assert on_a_line(set()) == [("at 0", 1), ("at 10", 2), ("at 5", 3)]
    assert on_a_line({"at 10"}) == [("at 0", 1), ("at 9.9", 2), ("at 5", 3)]
    assert on_a_line({"at 10", "at 0"}) == [("at 5", 1), ("at 9.9", 2), ("at 5.1", 3)]


def test_a_set_shrinks_without_being_chosen_anew():
    assert on_a_line({"at 10"}, {}) == [("at 0", 1), ("at 5", 2)]
    now = {"at 9.9": {"rank": 2, "reason": "as before"}}
    assert on_a_line({"at 10"}, now) == [("at 0", 1), ("at 5", 2), ("at 9.9", 3)]
    assert on_a_line({"at 10", "at 9.9"}, now) == [("at 0", 1), ("at 5", 2)]


# ------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("choice", "fault"),
    [
        (Choice(["0", "2"]), "chose 2 images instead of 3"),
        (Choice(["0", "2", "3", "4"]), "chose 4 images instead of 3"),
        (Choice(["0", "2", "0"]), "chose '0' more than once"),
        (Choice(["0", "2", "7"]), "chose '7', which is no image of the pool"),
        (Choice(["0", "2", "1"]), "chose '1', which people have set aside"),
        (Choice(["0", "old", "2"]), "chose 'old', which is labeled already"),
        (Choice(["0", "2", "3"], ranks=[1, 2]), "gave 2 ranks for 3 images"),
        (Choice(["0", "2", "3"], reasons=["a"]), "gave 1 reasons for 3 images"),
        (Choice(["0", "2", "3"], ranks=[1, 1, 2]), "gave ranks that do not rise from 1 on, to 7"),
        (Choice(["0", "2", "3"], ranks=[0, 1, 2]), "gave ranks that do not rise"),
        (Choice(["0", "2", "3"], ranks=[3, 2, 1]), "gave ranks that do not rise"),
        (Choice(["0", "2", "3"], ranks=[1, 2, 8]), "gave ranks that do not rise"),
        (Choice(["0", "2", "3"], ranks=[1, 2.5, 3]), "fails: TypeError: 'float' object"),
        (Choice(["0", "2", "3"], ranks=["1", "2", "3"]), "fails: TypeError: 'str' object"),
        (Choice(["0", "2", "3"], reasons="abc"), "fails: TypeError: ids and reasons are not"),
        (Choice(["0", "2", "3"], reasons=["a", None, "c"]), "fails: TypeError: ids and reasons"),
        (Choice([0, 2, 3]), "fails: TypeError: ids and reasons are not lists of texts"),
        (Choice(None), "fails: TypeError: 'NoneType' object is not iterable"),
        (Choice(["0", "2", "3"], ranks=None), "fails: TypeError"),
        (None, "fails: TypeError: it chose NoneType, no Choice"),
        (["0", "2", "3"], "fails: TypeError: it chose list, no Choice"),
        (ZeroDivisionError("division"), "fails: ZeroDivisionError: division"),
    ],
)
def test_a_choice_that_cannot_be_one_names_the_strategy(choice, fault):
    class Faulty(Farthest):
        def choose(self, *_: object) -> Choice:
            if isinstance(choice, Exception):
                raise choice
            return choice

    with pytest.raises(ConfigError, match=f"the strategy 'farthest' {fault}") as error:
        choose_batch(Faulty(), candidates(), 3, [0], {"1"})
    assert "Faulty" in error.value.where and "docs/extending.md" in error.value.remedy


def test_ids_and_ranks_may_come_in_any_form():
    class Own(Farthest):
        def choose(self, pool: Candidates, *_: object) -> Choice:
            return Choice((i for i in ("0", "2", "3")), ranks=np.array([2, 4, 5]))  # type: ignore[arg-type]

    found = choose_batch(Own(), candidates(), 3, [0])
    assert [(one.id, one.rank) for one in found] == [("0", 2), ("2", 4), ("3", 5)]


def test_a_choice_that_belies_its_card_is_refused():
    """Who applies decisions without the strategy's code goes by the column that it names."""

    class ThirdBest(Farthest):
        card = Card("third", "third", "some", "so", columns=("score",), ranks_by="score")

        def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
            return Choice([pool.ids[place] for place in BY_VALUE[2 : 2 + budget]])

    with pytest.raises(ConfigError, match="'third' did not choose the highest values of score"):
        choose_batch(ThirdBest(), candidates(), 3, [0])


def test_what_a_strategy_saw_cannot_be_changed_by_choosing():
    """Scores and ranks are written afterwards."""

    class Greedy(Farthest):
        def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
            pool.columns["place"][0] = -1
            return Choice([])

    kept = np.arange(5.0)
    pool = Candidates.of_all(list("abcde"), columns=Columns(["place"], lambda name: kept))
    with pytest.raises(ConfigError, match="'farthest' fails: ValueError: assignment destination"):
        choose_batch(Greedy(), pool, 3, [0])
    assert kept[0] == 0
