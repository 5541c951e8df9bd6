"""Folding: the same outputs from a detector without BatchNorms, the original left as it was."""

import pytest
import torch
from torch import nn

from miaod_nb.config import make_config
from miaod_nb.detector import build_detector
from miaod_nb.detector.folding import fold
from miaod_nb.detector.head import TOWERS
from tests.tiny import noise

NO_WEIGHTS = {"backbone_weights": "none"}
CASES = {
    "resnet18": ("tiny", {}),
    "resnet50": ("voc0712", {**NO_WEIGHTS, "backbone_channels": 8, "fpn_channels": 16,
                             "tower_channels": 16, "tower_convs": 1}),
    "efficientnet_lite0": ("toy", {}),
    "ssd300": ("voc", {**NO_WEIGHTS, "detector": "ssd300", "backbone_channels": 8}),
}  # fmt: skip


def norms_of(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.fixture(params=CASES)
def model(request):
    """A detector whose BatchNorms do something."""
    preset, settings = CASES[request.param]
    model = build_detector(make_config(preset, settings), 3)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for norm in norms_of(model):
            for array in (norm.weight, norm.bias, norm.running_mean):
                array.add_(0.1 * torch.randn(array.shape, generator=generator))
            norm.running_var.mul_(1 + torch.rand(norm.running_var.shape, generator=generator))
    return model


@torch.no_grad()
def test_outputs_are_equal_and_no_norm_is_left(model):
    side = 300 if model.has_background else 96
    images, lean = noise(2, side, side), fold(model)
    names = ("logits_1", "logits_2", "mil_logits", "box_deltas")
    pairs = zip(lean(images, TOWERS).need(*names), model(images).need(*names), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert not norms_of(lean)


def test_the_original_is_left_alone(model):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fold(model)
    assert model.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
