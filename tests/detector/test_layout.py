"""Memory layouts: equal results, and for each detector the one in which it trains faster."""

import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.detector import build_detector
from miaod_nb.detector.folding import fold
from miaod_nb.detector.head import TOWERS
from tests.tiny import lively_detector, noise

NO_WEIGHTS = {"backbone_weights": "none"}
CASES = [  # preset, settings, layout
    ("tiny", {}, torch.channels_last),
    ("toy", NO_WEIGHTS, torch.channels_last),
    ("voc0712", NO_WEIGHTS, torch.contiguous_format),
    ("voc0712", {**NO_WEIGHTS, "precision": "bf16"}, torch.channels_last),
    ("voc0712", {**NO_WEIGHTS, "tower_channels": 64, "fpn_channels": 64}, torch.channels_last),
    ("voc0712_ssd", NO_WEIGHTS, torch.contiguous_format),
]


@pytest.mark.parametrize("preset, settings, layout", CASES)
def test_the_layout_of_each_detector(preset, settings, layout):
    model = build_detector(make_config(preset, settings), 3)
    assert model.memory_format is layout
    weights = [parameter for parameter in model.parameters() if parameter.dim() == 4]
    assert all(weight.is_contiguous(memory_format=layout) for weight in weights)


def test_without_training_the_layout_is_channels_last():
    model = lively_detector().laid_out(torch.contiguous_format)
    assert fold(model).memory_format is torch.channels_last
    assert model.memory_format is torch.contiguous_format


def test_images_reach_the_backbone_in_the_layout_and_outputs_are_equal():
    model, seen = lively_detector(), []
    model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    names = ("logits_1", "logits_2", "mil_logits", "box_deltas")
    first, second = (
        model.laid_out(layout)(noise(), TOWERS).need(*names)
        for layout in (torch.contiguous_format, torch.channels_last)
    )
    assert seen[0].is_contiguous()
    assert seen[1].is_contiguous(memory_format=torch.channels_last)
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
