"""A mix: strategies that share a batch; and MI-AOD weighted by its name."""

import numpy as np
import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.errors import ConfigError
from miaod_nb.selection.protocol import Candidates, Strategy
from miaod_nb.selection.registry import build_strategy, card_of
from tests.tiny import lively_detector, noise, unlabeled


def mix(text: str, **settings: object) -> Strategy:
    return build_strategy(make_config("tiny", {"strategy": "mix", "mix": text} | settings))


def candidates() -> Candidates:
    """Entropy wants 0, 1, 2, ..., and margin 9, 8, 7, ..."""
    scores = np.arange(10.0)
    columns = {"entropy.score": -scores, "margin.score": scores, "coreset.feature": scores[:, None]}
    return Candidates.of_all(
        [str(i) for i in range(10)], ["old"], columns, {"coreset.feature": np.zeros((1, 1))}
    )


def test_shares_by_hand():
    found = mix("75% entropy, 25%margin").choose(candidates(), 4, np.random.default_rng(0))
    assert list(found.ids) == ["0", "1", "9", "2"]
    entropy, margin = (card_of(name) for name in ("entropy", "margin"))
    assert [reason.split(": ")[0] for reason in found.reasons] == [
        "entropy", "entropy", "margin", "entropy"
    ]  # fmt: skip
    assert found.reasons[2] == f"margin: {margin.reason}" and entropy.reason in found.reasons[0]


def test_a_part_chooses_from_what_those_before_left():
    rule = mix("50% margin, 50% coreset")
    assert list(rule.choose(candidates(), 2, np.random.default_rng(0)).ids) == ["9", "8"]
    everything = rule.choose(candidates(), 99, np.random.default_rng(0)).ids
    assert sorted(everything) == [str(i) for i in range(10)]
    nobody = candidates().without([str(i) for i in range(10)])
    assert rule.choose(nobody, 2, np.random.default_rng(0)).ids == []


@pytest.mark.parametrize("budget", range(1, 11))
def test_shares_are_rounded_so_that_the_budget_is_met(budget):
    rule = mix("33% entropy, 33% margin, 34% random")
    found = rule.choose(candidates(), budget, np.random.default_rng(budget)).ids
    assert len(set(found)) == budget


def test_the_card_says_what_is_mixed():
    card = mix("30% mi_aod, 70% coreset", max_similarity=0.9).card
    assert card.label == "30 % MI-AOD + 70 % core-set + no look-alikes" and card.ranks_by is None
    assert card.columns == ("mi_aod.score", "mi_aod.per_class", "coreset.feature", "looks")
    assert card.observes_labeled and card.trains_adversarially
    assert {"mix", "weighted_selection", "max_similarity"} <= set(card.settings)
    assert not mix("30% random, 70% entropy").card.observes_labeled


@torch.no_grad()
def test_what_is_seen_is_what_its_parts_see():
    settings = {"score_threshold": 0.3}
    rule, model, batch = mix("30% entropy, 70% margin", **settings), lively_detector(), noise()
    seen = rule.observe(model, unlabeled(batch))
    assert tuple(seen) == rule.card.columns
    for name in ("entropy", "margin"):
        alone = build_strategy(make_config("tiny", {"strategy": name} | settings))
        for column, values in alone.observe(model, unlabeled(batch)).items():
            torch.testing.assert_close(seen[f"{name}.{column}"], values)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "needs to know what to mix"), ("30% entropy, 60% margin", "sum to 90 %"),
        ("entropy, margin", "not written as 30% entropy"), ("50% margin, 50% margin", "twice"),
        ("50% entrpy, 50% margin", "there is no strategy 'entrpy'"), ("100% mix", "no share"),
        ("50% full, 50% margin", "'full' chooses no share"), ("0% margin, 100% entropy", "is 0"),
    ],
)  # fmt: skip
def test_a_mix_that_cannot_be_is_refused(text, fault):
    with pytest.raises(ConfigError, match=fault) as error:
        mix(text)
    assert "mix" in str(error.value.where)


@pytest.mark.parametrize("text", ["dog", "dog=1%", "dog=40%,cat=20", "dog=1,dog=2", "dog=0", "=3"])
def test_a_class_target_that_cannot_be_is_refused(text):
    with pytest.raises(ConfigError, match="class_target"):
        make_config("tiny", {"class_target": text})


@torch.no_grad()
def test_mi_aod_weighted_is_mi_aod_with_weighted_selection():
    model, batch = lively_detector(), unlabeled(noise())
    by_name = build_strategy(make_config("tiny", {"strategy": "mi_aod_weighted"}))
    by_setting = build_strategy(make_config("tiny", {"weighted_selection": True}))
    expected = by_setting.observe(model, batch)
    for name, values in by_name.observe(model, batch).items():
        assert torch.equal(values, expected[name])
    assert by_name.card.implied == {"weighted_selection": True} and not by_setting.card.implied
