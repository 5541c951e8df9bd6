"""RetinaNet with two adversarial instance classifiers and a multiple-instance tower (MI-AOD)."""

from collections import OrderedDict
from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock

from miaod_nb.detector.anchors import anchor_grid, base_anchors
from miaod_nb.detector.backbones import Backbone
from miaod_nb.detector.head import TOWERS, Predictions, RetinaHead

PARTS = ("backbone", "fpn", *TOWERS)  # what a training stage can train or freeze
_OUTPUT_NAMES = {
    "classifier_1": "logits_1",
    "classifier_2": "logits_2",
    "mil_classifier": "mil_logits",
    "regressor": "box_deltas",
}


class CoarserLevels(ExtraFPNBlock):
    """Levels above the backbone's last: stride-2 convolutions on C5 itself, then on each other.

    torchvision's LastLevelP6P7 has a ReLU before P7; this detector has none.
    """

    def __init__(self, in_channels: int, out_channels: int, num: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(out_channels if i else in_channels, out_channels, 3, stride=2, padding=1)
            for i in range(num)
        )

    def forward(
        self, results: list[Tensor], x: list[Tensor], names: list[str]
    ) -> tuple[list[Tensor], list[str]]:
        """The pyramid's results with the coarser levels appended; x: the backbone's features."""
        feature = x[-1]
        for i, conv in enumerate(self.convs):
            feature = conv(feature)
            results.append(feature)
            names.append(f"coarser{i}")
        return results, names


class RetinaNet(nn.Module):
    """Images in, `Predictions` out.

    Built by `build_detector`. The backbone's first `frozen_stages` stages (the stem belongs to the
    first) never train, and every BatchNorm uses its stored statistics, in training too.
    pixel_mean, pixel_std: how images are normalized, RGB in [0, 1]; strides: of the levels, in
    pixels.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        frozen_stages: int = 1,
        num_levels: int = 5,
        fpn_channels: int = 256,
        tower_channels: int = 256,
        tower_convs: int = 4,
        anchor_scale: float = 4.0,
        scales_per_octave: int = 3,
        anchor_ratios: Sequence[float] = (0.5, 1.0, 2.0),
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.pixel_mean, self.pixel_std = backbone.pixel_mean, backbone.pixel_std
        self.strides = tuple(8 * 2**i for i in range(num_levels))
        self.backbone = backbone
        self.fpn = FeaturePyramidNetwork(
            list(backbone.out_channels),
            fpn_channels,
            CoarserLevels(backbone.out_channels[-1], fpn_channels, num_levels - 3),
        )
        for layer in self.fpn.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        per_cell = scales_per_octave * len(anchor_ratios)
        self.head = RetinaHead(fpn_channels, num_classes, per_cell, tower_channels, tower_convs)
        for i, stride in enumerate(self.strides):
            base = base_anchors(stride, anchor_scale, scales_per_octave, anchor_ratios)
            self.register_buffer(f"base_anchors_{i}", base, persistent=False)
        stages = backbone.stages()[:frozen_stages]
        self._frozen = {p for stage in stages for m in stage for p in m.parameters()}
        self.train_only(PARTS)
        self.train()

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    def train(self, mode: bool = True) -> "RetinaNet":
        """Training mode for all but the BatchNorms."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def part(self, name: str) -> nn.Module:
        """The submodule of a name in PARTS."""
        return self.get_submodule(f"head.{name}" if name in TOWERS else name)

    def train_only(self, parts: Collection[str]) -> None:
        """Lets only these parts train (frozen backbone stages never do); see PARTS."""
        for name in PARTS:
            for parameter in self.part(name).parameters():
                parameter.requires_grad_(name in parts and parameter not in self._frozen)

    def features(self, images: Tensor) -> list[Tensor]:
        """Pyramid levels of normalized images (B, 3, H, W): L x (B, channels, h, w)."""
        c3_to_c5 = self.backbone(images)
        levels = self.fpn(OrderedDict((str(i), c) for i, c in enumerate(c3_to_c5)))
        return list(levels.values())

    def predict(self, features: Sequence[Tensor], towers: Sequence[str] = TOWERS) -> Predictions:
        """What the named towers say about pyramid levels."""
        sizes = [(f.shape[-2], f.shape[-1]) for f in features]
        bases = [self.get_buffer(f"base_anchors_{i}") for i in range(len(self.strides))]
        outputs = self.head(features, towers)
        grid = anchor_grid(sizes, self.strides, bases)
        return Predictions(grid, **{_OUTPUT_NAMES[name]: out for name, out in outputs.items()})

    def forward(self, images: Tensor, towers: Sequence[str] = TOWERS) -> Predictions:
        """Predictions for normalized images (B, 3, H, W), any H and W, from the named towers."""
        return self.predict(self.features(images), towers)
