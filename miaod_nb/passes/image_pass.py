"""One pass of a detector over many images, shard by shard, which is cut off and goes on.

A batch lies within a shard, so what is found of an image does not depend on which others are there
already, nor on how often the pass was cut off.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from miaod_nb.config import Config
from miaod_nb.data.batches import Batch, UnlabeledBatch, inference_loader
from miaod_nb.data.plans import inference_plan
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector.model import DetectionModel
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.session import Session

SHARD_IMAGES = 1024
LOADED_SHARDS = 16  # that one set of loading processes works through: starting them takes time

Row = dict[str, np.ndarray]  # what is found of one image, by column
Results = dict[str, Row]  # by image id
Columns = Mapping[str, Tensor | Sequence[Tensor]]  # of a batch: (B, ...), or a tensor an image
Compute = Callable[[UnlabeledBatch], Columns]


@dataclass(frozen=True)
class Shard:
    """Images that a pass looks at together, and what it has found so far. file: where this lies in
    the run folder as long as the shard is not complete."""

    records: Sequence[ImageRecord]
    results: Results
    file: str = ""

    @classmethod
    def begun(cls, records: Sequence[ImageRecord], file: str, known: Results) -> Self:
        """A shard of these images, with what is known of them."""
        return cls(records, {r.id: known[r.id] for r in records if r.id in known}, file)

    @property
    def is_complete(self) -> bool:
        return len(self.results) == len(self.records)


def split(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The items of one shard after the other."""
    return (items[start : start + SHARD_IMAGES] for start in range(0, len(items), SHARD_IMAGES))


def compute_rows(
    model: DetectionModel, records: Sequence[ImageRecord], compute: Compute, config: Config
) -> Iterator[tuple[str, Row]]:
    """What `compute` finds of each image, by id and as soon as its batch is done; nothing of it is
    kept."""
    for _, found in _fill(model, (Shard(part, {}) for part in split(records)), compute, config):
        yield from found.items()


def complete_shards(
    model: DetectionModel, shards: Iterable[Shard], compute: Compute, config: Config,
    session: Session, finish: Callable[[Shard], None],
) -> Iterator[str]:  # fmt: skip
    """Adds to every shard what it lacks, and hands it to `finish`, which keeps its results; gives
    the id of each image that is done.

    Results of the shard at work are kept in its file whenever that is due. Stops as
    `Session.saved` does.
    """
    folder = RunFolder(session.folder.root)  # every process writes its own shards
    for shard, found in _fill(model, shards, compute, config):
        yield from found
        if shard.is_complete:
            finish(shard)
            session.saved()
        elif found and session.save_due:
            save_results(folder, shard.file, shard.results)
            session.saved()


def save_results(folder: RunFolder, file: str, results: Results) -> None:
    """Writes what was found of some images, for `load_results`."""
    tensors = {
        image_id: {name: torch.as_tensor(value) for name, value in row.items()}
        for image_id, row in results.items()
    }
    folder.save_tensors(file, {"results": tensors})


def load_results(folder: RunFolder, file: str) -> Results:
    """What a pass that was cut off left in a file; {} if it is not there."""
    if not folder.exists(file):
        return {}
    found = folder.load_tensors(file)["results"]
    return {i: {name: value.numpy() for name, value in row.items()} for i, row in found.items()}


def _fill(
    model: DetectionModel, shards: Iterable[Shard], compute: Compute, config: Config
) -> Iterator[tuple[Shard, Results]]:
    """Adds to the results of every shard what it lacks: the shard, and what is new in it, first
    what it had. A complete shard is emptied when the next one begins."""
    rest = iter(shards)
    while group := list(islice(rest, LOADED_SHARDS)):
        batches = _compute_batches(model, _load_missing(model, group, config), compute)
        for shard in group:
            yield shard, dict(shard.results)
            while not shard.is_complete:
                found = next(batches)
                new = {i: row for i, row in found.items() if i not in shard.results}
                shard.results.update(new)
                yield shard, new
            shard.results.clear()


def _load_missing(
    model: DetectionModel, shards: Sequence[Shard], config: Config
) -> Iterable[Batch]:
    """The batches of these shards that hold an image without results."""
    size = InputSize.of(config)
    records: list[ImageRecord] = []
    plan: list[list[int]] = []
    for shard in shards:
        own = inference_plan(shard.records, size, config.inference_batch_size)
        missing = [b for b in own if any(shard.records[p].id not in shard.results for p in b)]
        plan += [[len(records) + place for place in batch] for batch in missing]
        records += shard.records
    return inference_loader(
        plan, records, input_size=size, mean=model.pixel_mean, std=model.pixel_std,
        workers=config.workers,
    )  # fmt: skip


@torch.inference_mode()
def _compute_batches(
    model: DetectionModel, batches: Iterable[Batch], compute: Compute
) -> Iterator[Results]:
    """What is found of the images of one batch after the other."""
    for batch in batches:
        assert isinstance(batch, UnlabeledBatch)  # the loader was given no labels
        columns = compute(batch.to(model.device))
        yield {
            image_id: {name: values[i].cpu().numpy() for name, values in columns.items()}
            for i, image_id in enumerate(batch.ids)
        }
