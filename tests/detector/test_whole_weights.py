"""Detectors that begin with another's weights: what is taken, what is drawn, what is refused."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import detection
from torchvision.ops.misc import FrozenBatchNorm2d

from miaod_nb.config import make_config
from miaod_nb.detector import build_detector
from miaod_nb.detector import torchvision_weights as tv
from miaod_nb.detector.head import TOWERS
from miaod_nb.detector.whole_weights import begin_with_weights
from miaod_nb.errors import CheckpointError, ConfigError
from tests.detector.test_backbones import write_wrong_file
from tests.tiny import noise

CLASSES = ["dog", "cat", "fox"]


def save_ours(path: Path, preset="tiny", classes=CLASSES, **settings):
    """A file as a run writes it."""
    config = make_config(preset, {"backbone_weights": "none", **settings})
    model = build_detector(config, len(classes), seed=5)
    torch.save({"model": model.state_dict(), "classes": list(classes),
                "settings": config.model_dump(mode="json")}, path)  # fmt: skip
    return model


def begun(path: Path, classes, preset="tiny", **settings):
    config = make_config(preset, {"backbone_weights": "none", "weights": str(path), **settings})
    model = build_detector(config, len(classes))
    return model, begin_with_weights(model, config, classes)


# ---------------------------------------------------------------------------------------- ours


def test_equal_classes_take_everything(tmp_path):
    saved = save_ours(tmp_path / "weights.pt")
    model, said = begun(tmp_path, CLASSES)  # the folder of a cycle
    assert all(torch.equal(v, saved.state_dict()[k]) for k, v in model.state_dict().items())
    assert "outputs kept for dog, cat, fox; made anew: nothing" in said
    assert str(tmp_path / "weights.pt") in said


@pytest.mark.parametrize("settings", [{}, {"detector": "ssd300", "backbone_channels": 4}])
@torch.no_grad()
def test_outputs_of_equal_names_move_to_their_new_places(tmp_path, settings):
    saved = save_ours(tmp_path / "weights.pt", **settings)
    classes = ["fox", "owl", "dog", "eel"]
    fresh = build_detector(make_config("tiny", {"backbone_weights": "none", **settings}), 4)
    model, said = begun(tmp_path / "weights.pt", classes, **settings)
    assert "outputs kept for fox, dog; made anew: outputs of owl, eel" in said
    images = noise(1, 300, 300) if model.has_background else noise(1)
    features = model.features(images)
    ours, theirs, drawn = (one.predict(features, TOWERS) for one in (model, saved, fresh))
    for name in ("logits_1", "logits_2", "mil_logits"):
        now, then = getattr(ours, name), getattr(theirs, name)
        torch.testing.assert_close(now[..., [0, 2]], then[..., [2, 0]])
        if model.has_background:
            torch.testing.assert_close(now[..., -1], then[..., -1])
    torch.testing.assert_close(ours.box_deltas, theirs.box_deltas)
    torch.testing.assert_close(features[0], saved.features(images)[0])
    key = f"head.classifier_2.{0 if model.has_background else 'output'}.weight"
    by_class = [m.state_dict()[key].unflatten(0, (-1, m.num_outputs)) for m in (model, fresh)]
    assert torch.equal(by_class[0][:, 1], by_class[1][:, 1])  # owl is as it was drawn
    assert not torch.equal(by_class[0][:, 0], by_class[1][:, 0])
    assert drawn.logits_1.shape == ours.logits_1.shape


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"backbone_channels": 4},
            "backbone.conv1.weight is (8, 3, 7, 7) there, (4, 3, 7, 7) here",
        ),
        ({"num_levels": 4}, "fpn.extra_blocks.convs.0.weight is missing there"),
        ({"tower_convs": 0}, "head.classifier_1.convs.0.weight is (16, 16, 3, 3) there, not at"),
        ({"scales_per_octave": 2}, "scales_per_octave is 1 there, 2 here"),
        ({"anchor_scale": 3.0}, "anchor_scale is 4.0 there, 3.0 here"),
        ({"backbone": "resnet34"}, "backbone is resnet18 there, resnet34 here"),
        ({"detector": "ssd300"}, "backbone is resnet18 there, vgg16 here"),
    ],
)
def test_another_architecture_is_refused_with_the_first_misfit(tmp_path, settings, words):
    save_ours(tmp_path / "weights.pt")
    with pytest.raises(CheckpointError) as caught:
        begun(tmp_path / "weights.pt", CLASSES, **settings)
    assert words in str(caught.value) and str(tmp_path) in str(caught.value.where)


@pytest.mark.parametrize("kind", ["garbage", "code", "list", "texts", "other architecture", "nan"])
def test_wrong_file_is_named_and_never_executed(tmp_path, kind):
    path = tmp_path / "weights.pt"
    write_wrong_file(path, kind)
    if kind == "nan":
        save_ours(path)
        content = torch.load(path)
        content["model"]["fpn.inner_blocks.0.0.bias"][3] = torch.nan
        torch.save(content, path)
    with pytest.raises(CheckpointError) as caught:
        begun(path, CLASSES)
    assert str(path) in str(caught.value.where) and caught.value.remedy
    assert not (tmp_path / "executed").exists()


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        begun(tmp_path / "none.pt", CLASSES)


# --------------------------------------------------------------------------------- torchvision


def lively(model: nn.Module) -> nn.Module:
    """The model with BatchNorms that do something, in inference."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d | FrozenBatchNorm2d):
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
    return model.eval()


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    return lively(detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None))


@pytest.fixture(scope="module")
def file(theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("torchvision") / "tv.pth"
    torch.save(theirs.state_dict(), path)
    return path


@torch.no_grad()
def test_torchvisions_features_boxes_and_known_classes_are_ours(theirs, file):
    classes = ["mask", "aeroplane", "cat"]
    model, said = begun(file, classes, "voc0712")
    images = noise(1, 64, 96)
    features, levels = model.features(images), list(theirs.backbone(images).values())
    for ours, its in zip(features[:3], levels[:3], strict=True):  # P6 is made of another map
        torch.testing.assert_close(ours, its, rtol=1e-5, atol=1e-5)
    found, head = model.predict(levels), theirs.head(levels)
    torch.testing.assert_close(found.box_deltas, head["bbox_regression"], rtol=1e-5, atol=1e-5)
    logits = head["cls_logits"][..., [5, 17]]  # COCO's airplane and cat
    torch.testing.assert_close(found.logits_1[..., 1:], logits, rtol=1e-5, atol=1e-5)
    assert not torch.equal(found.logits_1, found.logits_2)  # or they would never disagree
    hidden = theirs.head.classification_head.conv(levels[0])
    for tower in ("classifier_1", "classifier_2", "mil_classifier"):
        convs = model.head.get_submodule(tower).convs
        torch.testing.assert_close(convs(levels[0]), hidden, rtol=1e-5, atol=1e-5)
    assert "kept for aeroplane, cat" in said and "outputs of mask" in said
    assert "levels from P6 on" in said and "outputs of classifier 2" in said


def test_torchvisions_anchors_are_ours_but_for_their_rounding(theirs):
    model = build_detector(make_config("voc0712", {"backbone_weights": "none"}), 1)
    for i, its in enumerate(theirs.anchor_generator.cell_anchors):
        ours = model.get_buffer(f"base_anchors_{i}")
        assert (ours - its).abs().max() <= 1  # sides are cut to whole pixels, then halves rounded


def test_file_of_the_second_version_gives_backbone_and_pyramid(tmp_path):
    torch.manual_seed(0)
    its = lively(detection.retinanet_resnet50_fpn_v2(weights=None, weights_backbone=None))
    torch.save(its.state_dict(), tmp_path / "v2.pth")
    model, said = begun(tmp_path / "v2.pth", ["cat"], "voc0712", tower_convs=1)
    images = noise(1, 64, 96)
    with torch.no_grad():
        pairs = zip(
            model.features(images)[:4], list(its.backbone(images).values())[:4], strict=True
        )
    for ours, level in pairs:
        torch.testing.assert_close(ours, level, rtol=1e-5, atol=1e-5)
    assert "levels from P7 on" in said and "GroupNorm" in said and "outputs of cat" in said


def as_published(model: nn.Module) -> dict[str, torch.Tensor]:
    """A state dict as older versions wrote it: towers are sequences of convolutions and ReLUs."""
    state = {k: v for k, v in model.state_dict().items() if "num_batches" not in k}
    for kind in ("classification", "regression"):
        for i in range(4):
            for array in ("weight", "bias"):
                old = state.pop(f"head.{kind}_head.conv.{i}.0.{array}")
                state[f"head.{kind}_head.conv.{2 * i}.{array}"] = old
    return state


@torch.no_grad()
def test_the_published_file_has_older_names_and_norms_without_eps(tmp_path, theirs, monkeypatch):
    torch.save(as_published(theirs), tmp_path / "old.pth")
    model, _ = begun(tmp_path / "old.pth", ["cat"], "voc0712")
    levels = list(theirs.backbone(noise(1, 64, 64)).values())
    found = model.predict(levels, ("regressor",)).box_deltas
    torch.testing.assert_close(found, theirs.head.regression_head(levels), rtol=1e-5, atol=1e-5)
    norm = nn.BatchNorm2d(3).eval()
    norm.running_var.copy_(torch.tensor([1e-6, 1.0, 0.0]))
    x, arrays = torch.rand(1, 3, 4, 4), {f"n.{k}": v for k, v in norm.state_dict().items()}
    tv._take_in_eps(arrays)
    norm.load_state_dict({k.removeprefix("n."): v for k, v in arrays.items()})
    torch.testing.assert_close(norm(x)[:, 0], x[:, 0] / 1e-3)
    torch.testing.assert_close(norm(x)[:, 1], x[:, 1])
    assert norm(x).isfinite().all()
    monkeypatch.setattr(tv, "WITHOUT_EPS", "")  # every file is the published one
    changed, _ = begun(tmp_path / "old.pth", ["cat"], "voc0712")
    assert not torch.equal(changed.backbone.bn1.weight, model.backbone.bn1.weight)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"anchor_scale": 3.0}, "anchor_scale is 4.0 there"),
        ({"tower_convs": 2}, "classifier_1.convs.4.weight is (256, 256, 3, 3) there, not at all"),
    ],
)
def test_torchvisions_weights_are_not_taken_for_another_detector(file, settings, words):
    with pytest.raises(CheckpointError) as caught:
        begun(file, ["cat"], "voc0712", **settings)
    assert words in str(caught.value)
