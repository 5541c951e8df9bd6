"""RetinaNet's four towers, which read every feature level, and what towers say about a batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from miaod_nb.detector.anchors import UNIT_STDS, AnchorGrid, Stds

TOWERS = ("classifier_1", "classifier_2", "mil_classifier", "regressor")
CHANNELS_OF_A_GROUP = 8  # that GroupNorm normalizes together; fewer where they do not divide


@dataclass(frozen=True)
class Predictions:
    """What a detector says about a batch; a tower that was not asked for is None.

    logits_1, logits_2, mil_logits: (B, A, K), before the sigmoid or softmax; K is the number of
    classes C, or C + 1 with `has_background`: then the last output stands for "no object".
    box_deltas: (B, A, 4) relative to `grid.boxes`, in units of `delta_stds`. Anchors are ordered as
    in `grid`.
    """

    grid: AnchorGrid
    logits_1: Tensor | None = None
    logits_2: Tensor | None = None
    mil_logits: Tensor | None = None
    box_deltas: Tensor | None = None
    has_background: bool = False
    delta_stds: Stds = UNIT_STDS

    def need(self, *names: str) -> tuple[Tensor, ...]:
        """The named outputs; ValueError for one whose tower was not run."""
        outputs = tuple(getattr(self, name) for name in names)
        if missing := [n for n, output in zip(names, outputs, strict=True) if output is None]:
            raise ValueError(f"predictions lack {missing}: run their towers too")
        return outputs

    def probabilities(self, logits: Tensor) -> Tensor:
        """What logits (..., K) of this detector mean: each class for itself (sigmoid), or with a
        background output a choice among all (softmax). Same shape."""
        return logits.softmax(dim=-1) if self.has_background else logits.sigmoid()

    def both_probabilities(self) -> tuple[Tensor, Tensor]:
        """Probabilities of the two classifiers: (B, A, K) each."""
        logits_1, logits_2 = self.need("logits_1", "logits_2")
        return self.probabilities(logits_1), self.probabilities(logits_2)

    def class_probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities of the C classes alone: (..., K) -> (..., C)."""
        return self.probabilities(logits)[..., : logits.shape[-1] - self.has_background]


class Tower(nn.Module):
    """Some 3x3 convolutions with ReLU and one without: (B, in, h, w) -> (B, out, h, w). normalized:
    with a GroupNorm (Wu and He, ECCV 2018) before each ReLU, of every level by itself."""

    def __init__(
        self, in_channels: int, channels: int, num_convs: int, out_channels: int,
        normalized: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        layers: list[nn.Module] = []
        groups = math.gcd(channels, max(channels // CHANNELS_OF_A_GROUP, 1))
        for i in range(num_convs):
            layers += [
                nn.Conv2d(channels if i else in_channels, channels, 3, padding=1),
                *([nn.GroupNorm(groups, channels)] if normalized else []),
                nn.ReLU(inplace=True),
            ]
        self.convs = nn.Sequential(*layers)
        self.output = nn.Conv2d(channels if num_convs else in_channels, out_channels, 3, padding=1)

    def forward(self, feature: Tensor) -> Tensor:
        return self.output(self.convs(feature))


class RetinaHead(nn.Module):
    """Two instance classifiers, a MIL classifier and a box regressor, shared over levels."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        anchors_per_cell: int,
        channels: int = 256,
        num_convs: int = 4,
        normalized: bool = False,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        for name in TOWERS:
            width = 4 if name == "regressor" else num_classes
            outputs = anchors_per_cell * width
            tower = Tower(in_channels, channels, num_convs, outputs, normalized)
            self._initialize(name, tower, normalized)
            self.add_module(name, tower)

    @staticmethod
    def _initialize(name: str, tower: Tower, normalized: bool) -> None:
        for layer in tower.convs:
            if isinstance(layer, nn.Conv2d):
                # What is normalized behind does not show how large weights are, but the smaller
                # they are the more a step of training changes them.
                if normalized or name == "mil_classifier":
                    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                else:
                    nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.normal_(tower.output.weight, std=0.01)
        prior = 0.0 if name == "regressor" else -math.log(99)  # objects are rare: p = 0.01
        nn.init.constant_(tower.output.bias, prior)  # type: ignore[arg-type]

    def forward(
        self, features: Sequence[Tensor], towers: Sequence[str] = TOWERS
    ) -> dict[str, Tensor]:
        """Outputs of the named towers, levels concatenated: name -> (B, A, C) or (B, A, 4)."""
        return {name: self._run(name, features) for name in towers}

    def _run(self, name: str, features: Sequence[Tensor]) -> Tensor:
        tower = self.get_submodule(name)
        width = 4 if name == "regressor" else self.num_classes
        return join_levels([tower(feature) for feature in features], width)


def join_levels(outputs: Sequence[Tensor], width: int) -> Tensor:
    """Outputs of convolutions on every level, L x (B, anchors * width, h, w), as (B, A, width)."""
    levels = [output.permute(0, 2, 3, 1) for output in outputs]  # (B, h, w, anchors * width)
    return torch.cat([level.reshape(len(level), -1, width) for level in levels], dim=1)
