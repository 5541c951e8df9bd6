"""Whole detectors and a short training against the authors' implementation."""

import json

import numpy as np
import pytest
import torch

from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.detector import training_layout
from miaod_nb.detector.backbones import ResNet
from miaod_nb.detector.detections import detect
from miaod_nb.detector.folding import fold
from miaod_nb.detector.mil import instance_class_scores
from miaod_nb.detector.model import DetectionModel
from miaod_nb.detector.retinanet import RetinaNet
from miaod_nb.detector.ssd import SSD300, SSDVGG16
from miaod_nb.learning.stages import LabelSet, Maximize, Method, Minimize
from miaod_nb.learning.train import make_optimizer, optimization_step
from miaod_nb.selection.uncertainty import image_uncertainty, instance_uncertainty

from .authors import authors_key, flat_levels, ground_truth, levels, load_recipe, our_key
from .test_heads import assert_same_detections, settings

STAGES = {"label": LabelSet, "min": Minimize, "max": Maximize}
WIDTHS = {
    "det_r50narrow": {"channels": 16, "fpn_channels": 32, "tower_channels": 32, "tower_convs": 2},
    "det_r50full": {"channels": 64, "fpn_channels": 256, "tower_channels": 256, "tower_convs": 4},
}


def build(golden, *, channels: int, **widths) -> DetectionModel:
    model = RetinaNet(ResNet("resnet50", channels), int(golden["num_classes"]), **widths)
    return with_recipe(model, golden)


def with_recipe(model: DetectionModel, golden) -> DetectionModel:
    load_recipe(model, golden)
    return model.laid_out(training_layout(model, "fp32")).train()


SLOW = ("det_r50full", "det_ssd300full")


@pytest.fixture(params=["det_r50narrow", *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)])
def name(request):
    return request.param


@pytest.fixture
def golden(load_golden, name):
    return load_golden(f"{name}.npz")


@pytest.fixture
def model(golden, name):
    if "ssd" in name:
        return with_recipe(SSD300(SSDVGG16(), int(golden["num_classes"])), golden)
    return build(golden, **WIDTHS[name])


def size(golden, key: str) -> tuple[int, int]:
    return int(golden[key][0]), int(golden[key][1])


def shapes_of(images, image_size, padded_size) -> dict:
    return {
        "ids": tuple(str(i) for i in range(len(images))),
        "images": images,
        "image_sizes": (image_size,) * len(images),
        "padded_sizes": (padded_size,) * len(images),
        "original_sizes": (image_size,) * len(images),
    }


def assert_close(ours, expected, rtol=1e-4):
    """Largest error relative to the largest value: single values near zero have no relative one."""
    error = (ours.detach() - expected).abs().max() / expected.abs().max()
    assert error < rtol, f"relative error {error:.1e}"


@torch.no_grad()
def test_features_and_outputs(golden, model):
    image = torch.from_numpy(golden["image"])
    found = model.backbone(image)
    if isinstance(model.backbone, ResNet):  # theirs gives the first stage too
        stem = model.backbone.bn1(model.backbone.conv1(image)).relu()
        found = [model.backbone.layer1(model.backbone.maxpool(stem)), *found]
    assert f"backbone/L{len(found)}" not in golden.files
    for i, level in enumerate(found):
        if (
            f"backbone/L{i}_subsampled_by_4" in golden.files
            and golden[f"backbone/L{i}_subsampled_by_4"]
        ):
            level = level[:, :, ::4, ::4]
        assert_close(level, torch.from_numpy(golden[f"backbone/L{i}"]))
    if "fpn/L0" in golden.files:
        for ours, expected in zip(model.features(image), levels(golden, "fpn"), strict=True):
            assert_close(ours, expected)
    predictions = model(image)
    for field, key in [
        ("logits_1", "y_head_f_1"),
        ("logits_2", "y_head_f_2"),
        ("box_deltas", "y_head_f_r"),
    ]:
        output = getattr(predictions, field)
        assert_close(output, flat_levels(golden, key, output.shape[-1]))
    logits = predictions.need("logits_1", "logits_2", "mil_logits")
    scores = instance_class_scores(*logits, predictions.grid.level_sizes)
    assert_close(scores, torch.cat(levels(golden, "y_head_cls"), dim=1))


@torch.no_grad()
@pytest.mark.parametrize("as_scored", [False, True], ids=["trained", "folded"])
def test_uncertainty_and_detections(golden, model, name, as_scored):
    inference = settings("ssd" if "ssd" in name else "retina")
    model = fold(model) if as_scored else model
    image = torch.from_numpy(golden["image"])
    for j, single in enumerate(image):  # one image at a time, as scoring does
        predictions = model(single[None], ("classifier_1", "classifier_2", "regressor"))
        probs = [p.sigmoid() for p in predictions.need("logits_1", "logits_2")]
        instances = instance_uncertainty(*probs)
        for key in (k for k in golden.files if k.startswith("uncertainty_k")):
            value = image_uncertainty(instances, int(key.rpartition("_k")[2]))[0]
            expected = torch.tensor(golden[key][j])
            torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-9)
        scale = tuple(golden["scale_factor"][:2].tolist())
        (found,) = detect(predictions, [size(golden, "img_shape")], [scale], inference)
        assert_same_detections(found, golden, f"det/{j}")


@pytest.mark.parametrize(
    "case", ["label", "min_labelled", "min_unlabelled", "max_labelled", "max_unlabelled"]
)
def test_losses_and_gradient_norms(golden, model, name, case):
    # Through fifty layers at full width float32 rounding alone moves the reference itself by 1e-4
    # against the same computation in float64, so there the bound is wider.
    tolerance = 5e-4 if name == "det_r50full" else 1e-4  # of norms, relative
    # Through VGG's pools it moves them by up to 4e-4, float64 keeps within 1e-4.
    dtype = torch.float64 if name == "det_ssd300full" else torch.float32
    model.to(dtype)
    stage = STAGES[case.partition("_")[0]](Method())
    model.train_only(stage.trained_parts(model.parts))
    images = torch.from_numpy(golden["image"]).to(dtype)
    shapes = shapes_of(images, size(golden, "img_shape"), size(golden, "pad_shape"))
    if case.endswith("unlabelled"):
        batch = UnlabeledBatch(**shapes)
    else:
        boxes, labels = ground_truth(golden)
        boxes = tuple(of_one.to(dtype) for of_one in boxes)
        batch = LabeledBatch(**shapes, boxes=boxes, labels=labels)
    total = sum(stage.loss_terms(model, batch).values())
    expected = torch.tensor(golden[f"loss/{case}/total"])
    torch.testing.assert_close(total.detach().float(), expected, rtol=1e-4, atol=1e-7)
    total.backward()
    parameters = dict(model.named_parameters())
    keys = [k for k in golden.files if k.startswith(f"gradnorm/{case}/")]
    assert len(keys) == len(parameters)
    for key in keys:
        gradient = parameters[our_key(key.removeprefix(f"gradnorm/{case}/"))].grad
        norm = float(golden[key])
        if norm <= 0:
            assert gradient is None or (norm == 0 and not gradient.any()), key
        else:
            assert gradient is not None, key
            # in float64: the norm of millions of float32 values loses digits of its own
            assert float(gradient.double().norm()) == pytest.approx(norm, rel=tolerance), key


def test_training_trace(load_golden):
    """Thirteen steps through all stages: losses of each, and where every parameter ends up."""
    golden = load_golden("trace.npz")
    model = build(golden, **WIDTHS["det_r50narrow"])
    start = {key: p.detach().clone() for key, p in model.named_parameters()}
    batches = {}
    for kind, batch_type in (("L", LabeledBatch), ("U", UnlabeledBatch)):
        images = torch.from_numpy(golden[f"image_{kind}"])
        full = (images.shape[2], images.shape[3])
        shapes = shapes_of(images, full, full)
        if kind == "L":
            boxes, labels = ground_truth(golden, "gt_L")
            shapes |= {"boxes": boxes, "labels": labels}
        batches[kind] = batch_type(**shapes)
    stages = {
        "phase0": LabelSet(Method()),
        "phase1": Minimize(Method()),
        "phase2": Maximize(Method()),
    }
    settings = {
        "learning_rate": float(golden["lr"]),
        "momentum": float(golden["momentum"]),
        "weight_decay": float(golden["weight_decay"]),
    }
    previous, phases_done, optimizer = None, 0, None
    num_steps = sum(k.endswith("/kind") for k in golden.files)
    for i in range(num_steps):
        phase, _, labeled = str(golden[f"step{i}/kind"]).partition("_")
        if phase != previous:
            if previous is not None:
                check_parameters(golden, model, start, phases_done)
                phases_done += 1
            model.train_only(stages[phase].trained_parts(model.parts))
            optimizer = make_optimizer(model, "sgd", **settings)
            previous = phase
        batch = batches["L" if labeled == "labelled" else "U"]
        terms = optimization_step(model, stages[phase], batch, optimizer)
        total = float(sum(terms.values()))
        assert total == pytest.approx(float(golden[f"step{i}/total"]), rel=1e-4), f"step {i}"
    check_parameters(golden, model, start, phases_done)
    assert f"phase{phases_done + 1}/unchanged" not in golden.files
    with torch.no_grad():
        for j, image in enumerate(batches["U"].images):
            predictions = model(image[None], ("classifier_1", "classifier_2"))
            probs = [p.sigmoid() for p in predictions.need("logits_1", "logits_2")]
            value = float(image_uncertainty(instance_uncertainty(*probs), 10000)[0])
            assert value == pytest.approx(float(golden["final_uncertainty"][j]), rel=1e-4)


def check_parameters(golden, model, start, phase: int) -> None:
    unchanged = set()
    for key, parameter in model.named_parameters():
        theirs = authors_key(key)
        norm = float(golden[f"phase{phase}/norm/{theirs}"])
        parameter = parameter.detach()
        assert float(parameter.double().norm()) == pytest.approx(norm, rel=1e-4), (
            f"phase {phase} {key}"
        )
        delta = float((parameter - start[key]).double().norm())
        expected = float(golden[f"phase{phase}/delta/{theirs}"])
        assert delta == pytest.approx(expected, rel=1e-3, abs=1e-7), f"phase {phase} {key}"
        if torch.equal(parameter, start[key]):
            unchanged.add(theirs)
    assert unchanged == set(golden[f"phase{phase}/unchanged"].tolist())


def test_authors_checkpoint_fits(goldens, load_golden):
    """Every array of the authors' file has one place in our detector, with the same values."""
    golden = load_golden("det_r50narrow.npz")
    model = build(golden, **WIDTHS["det_r50narrow"])
    checkpoint = torch.load(goldens / "det_r50narrow.pth", map_location="cpu", weights_only=True)
    ours = model.state_dict()
    theirs = {our_key(key): value for key, value in checkpoint["state_dict"].items()}
    assert theirs.keys() == ours.keys()
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-6, err_msg=key)


@pytest.mark.parametrize("start", ["retinanet_r50_C", "ssd300_C"])
def test_parameter_names_and_shapes_of_the_full_detectors(goldens, start):
    """The authors' detectors for VOC have our arrays, shapes and frozen parameters."""
    listed = json.loads((goldens / "full_key_list.json").read_text())
    (key,) = (k for k in listed if k.startswith(start) and k[-1].isdigit())
    num_classes = int(key.rpartition("_C")[2])
    with torch.device("meta"):
        if start.startswith("ssd"):
            model = SSD300(SSDVGG16(), num_classes)
        else:
            model = RetinaNet(ResNet("resnet50"), num_classes)
    ours = {authors_key(k): list(v.shape) for k, v in model.state_dict().items()}
    assert ours == listed[key]
    frozen = {authors_key(k) for k, p in model.named_parameters() if not p.requires_grad}
    assert frozen == set(listed[f"{key}__frozen_after_train()"])
