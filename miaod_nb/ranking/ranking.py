"""Images ranked by what a detector of any kind says of them, and the batch to label next."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from miaod_nb.boxes import Detections
from miaod_nb.config import Config, count_of, make_config
from miaod_nb.data.files import records_of_files
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.errors import ConfigError
from miaod_nb.plugins import load_plugins
from miaod_nb.progress import progress
from miaod_nb.ranking.pool import Pool
from miaod_nb.runs.schema import Selection
from miaod_nb.selection.choosing import select, shortage
from miaod_nb.selection.decisions import Verdicts
from miaod_nb.selection.protocol import Candidates, Strategy, ordered
from miaod_nb.selection.registry import STRATEGIES, build_strategy
from miaod_nb.wording import number_text

# The sum, because what is asked for is images: those with much to learn from come first.
DEFAULTS = {"strategy": "entropy", "entropy_aggregate": "sum"}
NAMED = 5  # images of a note
NOTHING = "the detector finds nothing in it"  # a reason
FEATURE = "feature"  # the column that needs pixels, and no detector


@dataclass(frozen=True)
class Ranking:
    """Images to label next, and where all others stand.

    selection: as a run has it. columns: what the strategy sees in the images of the pool. faults:
    what was left out of boxes and lists.
    """

    config: Config
    strategy: Strategy
    pool: Pool
    classes: tuple[str, ...]
    selection: Selection
    columns: Mapping[str, np.ndarray]
    faults: FaultCounts

    @property
    def without_boxes(self) -> list[str]:
        """Ids of the images of the pool in which the detector finds nothing."""
        return [image_id for image_id in self.pool.ids if not len(self.pool.outputs[image_id])]

    @property
    def described(self) -> str:
        """The strategy in words, with what decides about it: entropy (entropy_aggregate=sum)."""
        card = self.strategy.card
        said = [f"{name}={getattr(self.config, name)}" for name in card.settings]
        return card.label + f" ({', '.join(said)})" * bool(said)

    @property
    def in_short(self) -> str:
        """How many of how many images, and by what."""
        chosen, total = len(self.selection["selected"]), len(self.pool.records)
        return f"{chosen} of {total} images to label next, by {self.described}"

    def notes(self) -> list[str]:
        """What is to be known of it, a sentence each."""
        return [
            *_about_choice(self), *_about_images(self), *self.faults.lines(),
            *(f"left out: {line}" for line in _counted_reasons(self.pool.left_out).lines()),
        ]  # fmt: skip

    def table(self) -> pd.DataFrame:
        """A row for every image of the folder: rank, id, chosen, score, boxes, classes, reason,
        left_out. First the pool by rank, those without one at its end; then those left out."""
        chosen = {row["id"]: row for row in self.selection["selected"]}
        ranks, scores = _ranks(self.strategy, self.pool, self.columns)
        rows = []
        for place, image_id in enumerate(self.pool.ids):
            row, found = chosen.get(image_id), self.pool.outputs[image_id].found
            rows.append({
                "rank": row["rank"] if row else ranks[place], "id": image_id,
                "chosen": "yes" if row else "no", "score": scores[place], "boxes": len(found),
                "classes": _counted(found, self.classes),
                "reason": row["reason"] if row else "", "left_out": "",
            })  # fmt: skip
        table = pd.DataFrame(rows).astype({"rank": "Int64", "boxes": "Int64", "score": "Float64"})
        table = table.sort_values("rank", kind="stable", na_position="last")
        away = dict.fromkeys((one.id for one in self.pool.labeled), "labeled")
        away |= self.pool.left_out
        others = pd.DataFrame({"id": list(away), "chosen": "no", "left_out": list(away.values())})
        return pd.concat([table, others], ignore_index=True).fillna(
            {"classes": "", "reason": ""}
        )  # fmt: skip


def ranking_config(strategy: str, budget: object, overrides: Mapping[str, Any]) -> Config:
    """The settings of a ranking. Raises ConfigError."""
    given = {"strategy": strategy} if strategy else {}
    return make_config("voc", DEFAULTS | dict(overrides) | given | {"budget": budget})


def ranking_strategy(config: Config) -> Strategy:
    """The strategy, which needs boxes or pixels and no detector of ours. Raises ConfigError."""
    load_plugins()
    strategy = build_strategy(config)
    if not _can_rank(strategy):
        names = [name for name in STRATEGIES if _can_rank(build_strategy(_named(config, name)))]
        raise ConfigError(
            f"strategy={config.strategy} looks into a detector of ours, and here are the boxes of "
            "another one", where="strategy", remedy=f"choose one of {', '.join(names)}",
        )  # fmt: skip
    return strategy


def rank_pool(
    pool: Pool, strategy: Strategy, config: Config, classes: Sequence[str], faults: FaultCounts
) -> Ranking:
    """The ranking. Images that turn out to be damaged are left out, and others take their places:
    of those that pixels decide about all are decoded, else the chosen ones. Raises MiaodErrors."""
    if FEATURE in strategy.card.columns:
        pool = pool.without(_damaged([*pool.records, *pool.labeled]))
    columns = _observe(strategy, pool.records, pool)
    of_labeled = _observe(strategy, pool.labeled, pool) if strategy.card.observes_labeled else {}
    while True:
        selection = _select(strategy, pool, columns, of_labeled, config, classes)
        taken = {row["id"] for row in selection["selected"]}
        damaged = _damaged([one for one in pool.records if one.id in taken])
        if not damaged:
            break
        kept = [image_id not in damaged for image_id in pool.ids]
        columns = {name: values[kept] for name, values in columns.items()}
        pool = pool.without(damaged)
    return Ranking(config, strategy, pool, tuple(classes), selection, columns, faults)


def _named(config: Config, name: str) -> Config:
    return config.model_copy(update={"strategy": name})


def _can_rank(strategy: Strategy) -> bool:
    card = strategy.card
    return hasattr(strategy, "see") or not card.columns and not card.labels_all


def _observe(
    strategy: Strategy, records: Sequence[ImageRecord], pool: Pool
) -> dict[str, np.ndarray]:
    """What the strategy sees in these images: its columns, float32, (N, ...) each."""
    see = getattr(strategy, "see", None)
    if see is None:
        return {}
    rows = [see(pool.outputs[one.id]) for one in progress(records, "scoring")]
    return {
        name: np.array([row[name] for row in rows], np.float32) for name in strategy.card.columns
    }


def _select(
    strategy: Strategy, pool: Pool, columns: Mapping[str, np.ndarray],
    of_labeled: Mapping[str, np.ndarray], config: Config, classes: Sequence[str],
) -> Selection:  # fmt: skip
    """What a run would choose. Raises ConfigError."""
    labeled = [record.id for record in pool.labeled]
    candidates = Candidates.of_all(pool.ids, labeled, columns, of_labeled)
    count = len(pool.records)
    budget = count_of(config.budget, count)
    if budget == 0:
        raise ConfigError(f"the budget is no image: {config.budget:g} of {count}", where="budget",
                          remedy="give a larger one, such as 100")  # fmt: skip
    indices = np.searchsorted(sorted(pool.ids + labeled), pool.ids)  # among all usable images
    found = select(
        strategy, 0, config.seed, budget, count + len(labeled), indices, candidates,
        Verdicts({}, (), {}), classes,
    )  # fmt: skip
    for row in found["selected"]:
        if row["reason"] == strategy.card.reason and not len(pool.outputs[row["id"]]):
            row["reason"] = NOTHING
    return found


def _damaged(records: Sequence[ImageRecord]) -> dict[str, str]:
    """Why images cannot be decoded, by id, of those that cannot."""
    return records_of_files((one.id, one.image_path) for one in records)[1]


def _ranks(
    strategy: Strategy, pool: Pool, columns: Mapping[str, np.ndarray]
) -> tuple[Sequence[int | None], Sequence[float | None]]:
    """Rank and score of the images of the pool; None where the strategy compares images."""
    column, count = strategy.card.ranks_by, len(pool.records)
    if column is None:
        return [None] * count, [None] * count
    ranks = np.empty(count, np.int64)
    ranks[ordered(columns[column])] = np.arange(1, count + 1)
    return ranks.tolist(), columns[column].tolist()


def _counted(found: Detections, classes: Sequence[str]) -> str:
    """How many boxes of each class, the most frequent first: 3 dog, 1 cat."""
    counts = Counter(sorted(found.labels.tolist()))
    return ", ".join(f"{count} {classes[label]}" for label, count in counts.most_common())


def _about_choice(found: Ranking) -> list[str]:
    """What is to be said of the batch, where something is."""
    notes, column = [], found.strategy.card.ranks_by
    if short := shortage(found.selection):
        notes.append(f"{short}: all are chosen")
    if column and len(found.pool.ids) > 1 and np.ptp(found.columns[column]) == 0:
        score = number_text(float(found.columns[column][0]))
        notes.append(f"all images have the same score, {score}: only their names decide")
    return notes


def _about_images(found: Ranking) -> list[str]:
    """How many images have no boxes, and how many are labeled, where some are."""
    notes, pool = [], found.pool
    if empty := found.without_boxes:
        taken = {row["id"] for row in found.selection["selected"]}.intersection(empty)
        named = ", ".join(empty[:NAMED]) + ", ..." * (len(empty) > NAMED)
        notes.append(
            f"{len(empty)} images without boxes, {len(taken)} of them chosen: nothing is there, or "
            f"the detector fails ({named})"
        )
    if pool.labeled:
        boxed = sum(bool(len(pool.outputs[one.id])) for one in pool.labeled)
        notes.append(f"{len(pool.labeled)} labeled images, {boxed} with boxes: not to choose")
    return notes


def _counted_reasons(left_out: Mapping[str, str]) -> FaultCounts:
    counts = FaultCounts()
    for name, reason in left_out.items():
        counts.add(reason, name)
    return counts
