"""Learning curves of several runs: one table and one figure, in files."""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from miaod_nb import plots
from miaod_nb.authors.work_folder import EVALUATED_ON, is_work_folder, read_work_folder
from miaod_nb.compare.groups import label_runs, refuse_other_data
from miaod_nb.errors import DataError
from miaod_nb.evaluation import VOC07_AP, VOC12_AP, headline
from miaod_nb.plots.look import are_full
from miaod_nb.runs.cells import without_formulas
from miaod_nb.runs.outputs import check_out, out_folder
from miaod_nb.runs.record import RunRecord, is_run, nearest_run
from miaod_nb.runs.tables import read_metrics

OVER = {"images": "labeled_images", "boxes": "labeled_boxes", "minutes": "labeling_minutes"}
AUTHORS_CODE = "MI-AOD, authors' code"


def gather_metrics(runs: Sequence[Path]) -> pd.DataFrame:
    """The metrics of several runs as one table, a row a run and cycle.

    `strategy` names runs of one kind alike, and no others: `label_runs` says how. `headline` is the
    metric that the run's preset is judged by. labeled_boxes and labeling_minutes: all that people
    drew so far, and how long that takes at the run's image_seconds and box_seconds; NaN where a run
    did not count boxes. A work folder of the authors' code may stand among
    the runs. Runs with full supervision add the column "ratio to full", of the metric that
    `metric_of` names, or, of several kinds, one for each: "ratio to full (training=mi_aod)". Raises
    DataError for a folder without metrics, and for runs on other data.
    """
    records = [RunRecord.open(run) for run in map(Path, runs) if is_run(run)]
    refuse_other_data(records)
    labels = {one.root: label for one, label in zip(records, label_runs(records), strict=True)}
    tables = [rows_of(run).assign(**_kind(run, labels)) for run in map(Path, runs)]
    table = pd.concat(tables, ignore_index=True)
    metric = metric_of(table)
    ratios = {}
    for label, rows in table[are_full(table["strategy"])].groupby("strategy", sort=False):
        full = rows.groupby("evaluated_on")[metric].mean()
        ratios[f"{metric}, ratio to {label}"] = table[metric] / table["evaluated_on"].map(full)
    return table.assign(**ratios)


def _kind(run: Path, labels: Mapping[Path, str]) -> dict[str, str]:
    """The strategy that a run is named by; of a folder with a table alone, what the table says."""
    return {"strategy": labels[run]} if run in labels else {}


def metric_of(table: pd.DataFrame) -> str:
    """The metric to compare the rows by: their headline, VOC12 where these differ, or VOC07 where a
    row, as those of the authors' code, has no other."""
    headlines = table["headline"].unique()
    metric = headlines[0] if len(headlines) == 1 else VOC12_AP
    return metric if metric in table and table[metric].notna().all() else VOC07_AP


def rows_of(run: Path) -> pd.DataFrame:
    """The metrics of one run or work folder, as `gather_metrics` has them. Raises DataError where
    there are none."""
    path = run / "metrics.csv"
    if not path.is_file() and is_work_folder(run):
        return _rows_of_work_folder(run)
    if not path.is_file():
        raise _nothing_measured(path)
    table = read_metrics(path)
    if not len(table):
        raise _nothing_measured(path)
    record = RunRecord.open(run) if is_run(run) else None
    table = table.assign(run=run.name, headline=headline(record.config.preset if record else ""))
    return table.assign(**_cost(table, record)) if record else table


def _cost(table: pd.DataFrame, record: RunRecord) -> dict[str, pd.Series]:
    """The boxes and the minutes of the labels that a run had in the cycles of its table."""
    config = record.config
    boxes = pd.Series([_boxes(record, cycle) for cycle in table["cycle"]], table.index, float)
    seconds = config.image_seconds * table["labeled_images"] + config.box_seconds * boxes
    return {OVER["boxes"]: boxes, OVER["minutes"]: (seconds / 60).round(1)}


def _boxes(record: RunRecord, cycle: int) -> float:
    counts = record.labels(cycle).get("boxes") if record.labels_noted(cycle) else None
    return math.nan if counts is None else sum(counts.values())


def _nothing_measured(path: Path) -> DataError:
    return DataError("there are no metrics in this folder", where=path,
                     remedy=f"{nearest_run(path.parent)}name run folders in which a cycle was "
                     "evaluated, or work folders of the authors' code")  # fmt: skip


def _rows_of_work_folder(run: Path) -> pd.DataFrame:
    work = read_work_folder(run)
    if not work.mean_ap:
        raise DataError("no mAP was logged in this work folder", where=work.path / "*.log.json",
                        remedy="put its log file there")  # fmt: skip
    rows = [
        {"cycle": cycle, "strategy": AUTHORS_CODE, "labeled_images": len(work.labeled[cycle]),
         "evaluated_on": EVALUATED_ON, VOC07_AP: value, "run": run.name, "headline": VOC07_AP}
        for cycle, value in enumerate(work.mean_ap)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _refuse_uncounted(table: pd.DataFrame, over: str) -> None:
    """Raises DataError for a run that has no place on the axis. Full supervision needs none."""
    partial = table[~are_full(table["strategy"])].reindex(columns=[*table, *({over} - {*table})])
    unknown = partial.loc[partial[over].isna(), "run"]
    if len(unknown):
        raise DataError(
            f"how many boxes the labels of {unknown.iloc[0]} have is not known", where="--by",
            remedy="leave that run out, or draw the curves by images: work folders of the authors' "
            "code and runs of early versions did not count boxes",
        )  # fmt: skip


def save_curves(runs: Sequence[Path], out: Path, by: str = "images") -> list[Path]:
    """Writes `curves.csv` and `curves.png` of these runs into the folder `out`. by: what labels
    cost there, a name in OVER. Raises DataError for another one, and for runs that did not count
    it."""
    check_out(out)
    if by not in OVER:
        raise DataError(f"there are no curves by {by}", where="--by",
                        remedy=f"choose one of: {', '.join(OVER)}")  # fmt: skip
    table = gather_metrics(runs)
    _refuse_uncounted(table, OVER[by])
    image = io.BytesIO()
    with plots.style():
        figure, axes = plt.subplots()
        plots.learning_curves(axes, table, metric_of(table), OVER[by])
        measured = ", ".join(sorted(set(table["evaluated_on"])))
        told = ", minutes: as image_seconds and box_seconds say" * (by == "minutes")
        axes.set_title(f"evaluated on: {measured}{told}", fontsize=10, loc="left")
        figure.savefig(image, format="png")
        plt.close(figure)
    with out_folder(out) as folder:
        text = without_formulas(table).to_csv(index=False, float_format="%.4f")
        folder.save_text("curves.csv", text)
        folder.save_bytes("curves.png", image.getbuffer())
    return [out / "curves.csv", out / "curves.png"]
