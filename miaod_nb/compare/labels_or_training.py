"""Whether labels or training is what is missing, as far as the numbers say."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from miaod_nb.compare.outlook import Outlook, told
from miaod_nb.evaluation.extrapolation import NOISE, Forecast
from miaod_nb.runs.record import RunRecord
from miaod_nb.runs.steps import NOT_A_TERM

GROWN = 1.4  # times the first labels: so many more, and mAP should have risen
FALLING = 0.05  # part of its height by which a loss still falls in the last fifth of training


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
    measured, curve = f"All labels were measured to bring {full:.3f}", told(expected)
    if full > expected.high:
        return (
            f"{measured}, more than the {curve} that the curve leads to: either it turns upwards "
            "later on, or the runs on fewer labels are held back by something else than labels, "
            "such as how long they train."
        )
    if full < expected.low:
        return (
            f"{measured}, less than the {curve} that the curve leads to: either it levels off "
            "sooner, or the run on all labels was trained too little for them."
        )
    return f"{measured}, and the curve leads to {curve}: the two agree."


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
