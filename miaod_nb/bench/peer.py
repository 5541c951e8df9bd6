"""What the package is measured against: torchvision's RetinaNet, as it comes."""

from collections.abc import Mapping

import torch
from torch import nn
from torchvision.models.detection import retinanet_resnet50_fpn

from miaod_nb.bench.steps import Call, Shape, Step, labeled_batch

NAME = "torchvision's retinanet_resnet50_fpn (fp32, channels-first, eager; stem and layer1 frozen)"
_FROZEN = ("conv1", "bn1", "layer1")


def build_peer(num_classes: int, shape: Shape) -> nn.Module:
    """The peer with random weights, which takes images of `shape` as they are."""
    sides = shape.height, shape.width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = retinanet_resnet50_fpn(
            weights=None, weights_backbone=None, num_classes=num_classes + 1,
            min_size=min(sides), max_size=max(sides),
        )  # fmt: skip
    for name, parameter in model.backbone.body.named_parameters():
        parameter.requires_grad_(not name.startswith(_FROZEN))
    return model


def peer_steps(model: nn.Module, num_classes: int, shape: Shape) -> Mapping[str, Step]:
    """By the name of ours the peer's: the whole training for each stage, and its detection."""
    device = next(model.parameters()).device
    batch = labeled_batch(shape, num_classes)
    images = [image.to(device) for image in batch.images]
    targets = [
        {"boxes": boxes.to(device), "labels": labels.to(device)}
        for boxes, labels in zip(batch.boxes, batch.labels, strict=True)
    ]

    def train() -> None:
        model.zero_grad(set_to_none=True)
        sum(model(images, targets).values()).backward()

    @torch.inference_mode()
    def detect() -> None:
        model(images[:1])

    def ready(call: Call, training: bool) -> Call:
        model.train(training)
        model.zero_grad(set_to_none=True)
        return call

    training = Step("training", len(images), lambda: ready(train, True))
    detection = Step("detection", 1, lambda: ready(detect, False))
    stages = ("label-set", "minimize unlabeled", "maximize unlabeled")
    return dict.fromkeys(stages, training) | {"scoring": detection}
