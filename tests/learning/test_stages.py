"""What each stage trains, and what its steps do to the two classifiers."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from miaod_nb.config import make_config
from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.detector.head import TOWERS
from miaod_nb.detector.retinanet import RetinaNet
from miaod_nb.learning.stages import (
    LabelSet,
    Maximize,
    Method,
    Minimize,
    Stage,
    fill_zero_gradients,
)
from miaod_nb.learning.train import make_optimizer, optimization_step
from tests.tiny import labeled, lively_detector, noise, tiny_detector, unlabeled

CLASSIFIERS = {"classifier_1", "classifier_2"}
TRAINED = {
    (LabelSet, "code"): set(RetinaNet.parts),
    (LabelSet, "paper"): set(RetinaNet.parts),
    (Minimize, "code"): set(RetinaNet.parts) - CLASSIFIERS,
    (Minimize, "paper"): set(RetinaNet.parts) - CLASSIFIERS - {"regressor"},
    (Maximize, "code"): CLASSIFIERS,
    (Maximize, "paper"): CLASSIFIERS | {"regressor"},
}
STAGES = (LabelSet, Minimize, Maximize)


def batches_of(stage: Stage) -> list[LabeledBatch | UnlabeledBatch]:
    images = noise()
    return [labeled(images), *([unlabeled(images.flip(-1))] if stage.uses_unlabeled else [])]


def train(model: RetinaNet, stage: Stage, batches, steps: int, rate: float = 0.01, **how):
    """The loss terms of every step."""
    model.train()
    model.train_only(stage.trained_parts(model.parts))
    optimizer = make_optimizer(model, "sgd", learning_rate=rate, **{"weight_decay": 0.0} | how)
    return [
        optimization_step(model, stage, batch, optimizer) for _ in range(steps) for batch in batches
    ]


def disagreement(model: RetinaNet, images: Tensor) -> float:
    with torch.no_grad():
        logits_1, logits_2 = model(images).need("logits_1", "logits_2")
    return float((logits_1.sigmoid() - logits_2.sigmoid()).abs().mean())


# ----------------------------------------------------------------------------- what trains


@pytest.mark.parametrize(("stage_type", "layers"), TRAINED)
def test_trained_parts(stage_type, layers):
    stage = stage_type(Method(trained_layers=layers))
    found = stage.trained_parts(RetinaNet.parts)
    assert set(found) == TRAINED[stage_type, layers] and len(found) == len(set(found))


@pytest.mark.parametrize(("stage_type", "layers"), TRAINED)
def test_trained_parts_move_and_nothing_else_does(stage_type, layers):
    stage = stage_type(Method(trained_layers=layers))
    model = lively_detector(frozen_stages=2)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    train(model, stage, batches_of(stage), steps=2, rate=1e-4, weight_decay=0.5)
    moved = {
        key for key, value in model.state_dict().items() if not torch.equal(value, before[key])
    }
    names = {id(p): key for key, p in model.named_parameters()}
    expected = {
        names[id(p)]
        for part in TRAINED[stage_type, layers]
        for p in model.part(part).parameters()
        if not names[id(p)].startswith(("backbone.conv1", "backbone.bn1"))
        and not names[id(p)].startswith(("backbone.layer1", "backbone.layer2"))
    }
    assert moved == expected  # so no statistics of a BatchNorm either
    for key, parameter in model.named_parameters():
        assert (parameter.grad is not None) == (key in expected), key


@pytest.mark.parametrize("stage_type", [Minimize, Maximize])
def test_unlabeled_batch_alone_gives_frozen_parts_no_gradient(stage_type):
    stage, model = stage_type(Method()), lively_detector()
    model.train_only(stage.trained_parts(model.parts))
    sum(stage.loss_terms(model, unlabeled(noise())).values()).backward()
    reached = {
        part
        for part in RetinaNet.parts
        if any(p.grad is not None for p in model.part(part).parameters())
    }
    if stage_type is Minimize:
        assert reached == {"backbone", "fpn", "mil_classifier"}  # not the regressor
    else:
        assert reached == CLASSIFIERS


def test_weight_decay_moves_parameters_that_a_batch_does_not_reach():
    stage, model = Minimize(Method()), lively_detector()
    before = model.head.regressor.output.weight.detach().clone()
    train(model, stage, [unlabeled(noise())], steps=1, rate=0.1, weight_decay=0.5)
    torch.testing.assert_close(model.head.regressor.output.weight.detach(), before * (1 - 0.05))


def test_fill_zero_gradients_leaves_the_others_as_they_are():
    reached, missed, frozen = (torch.nn.Parameter(torch.ones(2)) for _ in range(3))
    reached.sum().backward()
    frozen.requires_grad_(False)
    fill_zero_gradients([reached, missed, frozen])
    assert reached.grad.tolist() == [1.0, 1.0]
    assert missed.grad.tolist() == [0.0, 0.0]
    assert frozen.grad is None


# ------------------------------------------------------------------------------- loss terms


@pytest.mark.parametrize(
    ("stage_type", "of_labeled", "of_unlabeled"),
    [
        (LabelSet, {"classification", "box", "image_classification"}, None),
        (Minimize, {"classification", "box", "image_classification"},
         {"discrepancy", "image_classification"}),
        (Maximize, {"classification", "box"}, {"agreement"}),
    ],
)  # fmt: skip
def test_only_what_counts_is_listed(stage_type, of_labeled, of_unlabeled):
    stage, model = stage_type(Method()), lively_detector()
    terms = stage.loss_terms(model, labeled(noise()))
    assert terms.keys() == of_labeled
    assert stage.uses_unlabeled == (of_unlabeled is not None)
    if of_unlabeled is None:
        with pytest.raises(AssertionError):
            stage.loss_terms(model, unlabeled(noise()))
    else:
        terms |= stage.loss_terms(model, unlabeled(noise()))
        assert terms.keys() == of_labeled | of_unlabeled
    assert all(value.shape == () and value > 0 for value in terms.values())


@pytest.mark.parametrize(
    ("stage_type", "of_labeled", "of_unlabeled"),
    [(LabelSet, set(), None), (Minimize, set(), {"regressor"}),
     (Maximize, {"mil_classifier"}, {"regressor"})],
)  # fmt: skip
def test_towers_that_do_not_count_are_not_run(stage_type, of_labeled, of_unlabeled):
    stage, model = stage_type(Method()), tiny_detector()
    ran: set[str] = set()
    for name in TOWERS:
        model.part(name).register_forward_hook(lambda *_, name=name: ran.add(name))
    for batch, idle in zip(batches_of(stage), (of_labeled, of_unlabeled), strict=False):
        ran.clear()
        stage.loss_terms(model, batch)
        assert ran == set(TOWERS) - idle


@pytest.mark.parametrize("stage_type", STAGES)
@pytest.mark.parametrize("num_classes", [1, 3])
def test_terms_are_finite_without_objects(stage_type, num_classes):
    stage, model = stage_type(Method()), tiny_detector(num_classes)
    model.train_only(stage.trained_parts(model.parts))
    for objects in ([[], []], [[((5, 5, 30, 30), 0)], []]):
        terms = stage.loss_terms(model, labeled(noise(), objects))
        sum(terms.values()).backward()
        assert all(torch.isfinite(value) for value in terms.values())
        trained = [p for p in model.parameters() if p.grad is not None]
        assert trained and all(torch.isfinite(p.grad).all() for p in trained)


def test_an_image_without_objects_has_no_box_loss_but_teaches_background():
    terms = LabelSet(Method()).loss_terms(lively_detector(), labeled(noise(), [[], []]))
    assert terms["box"] == 0
    assert terms["classification"] > 0 and terms["image_classification"] > 0


@pytest.mark.parametrize("stage_type", STAGES)
@pytest.mark.parametrize("mil_softmax", ["level", "image"])
@pytest.mark.parametrize("instance_score", ["max_class", "per_class"])
def test_one_class_learns_in_every_stage(stage_type, mil_softmax, instance_score):
    method = Method(mil_softmax=mil_softmax, mil_instance_score=instance_score)
    stage, model = stage_type(method), lively_detector(num_classes=1)
    model.train_only(stage.trained_parts(model.parts))
    images = noise()
    batch = labeled(images, [[((8, 8, 40, 40), 0)], []])
    terms = stage.loss_terms(model, batch)
    if stage_type is not Maximize:
        terms["image_classification"].backward()
        assert model.head.mil_classifier.output.weight.grad.abs().max() > 1e-6
    if stage.uses_unlabeled:
        terms |= stage.loss_terms(model, unlabeled(images))
    assert all(torch.isfinite(value) for value in terms.values())


@pytest.mark.parametrize(
    ("stage_type", "term"), [(Minimize, "discrepancy"), (Maximize, "agreement")]
)
def test_settings_of_the_discrepancy(stage_type, term):
    model, batch = lively_detector(), unlabeled(noise())

    def value(**settings) -> float:
        return float(stage_type(Method(**settings)).loss_terms(model, batch)[term].detach())

    assert value(discrepancy_weight=1.5) == pytest.approx(3 * value())
    assert value(discrepancy_weight=0.0) == 0
    squared = value(discrepancy_norm="l2")
    assert squared < value() if stage_type is Minimize else squared > value()
    for other in ({"mil_softmax": "image"}, {"mil_instance_score": "per_class"}):
        assert value(**other) != pytest.approx(value(), rel=1e-4)


@pytest.mark.parametrize(
    ("detector", "num_classes", "images", "settings"),
    [
        ("retinanet", 2, 2, {}),
        ("retinanet", 6, 1, {}),
        ("retinanet", 3, 2, {"mil_softmax": "image"}),
        ("ssd300", 2, 1, {}),
    ],
)
def test_auto_makes_the_unlabeled_sum_as_strong_as_the_authors(
    detector, num_classes, images, settings
):
    """Classifiers that agree have an agreement of lambda x images x levels / outputs."""
    model = lively_detector(num_classes, detector=detector)
    model.head.classifier_2 = model.head.classifier_1
    side = 300 if detector == "ssd300" else 64
    stage = Maximize(Method(discrepancy_weight="auto", **settings))
    (value,) = stage.loss_terms(model, unlabeled(noise(images, side, side))).values()
    authors = 0.5 * 8 * 6 / 21 if detector == "ssd300" else 0.5 * 2 * 5 / 20
    assert float(value.detach()) == pytest.approx(authors, rel=1e-4)


@pytest.mark.parametrize(
    ("detector", "levels", "classes", "images", "expected"),
    [
        ("retinanet", 5, 20, 2, 0.5),  # the authors' own settings
        ("ssd300", 6, 20, 8, 0.5),
        ("retinanet", 4, 6, 8, 0.046875),  # the preset voc with six classes
        ("retinanet", 5, 80, 2, 2.0),
    ],
)
def test_auto_by_hand(detector, levels, classes, images, expected):
    size = {} if detector == "ssd300" else {"num_levels": levels}
    model = tiny_detector(classes, detector=detector, **size)
    assert Method(discrepancy_weight="auto").weight(model, images) == pytest.approx(expected)
    assert Method(discrepancy_weight=0.3).weight(model, images) == 0.3


def test_method_comes_from_the_configuration():
    asked = {
        "discrepancy_weight": 0.25, "discrepancy_norm": "l2", "mil_instance_score": "per_class",
        "mil_softmax": "image", "trained_layers": "paper",
    }  # fmt: skip
    assert Method.of(make_config("tiny", asked)) == Method(**asked)
    assert Method.of(make_config("voc0712")) == Method()


def test_padding_anchors_matter_to_the_detection_loss_alone():
    model, batch = lively_detector(), labeled(noise(1), [[((4, 4, 24, 24), 0)]])
    smaller = replace(batch, padded_sizes=((32, 32),))
    whole, part = (LabelSet(Method()).loss_terms(model, b) for b in (batch, smaller))
    assert part["classification"] < whole["classification"]
    assert part["image_classification"] == whole["image_classification"]


# ------------------------------------------------------------------------- what steps achieve


def test_label_set_steps_learn_an_image():
    model = tiny_detector()
    batch = labeled(noise(1), [[((8, 8, 40, 40), 0), ((30, 20, 60, 50), 1)]])
    totals = [
        float(sum(terms.values())) for terms in train(model, LabelSet(Method()), [batch], 15, 0.003)
    ]
    assert totals[-1] < 0.8 * totals[0]


def test_minimize_steps_bring_the_classifiers_together():
    model, images = lively_detector(), noise()
    before = disagreement(model, images)
    terms = train(model, Minimize(Method()), [unlabeled(images)], steps=10)
    assert terms[-1]["discrepancy"] < terms[0]["discrepancy"]
    assert disagreement(model, images) < 0.9 * before


def test_maximize_steps_drive_the_classifiers_apart():
    model, images = lively_detector(), noise()
    before = disagreement(model, images)
    terms = train(model, Maximize(Method()), [unlabeled(images)], steps=10)
    assert terms[-1]["agreement"] < terms[0]["agreement"]
    assert disagreement(model, images) > 1.1 * before
