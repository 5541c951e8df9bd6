"""What a strategy keeps of the images of a pool of any size, shard by shard of its score table."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from miaod_nb.config import Config
from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import TrainingError
from miaod_nb.passes.image_pass import Compute, Shard, complete_shards, load_results
from miaod_nb.passes.score_shards import PER_CLASS, ScoreShards
from miaod_nb.progress import progress
from miaod_nb.runs.session import Session
from miaod_nb.selection.protocol import Strategy


def observe(model: DetectionModel, batch: UnlabeledBatch, strategy: Strategy) -> dict[str, Tensor]:
    """What the strategy sees in the images of a batch: its card's columns, (B, ...) each. Raises
    TrainingError for other columns, and for values that are not of these images."""
    card, found = strategy.card, strategy.observe(model, batch)
    fault = "" if set(found) == set(card.columns) else f"it gives {', '.join(found) or 'nothing'}"
    for name, values in found.items():
        expected = [len(batch), model.num_classes][: 1 + (name == PER_CLASS)]
        if list(values.shape[: len(expected)]) != expected:
            fault = fault or f"{name} has the shape {list(values.shape)}, expected {expected}"
    if fault:
        raise TrainingError(
            f"the strategy '{card.name}' does not see what its card promises: {fault}",
            where=f"{type(strategy).__module__}.{type(strategy).__qualname__}.observe",
            remedy="mend it: `observe` returns a tensor (B, ...) for each of the card's columns, "
            + ", ".join(card.columns),
        )
    for name, values in found.items():
        finite = values.reshape(len(batch), -1).isfinite().all(dim=1).tolist()
        if not all(finite):
            raise TrainingError(
                f"the {name} of an image is not a finite number (strategy '{card.name}')",
                where=batch.ids[finite.index(False)],
                remedy="the training diverged: lower learning_rate or set clip_norm, and use a "
                "new run_dir; or mend a strategy of your own",
            )
    return found


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
    numbers = iter(missing)

    def finish(shard: Shard) -> None:
        shards.save(next(numbers), shard.results)
        shards.folder.delete(shard.file)

    done = complete_shards(model, _begun(shards, missing), compute, config, session, finish)
    for _ in progress(done, f"cycle {shards.cycle} {what}", total, total - left):
        pass


def _begun(shards: ScoreShards, numbers: Sequence[int]) -> Iterator[Shard]:
    """These shards with the results that are there already, each when it is asked for."""
    for number in numbers:
        records, file = shards.records(number), shards.unfinished(number)
        known = load_results(shards.folder, file)
        yield Shard(records, {r.id: known[r.id] for r in records if r.id in known}, file)
