"""What a strategy sees in the images of a cycle, and what it chooses among them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from miaod_nb.config import Budget, Config
from miaod_nb.data.pool import Indices, resolve_count
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector.model import DetectionModel
from miaod_nb.experiment.pricing import learn_prices
from miaod_nb.experiment.state import RunState
from miaod_nb.passes.observing import observe
from miaod_nb.passes.scoring import ScoreShards, score_pool
from miaod_nb.runs.card import BOXES, Card
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.schema import Selection
from miaod_nb.selection.choosing import select
from miaod_nb.selection.decisions import verdicts_of
from miaod_nb.selection.protocol import Candidates, Strategy

Tables = Mapping[str, ScoreShards]  # columns: of what may be chosen; labeled: of what is labeled
WORK = {"columns": "score", "labeled": "score labeled"}  # in words for the progress bar


@dataclass(frozen=True)
class PoolIds(Sequence[str]):
    """Ids of the images at these indices, looked up when they are asked for."""

    pool: Sequence[ImageRecord]
    indices: Indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, place: Any) -> Any:
        return self.pool[self.indices[place]].id

    def __iter__(self) -> Iterator[str]:
        return (self.pool[index].id for index in self.indices)


def tables_of(run: RunState, cycle: int, card: Card, prefix: str = "") -> dict[str, ScoreShards]:
    """The tables of what a strategy sees in a cycle, as far as its card asks for them. prefix: what
    their names begin with where the strategy is not the run's own."""
    dataset, sets = run.dataset, run.sets(cycle)
    indices: dict[str, tuple[str, Indices]] = {}
    if card.columns:
        indices["columns"] = "scores", dataset.scored(sets, cycle)
    if card.observes_labeled:
        indices["labeled"] = "labeled", sets.labeled
    folder = RunFolder(run.folder.root)  # each process writes shards
    return {
        which: ScoreShards(
            folder, cycle, prefix + name, own, dataset.pool, run.classes_of(cycle), card.columns
        )
        for which, (name, own) in indices.items()
    }


def see_all(run: RunState, model: DetectionModel, strategy: Strategy, tables: Tables) -> None:
    """Completes the tables of what a strategy sees."""
    for which, shards in tables.items():
        compute = partial(observe, model, strategy=strategy)
        score_pool(model, compute, run.config, run.session, shards, WORK[which])


def selection_of(
    run: RunState, cycle: int, strategy: Strategy, config: Config, tables: Tables
) -> Selection:
    """What a strategy with these settings chooses in a cycle, by tables that are complete and by
    what people have decided. Raises ConfigError and DecisionError."""
    labeled, pool = run.sets(cycle).labeled, run.dataset.pool
    is_seen = "columns" in tables
    indices = (
        tables["columns"].indices if is_seen else run.dataset.unlabeled(run.sets(cycle), cycle)
    )
    columns = {which: shards.columns_read() for which, shards in tables.items()}
    candidates = Candidates.of_all(
        PoolIds(pool, indices), PoolIds(pool, labeled), classes=run.classes_of(cycle), **columns
    )
    budget, prices, count = Budget.of(config.budget), None, run.dataset.budget or 0
    if budget.in_images and config.budget != run.config.budget:
        count = resolve_count(budget.amount, run.dataset.num_images(0))
    if not budget.in_images:
        prices = learn_prices(run, cycle, config, tables["labeled"].load(BOXES))
    return select(
        strategy, cycle, run.config.seed, count, run.dataset.num_images(cycle), indices,
        candidates, verdicts_of(run.record, cycle), run.classes_of(cycle), prices=prices,
    )  # fmt: skip
