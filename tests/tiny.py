"""A detector small enough for tests, and batches of noise for it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from miaod_nb.config import make_config
from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.detector import build_detector
from miaod_nb.detector.retinanet import RetinaNet

Objects = Sequence[tuple[Sequence[float], int]]  # (box, label) of each object of an image
OBJECTS: Sequence[Objects] = ([((8, 8, 40, 40), 0), ((30, 20, 60, 50), 1)], [])


def tiny_detector(num_classes: int = 2, seed: int = 0, **settings: object) -> RetinaNet:
    """The `tiny` preset's detector (ResNet-18 of width 8, 3 levels), with some settings changed."""
    return build_detector(make_config("tiny", settings), num_classes, seed)


def lively_detector(num_classes: int = 2, **settings: object) -> RetinaNet:
    """A tiny detector whose outputs are far from the prior and differ much between anchors."""
    model = tiny_detector(num_classes, **settings)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tower in model.head.children():
            for layer in tower.modules():
                if isinstance(layer, torch.nn.Conv2d):
                    layer.weight.normal_(0, 0.2, generator=generator)
                    layer.bias.zero_()
    return model


def noise(num_images: int = 2, height: int = 64, width: int = 64) -> Tensor:
    """The same normalized images in every call: (B, 3, H, W)."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_images, 3, height, width, generator=generator)


def unlabeled(images: Tensor) -> UnlabeledBatch:
    """A batch of these images, none of which is padded."""
    return UnlabeledBatch(**_common(images))


def labeled(images: Tensor, objects: Sequence[Objects] = OBJECTS) -> LabeledBatch:
    """A batch of these images with the objects of each."""
    boxes = tuple(torch.tensor([b for b, _ in of_one]).float().reshape(-1, 4) for of_one in objects)
    labels = tuple(torch.tensor([c for _, c in of_one], dtype=torch.int64) for of_one in objects)
    return LabeledBatch(**_common(images), boxes=boxes, labels=labels)


def _common(images: Tensor) -> dict[str, object]:
    sizes = ((images.shape[2], images.shape[3]),) * len(images)
    ids = tuple(str(i) for i in range(len(images)))
    return {
        "ids": ids,
        "images": images,
        "image_sizes": sizes,
        "padded_sizes": sizes,
        "original_sizes": sizes,
    }
