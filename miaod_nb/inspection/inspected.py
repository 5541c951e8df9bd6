"""Which images of a cycle are looked at closely: the most uncertain, and a sample of the rest."""

import numpy as np
import pandas as pd

from miaod_nb.errors import ConfigError, RunFolderError
from miaod_nb.experiment.run import Run
from miaod_nb.runs.card import BOXES
from miaod_nb.selection.choosing import prices_of
from miaod_nb.selection.protocol import ordered, worth

BEST_BUDGETS = 5  # the best so many times the budget
SAMPLE = 200  # images drawn at random of the rest


def inspected_ids(run: Run, cycle: int) -> list[str]:
    """Ids of the inspected images, the most uncertain first. Raises as `inspected` does."""
    return inspected(run, cycle)["id"].tolist()


def inspected(run: Run, cycle: int) -> pd.DataFrame:
    """The inspected images, the most uncertain first: all of a small pool.

    Columns id, index, score and rank as `ranked` has them; kind: "best" or "sample"; stands_for:
    how many images of the pool the row speaks for. Raises ConfigError for a run that scores no
    images, and RunFolderError for a cycle that is not scored.
    """
    table = ranked(run, cycle)
    num_best = min(BEST_BUDGETS * run.record.budget, len(table))
    rest = np.arange(num_best, len(table))
    rng = np.random.default_rng([run.config.seed, cycle, 1])  # not that of a random selection
    sample = np.sort(rng.choice(rest, min(SAMPLE, len(rest)), replace=False))
    kinds = np.repeat(["best", "sample"], [num_best, len(sample)])
    stands_for = np.where(kinds == "best", 1.0, len(rest) / max(len(sample), 1))
    found = table.iloc[[*range(num_best), *sample]].reset_index(drop=True)
    return found.assign(kind=kinds, stands_for=stands_for)


def do_it_first(cycle: int) -> str:
    """The remedy for a cycle that has not got far enough."""
    return (
        "choose a cycle that is done, or run this one first: `miaod run`, or the notebooks with "
        f"cycle={cycle}"
    )


def ranked(run: Run, cycle: int) -> pd.DataFrame:
    """The images that a cycle looked at, the most wanted first: id, index in the pool, score, and
    rank from 1. A strategy that compares images with each other gives no score: then those that it
    chose come first, and the others, in the order of the pool, have no rank (NaN). Raises as
    `inspected` does."""
    record, card = run.record, run.card
    if not card.columns:
        raise ConfigError(
            f"this run has no scores: the strategy '{card.name}' does not look at images",
            where=run.folder.path("config.json"),
            remedy="choose a run whose strategy looks at images, such as mi_aod",
        )
    run.refuse_imported(cycle)
    if "score" not in record.done(cycle):
        raise RunFolderError(
            f"cycle {cycle} has not got this far: its images are not scored",
            where=run.folder.path(f"cycle{cycle}"),
            remedy=do_it_first(cycle),
        )
    prices = prices_of(record.selection(cycle)) if record.has_chosen(cycle) else None
    seen = [BOXES] if prices else []
    table = record.scores(cycle, ["id", "index", *filter(None, [card.ranks_by]), *seen])
    if not len(table):
        raise RunFolderError(
            f"cycle {cycle} scored no image: its pool is empty",
            where=run.folder.path(f"cycle{cycle}/scores.parquet"),
            remedy="choose an earlier cycle",
        )
    if card.ranks_by:
        table = table.rename(columns={card.ranks_by: "score"})
        values = table["score"].to_numpy()
        costs = prices.costs(table.pop(BOXES).to_numpy(np.float32)) if prices else None
        order = ordered(worth(values, costs))
    else:
        table["score"] = np.nan
        order = _chosen_first(table["id"], record.selected(cycle))
    ranks = pd.Series(np.arange(1, len(table) + 1))
    if not card.ranks_by:
        ranks = ranks.where(ranks <= len(record.selected(cycle)))
    return table.iloc[order].reset_index(drop=True).assign(rank=ranks)


def _chosen_first(ids: pd.Series, chosen: list[str]) -> np.ndarray:
    """Positions of the ids, the chosen ones in their order before all others."""
    place = {image_id: place for place, image_id in enumerate(chosen)}
    return np.argsort([place.get(image_id, len(place)) for image_id in ids], kind="stable")
