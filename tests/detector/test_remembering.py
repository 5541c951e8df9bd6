"""What is asked twice of a batch is computed once, and the same."""

from typing import Any

import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.detector import detections
from miaod_nb.detector.detections import detect
from miaod_nb.detector.head import TOWERS
from miaod_nb.detector.remembering import Remembering, remembering
from miaod_nb.selection.registry import build_strategy
from tests.tiny import lively_detector, noise, unlabeled


@torch.no_grad()
def test_answers_are_the_detector_s():
    model, images = lively_detector(), noise()
    shared, expected = remembering(model, images), model(images)
    first = shared(images, ("classifier_1", "regressor"))
    with pytest.raises(ValueError, match="logits_2"):
        first.need("logits_2")
    every = shared(images)
    for name in ("logits_1", "logits_2", "mil_logits", "box_deltas"):
        torch.testing.assert_close(getattr(every, name), getattr(expected, name))
    assert first.logits_1 is every.logits_1
    torch.testing.assert_close(shared.features(images), model.features(images))
    assert shared.num_classes == model.num_classes and shared.strides == model.strides


@torch.no_grad()
def test_backbone_and_towers_run_once_for_a_batch(monkeypatch):
    model, images = lively_detector(), noise()
    ran: list[str] = []
    for name in ("backbone", *(f"head.{tower}" for tower in TOWERS)):
        model.get_submodule(name).register_forward_pre_hook(
            lambda module, inputs, name=name: ran.append(name)
        )
    shared = remembering(model, images)
    for _ in range(2):
        shared(images, ("classifier_1", "regressor"))
        shared.features(images)
        shared(images, ("classifier_1", "classifier_2"))
    assert ran.count("backbone") == 1 and "head.mil_classifier" not in ran
    assert ran.count("head.classifier_1") == len(model.strides)  # one a level
    shared(noise(1), ("regressor",))
    assert ran.count("backbone") == 2


def test_boxes_of_a_batch_are_found_once(monkeypatch):
    """Also where a setting adds a count of boxes to a strategy that goes by boxes."""
    settings = {"strategy": "entropy", "class_target": "even", "score_threshold": 0.3}
    rule, batch = build_strategy(make_config("tiny", settings)), unlabeled(noise())
    asked: list[int] = []

    def counting(*arguments: Any) -> Any:
        asked.append(1)
        return detect(*arguments)

    monkeypatch.setattr(detections, "detect", counting)
    with torch.no_grad():
        expected = rule.observe(lively_detector(), batch)
        assert len(asked) == 2
        found = rule.observe(remembering(lively_detector(), batch.images), batch)
    assert len(asked) == 3
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values)


def test_a_detector_with_a_way_of_its_own_is_asked_itself():
    class Other(type(lively_detector())):
        def forward(self, images, towers=TOWERS):
            return super().forward(images, towers)

    model = lively_detector()
    assert isinstance(remembering(model, noise()), Remembering)
    model.__class__ = Other
    assert remembering(model, noise()) is model
