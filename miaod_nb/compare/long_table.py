"""The long table of many runs, a row a run and cycle, and its rows under resampled test images."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from miaod_nb.boxes import Objects
from miaod_nb.compare.curves import OVER, rows_of
from miaod_nb.compare.grid_results import RESAMPLED, TABLE
from miaod_nb.compare.groups import (
    SEEDS,
    refuse_other_data,
    refuse_other_metrics,
    refuse_other_settings,
)
from miaod_nb.errors import DataError
from miaod_nb.evaluation import COCO_AP, COCO_AP50, COCO_AP75, VOC07_AP, VOC12_AP
from miaod_nb.evaluation.resampling import draw_resamples, resampled_voc12
from miaod_nb.passes.kept_detections import load_detections
from miaod_nb.progress import progress, say
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.record import RunRecord, is_run
from miaod_nb.selection.registry import card_of_run

KEYS = ["recipe", "training", "selection", "seed", "cycle"]
COSTS = ["images", "boxes", "minutes"]
METRICS = [VOC12_AP, VOC07_AP, COCO_AP, COCO_AP50, COCO_AP75]


class Member(NamedTuple):
    """A run that takes part, and what its recipe and its selection are called."""

    run_dir: Path
    recipe: str
    selection: str


def members_of(runs: Sequence[Path]) -> list[Member]:
    """Runs of no grid: a recipe is called by what it trains on, a selection by its strategy. Raises
    DataError for runs that differ in more than training, choice and seeds."""
    records = [RunRecord.open(run) for run in runs]
    _refuse_other_recipes(records)
    return [Member(one.root, _training(one), card_of_run(one).name) for one in records]


def long_table(members: Sequence[Member]) -> pd.DataFrame:
    """A row for every run and evaluated cycle: KEYS, COSTS and METRICS.

    training: label_set or mi_aod. images, boxes, minutes: what was labeled so far, and how long
    that takes at the run's image_seconds and box_seconds; no boxes and minutes where a run did not
    count them. Raises DataError for runs that cannot stand in one table: on other data, judged by
    another metric, of one recipe or selection but other settings, or one run twice.
    """
    records = [RunRecord.open(member.run_dir) for member in members]
    tables = [rows_of(member.run_dir) for member in members]
    refuse_other_metrics(records)
    refuse_other_data(records, ("first_classes", "pool"))
    # Without a test list every split has a holdout of its own.
    splits = [
        one.config.split_seed if is_held_out(rows) else -1
        for one, rows in zip(records, tables, strict=True)
    ]
    for alike in _grouped(records, splits):
        refuse_other_data(alike)
    for alike in _grouped(records, [member.recipe for member in members]):
        _refuse_other_recipes(alike)
    for alike in _grouped(records, [(member.recipe, member.selection) for member in members]):
        refuse_other_settings(alike, SEEDS)
    rows = [_named(*one) for one in zip(tables, members, records, strict=True)]
    table = pd.concat(rows, ignore_index=True)
    _refuse_doubled(table)
    return table


def is_held_out(rows: pd.DataFrame) -> bool:
    """Whether a run is measured on some of its first labeled images, for want of a test list.
    rows: its metrics."""
    return bool(rows["evaluated_on"].str.startswith("holdout (").any())


def _training(record: RunRecord) -> str:
    return card_of_run(record).training_of(record.config.training)


def _grouped(records: Sequence[RunRecord], keys: Sequence[Hashable]) -> Iterator[list[RunRecord]]:
    for key in dict.fromkeys(keys):
        yield [record for record, own in zip(records, keys, strict=True) if own == key]


def _refuse_other_recipes(records: Sequence[RunRecord]) -> None:
    """Raises DataError for runs that differ in more than training, choice and seeds."""
    of_choice = {name for record in records for name in card_of_run(record).settings}
    refuse_other_settings(records, {"strategy", "training", *of_choice, *SEEDS})


def _named(rows: pd.DataFrame, member: Member, record: RunRecord) -> pd.DataFrame:
    """The rows of a run as the long table has them."""
    costs = {name: rows[OVER[name]] for name in COSTS}
    table = rows.assign(
        recipe=member.recipe, training=_training(record), selection=member.selection,
        seed=record.config.seed, **costs,
    ).reindex(columns=KEYS + COSTS + METRICS)  # fmt: skip
    whole = dict.fromkeys(["cycle", "images", "boxes"], "Int64")
    return table.astype(whole).round(dict.fromkeys(METRICS, 6))


def _refuse_doubled(table: pd.DataFrame) -> None:
    double = table[table.duplicated(["recipe", "selection", "seed", "cycle"])]
    if len(double):
        row = double.iloc[0]
        raise DataError(
            f"two runs are of recipe {row['recipe']}, selection {row['selection']} and seed "
            f"{row['seed']}", where="the runs of the table",
            remedy="leave one of them out, or give its recipe or selection another name",
        )  # fmt: skip


def resampled_row(
    member: Member, cycle: int, truths: Mapping[str, Objects], draws: np.ndarray
) -> np.ndarray | None:
    """VOC12 AP of a cycle's detector under each resample of the test images, float32 (B,); NaN
    where none of the drawn images shows a class that the test images have. None, said, where the
    detections are not kept any more.

    truths: labels of the test images by id. draws: (B, images), how often a resample has each.
    """
    record = RunRecord.open(member.run_dir)
    found = load_detections(record.folder, cycle, list(truths))
    if found is None:
        say(f"{record.name}: no resamples of cycle {cycle}: its detections are gone")
        return None
    classes = len(record.classes_of(cycle))
    values = resampled_voc12([*found.values()], [*truths.values()], classes, draws)
    return values.astype(np.float32)


class LongTable:
    """The two files of a grid's folder, written while it runs.

    members: all runs of the grid, in the order of the rows. truths: labels of the test images by
    id; None where no test list is there that all runs share: then nothing is resampled.
    """

    def __init__(
        self, folder: RunFolder, members: Sequence[Member], truths: Mapping[str, Objects] | None
    ) -> None:
        self._folder, self._members, self._truths = folder, members, truths
        self._rows: dict[tuple[Member, int], np.ndarray | None] = {}  # each is resampled once

    def update(self) -> None:
        """Writes both files with all that was measured so far; none before anything was."""
        there = [one for one in self._members if has_metrics(one.run_dir)]
        if not there:
            return
        self._folder.save_text(TABLE, long_table(there).to_csv(index=False))
        if self._truths is not None:
            self._folder.save_parquet(RESAMPLED, self._resampled(there, self._truths))

    def _resampled(self, members: Sequence[Member], truths: Mapping[str, Objects]) -> pd.DataFrame:
        """recipe, selection, seed, cycle, r0, r1, ...: a row for each cycle whose detections are
        kept."""
        draws = draw_resamples(len(truths))
        cycles = [(one, cycle) for one in members for cycle in rows_of(one.run_dir)["cycle"]]
        new = [key for key in cycles if key not in self._rows]
        for one, cycle in progress(new, "resampling the test images"):
            self._rows[one, cycle] = resampled_row(one, cycle, truths, draws)
        kept = [(key, row) for key in cycles if (row := self._rows[key]) is not None]
        keys = [
            (one.recipe, one.selection, RunRecord.open(one.run_dir).config.seed, cycle)
            for (one, cycle), _ in kept
        ]
        names = ["recipe", "selection", "seed", "cycle"]
        values = np.array([row for _, row in kept], np.float32).reshape(-1, len(draws))
        columns = [f"r{i}" for i in range(len(draws))]
        return pd.concat(
            [pd.DataFrame(keys, columns=names), pd.DataFrame(values, columns=columns)], axis=1
        )


def has_metrics(run_dir: Path) -> bool:
    """Whether a run was begun there and has measured a cycle."""
    return is_run(run_dir) and len(RunRecord.open(run_dir).metrics()) > 0
