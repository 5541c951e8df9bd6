"""Images in, `Predictions` out: backbones, RetinaNet, anchors, multiple-instance scores."""

from collections.abc import Callable

import torch

from miaod_nb.config import Config
from miaod_nb.detector.backbones import build_backbone
from miaod_nb.detector.retinanet import RetinaNet


def _retinanet(config: Config, num_classes: int) -> RetinaNet:
    backbone = build_backbone(config.backbone, config.backbone_weights, config.backbone_channels)
    return RetinaNet(
        backbone,
        num_classes,
        frozen_stages=config.frozen_stages,
        num_levels=config.num_levels,
        fpn_channels=config.fpn_channels,
        tower_channels=config.tower_channels,
        tower_convs=config.tower_convs,
        anchor_scale=config.anchor_scale,
        scales_per_octave=config.scales_per_octave,
        anchor_ratios=config.anchor_ratios,
    )


DETECTORS: dict[str, Callable[[Config, int], RetinaNet]] = {"retinanet": _retinanet}


def build_detector(config: Config, num_classes: int, seed: int | None = None) -> RetinaNet:
    """The configured detector for `num_classes` classes, with weights drawn from `seed`
    (default: the configuration's). The CPU's global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed if seed is None else seed)
        model = DETECTORS[config.detector](config, num_classes)
    return model.to(memory_format=torch.channels_last)  # the faster layout of every convolution


__all__ = ["DETECTORS", "build_detector"]
