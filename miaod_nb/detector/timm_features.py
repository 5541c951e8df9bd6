"""Any model of timm that gives a pyramid of feature maps, as a feature extractor."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from timm.layers import Format
from torch import Tensor, nn

from miaod_nb.detector.backbone_files import load_weights, read_weights
from miaod_nb.errors import CheckpointError, ConfigError

STRIDES = (4, 8, 16, 32)  # of a model's last four maps; the first closes the first stage alone
TRIAL = (64, 96)  # height and width of images with which a model has to work


class TimmFeatures(nn.Module):
    """A model of timm by its name, as a feature extractor of random weights.

    It works as in inference while it trains: no dropout, no statistics over a batch.

    pixel_mean, pixel_std: how the model's own weights want RGB in [0, 1] normalized; out_channels:
    of strides 8, 16, 32. Raises ConfigError for a name that timm does not have, and for a model
    whose last maps are not of strides 4, 8, 16 and 32, or that takes images of one size alone.
    """

    body: Any  # timm's types do not say what it has

    def __init__(self, name: str) -> None:
        super().__init__()
        refuse_unknown_model(name)
        try:
            self.body = timm.create_model(name, features_only=True, out_indices=(-4, -3, -2, -1))
        except Exception as error:  # timm raises many kinds for what a model does not have
            raise _unfit(name, f"timm makes no feature maps of it ({error})") from error
        self.body.eval()
        self.pixel_mean = tuple(self.body.pretrained_cfg["mean"])
        self.pixel_std = tuple(self.body.pretrained_cfg["std"])
        self.out_channels = tuple(self.body.feature_info.channels()[1:])
        self._refuse_unfit(name)

    def forward(self, images: Tensor) -> list[Tensor]:
        """images (B, 3, H, W) of sides that 32 divides -> features of strides 8, 16 and 32."""
        return self._maps(images)[1:]

    def train(self, mode: bool = True) -> "TimmFeatures":
        super().train(mode)
        self.body.eval()
        return self

    @torch.enable_grad()
    def stages(self) -> list[list[nn.Module]]:
        """Four stages, in the order of the data: the parameters on which the map of stride 4
        depends (the stem with the first stage), then those which each of the others adds."""
        parameters = list(self.body.parameters())
        known: set[nn.Parameter] = set()
        stages: list[list[nn.Module]] = []
        for one in self.trial():
            gradients = torch.autograd.grad(
                one.sum(), parameters, retain_graph=True, allow_unused=True
            )
            pairs = zip(parameters, gradients, strict=True)
            reached = [p for p, gradient in pairs if gradient is not None and p not in known]
            known.update(reached)
            stages.append([nn.ParameterList(reached)])
        return stages

    def trial(self) -> list[Tensor]:
        """The maps of two small pictures of waves, of strides 4, 8, 16 and 32."""
        device = next(self.body.parameters()).device
        waves = torch.arange(2 * 3 * TRIAL[0] * TRIAL[1], device=device).sin()
        return self._maps(waves.reshape(2, 3, *TRIAL))

    def _maps(self, images: Tensor) -> list[Tensor]:
        """The four maps, channels first."""
        last = getattr(self.body, "output_fmt", Format.NCHW) == Format.NHWC
        return [one.permute(0, 3, 1, 2) if last else one for one in self.body(images)]

    @torch.no_grad()
    def _refuse_unfit(self, name: str) -> None:
        strides = tuple(self.body.feature_info.reduction())
        if strides != STRIDES:
            raise _unfit(name, f"its last feature maps have strides {_said(strides)}")
        if any(parameter.dim() > 4 for parameter in self.body.parameters()):
            raise _unfit(name, "it has convolutions over three dimensions")
        try:
            shapes = [tuple(one.shape[1:]) for one in self.trial()]
        except Exception as error:  # each model has errors of its own
            own = _size(self.body.pretrained_cfg["input_size"][1:])
            what = f"it takes no images of {_size(TRIAL)} pixels; its own are {own} ({error})"
            raise _unfit(name, what) from error
        channels = self.body.feature_info.channels()
        pairs = zip(channels, STRIDES, strict=True)
        whole = [(c, TRIAL[0] // stride, TRIAL[1] // stride) for c, stride in pairs]
        if shapes != whole:
            what = f"its maps of an image of {_size(TRIAL)} pixels are {shapes}, not {whole}"
            raise _unfit(name, what)


def build_timm(name: str, weights: str) -> TimmFeatures:
    """A model of timm with weights: "imagenet" (timm's, downloaded once), "none" (random), or a
    local file, .safetensors or .pth, as timm has it of the whole classifier.

    Raises ConfigError as `TimmFeatures`, and CheckpointError for weights that cannot be had or do
    not fit.
    """
    backbone = TimmFeatures(name)
    if weights != "none":
        state = download(name) if weights == "imagenet" else read_weights(Path(weights))
        load_weights(backbone.body, _of_features(backbone.body, state), weights)
    return backbone


def download(name: str) -> dict[str, Tensor]:
    """timm's weights of a model, downloaded once. Raises CheckpointError."""
    try:  # the whole classifier: of features alone timm lets arrays be missing
        return dict(timm.create_model(name, pretrained=True).state_dict())
    except Exception as error:  # those of the network, of the hub, and of timm
        raise CheckpointError(
            f"timm's weights of {name} could not be downloaded: {error}",
            where=f"backbone = {name}, backbone_weights = imagenet",
            remedy="download the file elsewhere and set backbone_weights=<file>, "
            "or use backbone=efficientnet_lite0, whose weights come with the installation",
        ) from error


def refuse_unknown_model(name: str) -> None:
    """Raises ConfigError for a name that timm does not have."""
    if timm.is_model(name):
        return
    near = difflib.get_close_matches(name, timm.list_models(), n=3)
    guess = f"did you mean {', '.join(near)}? " if near else ""
    raise ConfigError(
        f"there is no backbone '{name}'",
        where="backbone",
        remedy=f"{guess}timm.list_models() lists the models of timm",
    )


def _unfit(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"{name} cannot be a detector's backbone: {why}",
        where=f"backbone = {name}",
        remedy=f"choose a model with maps of strides {_said(STRIDES)} for images of any size, such "
        "as mobilenetv3_large_100, convnext_atto or regnetx_002",
    )


def _said(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _size(sides: Sequence[int]) -> str:
    return " x ".join(map(str, sides))


def _of_features(body: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The arrays of a classifier by the names of its features, without those of its head: timm
    wraps some models as they are, and takes the sequences in others apart, so that `stages.0.x`
    becomes `stages_0.x`."""
    layers = {name for name, _ in body.named_children()}
    is_wrapped = layers == {"model"}

    def renamed(key: str) -> str:
        if is_wrapped:
            return f"model.{key.removeprefix('model.')}"
        joined = key.replace(".", "_", 1)
        return joined if joined.split(".")[0] in layers else key

    def layer(key: str) -> list[str]:
        return key.split(".")[: 1 + is_wrapped]

    with_arrays = [layer(key) for key in body.state_dict()]
    named = {renamed(key): value for key, value in state.items()}
    return {key: value for key, value in named.items() if layer(key) in with_arrays}
