"""No look-alikes: what any strategy chooses without images that look like others."""

from typing import Any

import numpy as np
import pytest
import torch

from miaod_nb.config import Config, make_config
from miaod_nb.errors import ConfigError, TrainingError
from miaod_nb.runs.card import Card
from miaod_nb.selection import look_alikes
from miaod_nb.selection.batch import choose_batch
from miaod_nb.selection.features import directions, mean_features, standardized
from miaod_nb.selection.look_alikes import AS_ALL_LEFT, LOOKS
from miaod_nb.selection.protocol import Candidates, Choice, Strategy
from miaod_nb.selection.registry import STRATEGIES, build_strategy
from tests.tiny import lively_detector, noise, unlabeled

# Standardized they are the axes of a square: -x, +x, -y, +y and copies of these.
LEFT, RIGHT, DOWN, UP = [-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]


def strategy(name: str, max_similarity: float = 0.95, **settings: object) -> Strategy:
    overrides = {"strategy": name, "max_similarity": max_similarity}
    return build_strategy(make_config("tiny", overrides | settings))


def candidates(
    looks: list[list[float]], scores: list[float], labeled: list[list[float]] = (),
    ids: list[str] | None = None,
) -> Candidates:  # fmt: skip
    looks, labeled = np.array(looks, np.float32), np.array(labeled, np.float32)
    labeled = labeled.reshape(-1, looks.shape[1] if looks.ndim > 1 else 2)
    columns = {LOOKS: looks, "feature": looks, "score": np.array(scores, np.float32)}
    known = {LOOKS: labeled, "feature": labeled}
    names = ids or [str(place) for place in range(len(looks))]
    return Candidates.of_all(names, ["old"] * len(labeled), columns, known)


def chosen(rule: Strategy, pool: Candidates, budget: int, seed: int = 0) -> list[str]:
    return [one.id for one in choose_batch(rule, pool, budget, [seed, 0])]


def test_by_hand():
    """0 and 1 look alike, and 2 like what is labeled: after 0 comes 3."""
    pool = candidates([LEFT, LEFT, UP, DOWN, RIGHT], [5, 4, 3, 2, 1], [UP])
    batch = choose_batch(strategy("mi_aod"), pool, 3, [0, 0])
    own = "the two classifiers disagree most on its anchors"
    assert [(one.id, one.rank, one.reason) for one in batch] == [
        ("0", 1, own),
        ("3", 4, f"{own}; next best after 2 that look like images chosen or labeled"),
        ("4", 5, own),
    ]


def test_when_all_that_are_left_look_like_others_copies_come_last():
    """Of 1, 2 and 3, all like 0, the first is its copy."""
    near = [-1.0, 0.1]
    looks = [LEFT, LEFT, near, [-1.0, -0.1], RIGHT, RIGHT]
    pool = candidates(looks, [6, 5, 4, 3, 2, 1], [UP, DOWN])
    batch = choose_batch(strategy("mi_aod"), pool, 4, [0, 0])
    assert [one.id for one in batch] == ["0", "2", "3", "4"]
    assert [one.reason.endswith(AS_ALL_LEFT) for one in batch] == [False, True, True, False]
    everything = choose_batch(strategy("mi_aod"), pool, 9, [0, 0])
    assert [one.id for one in everything] == list("012345")
    assert len(chosen(strategy("mi_aod"), candidates([LEFT] * 3, [1, 2, 3]), 2)) == 2


@pytest.mark.parametrize("name", ["mi_aod", "random", "coreset", "mix"])
def test_copies_of_an_image_are_not_both_taken(name):
    rng = np.random.default_rng(3)
    looks = np.tile(rng.normal(size=(20, 9)), (3, 1))
    columns = dict.fromkeys((LOOKS, "feature", "coreset.feature"), looks)
    columns |= dict.fromkeys(("score", "entropy.score"), rng.normal(size=60))
    known = {column: values[:2] for column, values in columns.items()}
    pool = Candidates.of_all([str(i) for i in range(60)], ["0", "1"], columns, known)
    rule = strategy(name, 0.9999, mix="50% entropy, 50% coreset")
    for seed in range(5):
        scenes = [int(image_id) % 20 for image_id in chosen(rule, pool, 18, seed)]
        assert sorted(scenes) == list(range(2, 20))


@pytest.mark.parametrize("name", ["mi_aod", "coreset"])
def test_the_order_of_the_pool_changes_nothing(name):
    rng = np.random.default_rng(4)
    looks, scores = rng.normal(size=(50, 2)), rng.normal(size=50)
    ids = [str(place) for place in range(50)]
    rule, labeled = strategy(name, 0.9), looks[:3].tolist()
    expected = chosen(rule, candidates(looks.tolist(), scores.tolist(), labeled), 6)
    for _ in range(5):
        order = rng.permutation(50)
        pool = candidates(
            looks[order].tolist(), scores[order].tolist(), labeled, [ids[i] for i in order]
        )
        assert chosen(rule, pool, 6) == expected


@pytest.mark.parametrize("together", [1, 7, 128])
def test_many_images_are_compared_at_once_as_one_after_the_other_would_be(monkeypatch, together):
    monkeypatch.setattr(look_alikes, "TOGETHER", together)
    rng = np.random.default_rng(6)
    looks, scores, labeled = rng.normal(size=(300, 4)), rng.normal(size=300), 5
    units = directions(standardized(np.concatenate([looks, looks[:labeled]]).astype(np.float32)))
    known, expected = [*units[300:]], list[str]()
    for place in np.argsort(-scores):
        if max(float(units[place] @ one) for one in known) < 0.9:
            known.append(units[place])
            expected.append(str(place))
    pool = candidates(looks.tolist(), scores.tolist(), looks[:labeled].tolist())
    assert 20 < len(expected) < 100
    for budget in (1, 8, 15, len(expected)):
        assert chosen(strategy("mi_aod", 0.9), pool, budget) == expected[:budget]


@pytest.mark.parametrize("name", ["mi_aod", "random"])
def test_setting_an_image_aside_moves_no_image_before_it(name):
    rng = np.random.default_rng(5)
    pool = candidates(rng.normal(size=(30, 2)).tolist(), rng.normal(size=30).tolist())
    rule = strategy(name, 0.9)
    before = choose_batch(rule, pool, 5, [0, 0])
    for place, aside in enumerate(before):
        after = choose_batch(rule, pool, 5, [0, 0], {aside.id})
        assert after[:place] == before[:place] and aside.id not in {one.id for one in after}
        ranks = {one.id: one.rank for one in before}
        assert all(one.rank == ranks.get(one.id, one.rank) for one in after)


def test_similarity_is_that_of_the_map():
    features = np.array([[1.0, 5.0], [3.0, 5.0], [2.0, 5.0], [2.0, 5.0]], np.float32)
    units = directions(standardized(features))
    cosines = units @ units.T
    assert np.allclose(np.diag(cosines), 1) and cosines[0, 1] == -1
    assert cosines[2, 3] == 1 and not cosines[0, 2]  # both are nothing but the mean


def test_an_empty_pool_and_one_image():
    assert chosen(strategy("mi_aod"), candidates([], []), 3) == []
    assert chosen(strategy("mi_aod"), candidates([UP], [1.0]), 3) == ["0"]


@torch.no_grad()
@pytest.mark.parametrize("name", ["mi_aod", "random"])
def test_what_is_seen(name):
    rule, model, batch = strategy(name), lively_detector(), unlabeled(noise())
    seen = rule.observe(model, batch)
    assert tuple(seen) == rule.card.columns and LOOKS in seen
    torch.testing.assert_close(seen[LOOKS], mean_features(model, batch)["features"])


class Faulty:
    """A strategy of one's own."""

    card = Card("faulty", "faulty", "w", "r", columns=("score",), ranks_by="score")

    def __init__(self, config: Config) -> None: ...

    def observe(self, model: Any, batch: Any) -> Any:
        return {"score": batch.missing}

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        return Choice(["0", "0"])


@torch.no_grad()
def test_what_is_wrong_with_a_strategy_is_said_of_it(monkeypatch):
    monkeypatch.setitem(STRATEGIES, "faulty", Faulty)
    rule = strategy("faulty", class_target="even")
    pool = candidates([LEFT, RIGHT, UP], [1, 2, 3])
    with pytest.raises(ConfigError, match="'faulty' chose '0' more than once"):
        choose_batch(rule, pool, 2, [0, 0])
    with pytest.raises(TrainingError, match="'faulty' fails: AttributeError") as error:
        rule.observe(lively_detector(), unlabeled(noise()))
    assert "Faulty" in str(error.value.where)


def test_the_card_says_what_is_added():
    card = strategy("mi_aod").card
    assert card.label == "MI-AOD + no look-alikes" and not card.look and card.passes_over
    assert card.name == "mi_aod" and card.ranks_by == "score" and card.observes_labeled
    assert {"max_similarity", "weighted_selection"} <= set(card.settings)
    assert strategy("random").card.columns == (LOOKS,)
    assert strategy("mi_aod", 1.0).card.label == "MI-AOD"
    assert strategy("full").card.label == "all labels"
