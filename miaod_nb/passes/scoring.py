"""A strategy and a detector at work on a pool of any size, shard by shard of its score table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from miaod_nb.config import Config
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector.model import DetectionModel
from miaod_nb.passes.inference import (
    Results,
    missing_batches,
    planned_results,
    saved_results,
    scores_of,
)
from miaod_nb.passes.score_shards import ScoreShards
from miaod_nb.processes import ALONE, Processes
from miaod_nb.progress import progress
from miaod_nb.runs.session import Session
from miaod_nb.selection.strategies import Strategy

LOADED_SHARDS = 16  # that one set of loading processes works through: starting them takes time


@dataclass(frozen=True)
class PoolScoring:
    """A strategy and a detector at work on a pool; what is there already is not made again."""

    model: DetectionModel
    strategy: Strategy
    classes: Sequence[str]
    config: Config
    session: Session
    shards: ScoreShards

    def run(self, processes: Processes = ALONE) -> None:
        """Scores the images of every shard that is not done; of several processes each has some of
        the shards. Stops as `Session.saved` does."""
        with processes.first_goes_ahead():
            if processes.is_first:
                self.shards.remove_others()
        own = processes.share(range(len(self.shards)))
        missing = [number for number in own if not self.shards.is_done(number)]
        for number in set(own) - set(missing):  # killed between the shard and this
            self.shards.folder.delete(self.shards.unfinished(number))
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
                    self._save_if_due(number, results)
            self.shards.save(number, results, self.classes)
            self.shards.folder.delete(self.shards.unfinished(number))
            self.session.saved()

    def _save_if_due(self, number: int, results: Results) -> None:
        if self.session.save_due:
            self.shards.folder.save_tensors(self.shards.unfinished(number), {"results": results})
            self.session.saved()

    def _kept(self, number: int) -> Results:
        """Results of a shard that was begun before."""
        found = saved_results(self.shards.folder, self.shards.unfinished(number))
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
