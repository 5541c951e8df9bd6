"""What several runs on the same data did differently: tables for notebook 06."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from miaod_nb.compare.groups import label_runs
from miaod_nb.evaluation import VOC12_AP
from miaod_nb.experiment import Run
from miaod_nb.plots.look import FULL
from miaod_nb.runs.record import RunRecord
from miaod_nb.selection.registry import card_of_run
from miaod_nb.toy.toy import DIFFICULTY


def folders_to_compare(runs: Sequence[Run], work_folder: str = "") -> list[Path]:
    """The run folders, that of full supervision beside the first if it has been evaluated, and a
    work folder of the authors' code if one is named."""
    folders = [run.folder.root for run in runs]
    full = folders[0].with_name(f"{folders[0].name}-{FULL}")
    folders += [full] * (full not in folders and (full / "metrics.csv").is_file())
    return folders + [Path(str(work_folder))] * bool(work_folder)


def class_results(records: Sequence[RunRecord], labels: Sequence[str] = ()) -> pd.DataFrame:
    """AP of every class in every evaluated cycle: strategy, as `label_runs` or `labels` names it,
    labeled_images, class and every metric; the class with the most objects among the evaluated
    images first. Empty if no cycle recorded its classes."""
    tables = [
        record.per_class(int(row["cycle"])).assign(
            strategy=label, labeled_images=row["labeled_images"]
        )
        for record, label in zip(records, labels or label_runs(records), strict=True)
        for _, row in record.metrics().iterrows()
    ]
    found = [table for table in tables if len(table)]
    if not found:
        return pd.DataFrame()
    order: dict[str, Any] = {"ascending": False, "kind": "stable", "ignore_index": True}
    return pd.concat(found).sort_values("num_objects", **order)


def labeling_cost(runs: Sequence[Run], metric: str = VOC12_AP) -> pd.DataFrame:
    """How many images and boxes each cycle had labels of, and what they bought: run, strategy,
    cycle, labeled_images, labeled_boxes (all that people drew) and the metric (NaN where an
    imported cycle has none)."""
    rows = []
    labels = label_runs([run.record for run in runs])
    for run, label in zip(runs, labels, strict=True):
        for _, row in run.metrics().iterrows():
            boxes = sum(run.labels(row["cycle"]).get("boxes", {}).values())
            rows.append({
                "run": run.record.name, "strategy": label, "cycle": row["cycle"],
                "labeled_images": row["labeled_images"], "labeled_boxes": boxes,
                metric: row.get(metric, np.nan),
            })  # fmt: skip
    return pd.DataFrame(rows)


def shares_of_kinds(runs: Sequence[Run]) -> pd.DataFrame:
    """Which share of the images that runs chose is of each kind: indexed by kind, a column `pool`
    and one for every label of `label_runs`, whose runs count together; full supervision, which
    chooses nothing, has none. Empty for data that do not say of what kind an image is."""
    path = runs[0].data_root / DIFFICULTY
    if not path.is_file():
        return pd.DataFrame()
    kinds = pd.read_csv(path, dtype={"id": str}).set_index("id")["kind"]
    records = [run.record for run in runs]
    ids = {"pool": list(records[0].pool)}
    for record, label in zip(records, label_runs(records), strict=True):
        if not card_of_run(record).labels_all:
            first = set(record.labeled(0))
            chosen = [i for i in record.labeled(record.cycles - 1) if i not in first]
            ids.setdefault(label, []).extend(chosen)
    shares = {name: kinds.reindex(of).value_counts(normalize=True) for name, of in ids.items()}
    table = pd.DataFrame(shares)
    return table.fillna(0.0).sort_values("pool", ascending=False)
