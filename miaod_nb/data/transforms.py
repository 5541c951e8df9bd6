"""Images and boxes resized, flipped, cropped and shrunk together: pure functions.

Images are uint8 (3, H, W); boxes float32 (G, 4) xyxy in the pixels of that image, inside it, and
inside the result as well. Random numbers come from the generator that is handed in.
"""

import math
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from miaod_nb.config import Config

PADDING_VALUE = 127
PAD_MULTIPLE = 32
IMAGENET_MEAN = (124, 116, 104)  # RGB, around an image that was made smaller for SSD
MAX_SSD_SIDE = 1200
RECIPES = ("flip", "crop_flip", "ssd")


@dataclass(frozen=True)
class InputSize:
    """How images become the detector's input.

    Kept in ratio and scaled to fit `longest` and `shortest` pixels whatever their orientation, then
    zero-padded to multiples of 32; or, with `stretch`, brought to exactly `longest` x `shortest`
    (width x height) and not padded.
    """

    longest: int
    shortest: int
    stretch: bool = False

    @classmethod
    def of(cls, config: Config) -> "InputSize":
        """The input size that a configuration asks for."""
        return cls(*config.image_size, stretch=config.resize == "stretch")

    def fitted(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of an image after resizing, without padding."""
        if self.stretch:
            return self.longest, self.shortest
        scale = min(self.longest / max(width, height), self.shortest / min(width, height))
        return max(int(width * scale + 0.5), 1), max(int(height * scale + 0.5), 1)

    def padded(self, side: int) -> int:
        """The side of a resized image after its own padding."""
        return side if self.stretch else math.ceil(side / PAD_MULTIPLE) * PAD_MULTIPLE


def augmentation_rng(seed: int, epoch: int | tuple[int, ...], image_id: str) -> np.random.Generator:
    """A generator that depends on these three alone, not on workers or on what was drawn before.

    epoch: any counter, or several (numbers not below 0).
    """
    counters = (epoch,) if isinstance(epoch, int) else epoch
    key = (seed, *counters, zlib.crc32(image_id.encode()))
    return np.random.default_rng(np.random.SeedSequence(key))


def resize(image: Tensor, boxes: Tensor, input_size: InputSize) -> tuple[Tensor, Tensor]:
    """(image, boxes) at the input size, bilinear, not padded."""
    height, width = image.shape[-2:]
    return _resize_to(image, boxes, *input_size.fitted(width, height))


def flip(image: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Image and boxes with left and right exchanged."""
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    width = image.shape[-1]
    return image.flip(-1), torch.stack([width - x2, y1, width - x1, y2], dim=1)


def augment(
    image: Tensor, boxes: Tensor, labels: Tensor, recipe: str, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """(image, boxes, labels) changed at random; to be used before the image is resized.

    labels: (G,). recipe "flip": mirrored in half of the cases. "crop_flip": brightness and
    contrast vary by 0.7-1.3, the image is cropped in one half of the cases and shrunk in the
    other, then mirrored as above. "ssd": SSD's distortion of light and color, shrinking to up to a
    quarter of the sides, and crops that keep some overlap with an object, then mirrored as above.
    Boxes whose center a crop cuts off are dropped with their labels, but never all of them. Raises
    ValueError for another recipe.
    """
    if recipe not in RECIPES:
        raise ValueError(f"there is no augmentation recipe {recipe!r}")
    if recipe == "ssd":
        image, boxes, labels = _distort_expand_crop(image, boxes, labels, rng)
    if recipe == "crop_flip":
        image = _vary_light(image, rng)
        if rng.random() < 0.5:
            image, boxes, labels = _random_crop(image, boxes, labels, rng)
        else:
            image, boxes = _random_shrink(image, boxes, rng)
    if rng.random() < 0.5:
        image, boxes = flip(image, boxes)
    return image, boxes, labels


_SSD = v2.Compose([
    v2.RandomPhotometricDistort(p=0.5),
    v2.RandomZoomOut(fill=IMAGENET_MEAN, side_range=(1.0, 4.0), p=0.5),
    v2.RandomIoUCrop(),
])  # fmt: skip


def _distort_expand_crop(
    image: Tensor, boxes: Tensor, labels: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """SSD's augmentation by torchvision's transforms.

    Where no object is known the crops are drawn as if one object filled the image. A large image
    is made smaller first: its canvas of up to four times the sides would need much memory.
    """
    height, width = image.shape[-2:]
    scale = MAX_SSD_SIDE / max(height, width)
    if scale < 1:
        width, height = max(round(width * scale), 1), max(round(height * scale), 1)
        image, boxes = _resize_to(image, boxes, width, height)
    known = boxes if len(boxes) else boxes.new_tensor([[0, 0, width, height]])
    sample = {
        "image": tv_tensors.Image(image),
        "boxes": tv_tensors.BoundingBoxes(
            known, format=tv_tensors.BoundingBoxFormat.XYXY, canvas_size=(height, width)
        ),
    }
    with torch.random.fork_rng(devices=[]):  # torchvision draws from torch's global generator
        torch.manual_seed(int(rng.integers(2**62)))
        sample = _SSD(sample)
    image = sample["image"].as_subclass(Tensor)
    if len(boxes) == 0:
        return image, boxes, labels
    boxes = sample["boxes"].as_subclass(Tensor)
    kept = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)  # the crop empties boxes that it leaves behind
    return image, boxes[kept], labels[kept]


def _resize_to(
    image: Tensor, boxes: Tensor, new_width: int, new_height: int
) -> tuple[Tensor, Tensor]:
    height, width = image.shape[-2:]
    if (new_width, new_height) != (width, height):
        image = F.resize(image, [new_height, new_width], antialias=True)
        # Not times the quotient: rounding could push an edge past the image's.
        new, old = (new_width, new_height), (width, height)
        boxes = boxes * boxes.new_tensor(new * 2) / boxes.new_tensor(old * 2)
    return image, boxes


def _vary_light(image: Tensor, rng: np.random.Generator) -> Tensor:
    brightness, contrast = rng.uniform(0.7, 1.3, size=2)
    return F.adjust_contrast(F.adjust_brightness(image, brightness), contrast)


def _random_crop(
    image: Tensor, boxes: Tensor, labels: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """A part of 0.5 to 1 of the area; the image itself where that would lose every box."""
    height, width = image.shape[-2:]
    area = rng.uniform(0.5, 1.0)
    aspect = math.exp(rng.uniform(math.log(0.75), math.log(1 / 0.75)))  # against the image's own
    new_width = min(round(width * math.sqrt(area * aspect)), width)
    new_height = min(round(height * math.sqrt(area / aspect)), height)
    left = int(rng.integers(0, width - new_width + 1))
    top = int(rng.integers(0, height - new_height + 1))

    moved = boxes - boxes.new_tensor([left, top, left, top])
    limits = boxes.new_tensor([new_width, new_height])
    centers = (moved[:, :2] + moved[:, 2:]) / 2  # (G, 2)
    kept = ((centers > 0) & (centers < limits)).all(dim=1)
    if len(boxes) and not kept.any():
        return image, boxes, labels
    clipped = torch.minimum(moved[kept].clamp(min=0), limits.repeat(2))
    crop = image[:, top : top + new_height, left : left + new_width]
    return crop, clipped, labels[kept]


def _random_shrink(image: Tensor, boxes: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The whole image at 0.5 to 1 of its size, at a random place on gray of the old size."""
    height, width = image.shape[-2:]
    scale = rng.uniform(0.5, 1.0)
    new_width, new_height = max(round(width * scale), 1), max(round(height * scale), 1)
    small, boxes = _resize_to(image, boxes, new_width, new_height)
    left = int(rng.integers(0, width - new_width + 1))
    top = int(rng.integers(0, height - new_height + 1))
    canvas = torch.full_like(image, PADDING_VALUE)
    canvas[:, top : top + new_height, left : left + new_width] = small
    return canvas, boxes + boxes.new_tensor([left, top, left, top])
