"""The whole detector: any image size, what is asked for, what is frozen, and seeds."""

import pytest
import torch
from torch import nn

from miaod_nb.config import make_config
from miaod_nb.detector import build_detector
from miaod_nb.detector.head import TOWERS, RetinaHead
from miaod_nb.detector.retinanet import RetinaNet
from tests.tiny import lively_detector, noise, tiny_detector

OUTPUTS = ("logits_1", "logits_2", "mil_logits", "box_deltas")
SETTINGS = [
    {},
    {"backbone": "efficientnet_lite0", "num_levels": 4, "scales_per_octave": 2, "tower_convs": 0},
    {"tower_convs": 2, "tower_norm": "group"},
]


@torch.no_grad()
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("size", [(64, 64), (97, 131), (33, 260)])
def test_any_image_size(settings, size):
    model = tiny_detector(num_classes=5, **settings)
    predictions = model(noise(2, *size))
    grid = predictions.grid
    cells = [(-(-size[0] // s), -(-size[1] // s)) for s in model.strides]  # rounded up
    assert list(grid.feature_sizes) == cells
    per_cell = 3 * settings.get("scales_per_octave", 1)
    total = sum(h * w for h, w in cells) * per_cell
    assert grid.boxes.shape == (total, 4) and sum(grid.level_sizes) == total
    for name, width in zip(OUTPUTS, (5, 5, 5, 4), strict=True):
        assert getattr(predictions, name).shape == (2, total, width)
    assert grid.valid_mask(size).all()


@torch.no_grad()
def test_a_new_detector_finds_every_class_rarely():
    predictions = tiny_detector(num_classes=3)(noise())
    for logits in predictions.need("logits_1", "logits_2"):
        assert logits.sigmoid().mean() == pytest.approx(0.01, rel=0.2)
    assert predictions.box_deltas.abs().mean() < 0.1


@torch.no_grad()
def test_outputs_stand_at_their_anchors():
    """A change in one corner of the image moves the nearby anchors of the finest level alone."""
    model, images = lively_detector(), noise(1, 256, 256)
    changed = images.clone()
    changed[:, :, 250:, 250:] += 5
    before, after = (model(x).logits_1[0].amax(dim=1) for x in (images, changed))
    grid = model(images, ()).grid
    difference = (after - before).abs()[: grid.level_sizes[0]]
    box = grid.boxes[int(difference.argmax())]
    assert (box[:2] + box[2:]).min() / 2 > 160


@torch.no_grad()
def test_batch_equals_single():
    model, images = lively_detector(), noise(3)
    batch = model(images)
    for i in range(3):
        single = model(images[i : i + 1])
        for name in OUTPUTS:
            torch.testing.assert_close(
                getattr(batch, name)[i : i + 1], getattr(single, name), rtol=1e-4, atol=1e-4
            )


@torch.no_grad()
def test_normalized_towers_do_not_care_how_large_features_are():
    """GroupNorm sees each image and level by itself, and divides by what it finds there."""
    plain, normalized = (
        RetinaHead(16, 3, 9, channels=12, num_convs=1, normalized=normalized)
        for normalized in (False, True)
    )
    features = [noise(2, size, size)[:, :1].repeat(1, 16, 1, 1).cumsum(1) for size in (8, 4)]
    for image in range(2):
        alone = normalized([level[image : image + 1] for level in features])
        for name, values in normalized(features).items():
            torch.testing.assert_close(values[image : image + 1], alone[name])
    larger = [features[0], 100 * features[1]]
    cells = 8 * 8 * 9
    for head, expected in ((normalized, True), (plain, False)):
        before, after = (head(levels, ("regressor",))["regressor"] for levels in (features, larger))
        assert torch.equal(before[:, :cells], after[:, :cells])  # levels know nothing of another
        assert torch.allclose(before, after, atol=1e-3) is expected


def test_normalized_towers_begin_with_larger_weights():
    """A step of training changes small weights more, and what is normalized hides how small."""
    plain, normalized = (
        [module.weight.std().item() for tower in RetinaHead(
            64, 3, 6, channels=64, num_convs=2, normalized=normalized
        ).children() for module in tower.convs if isinstance(module, nn.Conv2d)]
        for normalized in (False, True)
    )  # fmt: skip
    kaiming = (2 / (64 * 9)) ** 0.5
    assert normalized == pytest.approx([kaiming] * 8, rel=0.05)
    others = [0.01] * 4 + [kaiming] * 2 + [0.01] * 2  # of the MIL tower as the authors have it
    assert plain == pytest.approx(others, rel=0.05)


@torch.no_grad()
def test_only_the_towers_asked_for_run():
    model = tiny_detector()
    predictions = model(noise(), ("classifier_2",))
    assert predictions.logits_2 is not None
    with pytest.raises(ValueError, match="logits_1.*box_deltas"):
        predictions.need("logits_1", "logits_2", "box_deltas")


# --------------------------------------------------------------------------------- what trains


def test_parts_hold_every_parameter_once():
    model = tiny_detector()
    of_parts = [p for name in RetinaNet.parts for p in model.part(name).parameters()]
    assert len(of_parts) == len(set(of_parts))
    assert set(of_parts) == set(model.parameters())
    assert set(TOWERS) < set(RetinaNet.parts)


@pytest.mark.parametrize(
    ("settings", "frozen"),
    [
        ({"frozen_stages": 0}, ()),
        ({"frozen_stages": 1}, ("conv1", "bn1", "layer1")),
        ({"frozen_stages": 3}, ("conv1", "bn1", "layer1", "layer2", "layer3")),
        ({"frozen_stages": 2, "backbone": "efficientnet_lite0"},
         ("body.conv_stem", "body.bn1", "body.blocks.0", "body.blocks.1")),
    ],
)  # fmt: skip
def test_frozen_stages_never_train(settings, frozen):
    model = tiny_detector(**settings)
    for parts in (RetinaNet.parts, ("fpn",), RetinaNet.parts):
        model.train_only(parts)
        found = {key for key, p in model.backbone.named_parameters() if p.requires_grad}
        expected = {
            key
            for key, _ in model.backbone.named_parameters()
            if "backbone" in parts and not key.startswith(tuple(f"{name}." for name in frozen))
        }
        assert found == expected


def test_only_the_named_parts_train():
    model = tiny_detector()
    model.train_only(("fpn", "regressor"))
    trained = {key.split(".")[0] for key, p in model.named_parameters() if p.requires_grad}
    assert trained == {"fpn", "head"}
    assert all(p.requires_grad for p in model.part("regressor").parameters())
    assert not any(p.requires_grad for p in model.part("classifier_1").parameters())


@pytest.mark.parametrize("backbone", ["resnet18", "efficientnet_lite0"])
def test_batch_norms_always_use_their_stored_statistics(backbone):
    model = tiny_detector(backbone=backbone)
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms
    for prepared in (model, model.eval(), model.train()):  # as built, too
        assert not any(norm.training for norm in norms)
        assert prepared is model
    assert model.training and model.head.training


# --------------------------------------------------------------------------------------- seeds


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = tiny_detector(seed=3).state_dict()
    torch.manual_seed(2)
    again, other = tiny_detector(seed=3).state_dict(), tiny_detector(seed=4).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["backbone.conv1.weight"], other["backbone.conv1.weight"])


def test_the_default_seed_is_the_configurations():
    config = make_config("tiny", {"seed": 3})
    expected = build_detector(config, 2, seed=3).backbone.conv1.weight
    assert torch.equal(build_detector(config, 2).backbone.conv1.weight, expected)


def test_building_leaves_the_global_random_state_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    tiny_detector(seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
