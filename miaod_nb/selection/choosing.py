"""What stands in a cycle's selection.json: the images to label next, and why these."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from miaod_nb.data.pool import Indices, remaining_pool
from miaod_nb.errors import RunFolderError
from miaod_nb.plugins import load_plugins
from miaod_nb.runs.card import BOXES, PER_CLASS, Card
from miaod_nb.runs.record import RunRecord
from miaod_nb.runs.schema import VERSION, CardFields, SelectedImage, Selection
from miaod_nb.runs.score_table import load_column, table_place
from miaod_nb.selection.batch import ASKED, Chosen, choose_batch, most_in_batch
from miaod_nb.selection.costs import Prices
from miaod_nb.selection.decisions import Verdicts
from miaod_nb.selection.parts import remarks_of
from miaod_nb.selection.protocol import (
    Candidates,
    Choice,
    Columns,
    Strategy,
    choose_highest,
)
from miaod_nb.selection.registry import STRATEGIES, build_strategy, card_of_run
from miaod_nb.wording import number_text

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel

ASIDE = {"skip": "skipped", "defer": "deferred"}


def candidates_of(record: RunRecord, cycle: int) -> tuple[Indices, Candidates]:
    """The images that a finished cycle could choose from, as the run folder has them: their pool
    indices, and what the strategy has seen in them. Raises RunFolderError."""
    card, folder, classes = card_of_run(record), record.folder, record.classes_of(cycle)
    labeled = folder.load_npy(f"X_L_{cycle}.npy")

    def columns(name: str, indices: Indices) -> Columns:
        place = table_place(cycle, name)
        return Columns(card.columns, lambda one: load_column(folder, place, one, classes, indices))

    if card.columns:
        indices, origin = record.scores(cycle, ["index"])["index"].to_numpy(), table_place(cycle)
        expected = record.selection(cycle)["scored"]
        if len(indices) != expected:
            raise RunFolderError(
                f"the cycle scored {expected} images, and the scores of {len(indices)} are here",
                where=folder.path(origin),
                remedy="restore the folder from a copy, or choose another run_dir",
            )
    else:
        indices = remaining_pool(np.arange(record.num_images(cycle)), labeled)
        origin = f"X_L_{cycle}.npy"
    ids = record.ids_at(indices, origin)
    return indices, Candidates.of_all(
        ids, record.labeled(cycle), columns("scores", indices),
        columns("labeled", labeled) if card.observes_labeled else None, classes,
    )  # fmt: skip


@dataclass(frozen=True)
class ByColumn:
    """What a strategy does that ranks by a column, for a process that does not know it."""

    card: Card

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        raise TypeError("the strategy is not known to this process: it cannot look at images")

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        return choose_highest(pool, str(self.card.ranks_by), budget)


def strategy_of(record: RunRecord) -> Strategy:
    """What chooses for a run. Raises ConfigError for a strategy that looks at several images at
    once and that this process does not know."""
    card = card_of_run(record)
    load_plugins()
    if card.ranks_by and not card.passes_over and card.name not in STRATEGIES:
        return ByColumn(card)
    return build_strategy(record.config)


def select(
    strategy: Strategy, cycle: int, seed: int, budget: int, num_images: int, indices: Indices,
    pool: Candidates, verdicts: Verdicts, classes: Sequence[str],
    now: Mapping[str, Mapping[str, Any]] | None = None, prices: Prices | None = None,
) -> Selection:  # fmt: skip
    """The selection of a cycle.

    budget: how many images; where there are prices, these say what labels may cost instead. seed:
    of the run; num_images: of its pool, those that are labeled among them. indices, pool: the
    images to choose among. classes: their names, for the reasons. now: rows by id of the batch as
    it is, where no image may take the place of one that was set aside; None: any may.
    """
    card, amount = strategy.card, float(budget)
    if prices:
        pool = replace(pool, costs=prices.costs(pool.columns[BOXES]))
        amount, budget = prices.amount, most_in_batch(pool, prices.amount)
    chosen = choose_batch(
        strategy, pool, amount, [seed, cycle], verdicts.barred, now, verdicts.wanted
    )
    rows = [_row(one, int(indices[one.position]), pool, card, classes) for one in chosen]
    if verdicts.notes:
        rows = with_notes(rows, verdicts)
    aside = Counter(
        ASIDE[verdicts.barred[i]] for i in (pool.ids if verdicts.barred else ())
        if i in verdicts.barred
    )  # fmt: skip
    found: Selection = {
        "version": VERSION, "cycle": cycle, "strategy": card.name,
        "card": cast(CardFields, card.as_dict()), "budget": budget,
        "pool": num_images - len(pool.labeled_ids),
        "scored": pool.total if card.columns else 0, "selected": rows,
    }  # fmt: skip
    if prices:
        found["cost"] = prices.as_cost(row["cost"] for row in rows)
    if aside:
        found["set_aside"] = dict(aside)
    if remarks := remarks_of(strategy, pool, [one.id for one in chosen]):
        found["remarks"] = remarks
    if asked := sum(one.reason == ASKED for one in chosen):
        found["asked_for"] = asked
    return found


def with_notes(rows: Sequence[SelectedImage], verdicts: Verdicts) -> list[SelectedImage]:
    """The rows with what people noted about their images."""
    return [{**row, "note": verdicts.notes.get(row["id"], "")} for row in rows]


def _row(
    one: Chosen, index: int, pool: Candidates, card: Card, classes: Sequence[str]
) -> SelectedImage:
    score = float(pool.columns[card.ranks_by][one.position]) if card.ranks_by else None
    reason = one.reason
    if reason == card.reason and PER_CLASS in pool.columns and len(classes) > 1:
        parts = pool.columns[PER_CLASS][one.position]  # (C,)
        reason += f", above all about {classes[int(parts.argmax())]}" if parts.max() > 0 else ""
    row: SelectedImage = {
        "rank": one.rank, "id": one.id, "index": index, "score": score, "reason": reason,
    }  # fmt: skip
    if pool.costs is not None:
        row["cost"] = float(pool.costs[one.position])
        if card.ranks_by and one.reason.startswith(card.reason):
            row["reason"] += ", for what it costs"
    return row


def counted(selection: Mapping[str, Any]) -> list[str]:
    """How many images to choose from were set aside, in words: 2 skipped, 1 deferred."""
    aside = selection.get("set_aside", {})
    return [f"{aside[word]} {word}" for word in ASIDE.values() if word in aside]


def why_empty(selection: Mapping[str, Any]) -> str:
    """Why a selection has no image, in words; "" if it has some."""
    if selection["selected"]:
        return ""
    if parts := counted(selection):
        return f"all images to choose from are set aside ({', '.join(parts)}; see decisions.jsonl)"
    return "the pool is empty"


def prices_of(selection: Mapping[str, Any]) -> Prices | None:
    """What the labels of a cycle's images were expected to cost; None: the budget is in images."""
    return Prices.of(selection["cost"]) if "cost" in selection else None


def cost_text(selection: Mapping[str, Any]) -> str:
    """What a batch is expected to cost, in words: about 392 of 400 boxes; "" for images."""
    if "cost" not in selection:
        return ""
    cost = selection["cost"]
    return f"about {number_text(cost['expected'])} of {cost['amount']:g} {cost['unit']}"


def shortage(selection: Mapping[str, Any]) -> str:
    """What to say of a selection that is smaller than the budget; "" if it is not."""
    count, budget = len(selection["selected"]), str(selection["budget"])
    is_short = count < selection["budget"]
    if "cost" in selection:  # where images are left, there is none that the budget is enough for
        is_short = count + sum(selection.get("set_aside", {}).values()) == selection["scored"]
        budget = f"{selection['cost']['amount']:g} {selection['cost']['unit']}"
    if not is_short:
        return ""
    besides = "".join(f", {part}" for part in counted(selection))
    left = "1 image is left" if count == 1 else f"{count} images are left"
    return f"cut short: {left}{besides}, the budget is {budget}"
