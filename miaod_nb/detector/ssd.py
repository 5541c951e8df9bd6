"""SSD300 on VGG-16 with two adversarial instance classifiers and a multiple-instance tower."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from miaod_nb.config import Config
from miaod_nb.detector.backbone_files import load_weights, read_weights
from miaod_nb.detector.backbones import download_weights
from miaod_nb.detector.detection_losses import hard_negative_loss, smooth_l1_box_loss
from miaod_nb.detector.head import TOWERS, join_levels
from miaod_nb.detector.matching import DetectionTargets, Matching
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import CheckpointError, ConfigError

SIDE = 300
STRIDES = (8, 16, 32, 64, 100, 300)
ANCHOR_SIDES = (30, 60, 111, 162, 213, 264, 315)  # of each level, and of the one that would follow
EXTRA_RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
CONV4_3 = 22  # place in `features` whose output is the first feature level; the last is the second
_POOLS_AND_WIDTHS = (1, 1, "P", 2, 2, "P", 4, 4, 4, "P", 8, 8, 8, "P", 8, 8, 8)
_EXTRA = (  # (outputs in stem widths, kernel, stride, padding); every second is a feature level
    (4, 1, 1, 0), (8, 3, 2, 1), (2, 1, 1, 0), (4, 3, 2, 1),
    (2, 1, 1, 0), (4, 3, 1, 0), (2, 1, 1, 0), (4, 3, 1, 0),
)  # fmt: skip


class L2Norm(nn.Module):
    """Features scaled to length `weight` (20 at the start) over the channels of each cell."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), 20.0))

    def forward(self, x: Tensor) -> Tensor:
        norm = x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10
        return self.weight[:, None, None] * x / norm


class SSDVGG16(nn.Module):
    """VGG-16 without its classifier, its last two layers as convolutions, and SSD's extra levels.

    channels: stem width, 64 in VGG-16. out_channels: of the six feature levels. pixel_mean,
    pixel_std: the authors' normalization of RGB in [0, 1], mean only.
    """

    pixel_mean = (123.675 / 255, 116.28 / 255, 103.53 / 255)
    pixel_std = (1 / 255,) * 3

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.features = nn.Sequential(*_vgg_layers(channels))
        self.extra = nn.ModuleList()
        width = 16 * channels
        for factor, kernel, stride, padding in _EXTRA:
            self.extra.append(nn.Conv2d(width, factor * channels, kernel, stride, padding))
            width = factor * channels
        self.l2_norm = L2Norm(8 * channels)
        self.out_channels = tuple(factor * channels for factor in (8, 16, 8, 4, 4, 4))
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        _xavier(self.extra)

    def forward(self, images: Tensor) -> list[Tensor]:
        """images (B, 3, 300, 300) -> six levels of 38, 19, 10, 5, 3 and 1 cells a side."""
        levels, x = [], images
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i == CONV4_3:
                levels.append(self.l2_norm(x))
        levels.append(x)
        for i, layer in enumerate(self.extra):
            x = F.relu(layer(x))
            if i % 2:
                levels.append(x)
        return levels

    def stages(self) -> list[list[nn.Module]]:
        """The convolutions up to each of the first four pools."""
        layers = list(self.features)
        return [layers[:5], layers[5:10], layers[10:17], layers[17:24]]


def _vgg_layers(channels: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    width = 3
    for entry in _POOLS_AND_WIDTHS:
        if entry == "P":
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
            continue
        out = int(entry) * channels
        layers += [nn.Conv2d(width, out, 3, padding=1), nn.ReLU(inplace=True)]
        width = out
    return [
        *layers, nn.MaxPool2d(3, 1, 1),
        nn.Conv2d(width, 16 * channels, 3, padding=6, dilation=6), nn.ReLU(inplace=True),
        nn.Conv2d(16 * channels, 16 * channels, 1), nn.ReLU(inplace=True),
    ]  # fmt: skip


def _xavier(convs: nn.Module) -> None:
    for layer in convs.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


class SSDHead(nn.Module):
    """One 3x3 convolution a level for each of the four towers."""

    def __init__(
        self, in_channels: Sequence[int], num_outputs: int, anchors_per_cell: Sequence[int]
    ) -> None:
        super().__init__()
        self.num_outputs = num_outputs
        for name in TOWERS:
            width = 4 if name == "regressor" else num_outputs
            pairs = zip(in_channels, anchors_per_cell, strict=True)
            convs = [nn.Conv2d(channels, k * width, 3, padding=1) for channels, k in pairs]
            self.add_module(name, nn.ModuleList(convs))
        _xavier(self)

    def forward(
        self, features: Sequence[Tensor], towers: Sequence[str] = TOWERS
    ) -> dict[str, Tensor]:
        """Outputs of the named towers, levels concatenated: name -> (B, A, C + 1) or (B, A, 4)."""
        return {name: self._run(name, features) for name in towers}

    def _run(self, name: str, features: Sequence[Tensor]) -> Tensor:
        convs = self.get_submodule(name).children()  # one a level
        width = 4 if name == "regressor" else self.num_outputs
        outputs = [conv(feature) for conv, feature in zip(convs, features, strict=True)]
        return join_levels(outputs, width)


class SSD300(DetectionModel):
    """SSD for images of exactly 300 x 300 pixels; see `DetectionModel`. Built by
    `build_detector`."""

    has_background = True
    matching = Matching(negative_iou=0.5, every_tie=False)
    delta_stds = (0.1, 0.1, 0.2, 0.2)
    anchor_offset = 0.5
    discrepancy_strength = 0.5 * 8 * 6 / 21
    fills_zero_gradients = False  # as the authors' code under today's default of zero_grad

    def __init__(self, backbone: SSDVGG16, num_classes: int, frozen_stages: int = 0) -> None:
        bases = [ssd_base_anchors(level) for level in range(len(STRIDES))]
        super().__init__(backbone, num_classes, STRIDES, bases, frozen_stages)
        per_cell = [len(base) for base in bases]
        self.head = SSDHead(backbone.out_channels, self.num_outputs, per_cell)
        self.train_only(self.parts)
        self.train()

    def classification_loss(self, logits: Tensor, targets: DetectionTargets) -> Tensor:
        return hard_negative_loss(logits, targets)

    def box_loss(self, box_deltas: Tensor, targets: DetectionTargets) -> Tensor:
        return smooth_l1_box_loss(box_deltas, targets)


def ssd_base_anchors(level: int) -> Tensor:
    """Anchors of one cell of a level, centered on the origin: (K, 4) xyxy in pixels.

    A square of the level's side, one of the geometric mean with the next level's, then for each
    ratio r the shapes of width / height r and 1 / r at equal area.
    """
    side, following = ANCHOR_SIDES[level : level + 2]
    sizes = [(side, side), (math.sqrt(side * following),) * 2]
    for ratio in EXTRA_RATIOS[level]:
        longer, shorter = side * math.sqrt(ratio), side / math.sqrt(ratio)
        sizes += [(longer, shorter), (shorter, longer)]
    half = torch.tensor(sizes) / 2
    return torch.cat([-half, half], dim=1)


def build_ssd300(config: Config, num_classes: int) -> SSD300:
    """The SSD300 that a configuration describes. Raises ConfigError and CheckpointError."""
    given = {"backbone": config.backbone, "image_size": config.image_size, "resize": config.resize}
    needed = {"backbone": "vgg16", "image_size": (SIDE, SIDE), "resize": "stretch"}
    for field, value in needed.items():
        if given[field] != value:
            raise ConfigError(
                f"ssd300 works with {field}={value}",
                where=f"{field} = {given[field]}",
                remedy=f"leave {field} out: detector=ssd300 sets it",
            )
    backbone = SSDVGG16(config.backbone_channels)
    if config.backbone_weights == "imagenet":
        weights = torchvision.models.VGG16_Weights.IMAGENET1K_FEATURES
        state = download_weights("vgg16", weights, config.backbone_channels)
        _load_features(backbone, state, "imagenet")
    elif config.backbone_weights != "none":
        state = read_weights(Path(config.backbone_weights))
        _load_features(backbone, state, config.backbone_weights)
    return SSD300(backbone, num_classes, config.frozen_stages)


def _load_features(backbone: SSDVGG16, state: dict[str, Tensor], origin: str) -> None:
    """Loads `features.*` of a VGG-16; its last two layers as convolutions are there in some files
    only."""
    found = {
        key.removeprefix("backbone.").removeprefix("features."): value
        for key, value in state.items()
        if "features." in key
    }
    convs = backbone.features if "31.weight" in found else backbone.features[:30]
    if not found:
        raise CheckpointError(
            "the weight file holds no `features.*` of a VGG-16",
            where=f"backbone_weights = {origin}",
            remedy="give a VGG-16 state_dict of torchvision or of the authors' code",
        )
    load_weights(convs, found, origin)
