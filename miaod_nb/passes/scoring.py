"""What a strategy keeps of the images of a pool of any size, shard by shard of its score table."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from miaod_nb.config import Config
from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.detector.model import DetectionModel
from miaod_nb.passes.image_pass import Compute, Shard, complete_shards, load_results
from miaod_nb.passes.score_shards import ScoreShards
from miaod_nb.progress import progress
from miaod_nb.runs.session import Session
from miaod_nb.selection.strategies import Strategy

COLUMNS = ("score", "per_class")  # of every strategy that looks at images


def observe(model: DetectionModel, batch: UnlabeledBatch, strategy: Strategy) -> dict[str, Tensor]:
    """The strategy's score (B,) of every image of a batch, and the part of each class (B, C)."""
    scores = strategy.score(model, batch)
    return {"score": scores.values, "per_class": scores.per_class}


def score_pool(
    model: DetectionModel, compute: Compute, config: Config, session: Session, shards: ScoreShards
) -> None:
    """Completes the score table; what is there already is not made again. Of several processes each
    has some of the shards. Stops as `Session.saved` does."""
    processes = session.processes
    with processes.first_goes_ahead():
        if processes.is_first:
            shards.remove_others()
    own = processes.share(range(len(shards)))
    missing = [number for number in own if not shards.is_done(number)]
    for number in set(own) - set(missing):  # killed between the shard and this
        shards.folder.delete(shards.unfinished(number))
    total, left = (sum(len(shards.part(n)) for n in numbers) for numbers in (own, missing))
    numbers = iter(missing)

    def finish(shard: Shard) -> None:
        shards.save(next(numbers), shard.results)
        shards.folder.delete(shard.file)

    done = complete_shards(model, _begun(shards, missing), compute, config, session, finish)
    for _ in progress(done, f"cycle {shards.cycle} score", total, total - left):
        pass


def _begun(shards: ScoreShards, numbers: Sequence[int]) -> Iterator[Shard]:
    """These shards with the results that are there already, each when it is asked for."""
    for number in numbers:
        records, file = shards.records(number), shards.unfinished(number)
        known = load_results(shards.folder, file)
        yield Shard(records, {r.id: known[r.id] for r in records if r.id in known}, file)
