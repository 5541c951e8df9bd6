"""Head outputs, MIL scores, losses, gradients, uncertainty and detections against the authors."""

import numpy as np
import pytest
import torch
from torch import nn

from miaod_nb.config import make_config
from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.detector.anchors import base_anchors
from miaod_nb.detector.detections import DetectionSettings, detect
from miaod_nb.detector.head import TOWERS, RetinaHead
from miaod_nb.detector.matching import detection_targets
from miaod_nb.detector.mil import image_class_scores, instance_class_scores, pseudo_image_labels
from miaod_nb.detector.model import DetectionModel
from miaod_nb.detector.ssd import SSD300
from miaod_nb.learning.stages import LabelSet, Maximize, Method, Minimize
from miaod_nb.selection.uncertainty import image_uncertainty, instance_uncertainty

from .authors import flat_levels, ground_truth, levels, our_key

STRIDES = (8, 16, 32, 64, 128)
CASES = {  # reference case -> (our stage, feature batch)
    "label": (LabelSet, "L"),
    "min_labelled": (Minimize, "L"),
    "min_unlabelled_pseudo": (Minimize, "U1"),
    "min_unlabelled_nopseudo": (Minimize, "U2"),
    "max_labelled": (Maximize, "L"),
    "max_unlabelled": (Maximize, "U1"),
}


class NoBackbone(nn.Identity):
    """Stands for a backbone: the images of these tests are feature levels."""

    pixel_mean, pixel_std = (0.0,) * 3, (1.0,) * 3

    def stages(self):
        return []


class RetinaHeadOnly(DetectionModel):
    """The head as a detector whose images are feature levels."""

    parts = TOWERS

    def __init__(self, num_classes: int, weights) -> None:
        bases = [base_anchors(stride, 4.0, 3, (0.5, 1.0, 2.0)) for stride in STRIDES]
        super().__init__(NoBackbone(), num_classes, STRIDES, bases, frozen_stages=0)
        first = weights["classifier_1.convs.0.weight"]
        convs = sum(k.startswith("classifier_1.convs") and k.endswith("weight") for k in weights)
        self.head = RetinaHead(first.shape[1], num_classes, len(bases[0]), first.shape[0], convs)
        self.head.load_state_dict(weights)

    def features(self, images):
        return images


class SSDHeadOnly(SSD300):
    """The same for SSD."""

    parts = TOWERS

    def __init__(self, num_classes: int, weights) -> None:
        backbone = NoBackbone()
        levels = sum(k.startswith("regressor") and k.endswith("weight") for k in weights)
        backbone.out_channels = [weights[f"regressor.{i}.weight"].shape[1] for i in range(levels)]
        super().__init__(backbone, num_classes)
        self.head.load_state_dict(weights)

    def features(self, images):
        return images


@pytest.fixture(params=["retina", "ssd"])
def tag(request):
    return request.param


@pytest.fixture
def golden(load_golden, tag):
    return load_golden(f"{tag}_head.npz")


@pytest.fixture
def model(golden, tag):
    weights = {
        our_key(k[3:])[5:]: torch.from_numpy(golden[k]) for k in golden.files if k[:3] == "sd/"
    }
    kind = RetinaHeadOnly if tag == "retina" else SSDHeadOnly
    return kind(int(golden["num_classes"]), weights)


def sizes(golden, name: str) -> tuple[tuple[int, int], ...]:
    found = []
    while f"meta/{len(found)}/{name}" in golden.files:
        h, w = golden[f"meta/{len(found)}/{name}"][:2]
        found.append((int(h), int(w)))
    return tuple(found)


def batch_of(golden, name: str, features):
    ids = tuple(str(j) for j in range(len(features[0])))
    shapes = {
        "ids": ids,
        "images": features,
        "image_sizes": sizes(golden, "img_shape"),
        "padded_sizes": sizes(golden, "pad_shape"),
        "original_sizes": sizes(golden, "img_shape"),
    }
    if name != "L":
        return UnlabeledBatch(**shapes)
    boxes, labels = ground_truth(golden)
    return LabeledBatch(**shapes, boxes=boxes, labels=labels)


@pytest.mark.parametrize("name", ["L", "U1", "U2"])
def test_outputs_and_mil_scores(golden, model, name):
    predictions = model(levels(golden, f"{name}/feat"))
    for field, key, width in [
        ("logits_1", "y_head_f_1", model.num_outputs),
        ("logits_2", "y_head_f_2", model.num_outputs),
        ("box_deltas", "y_head_f_r", 4),
    ]:
        expected = flat_levels(golden, f"{name}/{key}", width)
        torch.testing.assert_close(getattr(predictions, field), expected, rtol=1e-4, atol=1e-5)
    logits = predictions.need("logits_1", "logits_2", "mil_logits")
    scores = instance_class_scores(*logits, predictions.grid.level_sizes)
    expected = torch.cat(levels(golden, f"{name}/y_head_cls"), dim=1)
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-9)
    image_scores = image_class_scores(scores, predictions.grid.level_sizes)
    expected = torch.from_numpy(golden[f"{name}/image_score"])
    torch.testing.assert_close(image_scores, expected, rtol=1e-4, atol=1e-9)
    pseudo = pseudo_image_labels(logits[0].sigmoid(), logits[1].sigmoid())
    np.testing.assert_array_equal(pseudo.detach().numpy(), golden[f"{name}/pseudo_labels"])


def test_targets(golden, model):
    boxes, labels = ground_truth(golden)
    grid = model(levels(golden, "L/feat"), ("regressor",)).grid
    targets = detection_targets(
        grid, boxes, labels, sizes(golden, "pad_shape"), model.num_classes, model.matching,
        model.delta_stds,
    )  # fmt: skip
    weights = golden["L/targets/label_weights"]
    np.testing.assert_array_equal(targets.counted.numpy(), weights > 0)
    np.testing.assert_array_equal(
        targets.labels.numpy()[weights > 0], golden["L/targets/labels"][weights > 0]
    )
    np.testing.assert_array_equal(
        targets.positive.numpy(), golden["L/targets/bbox_weights"][..., 0] > 0
    )
    torch.testing.assert_close(
        targets.box_deltas, torch.from_numpy(golden["L/targets/bbox_targets"]), rtol=0, atol=1e-5
    )
    assert int(targets.num_positive) == int(golden["L/targets/num_total_pos"])
    for j, size in enumerate(sizes(golden, "pad_shape")):
        valid = grid.valid_mask(size).numpy()
        np.testing.assert_array_equal(valid, golden["L/targets/valid_flags"][j])


@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients(golden, load_golden, model, tag, case):
    gradients = load_golden(f"{tag}_head_grads.npz")
    stage_type, name = CASES[case]
    stage = stage_type(Method())
    model.train_only(stage.trained_parts(model.parts))
    features = [f.requires_grad_() for f in levels(golden, f"{name}/feat")]
    terms = stage.loss_terms(model, batch_of(golden, name, features))
    total = sum(terms.values())
    torch.testing.assert_close(
        total, torch.tensor(golden[f"loss/{case}/total"]), rtol=1e-4, atol=1e-7
    )
    names = {
        "classification": "l_det_cls",
        "box": "l_det_loc",
        "image_classification": "l_imgcls",
        "discrepancy": "l_wave_dis",
        "agreement": "l_wave_dis_minus",
    }
    for term, value in terms.items():
        expected = golden[f"loss/{case}/{names[term]}"].sum()
        torch.testing.assert_close(value.detach(), torch.tensor(expected), rtol=1e-4, atol=1e-7)
    for key in set(names.values()) - {names[term] for term in terms}:
        if f"loss/{case}/{key}" in golden.files:  # what we do not list, the authors set to zero
            assert golden[f"loss/{case}/{key}"].sum() == 0
    total.backward()
    parameters = {f"head.{key}": p for key, p in model.head.named_parameters()}
    checked = 0
    for key in golden.files:
        if not key.startswith(f"gradnorm/{case}/"):
            continue
        target = key.removeprefix(f"gradnorm/{case}/")
        if target.startswith("feat/"):
            tensor, full = features[int(target[6:])], f"{case}/{target}"
        else:
            tensor, full = parameters[our_key(target)], f"{case}/param/{target}"
        assert_gradient(tensor.grad, float(golden[key]), gradients, full)
        checked += 1
    assert checked


def assert_gradient(gradient, norm: float, gradients, key: str) -> None:
    """-1: none is formed; 0: exactly zero, formed or filled in later; else equal."""
    if norm <= 0:
        assert gradient is None or (norm == 0 and not gradient.any()), key
        return
    expected = torch.from_numpy(gradients[key])
    assert gradient is not None, key
    error = (gradient - expected).norm() / expected.norm()
    assert error < 1e-4, f"{key}: relative error {error:.1e}"


@pytest.mark.parametrize("name", ["L", "U1", "U2"])
def test_image_uncertainty(golden, model, name):
    predictions = model(levels(golden, f"{name}/feat"), ("classifier_1", "classifier_2"))
    logits_1, logits_2 = predictions.need("logits_1", "logits_2")
    instances = instance_uncertainty(logits_1.sigmoid(), logits_2.sigmoid())
    checked = [k for k in golden.files if k.startswith(f"{name}/uncertainty_k")]
    assert checked
    for key in checked:
        value = image_uncertainty(instances, int(key.rpartition("_k")[2]))
        torch.testing.assert_close(
            value.detach(), torch.from_numpy(golden[key]), rtol=1e-5, atol=1e-9
        )


@pytest.mark.parametrize("name", ["L", "U1", "U2"])
@pytest.mark.parametrize("kind", ["det_rescaled", "det_unscaled"])
def test_detections(golden, model, tag, name, kind):
    predictions = model(levels(golden, f"{name}/feat"), ("classifier_1", "regressor"))
    image_sizes = sizes(golden, "img_shape")
    scales = [tuple(golden[f"meta/{j}/scale_factor"][:2].tolist()) for j in range(len(image_sizes))]
    if kind == "det_unscaled":
        scales = [(1.0, 1.0)] * len(image_sizes)
    for j, found in enumerate(detect(predictions, image_sizes, scales, settings(tag))):
        assert_same_detections(found, golden, f"{name}/{kind}/{j}")


def settings(tag: str) -> DetectionSettings:
    """The authors' choices of inference."""
    return DetectionSettings.of(make_config("voc0712" if tag == "retina" else "voc0712_ssd"))


def assert_same_detections(found, golden, key: str, score_tolerance: float = 1e-4) -> None:
    """Same labels, boxes within 0.01 px, scores within 1e-4. Detections whose scores are closer
    than the tolerance may swap places, so each is compared with its best partner."""
    boxes, scores = torch.from_numpy(golden[f"{key}/boxes"]), golden[f"{key}/scores"]
    labels = golden[f"{key}/labels"]
    assert len(found.boxes) == len(boxes), key
    np.testing.assert_allclose(found.scores.detach().numpy(), scores, rtol=0, atol=score_tolerance)
    free = list(range(len(boxes)))
    unmatched = 0
    for box, score, label in zip(
        found.boxes.detach(), found.scores.detach(), found.labels, strict=True
    ):
        partners = [
            i
            for i in free
            if labels[i] == label
            and abs(scores[i] - float(score)) <= score_tolerance
            and (boxes[i] - box).abs().max() <= 1e-2
        ]
        if partners:
            free.remove(partners[0])
        elif float(score) <= scores[-1] + score_tolerance:  # tied with the last one that is kept
            unmatched += 1
        else:
            raise AssertionError(f"{key}: no partner for {label} {float(score):.5f} {box.tolist()}")
    assert unmatched == len(free) and all(scores[i] <= scores[-1] + score_tolerance for i in free)
