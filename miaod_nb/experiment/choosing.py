"""What stands in a cycle's selection.json: the images to label next, and why these."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from miaod_nb.data.pool import Indices
from miaod_nb.data.records import ImageRecord
from miaod_nb.experiment.dataset import Dataset
from miaod_nb.runs.schema import VERSION
from miaod_nb.selection.batch import Chosen, choose_batch
from miaod_nb.selection.decisions import Verdicts
from miaod_nb.selection.protocol import Candidates, Strategy
from miaod_nb.selection.words import ASIDE

Selection = dict[str, Any]  # as runs.schema.Selection has it


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


def select(
    dataset: Dataset, strategy: Strategy, cycle: int, indices: Indices, pool: Candidates,
    verdicts: Verdicts, now: Mapping[str, Mapping[str, Any]] | None = None,
) -> Selection:  # fmt: skip
    """The selection of a cycle.

    indices, pool: the images to choose among. now: rows by id of the batch as it is, where no
    image may take the place of one that was set aside; None: any may.
    """
    card, seed = strategy.card, [dataset.config.seed, cycle]
    chosen = choose_batch(strategy, pool, dataset.budget, seed, verdicts.barred, now)
    rows = [_row(one, int(indices[one.position]), pool, card.ranks_by) for one in chosen]
    if verdicts.notes:
        rows = [row | {"note": verdicts.notes.get(row["id"], "")} for row in rows]
    aside = Counter(
        ASIDE[verdicts.barred[i]] for i in (pool.ids if verdicts.barred else ())
        if i in verdicts.barred
    )  # fmt: skip
    return {
        "version": VERSION, "cycle": cycle, "strategy": card.name, "card": card.as_dict(),
        "budget": dataset.budget, "pool": len(dataset.pool) - len(pool.labeled_ids),
        "scored": pool.total if card.columns else 0,
        **({"set_aside": dict(aside)} if aside else {}),
        "selected": rows,
    }  # fmt: skip


def _row(one: Chosen, index: int, pool: Candidates, ranks_by: str | None) -> dict[str, Any]:
    score = float(pool.columns[ranks_by][one.position]) if ranks_by else None
    return {"rank": one.rank, "id": one.id, "index": index, "score": score, "reason": one.reason}
