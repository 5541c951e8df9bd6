"""The measured steps are the package's own, and cost what they should beside the peer's."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from miaod_nb.bench.measure import count_flops
from miaod_nb.bench.peer import build_peer, peer_steps
from miaod_nb.bench.steps import (
    OBJECTS,
    Shape,
    labeled_batch,
    num_classes_of,
    own_steps,
    scoring_step,
    shape_of,
    unlabeled_batch,
)
from miaod_nb.config import make_config
from miaod_nb.detector import DETECTORS
from tests.tiny import tiny_detector

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SMALL = Shape(2, 64, 96)
NAMES = ["label-set", "minimize unlabeled", "maximize unlabeled", "scoring"]
GOALS = dict(zip(NAMES, (1.605, 1.15, 0.83, 1.05), strict=True))  # of operations, over the peer's


@pytest.mark.parametrize(
    ("preset", "settings", "device", "shape"),
    [
        ("voc0712", {}, CPU, "2x3x320x512"),
        ("voc0712", {"batch_size": 4}, CPU, "4x3x320x512"),
        ("voc0712", {"image_size": (640, 480)}, CPU, "2x3x480x640"),
        ("voc0712", {}, CUDA, "2x3x608x1024"),
        ("voc0712_ssd", {}, CPU, "8x3x300x300"),
        ("toy", {}, CPU, "8x3x128x128"),
    ],
)
def test_shape(preset, settings, device, shape):
    assert str(shape_of(make_config(preset, settings), device)) == shape


def test_as_many_classes_as_the_preset_has():
    assert num_classes_of(make_config("toy")) == 20
    assert num_classes_of(make_config("toy", {"classes": ("dog", "cat")})) == 2


def test_both_batches_show_the_same_images_with_their_objects_inside():
    labeled, unlabeled = labeled_batch(SMALL, 2), unlabeled_batch(SMALL, 2)
    assert torch.equal(labeled.images, unlabeled.images)
    assert labeled.images.shape == (2, 3, 64, 96)
    for boxes, labels in zip(labeled.boxes, labeled.labels, strict=True):
        assert (boxes[:, 2:] > boxes[:, :2]).all() and (boxes >= 0).all()
        assert (boxes[:, [0, 2]] <= 96).all() and (boxes[:, [1, 3]] <= 64).all()
        assert len(boxes) == len(OBJECTS) and labels.tolist() == [0, 1, 0]


def test_a_step_trains_what_its_stage_trains():
    model = tiny_detector(2)
    steps = own_steps(make_config("tiny"), model, model, SMALL)
    assert [step.name for step in steps] == NAMES
    assert [step.images for step in steps] == [2, 2, 2, 1]
    frozen = (set(), {"classifier_1", "classifier_2"}, {"backbone", "fpn", "mil_classifier"})
    for step, kept in zip(steps, frozen, strict=False):
        before = [p.clone() for p in model.parameters()]
        step.ready()()
        for part in model.parts:
            reached = [p.grad is not None for p in model.part(part).parameters()]
            unused = part in kept or (part == "regressor" and step.name != "label-set")
            assert any(reached) is not unused, (step.name, part)
        assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_scoring_needs_no_gradients():
    model = tiny_detector(2)
    own_steps(make_config("tiny"), model, model, SMALL)[0].ready()()
    step = scoring_step("several", make_config("tiny"), model, SMALL)
    call = step.ready()
    assert all(p.grad is None for p in model.parameters())
    call()
    assert step.images == 2


def test_peer_takes_images_as_they_are_and_keeps_stem_and_layer1():
    peer = build_peer(2, SMALL)
    seen = []
    peer.backbone.register_forward_pre_hook(lambda _, images: seen.append(images[0].shape))
    steps = peer_steps(peer, 2, SMALL)
    assert list(steps) == NAMES
    steps["minimize unlabeled"].ready()()
    without = [name for name, p in peer.named_parameters() if p.grad is None]
    assert without and all(
        name.startswith(("backbone.body.conv1", "backbone.body.bn1", "backbone.body.layer1"))
        for name in without
    )
    steps["scoring"].ready()()
    assert seen == [(2, 3, 64, 96), (1, 3, 64, 96)]


@pytest.mark.slow
def test_operations_meet_the_goals():
    config = make_config("voc0712", {"backbone_weights": "none"})
    shape = shape_of(config, CPU)
    with FakeTensorMode():  # has no values to compute, but operations to count
        model = DETECTORS[config.detector](config, 20)
        steps = own_steps(config, model, model, shape)
        ours = {step.name: count_flops(step.ready()) for step in steps}
    peers = peer_steps(build_peer(20, shape), 20, shape)
    training, scoring = (count_flops(peers[name].ready()) for name in ("label-set", "scoring"))
    for name, goal in GOALS.items():
        ratio = ours[name] / (scoring if name == "scoring" else training)
        assert 0.7 * goal < ratio <= goal, name
