"""SSD300: its levels, what trains, its weights from files, and training steps that work."""

import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.detector import build_detector
from miaod_nb.detector.detections import DetectionSettings, detect
from miaod_nb.detector.head import TOWERS
from miaod_nb.detector.ssd import SSD300, SSDVGG16
from miaod_nb.errors import CheckpointError, ConfigError
from miaod_nb.learning.stages import LabelSet, Maximize, Method, Minimize
from miaod_nb.learning.train import make_optimizer, optimization_step
from miaod_nb.selection.mi_aod import MiAod
from tests.tiny import labeled, noise, tiny_detector, unlabeled

OUTPUTS = ("logits_1", "logits_2", "mil_logits", "box_deltas")
OBJECTS = ([((30, 30, 120, 120), 0), ((150, 60, 280, 200), 1)], [])


def tiny_ssd(num_classes: int = 2, **settings: object) -> SSD300:
    """SSD300 on a VGG-16 an eighth as wide as the real one."""
    return tiny_detector(num_classes, detector="ssd300", **settings)


@pytest.fixture(scope="module")
def images():
    return noise(2, 300, 300)


@torch.no_grad()
def test_levels_and_outputs(images):
    model = tiny_ssd(num_classes=5)
    predictions = model(images)
    assert predictions.grid.feature_sizes == tuple((n, n) for n in (38, 19, 10, 5, 3, 1))
    for name, width in zip(OUTPUTS, (6, 6, 6, 4), strict=True):  # five classes and background
        assert getattr(predictions, name).shape == (2, 8732, width)
    assert predictions.grid.valid_mask((300, 300)).all()
    probs_1, probs_2 = predictions.both_probabilities()
    torch.testing.assert_close(probs_1.sum(dim=2), torch.ones(2, 8732))
    assert not torch.equal(probs_1, probs_2)
    assert predictions.class_probabilities(predictions.logits_1).shape == (2, 8732, 5)


@torch.no_grad()
def test_batch_equals_single(images):
    model = tiny_ssd()
    together = model(images)
    for i in range(2):
        single = model(images[i : i + 1])
        for name in OUTPUTS:
            torch.testing.assert_close(
                getattr(together, name)[i : i + 1], getattr(single, name), rtol=1e-4, atol=1e-4
            )


@torch.no_grad()
def test_background_is_never_detected(images):
    model = tiny_ssd(num_classes=1)
    with_background = model(images, ("classifier_1", "regressor"))
    found = detect(with_background, [(300, 300)] * 2, [(1.0, 1.0)] * 2, DetectionSettings())
    assert all(len(image.labels) and not image.labels.any() for image in found)


def test_parts_hold_every_parameter_once():
    model = tiny_ssd()
    of_parts = [p for name in model.parts for p in model.part(name).parameters()]
    assert len(of_parts) == len(set(of_parts))
    assert set(of_parts) == set(model.parameters())
    assert all(p.requires_grad for p in model.parameters())  # no layer is frozen
    frozen = [k for k, p in tiny_ssd(frozen_stages=1).named_parameters() if not p.requires_grad]
    assert frozen == [
        f"backbone.features.{i}.{kind}" for i in (0, 2) for kind in ("weight", "bias")
    ]


def test_what_a_batch_does_not_reach_does_not_move(images):
    """Unlike RetinaNet: an unlabeled minimize step leaves the regressor without a gradient."""
    model, stage = tiny_ssd(), Minimize(Method())
    model.train_only(stage.trained_parts(model.parts))
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    optimizer = make_optimizer(model, "sgd", learning_rate=0.01, weight_decay=0.5)
    optimization_step(model, stage, unlabeled(images), optimizer)
    still = {key for key, p in model.named_parameters() if torch.equal(p, before[key])}
    for name in ("regressor", "classifier_1", "classifier_2"):
        assert {key for key in before if key.startswith(f"head.{name}")} <= still
    assert "backbone.features.0.weight" not in still


@pytest.mark.parametrize("stage_type", [LabelSet, Minimize, Maximize])
@pytest.mark.parametrize("num_classes", [1, 3])
def test_terms_are_finite_without_objects(images, stage_type, num_classes):
    stage, model = stage_type(Method()), tiny_ssd(num_classes)
    model.train_only(stage.trained_parts(model.parts))
    for objects in ([[], []], [[((5, 5, 60, 60), 0)], []]):
        terms = stage.loss_terms(model, labeled(images, objects))
        if stage.uses_unlabeled:
            terms |= {f"u {k}": v for k, v in stage.loss_terms(model, unlabeled(images)).items()}
        sum(terms.values()).backward()
        assert all(torch.isfinite(value) for value in terms.values())
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_the_loss_falls_on_one_batch(images):
    model, stage = tiny_ssd(), LabelSet(Method())
    optimizer = make_optimizer(model, "adamw", learning_rate=2e-3, weight_decay=0.0)
    batch = labeled(images, OBJECTS)
    totals = [
        float(sum(optimization_step(model, stage, batch, optimizer, 10.0).values()))
        for _ in range(25)
    ]
    assert totals[-1] < 0.5 * totals[0]


@torch.no_grad()
def test_uncertainty_from_sigmoid_or_softmax(images):
    model, batch = tiny_ssd(), unlabeled(images)
    values = {
        kind: MiAod(make_config("tiny", {"detector": "ssd300", "uncertainty_scores": kind}))
        .observe(model, batch)["score"]
        for kind in ("sigmoid", "softmax")
    }  # fmt: skip
    logits_1, logits_2 = model(images).need("logits_1", "logits_2")
    for kind, probs in (("sigmoid", torch.sigmoid), ("softmax", lambda x: x.softmax(dim=-1))):
        instances = (probs(logits_1) - probs(logits_2)).square().mean(dim=-1)
        k = int(0.09 * 8732)
        torch.testing.assert_close(values[kind], instances.topk(k, dim=1).values.mean(dim=1))
    assert not torch.allclose(values["sigmoid"], values["softmax"])


# ---------------------------------------------------------------------------------- settings


def test_the_detector_brings_what_it_needs_and_settings_beside_it_win():
    config = make_config("voc", {"detector": "ssd300", "max_detections": 50})
    assert (config.backbone, config.image_size, config.resize) == ("vgg16", (300, 300), "stretch")
    assert (config.augmentation, config.score_threshold, config.nms_iou) == ("ssd", 0.02, 0.45)
    assert config.max_detections == 50 and config.optimizer == "adamw"  # the recipe is the preset's
    assert make_config("voc").backbone == "efficientnet_lite0"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"detector": "ssd300", "image_size": "320x320"}, "image_size=(300, 300)"),
        ({"detector": "ssd300", "resize": "fit"}, "resize=stretch"),
        ({"detector": "ssd300", "backbone": "resnet18"}, "backbone=vgg16"),
        ({"detector": "ssd300", "backbone_weights": "imagenet"}, "of width 8"),
        ({"backbone": "vgg16"}, "retinanet has no backbone vgg16"),
        ({"uncertainty_scores": "softmax"}, "no background output"),
    ],
)
def test_what_does_not_fit_together_is_refused(settings, words):
    with pytest.raises(ConfigError) as caught:
        build_detector(make_config("tiny", settings), 2)
    assert words in str(caught.value) and "what to do" in str(caught.value)


@pytest.mark.parametrize("names", ["torchvision", "authors"])
def test_weights_of_vgg16_from_a_file(tmp_path, names):
    """torchvision's file has the convolutions up to conv5_3 and a classifier that is left alone;
    the authors' has the last two layers as convolutions too."""
    donor = SSDVGG16(8)
    own = {f"features.{key}": value for key, value in donor.features.state_dict().items()}
    if names == "torchvision":
        own = {k: v for k, v in own.items() if int(k.split(".")[1]) < 30}
        own["classifier.0.weight"] = torch.full((3, 3), torch.nan)
    torch.save({"state_dict": own}, tmp_path / "vgg.pth")
    model = tiny_ssd(backbone_weights=str(tmp_path / "vgg.pth"))
    found = model.backbone.features.state_dict()
    for key, value in donor.features.state_dict().items():
        expected = names == "authors" or int(key.split(".")[0]) < 30
        assert torch.equal(found[key], value) == expected or key.endswith("bias"), key


@pytest.mark.parametrize(
    ("state", "words"),
    [({"layer1.weight": torch.zeros(2)}, "no `features.*`"),
     ({"features.0.weight": torch.zeros(2, 3, 3, 3)}, "do not fit")],
)  # fmt: skip
def test_foreign_weights_are_refused(tmp_path, state, words):
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(CheckpointError) as caught:
        tiny_ssd(backbone_weights=str(tmp_path / "other.pth"))
    assert words in str(caught.value)


def test_towers_have_the_names_of_every_detector():
    assert {name for name, _ in tiny_ssd().head.named_children()} == set(TOWERS)
