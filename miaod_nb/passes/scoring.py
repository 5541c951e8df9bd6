"""What a strategy sees in a cycle's images: tables in shards, so that large pools need little
memory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from miaod_nb.config import Config
from miaod_nb.data.pool import Indices
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import RunFolderError
from miaod_nb.passes.image_pass import (
    SHARD_IMAGES,
    Compute,
    Shard,
    complete_shards,
    load_results,
)
from miaod_nb.progress import progress, say
from miaod_nb.runs.card import PER_CLASS
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.score_table import headers_of, load_column, table_place
from miaod_nb.runs.session import Session
from miaod_nb.selection.protocol import Columns


@dataclass(frozen=True)
class ScoreShards:
    """A table of what a strategy sees in images of a cycle, such as its scores: a folder of Parquet
    files, the shards, with SHARD_IMAGES rows each, in the order of `indices`.

    name: of the table. indices: of its images in the pool, whose records are looked up when they
    are needed. columns: what the strategy sees, by name: a number, a vector, or `per_class`.
    """

    folder: RunFolder
    cycle: int
    name: str
    indices: Indices
    pool: Sequence[ImageRecord]
    classes: Sequence[str]
    columns: Sequence[str]

    @property
    def place(self) -> str:
        """The folder of the shards, in the run folder."""
        return table_place(self.cycle, self.name)

    def __len__(self) -> int:
        return max(math.ceil(len(self.indices) / SHARD_IMAGES), 1)  # an empty pool has a table too

    def part(self, number: int) -> Indices:
        """Pool indices of a shard."""
        return self.indices[number * SHARD_IMAGES : (number + 1) * SHARD_IMAGES]

    def records(self, number: int) -> list[ImageRecord]:
        return [self.pool[index] for index in self.part(number)]

    def file(self, number: int) -> str:
        return f"{self.place}/part-{number:05d}.parquet"

    def unfinished(self, number: int) -> str:
        """Where the results of a shard lie as long as it is not complete."""
        return f"cycle{self.cycle}/{self.name}_partial-{number:05d}.pt"

    def begin(self, number: int) -> Shard:
        """The shard as a pass fills it, with what there is of it."""
        file = self.unfinished(number)
        return Shard.begun(self.records(number), file, load_results(self.folder, file))

    def is_done(self, number: int) -> bool:
        """Whether the shard is there, whole, and of the images that belong into it."""
        file = self.file(number)
        if not self.folder.exists(file):
            return False
        headers = [header for name in self.columns for header in headers_of(name, self.classes)]
        try:
            table = self.folder.load_parquet(file, ["id", "index", *headers])
        except RunFolderError as error:
            fault = error.what
        else:
            ids = [record.id for record in self.records(number)]
            if table["id"].tolist() == ids and np.array_equal(table["index"], self.part(number)):
                return True
            fault = "it holds the scores of other images"
        say(f"  {self.folder.path(file)} is made anew: {fault}")
        return False

    def save(self, number: int, shard: Shard) -> None:
        """Writes a complete shard."""
        ids = [record.id for record in shard.records]
        table = pd.DataFrame({"id": ids, "index": self.part(number)})
        for name in self.columns:
            values = [shard.results[image_id][name] for image_id in ids]
            for position, header in enumerate(headers_of(name, self.classes)):
                cells = [value[position] for value in values] if name == PER_CLASS else values
                table[header] = [float(c) if np.ndim(c) == 0 else c for c in cells]
        self.folder.save_parquet(self.file(number), table)
        self.folder.delete(shard.file)

    def remove_others(self) -> None:
        """Removes what does not belong to the table: shards beyond its end, and the single file
        that earlier versions wrote."""
        own = {self.folder.path(self.file(number)) for number in range(len(self))}
        place = self.folder.path(self.place)
        for path in [place] if place.is_file() else set(place.glob("part-*.parquet")) - own:
            self.folder.delete(str(path.relative_to(self.folder.root)))

    def columns_read(self) -> Columns:
        """The columns, each read when it is first asked for."""
        return Columns(self.columns, self.load)

    def load(self, column: str) -> np.ndarray:
        """A column of the images at `indices`. Raises RunFolderError."""
        return load_column(self.folder, self.place, column, self.classes, self.indices)


def score_pool(
    model: DetectionModel, compute: Compute, config: Config, session: Session, shards: ScoreShards,
    what: str = "score",
) -> None:  # fmt: skip
    """Completes a table of what `compute` sees in images; what is there already is not made again.
    Of several processes each has some of the shards. what: the work, in words for the progress
    bar. Stops as `Session.saved` does."""
    processes = session.processes
    with processes.first_goes_ahead():
        if processes.is_first:
            shards.remove_others()
    own = processes.share(range(len(shards)))
    missing = [number for number in own if not shards.is_done(number)]
    for number in set(own) - set(missing):  # killed between the shard and this
        shards.folder.delete(shards.unfinished(number))
    total, left = (sum(len(shards.part(n)) for n in numbers) for numbers in (own, missing))
    begun, numbers = (shards.begin(number) for number in missing), iter(missing)
    done = complete_shards(
        model, begun, compute, config, session, lambda shard: shards.save(next(numbers), shard)
    )
    for _ in progress(done, f"cycle {shards.cycle} {what}", total, total - left):
        pass
