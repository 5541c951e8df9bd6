"""A ranking of images: the batch to label next, and where all others stand, for people."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from miaod_nb.boxes import Detections
from miaod_nb.config import Config
from miaod_nb.data.records import FaultCounts
from miaod_nb.ranking.pool import Pool
from miaod_nb.runs.schema import Selection
from miaod_nb.selection.choosing import cost_text, prices_of, shortage
from miaod_nb.selection.protocol import Candidates, Strategy, ordered
from miaod_nb.wording import number_text

NAMED = 5  # images of a note


@dataclass(frozen=True)
class Ranking:
    """Images to label next, and where all others stand.

    selection: as a run has it. candidates: what the strategy sees in the images of the pool, and
    what these cost. faults: what was left out of boxes and lists.
    """

    config: Config
    strategy: Strategy
    pool: Pool
    classes: tuple[str, ...]
    selection: Selection
    candidates: Candidates
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
        ranks, scores = _ranks(self.strategy, self.candidates)
        costs = self.candidates.costs
        rows = []
        for place, image_id in enumerate(self.pool.ids):
            row, found = chosen.get(image_id), self.pool.outputs[image_id].found
            rows.append({
                "rank": row["rank"] if row else ranks[place], "id": image_id,
                "chosen": "yes" if row else "no", "score": scores[place], "boxes": len(found),
                "classes": _counted(found, self.classes),
                "cost": None if costs is None else costs[place],
                "reason": row["reason"] if row else "", "left_out": "",
            })  # fmt: skip
        kinds = {"rank": "Int64", "boxes": "Int64", "score": "Float64", "cost": "Float64"}
        table = pd.DataFrame(rows).astype(kinds)
        table = table.sort_values("rank", kind="stable", na_position="last")
        away = dict.fromkeys((one.id for one in self.pool.labeled), "labeled")
        away |= self.pool.left_out
        others = pd.DataFrame({"id": list(away), "chosen": "no", "left_out": list(away.values())})
        every = pd.concat([table, others], ignore_index=True)
        every = every.fillna({"classes": "", "reason": ""})
        return every.drop(columns="cost") if costs is None else every


def _ranks(
    strategy: Strategy, candidates: Candidates
) -> tuple[Sequence[int | None], Sequence[float | None]]:
    """Rank and score of the images of the pool; None where the strategy compares images."""
    column, count = strategy.card.ranks_by, len(candidates.ids)
    if column is None:
        return [None] * count, [None] * count
    ranks = np.empty(count, np.int64)
    ranks[ordered(candidates.worth(column))] = np.arange(1, count + 1)
    return ranks.tolist(), candidates.columns[column].tolist()


def _counted(found: Detections, classes: Sequence[str]) -> str:
    """How many boxes of each class, the most frequent first: 3 dog, 1 cat."""
    counts = Counter(sorted(found.labels.tolist()))
    return ", ".join(f"{count} {classes[label]}" for label, count in counts.most_common())


def _about_choice(found: Ranking) -> list[str]:
    """What is to be said of the batch, where something is."""
    notes, column = [*found.selection.get("remarks", ())], found.strategy.card.ranks_by
    if short := shortage(found.selection):
        notes.append(short)
    if cost := cost_text(found.selection):
        prices = prices_of(found.selection)
        notes += [f"expected cost: {cost}", *(prices.lines() if prices else ())]
    scores = found.candidates.columns[column] if column else np.zeros(0)
    if len(scores) > 1 and np.ptp(scores) == 0:
        score = number_text(float(scores[0]))
        notes.append(f"all images have the same score, {score}: only their names decide")
    return notes


def _about_images(found: Ranking) -> list[str]:
    """How many images have no boxes, and how many are labeled, where some are."""
    notes, pool = [], found.pool
    if empty := found.without_boxes:
        taken = {row["id"] for row in found.selection["selected"]}.intersection(empty)
        named = ", ".join(empty[:NAMED]) + ", ..." * (len(empty) > NAMED)
        notes.append(
            f"images without boxes: {len(empty)}, {len(taken)} of them chosen; nothing is there, "
            f"or the detector fails ({named})"
        )
    if pool.labeled:
        boxed = sum(bool(len(pool.outputs[one.id])) for one in pool.labeled)
        bare = sum(pool.boxes.get(one.id) == 0 for one in pool.labeled)
        told = f", {bare} are labeled as showing nothing" * bool(bare)
        notes.append(
            f"labeled images: {len(pool.labeled)}, not to choose ({boxed} have boxes{told})"
        )
    return notes


def _counted_reasons(left_out: Mapping[str, str]) -> FaultCounts:
    counts = FaultCounts()
    for name, reason in left_out.items():
        counts.add(reason, name)
    return counts
