"""Images in, `Predictions` out: backbones, RetinaNet, SSD, anchors, multiple-instance scores."""

from collections.abc import Callable

import torch

from miaod_nb.config import Config
from miaod_nb.detector.model import DetectionModel
from miaod_nb.detector.retinanet import build_retinanet
from miaod_nb.detector.ssd import build_ssd300

DETECTORS: dict[str, Callable[[Config, int], DetectionModel]] = {
    "retinanet": build_retinanet,
    "ssd300": build_ssd300,
}


def build_detector(config: Config, num_classes: int, seed: int | None = None) -> DetectionModel:
    """The configured detector for `num_classes` classes, with weights drawn from `seed`
    (default: the configuration's). The CPU's global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed if seed is None else seed)
        model = DETECTORS[config.detector](config, num_classes)
    model.autocast = config.precision == "bf16"
    if config.compile:
        model.compile()
    return model.to(memory_format=torch.channels_last)  # the faster layout of every convolution


__all__ = ["DETECTORS", "DetectionModel", "build_detector"]
