"""The batch when images are set aside: the next best take their places, and ranks stay."""

import numpy as np
import pytest

from miaod_nb.config import make_config
from miaod_nb.selection.batch import choose_around
from miaod_nb.selection.strategies import STRATEGIES, Strategy

VALUES = np.array([0.2, 0.9, 0.1, 0.9, 0.5, 0.7, 0.5])
BY_VALUE = [3, 1, 5, 6, 4, 0, 2]  # of equal ones the later


def strategy(name: str) -> Strategy:
    return STRATEGIES[name](make_config("tiny", {"strategy": name}))


def chosen(name: str, barred: list[int], budget: int = 3, present: list[int] | None = None):
    def flags(positions: list[int]) -> np.ndarray:
        return np.isin(np.arange(len(VALUES)), positions)

    found, ranks = choose_around(
        strategy(name), VALUES, budget, np.random.default_rng([0, 0]), flags(barred),
        None if present is None else flags(present),
    )  # fmt: skip
    return found.tolist(), ranks.tolist()


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
    rng = np.random.default_rng([0, 0])
    own = strategy(name).choose(VALUES, 3, rng)[::-1].tolist()
    assert chosen(name, []) == (own, [1, 2, 3])


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


def test_only_present_images_take_a_place():
    assert chosen("mi_aod", [1], present=[]) == ([3, 5], [1, 3])
    assert chosen("mi_aod", [1], present=[4]) == ([3, 5, 4], [1, 3, 5])
    assert chosen("mi_aod", [1, 3], present=[4]) == ([5, 4], [3, 5])
    assert chosen("mi_aod", [], present=[4]) == ([3, 1, 5], [1, 2, 3])


def test_a_pool_of_which_all_are_chosen():
    assert chosen("mi_aod", [1], budget=7) == ([3, 5, 6, 4, 0, 2], [1, 3, 4, 5, 6, 7])
