"""The score table of a cycle in parts, so that a pool of any size needs little memory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from miaod_nb.data.pool import Indices
from miaod_nb.data.records import ImageRecord
from miaod_nb.errors import RunFolderError, TrainingError
from miaod_nb.passes.inference import Results, score_table
from miaod_nb.progress import say
from miaod_nb.runs.files import RunFolder

SHARD_IMAGES = 1024


@dataclass(frozen=True)
class ScoreShards:
    """The score table of a cycle: a folder of Parquet files, the shards, with SHARD_IMAGES rows
    each, in the order of `indices`.

    indices: of the scored images in the pool, whose records are looked up when they are needed.
    """

    folder: RunFolder
    cycle: int
    indices: Indices
    pool: Sequence[ImageRecord]

    @property
    def place(self) -> str:
        """The folder of the shards, in the run folder."""
        return f"cycle{self.cycle}/scores.parquet"

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
        return f"cycle{self.cycle}/scores_partial-{number:05d}.pt"

    def is_done(self, number: int) -> bool:
        """Whether the shard is there, whole, and of the images that belong into it."""
        file = self.file(number)
        if not self.folder.exists(file):
            return False
        try:
            table = self.folder.load_parquet(file, ["id", "index", "score"])
        except RunFolderError as error:
            fault = error.what
        else:
            ids = [record.id for record in self.records(number)]
            if table["id"].tolist() == ids and np.array_equal(table["index"], self.part(number)):
                return True
            fault = "it holds the scores of other images"
        say(f"  {self.folder.path(file)} is made anew: {fault}")
        return False

    def save(self, number: int, results: Results, classes: Sequence[str]) -> None:
        """Writes a shard. Raises TrainingError for a score that is not a finite number."""
        table = score_table(results, self.records(number), self.part(number), classes)
        if not np.isfinite(table["score"]).all():
            raise TrainingError(
                "the score of an image is not a finite number",
                where=table.loc[~np.isfinite(table["score"]), "id"].iloc[0],
                remedy="the training diverged: lower learning_rate or set clip_norm, and use a "
                "new run_dir",
            )
        self.folder.save_parquet(self.file(number), table)

    def remove_others(self) -> None:
        """Removes what does not belong to the table: shards beyond its end, and the single file
        that earlier versions wrote."""
        own = {self.folder.path(self.file(number)) for number in range(len(self))}
        place = self.folder.path(self.place)
        for path in [place] if place.is_file() else set(place.glob("part-*.parquet")) - own:
            self.folder.delete(str(path.relative_to(self.folder.root)))

    def load_scores(self) -> np.ndarray:
        """The scores of the images at `indices`: float32. Raises RunFolderError."""
        table = self.folder.load_parquet(self.place, ["index", "score"])
        if not np.array_equal(table["index"], self.indices):
            raise RunFolderError(
                f"these are not the scores of the {len(self.indices)} images to choose among",
                where=self.folder.path(self.place),
                remedy="restore the folder from a copy, or choose another run_dir",
            )
        return table["score"].to_numpy(np.float32)
