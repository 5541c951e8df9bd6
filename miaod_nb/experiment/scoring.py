"""The scores of a pool of any size: a table in parts, of which only a few are in memory at once."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from miaod_nb.config import Config
from miaod_nb.data.pool import Indices
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import RunFolderError, TrainingError
from miaod_nb.experiment.inference import (
    Results,
    missing_batches,
    planned_results,
    save_results_if_due,
    saved_results,
    score_table,
    scores_of,
)
from miaod_nb.experiment.session import Session
from miaod_nb.progress import progress, say
from miaod_nb.selection.strategies import Strategy
from miaod_nb.store import RunFolder

SHARD_IMAGES = 1024
LOADED_SHARDS = 16  # that one set of loading processes works through: starting them takes time


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


@dataclass(frozen=True)
class PoolScoring:
    """A strategy and a detector at work on a pool; what is there already is not made again."""

    model: DetectionModel
    strategy: Strategy
    classes: Sequence[str]
    config: Config
    session: Session
    shards: ScoreShards

    def run(self, process_index: int = 0, num_processes: int = 1) -> None:
        """Scores the images of every shard that is not done.

        Several processes share the work: shard i belongs to process i % num_processes, and only
        process 0 tidies up. Stops as `Session.saved` does.
        """
        if process_index == 0:
            self.shards.remove_others()
        own = range(process_index, len(self.shards), num_processes)
        missing = [number for number in own if not self.shards.is_done(number)]
        for number in set(own) - set(missing):  # killed between the shard and this
            self.session.folder.delete(self.shards.unfinished(number))
        total, left = (sum(len(self.shards.part(n)) for n in numbers) for numbers in (own, missing))
        description = f"cycle {self.shards.cycle} score"
        for _ in progress(self._scored(missing), description, total, total - left):
            pass

    def _scored(self, numbers: Sequence[int]) -> Iterator[str]:
        """Ids of the images, each as soon as it is scored."""
        for start in range(0, len(numbers), LOADED_SHARDS):
            yield from self._scored_together(numbers[start : start + LOADED_SHARDS])

    def _scored_together(self, numbers: Sequence[int]) -> Iterator[str]:
        kept = {number: self._kept(number) for number in numbers}
        batches = self._batches(kept)
        for number in numbers:
            results = kept.pop(number)
            yield from results
            while len(results) < len(self.shards.part(number)):
                found = next(batches)
                yield from found.keys() - results.keys()
                results |= found
                if len(results) < len(self.shards.part(number)):
                    save_results_if_due(self.session, self.shards.unfinished(number), results)
            self.shards.save(number, results, self.classes)
            self.session.folder.delete(self.shards.unfinished(number))
            self.session.saved()

    def _kept(self, number: int) -> Results:
        """Results of a shard that was begun before."""
        found = saved_results(self.session.folder, self.shards.unfinished(number))
        return {r.id: found[r.id] for r in self.shards.records(number) if r.id in found}

    def _batches(self, kept: Mapping[int, Results]) -> Iterator[Results]:
        """The results that these shards lack, a batch after the other; each batch lies within a
        shard, so that results do not depend on which other shards are missing."""
        records: list[ImageRecord] = []
        plan: list[list[int]] = []
        for number, done in kept.items():
            new = self.shards.records(number)
            missing, _ = missing_batches(new, self.config, done)
            plan += [[len(records) + place for place in batch] for batch in missing]
            records += new
        compute = partial(scores_of, self.model, strategy=self.strategy)
        return planned_results(self.model, records, plan, compute, self.config)
