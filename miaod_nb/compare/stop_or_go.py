"""Stop or go on: what the next labels would probably bring, and whether labels are what is missing.

All of it is of one kind of runs, which differ in their seeds alone, and of one metric.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from miaod_nb.errors import DataError
from miaod_nb.evaluation import headline
from miaod_nb.evaluation.extrapolation import NOISE, Curves, Forecast, fit_curves
from miaod_nb.plots.look import are_full
from miaod_nb.runs.record import RunRecord
from miaod_nb.runs.steps import NOT_A_TERM
from miaod_nb.selection.registry import card_of_run

FARTHEST = 10  # times the labeled images so far: how far a curve is continued, and was checked
STEPS = 60  # of a drawn curve
GROWN = 1.4  # times the first labels: so many more, and mAP should have risen
FALLING = 0.05  # part of its height by which a loss still falls in the last fifth of training


@dataclass(frozen=True)
class Outlook:
    """What more labels would probably bring.

    batch: images of the next batch, 0 if none are left; pool: all images that can be labeled.
    """

    curves: Curves
    batch: int
    pool: int

    @property
    def gain(self) -> Forecast:
        """By how much the next batch raises the curve."""
        return self.curves.gain(self.batch)

    @property
    def full(self) -> Forecast | None:
        """The mAP measured with all labels; None where that is too far away to be told."""
        is_near = self.pool <= FARTHEST * self.curves.last
        return self.curves.measured_at(max(self.pool, self.curves.last)) if is_near else None

    @property
    def continued(self) -> pd.DataFrame:
        """The curve from the first measured point to all labels, or as far as can be told:
        `labeled_images`, and `mean`, `low` and `high` of the mAP that one run would have."""
        end = min(max(self.pool, self.curves.last), FARTHEST * self.curves.last)
        images = np.union1d(np.geomspace(self.curves.first, end, STEPS), list(self.marks.values()))
        images = np.union1d(images, self.curves.last)
        found = pd.DataFrame([asdict(self.curves.measured_at(one)) for one in images])
        return found.assign(labeled_images=images)

    @property
    def marks(self) -> dict[str, float]:
        """Where along the curve something is to be read, by name."""
        after = {"next batch": self.curves.last + self.batch} if self.batch else {}
        everything = {f"all {self.pool}": float(self.pool)} if self.full else {}
        return {name: at for name, at in (after | everything).items() if at >= self.curves.last}

    @property
    def text(self) -> str:
        """Both in a sentence."""
        if not self.batch:
            return "all images are labeled: there is no next batch"
        said = f"the next {_images(self.batch)} would probably bring {_told(self.gain)} mAP; "
        if self.full is None:
            return said + (
                f"all {self.pool} are too many to tell from {self.curves.last:.0f} labeled ones"
            )
        return said + f"all {self.pool} labels about {_told(self.full)}"


def look_ahead(table: pd.DataFrame, metric: str, batch: int, pool: int) -> Outlook:
    """What the next `batch` images and all `pool` would bring to runs of one kind.

    table: rows with `labeled_images` and `metric`; what was not measured is left out. Raises
    DataError for fewer than three numbers of labeled images.
    """
    rows = table.dropna(subset=metric)
    curves = fit_curves(rows["labeled_images"], rows[metric])
    return Outlook(curves, max(min(batch, pool - int(curves.last)), 0), pool)


def outlooks(
    table: pd.DataFrame, metric: str, batch: int, pool: int,
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


def outlook_of(record: RunRecord) -> str:
    """What more labels would bring to a run, or why that cannot be told; "" for a run in which no
    cycle was evaluated, or that has all labels from the start."""
    table, metric = record.metrics(), headline(record.config.preset)
    if not len(table) or card_of_run(record).labels_all or metric not in table:
        return ""
    try:
        return look_ahead(table, metric, *next_labels(record)).text
    except DataError as error:
        return error.what


def next_labels(record: RunRecord) -> tuple[int, int]:
    """How many images the run's next batch has, and how many can be labeled in all."""
    return record.budget, len(record.pool)


def labels_or_training(
    outlook: Outlook, table: pd.DataFrame, metric: str, full: float | None = None,
    falls: Mapping[str, float] | None = None,
) -> list[str]:  # fmt: skip
    """What the numbers say of whether labels or training is missing, a sentence each.

    table: the rows that the outlook is from. full: what all labels were measured to bring; falls:
    by run, which part of its loss still fell at the end of training (`loss_fall`).
    """
    said = []
    if full is not None and outlook.full is not None:
        said.append(_beside_full(outlook.full, full))
    first, last = outlook.curves.first, outlook.curves.last
    if last >= GROWN * first and not _has_risen(table, metric):
        said.append(
            f"From {first:.0f} to {last:.0f} labeled images mAP did not rise by more than chance: "
            "either these labels teach nothing new, or training does not use them. Longer training "
            "on the labels that are there tells which, and costs no labels."
        )
    for run, fall in (falls or {}).items():
        if fall >= FALLING:
            said.append(
                f"{run}: the loss on labeled images still fell by {100 * fall:.0f} % in the last "
                "fifth of its training: longer training may bring something without more labels."
            )
    return said or [
        "Nothing here says that training is what is missing; only a longer training on the same "
        "labels could."
    ]


def _beside_full(expected: Forecast, full: float) -> str:
    measured = f"All labels were measured to bring {full:.3f}, "
    if full > expected.high:
        return measured + (
            f"more than the curve leads to ({_told(expected)}): the runs on fewer labels are held "
            "back by something that labels alone do not change, such as how long they train."
        )
    if full < expected.low:
        return measured + (
            f"less than the curve leads to ({_told(expected)}): the runs do not train alike, or "
            "the curve has leveled off since."
        )
    return measured + f"as the curve leads one to expect ({_told(expected)})."


def _has_risen(table: pd.DataFrame, metric: str) -> bool:
    """Whether the mean mAP with the most labels is above that with the fewest by more than two
    trainings on the same labels differ by chance in 95 % of cases."""
    means = table.dropna(subset=metric).groupby("labeled_images")[metric].agg(["mean", "count"])
    ends = means.iloc[[0, -1]]
    chance = 1.96 * NOISE * np.sqrt((1 / ends["count"]).sum())
    return bool(ends["mean"].iloc[1] - ends["mean"].iloc[0] > chance)


def loss_falls(records: Mapping[str, RunRecord]) -> dict[str, float]:
    """By name, `loss_fall` of the newest trained cycle of each run that has one."""
    logs = {name: one.training_log(one.trained[-1]) for name, one in records.items() if one.trained}
    falls = {name: loss_fall(log) for name, log in logs.items()}
    return {name: fall for name, fall in falls.items() if fall is not None}


def loss_fall(log: pd.DataFrame) -> float | None:
    """By which part the loss on labeled images fell from the fourth to the last fifth of the last
    stage of a cycle's training log; None where fewer than ten steps were logged, or where it may be
    chance (twice its standard error). A loss that stands still proves nothing: the learning rate is
    low by then."""
    if not len(log):
        return None
    stage = log[log["stage"] == log["stage"].iloc[-1]]
    terms = [name for name in stage.dropna(axis=1, how="all") if name not in NOT_A_TERM]
    total = stage[terms].sum(axis=1).to_numpy()
    fifth = len(total) // 5
    if fifth < 2:
        return None
    before, after = total[-2 * fifth : -fifth], total[-fifth:]
    fall = before.mean() - after.mean()
    error = np.sqrt((before.var(ddof=1) + after.var(ddof=1)) / fifth)
    return float(fall / before.mean()) if fall > 2 * error else None


def _images(count: int) -> str:
    return f"{count} images" if count > 1 else "image"


def _told(forecast: Forecast) -> str:
    return f"{forecast.mean:.2f} ({forecast.low:.2f} to {forecast.high:.2f})"
