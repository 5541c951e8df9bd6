"""Stop or go on: what more labels would bring to each of several strategies, in words too."""

from collections.abc import Mapping

import pandas as pd

from miaod_nb.compare.labels_or_training import labels_or_training
from miaod_nb.compare.outlook import Outlook, look_ahead
from miaod_nb.errors import DataError
from miaod_nb.plots.look import are_full


def outlooks(
    table: pd.DataFrame, metric: str, batch: int, pool: int | None,
    falls: Mapping[str, float] | None = None,
) -> tuple[dict[str, Outlook], dict[str, str]]:  # fmt: skip
    """The outlook of each strategy that has one; and in words, with what they say of labels or
    training, for every strategy, why there is none where there is none.

    table: of `gather_metrics`; full supervision has no outlook, but is held against those of runs
    that train alike. falls: of `loss_falls`, by the names in its column `run`.
    """
    found, said = {}, {}
    for strategy, rows in table[~are_full(table["strategy"])].groupby("strategy", sort=False):
        name = str(strategy)
        try:
            outlook = look_ahead(rows, metric, batch, pool)
        except DataError as error:
            said[name] = error.what + "."
            continue
        own = {run: fall for run, fall in (falls or {}).items() if run in set(rows["run"])}
        hints = labels_or_training(outlook, rows, metric, full_of(table, rows, metric), own)
        found[name] = outlook
        said[name] = " ".join([f"{outlook.text[0].upper()}{outlook.text[1:]}.", *hints])
    return found, said


def full_of(table: pd.DataFrame, rows: pd.DataFrame, metric: str) -> float | None:
    """The mean metric of full supervision in the table that trains as these rows do; None if there
    is none."""
    full = table[are_full(table["strategy"])].dropna(subset=metric)
    alike = full[full["training"] == rows["training"].iloc[0]] if "training" in full else full[:0]
    return float(alike[metric].mean()) if len(alike) else None


def outlooks_of_grid(
    table: pd.DataFrame, metric: str
) -> tuple[pd.DataFrame, dict[str, Outlook], dict[str, str]]:
    """The outlooks of a grid, the next batch as large as the last one, by "selection, recipe".

    table: that of a grid. The first result is it with the columns and names that `outlooks` and
    `continued_curve` know. How many images there are is known where full supervision was run.
    """
    named = table.rename(columns={"images": "labeled_images"}).assign(
        strategy=table["selection"] + " (" + table["recipe"] + ")",
        run=table["recipe"] + "-" + table["selection"] + "-s" + table["seed"].astype(str),
    )
    is_full = are_full(named["strategy"])
    pool = int(named.loc[is_full, "labeled_images"].max()) if is_full.any() else None
    found: dict[str, Outlook] = {}
    said: dict[str, str] = {}
    for _, rows in named[~is_full].groupby(["recipe", "selection"], sort=False):
        steps = rows.groupby("cycle")["labeled_images"].mean().diff()
        batch = 0 if len(steps) < 2 else round(steps.iloc[-1])
        alike = named[is_full & (named["recipe"] == rows["recipe"].iloc[0])]
        more, texts = outlooks(pd.concat([rows, alike]), metric, batch, pool)
        found, said = found | more, said | texts
    return named, found, said
