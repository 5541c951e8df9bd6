"""A detector goes on from one that knows fewer classes: old outputs stay, new ones are as built."""

import pytest
import torch

from miaod_nb.detector.growing import go_on_from
from miaod_nb.errors import ConfigError
from tests.tiny import lively_detector, noise, tiny_detector

CLASSIFIERS = ("logits_1", "logits_2", "mil_logits")


@pytest.mark.parametrize(("detector", "side"), [("retinanet", 64), ("ssd300", 300)])
@torch.no_grad()
def test_old_classes_keep_their_outputs_and_new_ones_are_as_built(detector, side):
    before = lively_detector(2, detector=detector)
    before.class_quality = torch.tensor([[0.5, 0.25], [0.98, 0.97]])
    model, fresh = (tiny_detector(4, detector=detector) for _ in range(2))
    go_on_from(model, before)
    images = noise(1, side, side)
    old, new = before.eval()(images), model.eval()(images)
    for name in CLASSIFIERS:
        (was,), (now,) = old.need(name), new.need(name)
        torch.testing.assert_close(now[..., :2], was[..., :2])
        if model.has_background:  # stands last in both
            torch.testing.assert_close(now[..., -1], was[..., -1])
    torch.testing.assert_close(*new.need("box_deltas"), *old.need("box_deltas"))
    assert model.class_quality.tolist() == [
        pytest.approx([0.5, 0.25, 0, 0]), pytest.approx([0.98, 0.97, 0.99, 0.99])
    ]  # fmt: skip
    # Of each anchor's rows those of the classes 2 and 3 are the fresh ones, and no others.
    classifier, built = (
        next(m for m in one.head.get_submodule("classifier_1").modules()
             if isinstance(m, torch.nn.Conv2d) and m.out_channels % model.num_outputs == 0
             and m.out_channels != 16)
        for one in (model, fresh)
    )  # fmt: skip
    same = (classifier.weight == built.weight).flatten(1).all(dim=1)
    rows = torch.arange(len(same)) % model.num_outputs
    assert torch.equal(same, (rows == 2) | (rows == 3))


def test_with_the_same_classes_all_is_taken():
    before, model = lively_detector(3), tiny_detector(3)
    go_on_from(model, before)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before.state_dict()[name])


def test_a_detector_of_ones_own_without_places_for_classes_is_refused():
    before, model = tiny_detector(2), tiny_detector(3)
    before.head.mil_classifier.output = torch.nn.Conv2d(16, 7, 3, padding=1)
    with pytest.raises(ConfigError, match=r"no place of their own: head.mil_classifier") as caught:
        go_on_from(model, before)
    assert "start_from=pretrained" in caught.value.remedy
