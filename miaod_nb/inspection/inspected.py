"""Which images of a cycle are looked at closely: the most uncertain, and a sample of the rest."""

import numpy as np
import pandas as pd

from miaod_nb.errors import ConfigError, RunFolderError
from miaod_nb.experiment.run import Run
from miaod_nb.runs.identity import refuse_another

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
    num_best = min(BEST_BUDGETS * run.dataset.budget, len(table))
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
    """The scored images of a cycle, the most wanted first: id, index in the pool, score, and rank
    from 1. Raises as `inspected` does."""
    refuse_other_settings(run)
    if not run.strategy.card.ranks_by:
        raise ConfigError(
            f"this run has no scores: the strategy '{run.config.strategy}' does not look at images",
            where=run.folder.path("config.json"),
            remedy="choose a run whose strategy scores images, such as mi_aod",
        )
    run.refuse_imported(cycle)
    if "score" not in run.folder.done_steps(cycle):
        raise RunFolderError(
            f"cycle {cycle} has not got this far: its images are not scored",
            where=run.folder.path(f"cycle{cycle}"),
            remedy=do_it_first(cycle),
        )
    place = f"cycle{cycle}/scores.parquet"
    table = run.folder.load_parquet(place, ["id", "index", "score"])
    if not len(table):
        raise RunFolderError(
            f"cycle {cycle} scored no image: its pool is empty",
            where=run.folder.path(place),
            remedy="choose an earlier cycle",
        )
    _refuse_missing_images(run, table)
    order = np.argsort(table["score"], kind="stable")[::-1]  # of equal ones the later, as selected
    return table.iloc[order].reset_index(drop=True).assign(rank=np.arange(1, len(table) + 1))


def refuse_other_settings(run: Run) -> None:
    """Raises RunFolderError if the folder's run was made with other settings: what is kept there
    would be of both."""
    if run.folder.exists("config.json"):
        data = run.folder.load_json("config.json")["identity"]["data"]  # images may be gone
        refuse_another(run.folder, run.config, data, run.card.training_of("auto"))


def _refuse_missing_images(run: Run, table: pd.DataFrame) -> None:
    """Raises RunFolderError if the pool is no longer the one that was scored: which images are
    labeled follows from their places in it."""
    places = {record.id: place for place, record in enumerate(run.dataset.pool)}
    missing = [image_id for image_id in table["id"] if image_id not in places]
    if missing:
        raise RunFolderError(
            f"{len(missing)} of the {len(table)} images that this cycle scored cannot be found "
            f"now, first '{missing[0]}'; without all of them nobody knows which ones are labeled",
            where=run.data_root,
            remedy="restore the image files, and their entries in the list "
            f"'{run.config.train_list}' if these are gone too",
        )
    for image_id, index in zip(table["id"], table["index"], strict=True):
        if places[image_id] != index:
            raise RunFolderError(
                f"the images of the list '{run.config.train_list}' are not those of this run any "
                f"more: '{image_id}' was number {index + 1}, and is number {places[image_id] + 1}",
                where=run.data_root,
                remedy="restore what was removed or moved, and take out what was added since",
            )
