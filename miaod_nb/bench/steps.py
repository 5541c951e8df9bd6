"""The steps that are measured: forward and backward of each stage, and the scores of images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from miaod_nb.config import Config
from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector.model import DetectionModel
from miaod_nb.learning.stages import LabelSet, Maximize, Method, Minimize, Stage
from miaod_nb.selection.mi_aod import MiAod

NUM_CLASSES = 20  # where the preset leaves them to the data
CPU_SIZE = (512, 320)  # in place of the 1000x600 of voc0712, so that a CPU is done in minutes
MANY = 8  # images that are scored together where the preset scores one after the other
# Corners of the objects of every image, as parts of its width and height.
OBJECTS = ((0.05, 0.10, 0.45, 0.70), (0.30, 0.40, 0.95, 0.95), (0.60, 0.05, 0.75, 0.30))

Call = Callable[[], object]


class Shape(NamedTuple):
    """Of a training batch: images, and their padded height and width."""

    images: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.images}x3x{self.height}x{self.width}"


@dataclass(frozen=True)
class Step:
    """Work to be timed. images: that one call handles. ready: freezes what the step freezes, and
    returns the call."""

    name: str
    images: int
    ready: Callable[[], Call]


def num_classes_of(config: Config) -> int:
    """The classes of the configuration, or as many as VOC has."""
    return len(config.classes) if config.classes else NUM_CLASSES


def shape_of(config: Config, device: torch.device) -> Shape:
    """Of the batches that are measured: landscape images that fill `image_size`; with `voc0712` on
    a CPU smaller ones, unless the size was chosen."""
    size = InputSize.of(config)
    if device.type == "cpu" and config.preset == "voc0712" and not _is_size_given(config):
        size = InputSize(*CPU_SIZE)
    return Shape(config.batch_size, size.padded(size.shortest), size.padded(size.longest))


def _is_size_given(config: Config) -> bool:
    """Whether the image size is not just the default, which the preset `voc0712` leaves alone."""
    return "image_size" in config.model_fields_set


def labeled_batch(shape: Shape, num_classes: int) -> LabeledBatch:
    """Noise with a few objects in each image, the same in every call, on the CPU."""
    images, height, width = shape
    generator = torch.Generator().manual_seed(0)
    boxes = torch.tensor(OBJECTS) * torch.tensor([width, height, width, height])
    labels = torch.arange(len(OBJECTS)) % num_classes
    sizes = ((height, width),) * images
    return LabeledBatch(
        ids=tuple(str(i) for i in range(images)),
        images=torch.randn(images, 3, height, width, generator=generator),
        image_sizes=sizes, padded_sizes=sizes, original_sizes=sizes,
        boxes=(boxes,) * images, labels=(labels,) * images,
    )  # fmt: skip


def unlabeled_batch(shape: Shape, num_classes: int) -> UnlabeledBatch:
    """The same images without their objects."""
    batch = labeled_batch(shape, num_classes)
    return UnlabeledBatch(
        batch.ids, batch.images, batch.image_sizes, batch.padded_sizes, batch.original_sizes
    )


def own_steps(
    config: Config, model: DetectionModel, scorer: DetectionModel, shape: Shape
) -> list[Step]:
    """The four steps: each stage on a batch of `shape`, and the scoring of one image by `scorer`,
    the model as runs have it for that."""
    method, classes = Method.of(config), model.num_classes
    labeled = labeled_batch(shape, classes).to(model.device)
    unlabeled = unlabeled_batch(shape, classes).to(model.device)
    return [
        _training("label-set", model, LabelSet(method), labeled),
        _training("minimize unlabeled", model, Minimize(method), unlabeled),
        _training("maximize unlabeled", model, Maximize(method), unlabeled),
        scoring_step("scoring", config, scorer, shape._replace(images=1)),
    ]


def _training(
    name: str, model: DetectionModel, stage: Stage, batch: LabeledBatch | UnlabeledBatch
) -> Step:
    """Forward and backward of a stage; the optimizer stays out, as in the peer's step."""

    def call() -> None:
        model.zero_grad(set_to_none=True)
        torch.stack(list(stage.loss_terms(model, batch).values())).sum().backward()

    def ready() -> Call:
        model.train()
        model.zero_grad(set_to_none=True)
        model.train_only(stage.trained_parts(model.parts))
        return call

    return Step(name, len(batch), ready)


def scoring_step(name: str, config: Config, model: DetectionModel, shape: Shape) -> Step:
    """The uncertainty of as many images as `shape` has, which MI-AOD chooses by."""
    strategy = MiAod(config)
    batch = unlabeled_batch(shape, model.num_classes).to(model.device)

    @torch.inference_mode()
    def call() -> None:
        strategy.observe(model, batch)

    def ready() -> Call:
        model.eval()
        model.zero_grad(set_to_none=True)
        return call

    return Step(name, shape.images, ready)
