"""The batch to label next, by what a detector of any kind says of images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from miaod_nb.config import Budget, Config, count_of, make_config, parse_settings
from miaod_nb.data.files import records_of_files
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.errors import ConfigError
from miaod_nb.plugins import load_plugins
from miaod_nb.ranking.pool import Pool
from miaod_nb.ranking.ranking import Ranking
from miaod_nb.ranking.seeing import needs_our_detector, needs_pixels, see
from miaod_nb.runs.card import BOXES
from miaod_nb.runs.schema import Selection
from miaod_nb.selection.choosing import select
from miaod_nb.selection.costs import BoxEstimate, Prices, Seconds, fit_boxes
from miaod_nb.selection.counting import boxes_seen
from miaod_nb.selection.decisions import Verdicts
from miaod_nb.selection.protocol import Candidates, Strategy
from miaod_nb.selection.registry import STRATEGIES, build_strategy

# The sum, because what is asked for is images: those with much to learn from come first.
DEFAULTS = {"strategy": "entropy", "entropy_aggregate": "sum"}


def ranking_config(strategy: str, budget: object, overrides: Mapping[str, Any]) -> Config:
    """The settings of a ranking. Raises ConfigError."""
    given = ({"strategy": strategy} if strategy else {}) | parse_settings([f"budget={budget}"])
    config = make_config("voc", DEFAULTS | dict(overrides) | given)
    if config.mix and config.strategy != "mix":
        raise ConfigError(f"mix is set, and strategy={config.strategy} does not mix", where="mix",
                          remedy="add --strategy mix, or leave the setting out")  # fmt: skip
    return config


def ranking_strategy(config: Config) -> Strategy:
    """The strategy, which needs boxes or pixels and no detector of ours. Raises ConfigError."""
    load_plugins()
    strategy = build_strategy(config)
    if needs_our_detector(strategy) or strategy.card.labels_all:
        able = ", ".join(name for name in STRATEGIES if _can_rank(name, config))
        why = "asks for all labels" if strategy.card.labels_all else "looks into a detector of ours"
        raise ConfigError(f"strategy={config.strategy} {why}: it cannot rank boxes",
                          where="strategy", remedy=f"choose one of {able}")  # fmt: skip
    return strategy


def rank_pool(
    pool: Pool, strategy: Strategy, config: Config, classes: Sequence[str], faults: FaultCounts,
    kept_in: Path | None = None,
) -> Ranking:  # fmt: skip
    """The ranking. Images that turn out to be damaged are left out, and others take their places:
    of those that pixels decide about all are decoded, else the chosen ones. kept_in: a folder for
    features of images. Raises MiaodErrors."""
    if needs_pixels(strategy):
        pool = _decoded(pool)
    candidates = _candidates(pool, strategy, config, classes, kept_in)
    while True:
        selection = _select(strategy, pool, candidates, config, classes)
        taken = {row["id"] for row in selection["selected"]}
        _, damaged = _whole([one for one in pool.records if one.id in taken])
        if not damaged:
            break
        pool, kept = pool.without(damaged), candidates.without(damaged)
        count = len(kept.ids)
        candidates = replace(kept, positions=np.arange(count), total=count, whole=None)
    return Ranking(config, strategy, pool, tuple(classes), selection, candidates, faults)


def _can_rank(name: str, config: Config) -> bool:
    """Whether a strategy can, as the other settings have it."""
    try:
        strategy = build_strategy(config.model_copy(update={"strategy": name}))
    except ConfigError:
        return False
    return not (strategy.card.labels_all or needs_our_detector(strategy))


def _candidates(
    pool: Pool, strategy: Strategy, config: Config, classes: Sequence[str], kept_in: Path | None
) -> Candidates:
    """What the strategy sees in the images, in labeled ones too where it compares, and what these
    cost where the budget is not in images."""
    columns, of_labeled = (
        see(strategy, some, [pool.outputs[one.id] for one in some], len(classes), kept_in)
        if some else {} for some in (pool.records, pool.labeled)
    )  # fmt: skip
    of_labeled = of_labeled or {name: values[:0] for name, values in columns.items()}
    labeled_ids = [one.id for one in pool.labeled]
    found = Candidates.of_all(pool.ids, labeled_ids, columns, of_labeled, classes)
    prices = _prices(pool, config)
    return replace(found, costs=prices.costs(columns[BOXES])) if prices else found


def _prices(pool: Pool, config: Config) -> Prices | None:
    """What labels cost: as many boxes as the scores of an image sum up to, or as labeled images
    tell; None for a budget in images."""
    budget = Budget.of(config.budget)
    if budget.in_images:
        return None
    ids = [one.id for one in pool.labeled if one.id in pool.boxes]
    seen = np.array([boxes_seen(pool.outputs[one]) for one in ids])
    true = np.array([pool.boxes[one] for one in ids])
    of_which = "labeled images"
    estimate = fit_boxes(seen, true, of_which) if ids else BoxEstimate(1.0, of_which=of_which)
    return Prices(
        budget.amount, budget.unit, estimate, Seconds(config.image_seconds, config.box_seconds)
    )


def _select(
    strategy: Strategy, pool: Pool, candidates: Candidates, config: Config, classes: Sequence[str]
) -> Selection:
    """What a run would choose. Raises ConfigError."""
    labeled = [record.id for record in pool.labeled]
    prices, budget, count = _prices(pool, config), 0, len(pool.records)
    if not prices:
        budget = count_of(float(config.budget), count)
        if budget == 0:
            raise ConfigError(f"the budget is no image: {config.budget} of {count}",
                              where="budget", remedy="give a larger one, such as 100")  # fmt: skip
    indices = np.searchsorted(sorted(pool.ids + labeled), pool.ids)  # among all usable images
    return select(
        strategy, 0, config.seed, budget, count + len(labeled), indices, candidates,
        Verdicts({}, (), {}), classes, prices=prices,
    )  # fmt: skip


def _whole(records: Sequence[ImageRecord]) -> tuple[list[ImageRecord], dict[str, str]]:
    """The images that can be decoded, and why each other one cannot, by id."""
    return records_of_files((one.id, one.image_path) for one in records)


def _decoded(pool: Pool) -> Pool:
    """The pool, all images of which have been decoded."""
    whole, damaged = _whole([*pool.records, *pool.labeled])
    found, left = {one.id: one for one in whole}, pool.without(damaged)
    records, labeled = ([found[one.id] for one in part] for part in (left.records, left.labeled))
    return replace(left, records=records, labeled=labeled)
