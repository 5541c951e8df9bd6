"""Images in, `Predictions` out.

anchors: the grid of candidate boxes, and box deltas relative to them
backbone_files: weight files of backbones: read without running code, loaded whole or not at all
timm_features: any model of timm that gives a pyramid of feature maps, as a feature extractor
backbones: feature extractors: an image in, three feature maps of strides 8, 16 and 32 out
head: RetinaNet's four towers, which read every feature level, and what towers say about a batch
detections: from predictions to boxes: decode, clip, threshold, non-maximum suppression
matching: which anchor answers for which object: training targets of the detection loss
class_quality: how well each class is found while a detector learns, for strategies that go by it
detection_losses: detection losses: what anchors should say about labeled objects
mil: multiple-instance learning: an image is a bag of anchors, and its classes are known or guessed
model: what every detection model has in common, and what the rest of the package knows of one
growing: a detector that goes on from an earlier one, which may know fewer classes
remembering: a detector that looks at the images of a batch once, however often it is asked
folding: BatchNorms merged into convolutions: the same detector with less to compute, for inference
retinanet: RetinaNet with two adversarial classifiers and a multiple-instance tower (MI-AOD)
ssd: SSD300 on VGG-16 with two adversarial instance classifiers and a multiple-instance tower
start: what a whole detector begins with where its weights are another's
torchvision_weights: torchvision's RetinaNet, as trained on COCO: its arrays under our names
whole_weights: a detector that begins with the weights of another: what fits is taken, and said
"""

from collections.abc import Callable

import torch
from torch import nn

from miaod_nb.config import Config
from miaod_nb.detector.model import DetectionModel
from miaod_nb.detector.retinanet import build_retinanet
from miaod_nb.detector.ssd import build_ssd300
from miaod_nb.plugins import own_code_explained, refuse_unknown

DETECTORS: dict[str, Callable[[Config, int], DetectionModel]] = {
    "retinanet": build_retinanet,
    "ssd300": build_ssd300,
}

WIDE = 256  # channels of a head's convolutions; narrower ones train faster in channels_last


MEND = "mend it: a maker of detectors gets (config, num_classes) (docs/extending.md)"


def detector_maker(name: str) -> Callable[[Config, int], DetectionModel]:
    """What makes the detector of that name. Raises ConfigError for one that nobody registered."""
    refuse_unknown("detector", name, DETECTORS, "detector")
    return DETECTORS[name]


def build_detector(config: Config, num_classes: int, seed: int | None = None) -> DetectionModel:
    """The configured detector for `num_classes` classes, with weights drawn from `seed`
    (default: the configuration's). The CPU's global random state is left as it was."""
    make = detector_maker(config.detector)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed if seed is None else seed)
        with own_code_explained(f"the detector '{config.detector}'", make, MEND):
            model = make(config, num_classes)
            if not isinstance(model, DetectionModel):
                raise TypeError(f"it gives {type(model).__name__}, no DetectionModel")
    model.autocast = config.precision == "bf16"
    if config.compile:
        model.compile()
    return model.laid_out(training_layout(model, config.precision))


def training_layout(model: DetectionModel, precision: str) -> torch.memory_format:
    """The layout in which the detector trains faster (measured on CPUs: docs/cost.md)."""
    convolutions = [m for m in model.head.modules() if isinstance(m, nn.Conv2d)]
    wide = max((convolution.in_channels for convolution in convolutions), default=0) >= WIDE
    return torch.contiguous_format if wide and precision == "fp32" else torch.channels_last


__all__ = [
    "DETECTORS", "DetectionModel", "build_detector", "detector_maker", "training_layout",
]  # fmt: skip
