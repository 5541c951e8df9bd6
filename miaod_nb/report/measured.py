"""Which runs can be compared by what, and what cannot be compared at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from miaod_nb.compare.curves import metric_of
from miaod_nb.compare.groups import SEEDS, differing, settings_of
from miaod_nb.evaluation import headline
from miaod_nb.plots.look import are_full
from miaod_nb.report.reported import ReportedRun

ABOUT = ("cycle", "strategy", "training", "labeled_images", "trained_images", "labeled_percent",
         "evaluated_on", "seed")  # fmt: skip
NOT_TOLD = {"strategy", "training", "data", *SEEDS}  # said elsewhere in the report


@dataclass(frozen=True)
class Measured:
    """Runs that were evaluated on the same images and classes, so that one figure may hold them.

    table: their `metrics.csv` with `run` and, as `strategy`, the label; metric: the full name of
    what they are compared by.
    """

    runs: Sequence[ReportedRun]
    table: pd.DataFrame
    metric: str

    @property
    def evaluated_on(self) -> str:
        """What the metrics are of, in words."""
        return ", ".join(dict.fromkeys(self.table["evaluated_on"]))

    @property
    def partial(self) -> pd.DataFrame:
        """The rows of `table` that are not of full supervision."""
        return self.table[~are_full(self.table["strategy"])]

    @property
    def full(self) -> pd.Series:
        """What each kind of full supervision reaches, by its label; empty if there is none."""
        rows = self.table[are_full(self.table["strategy"])].dropna(subset=self.metric)
        return rows.groupby("strategy", sort=False)[self.metric].mean()

    @cached_property
    def boxes(self) -> pd.DataFrame:
        """The rows of `table` of runs whose labels can be read, with `labeled_boxes`; full
        supervision is left out."""
        readable = {run.name: run for run in self.runs if run.boxes(0) is not None}
        rows = self.partial[self.partial["run"].isin(readable)]
        cycles = zip(rows["run"], rows["cycle"], strict=True)
        return rows.assign(
            labeled_boxes=[sum((readable[name].boxes(int(c)) or {}).values()) for name, c in cycles]
        )

    @property
    def last(self) -> pd.DataFrame:
        """The largest number of labeled images that all labels reached, and the mean of the metric
        there: one row a label (`strategy`, `labeled_images`, metric, `runs`), the best first."""
        partial = self.partial.dropna(subset=self.metric)
        labels = partial["strategy"].nunique()
        reached = partial.groupby("labeled_images")["strategy"].nunique()
        common = reached[reached == labels].index
        rows = partial[partial["labeled_images"] == (common.max() if len(common) else -1)]
        means = rows.groupby("strategy").agg(
            **{"labeled_images": ("labeled_images", "first"), self.metric: (self.metric, "mean"),
               "runs": ("run", "nunique")}
        )  # fmt: skip
        return means.sort_values(self.metric, ascending=False).reset_index()


def measured(runs: Sequence[ReportedRun]) -> list[Measured]:
    """The runs that were evaluated, those on the same images and classes together."""
    alike: dict[object, list[ReportedRun]] = {}
    for run in runs:
        if len(run.metrics):
            alike.setdefault((run.record.test, run.record.first_classes), []).append(run)
    found = []
    for members in alike.values():
        table = pd.concat([_rows(run) for run in members], ignore_index=True)
        found.append(Measured(members, table, metric_of(table)))
    return found


def _rows(run: ReportedRun) -> pd.DataFrame:
    metric = headline(run.record.config.preset)
    return run.metrics.assign(run=run.name, strategy=run.label, headline=metric)


def metric_names(table: pd.DataFrame) -> list[str]:
    """The columns of a table of metrics that are metrics."""
    return [name for name in table if name not in (*ABOUT, "run", "headline")]


def one_of_each(runs: Sequence[ReportedRun]) -> list[ReportedRun]:
    """The first run of every label: runs that differ in their seeds look alike."""
    return list({run.label: run for run in reversed(runs)}.values())[::-1]


def not_comparable(runs: Sequence[ReportedRun]) -> list[str]:
    """What a reader must not conclude from these runs side by side, a sentence each."""
    if len(runs) < 2:
        return []
    found = []
    begun = [run for run in runs if run.record.cycles and not run.card.labels_all]
    for what, values, so in (
        ("detect different classes", [run.record.first_classes for run in runs],
         "their mAPs are of different tasks and stand in separate figures"),
        ("were evaluated on different images", [run.record.test for run in runs],
         "their mAPs stand in separate figures, and one must not be held against the other"),
        ("choose from different images", [run.record.pool for run in runs],
         "a difference in mAP may come from the images alone"),
        ("began with different labeled images", [_first(run) for run in begun],
         "what they reach differs by that luck, too"),
        ("are judged by different metrics", [headline(run.record.config.preset) for run in runs],
         "they are compared by the one named at each figure"),
    ):  # fmt: skip
        if any(value != values[0] for value in values):
            found.append(f"The runs {what}: {so}.")
    names = differing([settings_of(run.record) for run in runs], but=NOT_TOLD)
    if names:
        found.append(f"Besides the strategy these settings differ: {', '.join(names)}. A "
                     "difference in mAP may come from them.")  # fmt: skip
    return found


def _first(run: ReportedRun) -> tuple[str, ...]:
    """The images labeled first, in the order of their ids."""
    return tuple(sorted(run.record.labeled(0)))
