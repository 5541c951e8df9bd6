"""Images in, `Predictions` out: backbones, RetinaNet, SSD, anchors, multiple-instance scores."""

from collections.abc import Callable

import torch
from torch import nn

from miaod_nb.config import Config
from miaod_nb.detector.model import DetectionModel
from miaod_nb.detector.retinanet import build_retinanet
from miaod_nb.detector.ssd import build_ssd300

DETECTORS: dict[str, Callable[[Config, int], DetectionModel]] = {
    "retinanet": build_retinanet,
    "ssd300": build_ssd300,
}

WIDE = 256  # channels of a head's convolutions; narrower ones train faster in channels_last


def build_detector(config: Config, num_classes: int, seed: int | None = None) -> DetectionModel:
    """The configured detector for `num_classes` classes, with weights drawn from `seed`
    (default: the configuration's). The CPU's global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed if seed is None else seed)
        model = DETECTORS[config.detector](config, num_classes)
    model.autocast = config.precision == "bf16"
    if config.compile:
        model.compile()
    return model.laid_out(training_layout(model, config.precision))


def training_layout(model: DetectionModel, precision: str) -> torch.memory_format:
    """The layout in which the detector trains faster (measured on CPUs: docs/cost.md)."""
    convolutions = [m for m in model.head.modules() if isinstance(m, nn.Conv2d)]
    wide = max((convolution.in_channels for convolution in convolutions), default=0) >= WIDE
    return torch.contiguous_format if wide and precision == "fp32" else torch.channels_last


__all__ = ["DETECTORS", "DetectionModel", "build_detector", "training_layout"]
