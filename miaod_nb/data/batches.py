"""Batches of images, with targets or without, and the loaders that make them of a plan."""

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import ConcatDataset, DataLoader, Dataset
from torchvision.transforms.v2 import functional as F

from miaod_nb.boxes import Objects
from miaod_nb.data.images import load_image
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize, augment, augmentation_rng, resize
from miaod_nb.errors import DataError
from miaod_nb.processes import ALONE, Processes

Size = tuple[int, int]


@dataclass(frozen=True)
class _Images:
    """What both kinds of batch have.

    images: float32 (B, 3, H, W), normalized, zero-padded right and below. All sizes are
    (height, width): image_sizes without padding; padded_sizes with each image's own padding (at
    most H, W); original_sizes before resizing, so that
    box * original / image size gives a box in the pixels of the file (of images not augmented).
    """

    ids: tuple[str, ...]
    images: Tensor
    image_sizes: tuple[Size, ...]
    padded_sizes: tuple[Size, ...]
    original_sizes: tuple[Size, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def padded_to(self, height: int, width: int) -> Self:
        """The same batch with more zeros right and below, as a part of a larger batch."""
        more = (0, width - self.images.shape[3], 0, height - self.images.shape[2])
        return replace(self, images=pad(self.images, more)) if any(more) else self

    def to(self, device: torch.device | str) -> Self:
        """The same batch on `device`."""
        return replace(self, images=self.images.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """The same batch in memory from which it moves to a CUDA device beside other work."""
        return replace(self, images=self.images.pin_memory())


@dataclass(frozen=True)
class UnlabeledBatch(_Images):
    """Images alone: there is no field that could hold targets."""


@dataclass(frozen=True)
class LabeledBatch(_Images):
    """Images with their objects, difficult ones left out.

    boxes: float32 (G, 4) xyxy an image, pixels of the resized image. labels: int64 (G,) an image.
    """

    boxes: tuple[Tensor, ...]
    labels: tuple[Tensor, ...]

    def to(self, device: torch.device | str) -> Self:
        boxes = tuple(boxes.to(device, non_blocking=True) for boxes in self.boxes)
        labels = tuple(labels.to(device, non_blocking=True) for labels in self.labels)
        return replace(super().to(device), boxes=boxes, labels=labels)


Batch = LabeledBatch | UnlabeledBatch


class Sample(NamedTuple):
    """One image ready for a batch: float32 (3, h, w) normalized, and its targets if labeled."""

    id: str
    image: Tensor
    original_size: Size
    targets: tuple[Tensor, Tensor] | None


def collate(samples: Sequence[Sample], input_size: InputSize) -> Batch:
    """The samples, resized to `input_size`, as one batch: labeled when they have targets, padded to
    the largest of them."""
    sizes = tuple((s.image.shape[1], s.image.shape[2]) for s in samples)
    padded = tuple((input_size.padded(height), input_size.padded(width)) for height, width in sizes)
    height, width = (max(side) for side in zip(*padded, strict=True))
    images = torch.zeros(len(samples), 3, height, width)
    for image, sample in zip(images, samples, strict=True):
        image[:, : sample.image.shape[1], : sample.image.shape[2]] = sample.image
    ids = tuple(sample.id for sample in samples)
    original_sizes = tuple(sample.original_size for sample in samples)
    targets = [sample.targets for sample in samples if sample.targets is not None]
    if not targets:
        return UnlabeledBatch(ids, images, sizes, padded, original_sizes)
    boxes, labels = zip(*targets, strict=True)
    return LabeledBatch(ids, images, sizes, padded, original_sizes, boxes, labels)


# -------------------------------------------------------------------------------------- loaders


@dataclass(frozen=True)
class _PlannedBatches(Dataset[Batch | DataError]):
    """Item i is the batch of the plan's entry i: (image id, how often it stood before) each.

    A worker would wrap an error in its own traceback, so a DataError is handed on as an item.
    """

    plan: Sequence[Sequence[tuple[str, int]]]
    records: Mapping[str, ImageRecord]
    objects: Mapping[str, Objects] | None
    input_size: InputSize
    mean: Sequence[float]
    std: Sequence[float]
    load: Callable[[ImageRecord], Tensor]
    recipe: str | None = None
    seed: int = 0
    epoch: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> Batch | DataError:
        try:
            return collate([self._sample(*entry) for entry in self.plan[index]], self.input_size)
        except DataError as error:
            return error

    def _sample(self, image_id: str, occurrence: int) -> Sample:
        image = self.load(self.records[image_id])
        boxes, labels = self._targets(image_id)
        if self.recipe is not None:
            rng = augmentation_rng(self.seed, (*self.epoch, occurrence), image_id)
            image, boxes, labels = augment(image, boxes, labels, self.recipe, rng)
        original_size = (image.shape[1], image.shape[2])
        image, boxes = resize(image, boxes, self.input_size)
        image = F.normalize(F.to_dtype(image, scale=True), list(self.mean), list(self.std))
        targets = None if self.objects is None else (boxes, labels)
        return Sample(image_id, image, original_size, targets)

    def _targets(self, image_id: str) -> tuple[Tensor, Tensor]:
        """Boxes and labels of the objects that are trained on; none for an unlabeled image."""
        if self.objects is None:
            return torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)
        objects = self.objects[image_id]
        kept = ~objects.ignored
        return torch.from_numpy(objects.boxes[kept]), torch.from_numpy(objects.labels[kept])


def read_image(record: ImageRecord) -> Tensor:
    """The image from its file: uint8 RGB (3, H, W). Raises DataError."""
    return load_image(record.image_path, record.gray)


def _leave_interrupts(worker: int) -> None:
    """Leaves Ctrl-C, which a terminal sends to every process, to the one that trains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


_Batches = _PlannedBatches | ConcatDataset[Batch | DataError]


class BatchLoader:
    """The batches of a plan, loaded as they are asked for; each iteration starts the plan anew.

    Raises DataError naming the file when an image cannot be read any more.
    """

    def __init__(self, batches: _Batches, workers: int, pin_memory: bool = False) -> None:
        self._batches, self._workers, self._pin_memory = batches, workers, pin_memory

    def __len__(self) -> int:
        return len(self._batches)

    @classmethod
    def chained(cls, loaders: "Sequence[BatchLoader]", pin_memory: bool = False) -> Self:
        """The batches of several loaders, one after the other, made by the same workers, which so
        go on where one ends."""
        batches: ConcatDataset[Batch | DataError] = ConcatDataset([one._batches for one in loaders])
        return cls(batches, loaders[0]._workers, pin_memory)

    def __iter__(self) -> Iterator[Batch]:
        # Without a generator of its own the loader would draw from the global one.
        own = torch.Generator()
        loader = DataLoader(
            self._batches, batch_size=None, num_workers=self._workers, generator=own,
            worker_init_fn=_leave_interrupts, pin_memory=self._pin_memory,
        )  # fmt: skip
        for item in loader:
            if isinstance(item, DataError):
                raise item
            yield item


def training_loader(
    plan: Sequence[Sequence[str]],
    records_by_id: Mapping[str, ImageRecord],
    objects_by_id: Mapping[str, Objects] | None,
    *,
    input_size: InputSize,
    augmentation: str,
    seed: int,
    epoch: int | tuple[int, ...],
    mean: Sequence[float],
    std: Sequence[float],
    workers: int = 0,
    start: int = 0,
    load: Callable[[ImageRecord], Tensor] = read_image,
    processes: Processes = ALONE,
) -> BatchLoader:
    """Augmented batches of a plan: labeled with `objects_by_id`, unlabeled where it is None.

    mean, std: of the three channels at the scale 0 to 1. epoch: a counter, or several, that
    differs wherever an image shall be augmented anew; an image that stands in the plan more than
    once differs each time. start: batches left out at the beginning, to go on within a plan.
    load: how an image is had. processes: each gets its part of every batch.
    """
    seen: Counter[str] = Counter()
    numbered = []
    for batch in plan:
        entries = []
        for image_id in batch:
            entries.append((image_id, seen[image_id]))
            seen[image_id] += 1
        numbered.append(entries)
    own_parts = [processes.share(entries) for entries in numbered[start:]]
    counters = (epoch,) if isinstance(epoch, int) else epoch
    batches = _PlannedBatches(
        own_parts, records_by_id, objects_by_id, input_size, mean, std, load,
        augmentation, seed, counters,
    )  # fmt: skip
    return BatchLoader(batches, workers)


def inference_loader(
    plan: Sequence[Sequence[int]],
    records: Sequence[ImageRecord],
    *,
    input_size: InputSize,
    mean: Sequence[float],
    std: Sequence[float],
    workers: int = 0,
) -> BatchLoader:
    """Unlabeled batches of an `inference_plan` over `records`, not augmented."""
    by_id = {record.id: record for record in records}
    entries = [[(records[index].id, 0) for index in batch] for batch in plan]
    return BatchLoader(
        _PlannedBatches(entries, by_id, None, input_size, mean, std, read_image), workers
    )
