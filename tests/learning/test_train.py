"""The order of stages, the learning rate of every step, and the optimizer's groups."""

import pytest
import torch

from miaod_nb.config import Config, make_config
from miaod_nb.detector.retinanet import RetinaNet
from miaod_nb.learning.stages import LabelSet, Maximize, Method, Minimize
from miaod_nb.learning.train import (
    StagePlan,
    cycle_stages,
    learning_rates,
    make_optimizer,
    optimization_step,
    train_stage,
)
from miaod_nb.selection.registry import card_of
from tests.tiny import labeled, lively_detector, noise, tiny_detector, unlabeled


def config(**settings: object) -> Config:
    """3 + 2 x (1 + 1 + 3) epochs as the authors train, with a constant rate of 1 at first."""
    return make_config("voc0712", {"learning_rate": 1.0} | settings)


def stages_of(config: Config) -> list[StagePlan]:
    """The stages of a run with this configuration."""
    adversarial = card_of(config.strategy).training_of(config.training) == "mi_aod"
    return cycle_stages(config, adversarial)


# ----------------------------------------------------------------------------- the cycle's stages


def test_stages_of_the_authors_cycle():
    plans = stages_of(config())
    assert [(plan.name, plan.epochs, plan.drop_after) for plan in plans] == [
        ("label_set", 3, None),
        ("minimize_1", 1, None), ("maximize_1", 1, None), ("label_set_1", 3, None),
        ("minimize_2", 1, None), ("maximize_2", 1, None), ("label_set_2", 3, 2),
    ]  # fmt: skip
    kinds = [LabelSet, Minimize, Maximize, LabelSet, Minimize, Maximize, LabelSet]
    assert [type(plan.stage) for plan in plans] == kinds


def test_the_papers_order():
    plans = stages_of(config(stage_order="maximize_first", rounds=1, adversarial_epochs=2))
    found = [(plan.name, type(plan.stage), plan.epochs) for plan in plans]
    assert found == [
        ("label_set", LabelSet, 3),
        ("maximize_1", Maximize, 2), ("minimize_1", Minimize, 2), ("label_set_1", LabelSet, 3),
    ]  # fmt: skip


def test_every_stage_follows_the_configured_method():
    plans = stages_of(config(discrepancy_norm="l2", mil_softmax="image"))
    expected = Method(discrepancy_norm="l2", mil_softmax="image")
    assert {plan.stage.method for plan in plans} == {expected}


@pytest.mark.parametrize(
    "settings", [{"strategy": "random"}, {"training": "label_set"}, {"strategy": "full"}]
)
def test_label_set_training_passes_over_the_labeled_images_equally_often(settings):
    full = stages_of(config())
    (plan,) = stages_of(config(**settings))
    assert (plan.name, type(plan.stage)) == ("label_set", LabelSet)
    assert plan.epochs == sum(p.epochs for p in full) == 13
    assert plan.drop_after == 12  # one epoch at the lower rate, as in the full cycle


def test_strategies_without_adversarial_training_can_have_it():
    assert len(stages_of(config(strategy="random", training="mi_aod"))) == 7


@pytest.mark.parametrize(("drop_epoch", "last", "alone"), [(0, 0, 10), (1, 1, 11), (7, 3, 13)])
def test_epochs_before_the_drop(drop_epoch, last, alone):
    assert stages_of(config(drop_epoch=drop_epoch))[-1].drop_after == last
    (plan,) = stages_of(config(drop_epoch=drop_epoch, training="label_set"))
    assert plan.drop_after == alone


@pytest.mark.parametrize(("later", "epochs"), [(2, 2), (0, 3)])
def test_a_cycle_that_goes_on_has_label_set_epochs_of_its_own(later, epochs):
    asked = config(start_from="previous", later_epochs=later)
    plans = cycle_stages(asked, adversarial=True, goes_on=True)
    assert [plan.epochs for plan in plans] == [epochs, 1, 1, epochs, 1, 1, epochs]
    assert plans[-1].drop_after == 2  # two epochs at the full rate, if there are more
    (alone,) = cycle_stages(asked, adversarial=False, goes_on=True)
    assert alone.epochs == 3 * epochs + 4
    assert cycle_stages(asked, adversarial=True)[0].epochs == 3


def test_without_rounds_there_is_one_label_set_stage():
    (plan,) = stages_of(config(rounds=0))
    assert (plan.name, plan.epochs, plan.drop_after) == ("label_set", 3, 2)


# ---------------------------------------------------------------------------------- learning rates


def rates(index: int, steps_per_epoch: int = 4, **settings: object) -> list[float]:
    asked = config(rounds=1, **settings)
    plans = stages_of(asked)
    return learning_rates(asked, plans, index, [steps_per_epoch] * len(plans))


def test_the_rate_drops_in_the_last_stage_alone():
    for index, epochs in ((0, 3), (1, 1), (2, 1)):
        assert rates(index) == [1.0] * 4 * epochs
    assert rates(3) == pytest.approx([1.0] * 8 + [0.1] * 4)


def test_warm_up_starts_anew_in_every_stage():
    for index in range(4):
        found = rates(index, warmup_steps=4)
        assert found[:4] == pytest.approx([0.001, 0.25075, 0.5005, 0.75025])
        assert found[4:] == rates(index)[4:]
    assert len(rates(1, steps_per_epoch=2, warmup_steps=100)) == 2


def test_cosine_spans_the_cycle():
    asked = config(rounds=1, schedule="cosine")
    plans = stages_of(asked)
    steps = [4, 4, 2, 4]
    found = sum((learning_rates(asked, plans, i, steps) for i in range(len(plans))), [])
    assert len(found) == 12 + 4 + 2 + 12
    assert found[0] == 1.0 and found[15] == pytest.approx(0.5)  # the middle
    assert all(later < earlier for earlier, later in zip(found, found[1:], strict=False))
    assert 0 < found[-1] < 0.01


def test_warm_up_applies_to_the_cosine_too():
    plain, warm = rates(3, schedule="cosine"), rates(3, schedule="cosine", warmup_steps=2)
    assert warm[0] == pytest.approx(0.001 * plain[0])
    assert warm[1] == pytest.approx(0.5005 * plain[1])
    assert warm[2:] == plain[2:]


# --------------------------------------------------------------------------------------- optimizer


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_optimizer_groups(name):
    model = tiny_detector(frozen_stages=1)
    optimizer = make_optimizer(
        model, name, learning_rate=0.1, weight_decay=0.3, momentum=0.7, backbone_lr_factor=0.2
    )
    backbone, others = optimizer.param_groups
    trained = {p for p in model.backbone.parameters() if p.requires_grad}
    assert set(backbone["params"]) == trained
    assert not trained & set(model.backbone.layer1.parameters())
    assert set(others["params"]) == set(model.parameters()) - set(model.backbone.parameters())
    assert (backbone["lr"], backbone["lr_factor"]) == (pytest.approx(0.02), 0.2)
    assert (others["lr"], others["lr_factor"]) == (0.1, 1.0)
    for group in optimizer.param_groups:
        assert group["weight_decay"] == 0.3
        assert group.get("momentum", 0.7) == 0.7
    expected = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}
    assert type(optimizer) is expected[name]


def test_optimizer_holds_only_what_trains():
    model = tiny_detector()
    model.train_only(("classifier_1",))
    (group,) = make_optimizer(model, "sgd", learning_rate=1, weight_decay=0).param_groups
    assert set(group["params"]) == set(model.head.classifier_1.parameters())
    assert group["lr_factor"] == 1.0


def movement(clip_norm: float) -> float:
    """How far one SGD step of rate 1 moves all parameters, as a norm."""
    model = lively_detector()
    model.train_only(RetinaNet.parts)
    before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
    optimizer = make_optimizer(model, "sgd", learning_rate=1.0, weight_decay=0.0)
    optimization_step(model, LabelSet(Method()), labeled(noise()), optimizer, clip_norm)
    after = torch.cat([p.detach().flatten() for p in model.parameters()])
    return float((after - before).norm())


def test_clipping_bounds_the_norm_of_the_whole_gradient():
    free = movement(0.0)
    assert free > 0.5
    assert movement(0.1) == pytest.approx(0.1, rel=1e-2)
    assert movement(10 * free) == pytest.approx(free, rel=1e-3)


def test_a_step_returns_its_detached_terms():
    model, stage = tiny_detector(), LabelSet(Method())
    expected = stage.loss_terms(model, labeled(noise()))
    optimizer = make_optimizer(model, "sgd", learning_rate=0.1, weight_decay=0)
    terms = optimization_step(model, stage, labeled(noise()), optimizer)
    assert terms.keys() == expected.keys()
    for name, value in terms.items():
        torch.testing.assert_close(value, expected[name].detach())  # of before the step
        assert not value.requires_grad


# -------------------------------------------------------------------------------------- the loop


class Recorded(torch.optim.SGD):
    """Keeps the learning rates of every step it makes."""

    def __init__(self, groups) -> None:
        super().__init__(groups, lr=0.0)
        self.used: list[list[float]] = []

    def step(self, closure=None):
        self.used.append([group["lr"] for group in self.param_groups])
        return super().step(closure)


def run_loop(stage, steps, step_rates):
    """(what on_step was told, the learning rates of every optimizer step)"""
    model = lively_detector()
    model.train_only(stage.trained_parts(model.parts))
    groups = make_optimizer(
        model, "sgd", learning_rate=1, weight_decay=0, backbone_lr_factor=0.5
    ).param_groups
    optimizer = Recorded(groups)
    told = []
    train_stage(model, stage, optimizer, steps, step_rates, lambda *what: told.append(what))
    return told, optimizer.used


def test_a_pair_makes_two_optimizer_steps_at_one_rate():
    pair = (labeled(noise()), unlabeled(noise(3)))
    told, used = run_loop(Minimize(Method()), [pair, pair], [1e-4, 1e-5])
    assert used == [[5e-5, 1e-4]] * 2 + [[5e-6, 1e-5]] * 2
    assert [(rate, images) for _, rate, images in told] == [(1e-4, 5), (1e-5, 5)]
    expected = {
        "classification", "box", "image_classification",
        "unlabeled_discrepancy", "unlabeled_image_classification",
    }  # fmt: skip
    assert all(terms.keys() == expected for terms, _, _ in told)


def test_a_labeled_batch_alone_makes_one_step():
    told, used = run_loop(LabelSet(Method()), [(labeled(noise()),)] * 3, [0.0, 1e-5, 0.0])
    assert [rates[1] for rates in used] == [0.0, 1e-5, 0.0]
    first, second, third = (float(sum(terms.values())) for terms, _, _ in told)
    assert first == pytest.approx(second, rel=1e-5)  # a rate of 0 changes nothing
    assert third < second


def test_more_steps_than_rates_are_refused():
    with pytest.raises(ValueError):
        run_loop(LabelSet(Method()), [(labeled(noise()),)] * 2, [0.0])
