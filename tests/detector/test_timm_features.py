"""Models of timm as backbones: strides, stages, normalization, files, and what is refused."""

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from miaod_nb.detector.backbones import build_backbone, refuse_unfit_backbone
from miaod_nb.detector.folding import fold
from miaod_nb.detector.timm_features import TimmFeatures, _of_features
from miaod_nb.errors import CheckpointError, ConfigError
from tests.detector.test_backbones import assert_same_state, write_wrong_file
from tests.tiny import noise, tiny_detector

CHANNELS = {
    "mobilenetv3_small_050": (16, 24, 288),  # blocks with squeeze-excite, in one sequence
    "regnetx_002": (56, 152, 368),
    "test_efficientnet": (32, 48, 64),
    "test_convnext": (32, 48, 64),  # LayerNorm alone
    "test_mambaout": (32, 48, 64),  # channels last
}  # those of test_ are timm's own smallest


@pytest.mark.parametrize("name", CHANNELS)
def test_maps_have_strides_8_16_32_and_do_not_depend_on_mode_or_batch(name):
    backbone = build_backbone(name, "none")
    images = noise(2, 64, 96)
    with torch.no_grad():
        maps, alone = backbone.train()(images), backbone.eval()(images[:1])
    assert backbone.out_channels == CHANNELS[name]
    strided = zip(CHANNELS[name], [(8, 12), (4, 6), (2, 3)], strict=True)
    assert [tuple(one.shape) for one in maps] == [(2, c, *hw) for c, hw in strided]
    for one, same in zip(maps, alone, strict=True):
        torch.testing.assert_close(one[:1], same, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", CHANNELS)
def test_stages_hold_every_parameter_once_in_the_order_of_the_data(name):
    backbone = build_backbone(name, "none")
    stages = [[p for m in stage for p in m.parameters()] for stage in backbone.stages()]
    of_stages = [p for stage in stages for p in stage]
    assert len(stages) == 4 and all(stages)
    assert len(of_stages) == len(set(of_stages))
    assert set(of_stages) == set(backbone.parameters())
    before = backbone(noise(1))
    with torch.no_grad():
        for parameter in stages[3]:  # of the map of stride 32 alone
            parameter.add_(1)
    after = backbone(noise(1))
    assert torch.equal(before[1], after[1]) and not torch.equal(before[2], after[2])


def test_frozen_stages_never_train():
    model = tiny_detector(backbone="test_convnext", frozen_stages=2)
    frozen = {key for key, p in model.backbone.named_parameters() if not p.requires_grad}
    expected = ("body.stem_", "body.stages_0.", "body.stages_1.")
    assert frozen == {k for k, _ in model.backbone.named_parameters() if k.startswith(expected)}


def lively(model: nn.Module) -> nn.Module:
    """The model with BatchNorms that do something."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                for array in (norm.weight, norm.bias, norm.running_mean):
                    array.add_(0.1 * torch.randn(array.shape, generator=generator))
    return model


@pytest.mark.parametrize("name", [*CHANNELS, "test_resnet", "repvit_m0_9"])
@torch.no_grad()
def test_folded_equals_unfolded(name):
    """In blocks of RepViT a BatchNorm stands behind a convolution and reads a sum."""
    model = lively(tiny_detector(backbone=name, fpn_channels=8, tower_convs=0))
    lean, images = fold(model), noise(1, 64, 96)
    for ours, theirs in zip(lean.features(images), model.features(images), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    norms = [m for m in lean.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert bool(norms) == (name in ("test_resnet", "repvit_m0_9"))  # behind no convolution itself


def test_normalization_is_the_models_own():
    assert tiny_detector(backbone="mobilenetv3_small_050").pixel_mean == (0.485, 0.456, 0.406)
    assert tiny_detector(backbone="tf_mobilenetv3_small_minimal_100").pixel_std == (0.5, 0.5, 0.5)


# ------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("name", ["test_efficientnet", "test_convnext"])
@pytest.mark.parametrize("kind", ["pth", "safetensors", "own"])
def test_file_of_the_classifier_gives_its_features(name, kind, tmp_path):
    classifier = timm.create_model(name)
    features = timm.create_model(name, features_only=True, out_indices=(-3, -2, -1))
    path = tmp_path / f"weights.{kind}"
    if kind == "safetensors":
        save_file(classifier.state_dict(), path)
    else:
        torch.save(classifier.state_dict(), path)
    found = build_backbone(name, str(path))
    if kind == "own":  # what the error about unusable files advises
        torch.save(found.body.state_dict(), path)
        found = build_backbone(name, str(path))
    named = {k.replace(".", "_"): v for k, v in classifier.state_dict().items()}
    expected = {k: named[k.replace(".", "_")] for k in features.state_dict()}
    assert_same_state(found.body, expected)


@pytest.mark.parametrize("kind", ["garbage", "code", "list", "other architecture"])
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_wrong_file_is_named_and_never_executed(kind, ending, tmp_path):
    path = tmp_path / f"weights.{ending}"
    write_wrong_file(path, kind)
    with pytest.raises(CheckpointError) as caught:
        build_backbone("regnetx_002", str(path))
    assert str(path) in str(caught.value.where)
    assert not (tmp_path / "executed").exists()


def test_deeper_model_does_not_pass_for_a_shallower_one(tmp_path):
    state = timm.create_model("test_convnext").state_dict()
    state["stages.2.blocks.6.gamma"] = torch.ones(48)
    torch.save(state, tmp_path / "deeper.pth")
    with pytest.raises(CheckpointError, match="1 have no place, first stages_2.blocks.6.gamma"):
        build_backbone("test_convnext", str(tmp_path / "deeper.pth"))


def test_imagenet_is_what_timm_loads(monkeypatch, tmp_path):
    """timm's own path from the hub's file on, with the download answered by a local file."""
    classifier = timm.create_model("regnetx_002")
    asked = []

    def answer(hub_id, *args, **kwargs):
        asked.append(hub_id)
        return classifier.state_dict()

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", answer)
    found = build_backbone("regnetx_002", "imagenet").body.state_dict()
    assert asked == ["timm/regnetx_002.pycls_in1k"]
    expected = classifier.state_dict()
    assert found and all(torch.equal(value, expected[key]) for key, value in found.items())


@pytest.mark.parametrize("name", ["sam2_hiera_tiny", "hrnet_w18_small"])
def test_heads_of_models_that_timm_wraps_are_left_out(name):
    with torch.device("meta"):
        body, whole = TimmFeatures(name).body, timm.create_model(name)
    arrays = whole.state_dict()
    taken = {key: value.shape for key, value in _of_features(body, arrays).items()}
    assert taken == {key: value.shape for key, value in body.state_dict().items()}
    assert len(taken) < len(arrays)


def test_failed_download_says_what_to_do(monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("no route")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", fail)
    with pytest.raises(CheckpointError, match="regnetx_002 could not be downloaded: no route") as e:
        build_backbone("regnetx_002", "imagenet")
    assert "backbone_weights=<file>" in e.value.remedy


# ------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mobilenetv3_large_10", "did you mean mobilenetv3_large_100"),
        ("efficientnet_lite", "did you mean efficientnet_lite"),
        ("hf-hub:timm/resnet10t", "there is no backbone"),
        ("", "there is no backbone"),
        ("regnetx_002.made_up", "made_up"),
        ("vit_tiny_patch16_224", "strides 16, 16, 16, 16"),
        ("swin_tiny_patch4_window7_224", "no images of 64 x 96 pixels; its own are 224 x 224"),
        ("mobilevitv2_050", "(256, 2, 4)"),
        ("lambda_resnet26t", "over three dimensions"),
        ("levit_128s", "makes no feature maps"),
    ],
)
def test_what_cannot_be_a_backbone_is_refused_in_words(name, words):
    for refuse in (refuse_unfit_backbone, lambda name: build_backbone(name, "none")):
        with pytest.raises(ConfigError) as caught:
            refuse(name)
        assert words in str(caught.value)


def test_names_of_the_package_keep_their_meaning():
    """timm has models of these names too."""
    assert type(build_backbone("resnet18", "none")).__name__ == "ResNet"
    assert type(build_backbone("efficientnet_lite0", "none")).__name__ == "EfficientNetLite0"
    with pytest.raises(ConfigError, match="ssd300"):
        build_backbone("vgg16", "none")


def test_a_look_at_the_name_leaves_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    refuse_unfit_backbone("regnetx_002")
    assert torch.equal(torch.rand(1), expected)
