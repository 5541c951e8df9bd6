"""The values of anchors: those that the score averages, and all that explains them."""

import numpy as np
import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.detector import build_detector
from miaod_nb.detector.detections import DetectionSettings, detect
from miaod_nb.inspection import values as module
from miaod_nb.inspection.values import MAX_DETAILS, AnchorValues, anchor_arrays
from miaod_nb.selection.mi_aod import MiAod
from miaod_nb.selection.uncertainty import num_averaged
from tests.tiny import lively_detector, noise, unlabeled

SSD = {"detector": "ssd300", "backbone_channels": 4, "top_k": 0.1}
CASES = [
    ({}, 2), ({}, 1), ({"weighted_selection": True, "top_k": 7}, 3),
    ({"mil_softmax": "image", "mil_instance_score": "per_class", "uncertainty_norm": "l1"}, 2),
    (SSD, 2), (SSD | {"uncertainty_scores": "softmax", "weighted_selection": True}, 1),
]  # fmt: skip


def case(settings, num_classes):
    """A detector, its configuration, and a batch of two images for it, the first one padded."""
    config = make_config("tiny", {"score_threshold": 0.01} | settings)
    if config.detector == "ssd300":
        model = build_detector(config, num_classes).eval()
        with torch.no_grad():  # far from the prior, and with two unlike classifiers
            for conv in model.head.modules():
                if isinstance(conv, torch.nn.Conv2d):
                    conv.weight.mul_(20)
        return model, config, unlabeled(noise(2, 300, 300))
    batch = unlabeled(noise(2, 64, 96))
    sizes = ((50, 90), (64, 96))
    return (
        lively_detector(num_classes, **settings).eval(),
        config,
        batch.__class__(**vars(batch) | {"image_sizes": sizes}),
    )


def values_of(model, batch, config):
    found = anchor_arrays(model, batch, config)
    return [
        AnchorValues.from_arrays(image_id, {name: of[i].numpy() for name, of in found.items()})
        for i, image_id in enumerate(batch.ids)
    ]


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


@pytest.mark.parametrize(("settings", "num_classes"), CASES)
def test_the_strategy_averages_these_values(settings, num_classes):
    model, config, batch = case(settings, num_classes)
    scores = MiAod(config).observe(model, batch)["score"].tolist()
    assert min(scores) > 1e-6
    for values, score in zip(values_of(model, batch, config), scores, strict=True):
        averaged = values.weighted if config.weighted_selection else values.discrepancy
        k = num_averaged(config.top_k, len(averaged))
        assert np.sort(averaged)[-k:].mean() == pytest.approx(score, rel=1e-5)


@pytest.mark.parametrize(("settings", "num_classes"), CASES)
def test_details_belong_to_the_anchors_of_largest_discrepancy(settings, num_classes):
    model, config, batch = case(settings, num_classes)
    predictions = model(batch.images)
    for i, values in enumerate(values_of(model, batch, config)):
        num_anchors = len(values.discrepancy)
        assert len(values.top) == min(num_anchors, MAX_DETAILS)
        kept = values.discrepancy[values.top]
        assert (np.diff(kept) <= 0).all()
        assert kept[-1] >= np.delete(values.discrepancy, values.top).max(initial=0)
        for probs, logits in (
            (values.probs_1, predictions.logits_1), (values.probs_2, predictions.logits_2)
        ):  # fmt: skip
            expected = predictions.class_probabilities(logits)[i, values.top]
            assert probs.shape == (len(values.top), num_classes)
            np.testing.assert_allclose(probs, expected.numpy(), atol=1e-3)
        np.testing.assert_allclose(
            values.weights.sum(axis=1, dtype=np.float32), values.weight[values.top],
            rtol=5e-3, atol=1e-6,
        )  # fmt: skip
        height, width = values.size
        assert (values.boxes >= 0).all() and (values.boxes <= [width, height] * 2).all()


def test_sigmoid_probabilities_give_the_discrepancy_back():
    model, config, batch = case({}, 2)
    for values in values_of(model, batch, config):
        difference = values.probs_1.astype(np.float64) - values.probs_2
        by_hand = (difference**2).mean(axis=1)
        np.testing.assert_allclose(by_hand, values.discrepancy[values.top], atol=2e-3)


@pytest.mark.parametrize("num_classes", [2, 3])
def test_the_average_anchor_of_a_level_weighs_one(num_classes):
    """The shares of a level's anchors sum to 1, those of the classes too."""
    values = values_of(*[case({}, num_classes)[i] for i in (0, 2, 1)])[0]
    for level in np.split(values.weight, np.cumsum(values.grid.level_sizes)[:-1]):
        assert level.mean(dtype=np.float64) == pytest.approx(1, abs=1e-3)


def test_a_weight_that_is_too_large_for_its_type_stays_finite():
    """One anchor that takes all the weight of a level of 84,375 anchors."""
    kept = module._half(torch.tensor([84375.0, 1.0])).numpy()
    assert kept.tolist() == [65504, 1]


@pytest.mark.parametrize(("settings", "num_classes"), CASES)
def test_the_grid_and_the_detections_are_those_of_the_model(settings, num_classes):
    model, config, batch = case(settings, num_classes)
    predictions = model(batch.images)
    unscaled = [(1.0, 1.0)] * 2
    expected = detect(predictions, batch.image_sizes, unscaled, DetectionSettings.of(config))
    for values, found in zip(values_of(model, batch, config), expected, strict=True):
        torch.testing.assert_close(values.grid.boxes, predictions.grid.boxes)
        assert values.grid.level_sizes == predictions.grid.level_sizes
        assert len(found.scores) > 0
        for name in ("boxes", "scores", "labels"):
            np.testing.assert_array_equal(getattr(values.detections, name), getattr(found, name))


@pytest.mark.parametrize("settings", [{}, SSD])
def test_batch_equals_single(settings):
    model, config, batch = case(settings, 2)
    for i, values in enumerate(values_of(model, batch, config)):
        alone = unlabeled(batch.images[i : i + 1])
        alone = alone.__class__(**vars(alone) | {"image_sizes": (batch.image_sizes[i],)})
        (single,) = values_of(model, alone, config)
        assert single.size == values.size == batch.image_sizes[i]
        np.testing.assert_allclose(single.discrepancy, values.discrepancy, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(single.weighted, values.weighted, rtol=1e-3, atol=1e-8)
        np.testing.assert_allclose(single.weight, values.weight, rtol=5e-3)
