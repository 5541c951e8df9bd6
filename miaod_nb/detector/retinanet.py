"""RetinaNet with two adversarial instance classifiers and a multiple-instance tower (MI-AOD)."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock

from miaod_nb.config import Config
from miaod_nb.detector.anchors import base_anchors
from miaod_nb.detector.backbones import Backbone, build_backbone
from miaod_nb.detector.head import TOWERS, RetinaHead, Tower, join_levels
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import ConfigError


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


class RetinaNet(DetectionModel):
    """RetinaNet with a feature pyramid on the backbone's last three stages; see `DetectionModel`.

    Built by `build_detector`. Images may have any H and W.
    """

    parts = ("backbone", "fpn", *TOWERS)

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
        normalized_towers: bool = False,
        anchor_scale: float = 4.0,
        scales_per_octave: int = 3,
        anchor_ratios: Sequence[float] = (0.5, 1.0, 2.0),
    ) -> None:
        strides = [8 * 2**i for i in range(num_levels)]
        bases = [base_anchors(s, anchor_scale, scales_per_octave, anchor_ratios) for s in strides]
        super().__init__(backbone, num_classes, strides, bases, frozen_stages)
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
        self.head = RetinaHead(
            fpn_channels, num_classes, per_cell, tower_channels, tower_convs, normalized_towers
        )
        self.train_only(self.parts)
        self.train()

    def features(self, images: Tensor) -> list[Tensor]:
        """Pyramid levels of normalized images (B, 3, H, W): L x (B, channels, h, w)."""
        c3_to_c5 = super().features(images)
        levels = self.fpn(OrderedDict((str(i), c) for i, c in enumerate(c3_to_c5)))
        return list(levels.values())

    def classified(self, features: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        tower = self.head.get_submodule("classifier_1")
        assert isinstance(tower, Tower)
        maps = [tower.convs(feature) for feature in features]
        return maps, join_levels([tower.output(one) for one in maps], self.num_outputs)


def build_retinanet(config: Config, num_classes: int) -> RetinaNet:
    """The RetinaNet that a configuration describes. Raises ConfigError and CheckpointError."""
    if config.uncertainty_scores != "sigmoid":
        raise ConfigError(
            "retinanet has no background output that a softmax could compare with",
            where=f"uncertainty_scores = {config.uncertainty_scores}",
            remedy="set uncertainty_scores=sigmoid, or detector=ssd300",
        )
    backbone = build_backbone(config.backbone, config.backbone_weights, config.backbone_channels)
    return RetinaNet(
        backbone,
        num_classes,
        frozen_stages=config.frozen_stages,
        num_levels=config.num_levels,
        fpn_channels=config.fpn_channels,
        tower_channels=config.tower_channels,
        tower_convs=config.tower_convs,
        normalized_towers=config.tower_norm == "group",
        anchor_scale=config.anchor_scale,
        scales_per_octave=config.scales_per_octave,
        anchor_ratios=config.anchor_ratios,
    )
