"""How fast training images are read from files, augmented and resized."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from miaod_nb.boxes import Objects
from miaod_nb.config import Config
from miaod_nb.data.batches import training_loader
from miaod_nb.data.plans import training_plan
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector.model import DetectionModel
from miaod_nb.progress import progress

PICTURES = 48  # and as many more for each worker
COARSE = 8  # pixels of the generated noise: so that a JPEG of it is as large as one of a photo


@dataclass(frozen=True)
class LoaderRate:
    """Images a second of the training loader, over new files and over the same ones again."""

    workers: int
    first: float
    second: float


def loader_rates(
    config: Config, model: DetectionModel, picture: tuple[int, int]
) -> list[LoaderRate]:
    """Without workers and with the configured number of them, on generated JPEG files of
    `picture` (width, height) pixels in a temporary folder."""
    rates = []
    for workers in sorted({0, config.workers}):
        with TemporaryDirectory(prefix="miaod-bench-") as folder:
            records = write_pictures(Path(folder), PICTURES * (1 + workers), picture)
            first, second = (_rate(config, model, records, workers, epoch) for epoch in (0, 1))
        rates.append(LoaderRate(workers, first, second))
    return rates


def write_pictures(folder: Path, count: int, size: tuple[int, int]) -> list[ImageRecord]:
    """`count` JPEG files of noise, `size` (width, height) pixels each."""
    width, height = size
    rng = np.random.default_rng(0)
    records = []
    for number in progress(range(count), "writing pictures for the loader"):
        path = folder / f"{number:04d}.jpg"
        coarse = rng.integers(0, 256, (height // COARSE + 1, width // COARSE + 1, 3), np.uint8)
        picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        grain = rng.integers(-8, 9, (height, width, 3))
        pixels = np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=90)
        records.append(ImageRecord(path.stem, "bench", path, width, height))
    return records


def _rate(
    config: Config, model: DetectionModel, records: Sequence[ImageRecord], workers: int, epoch: int
) -> float:
    """Images a second of one pass, the start of the workers included."""
    ids = [record.id for record in records]
    landscape = [record.width > record.height for record in records]
    plan = training_plan(ids, landscape, config.batch_size, np.random.default_rng(epoch))
    loader = training_loader(
        plan, {record.id: record for record in records},
        {record.id: _one_object(record) for record in records},
        input_size=InputSize.of(config), augmentation=config.augmentation, seed=config.seed,
        epoch=epoch, mean=model.pixel_mean, std=model.pixel_std, workers=workers,
    )  # fmt: skip
    start = time.perf_counter()
    images = sum(len(batch) for batch in progress(loader, f"loading with {workers} workers"))
    return images / (time.perf_counter() - start)


def _one_object(record: ImageRecord) -> Objects:
    size = np.array([record.width, record.height] * 2, np.float32)
    box = np.array([[0.25, 0.25, 0.75, 0.75]], np.float32) * size
    return Objects(box, np.zeros(1, np.int64), np.zeros(1, bool))
