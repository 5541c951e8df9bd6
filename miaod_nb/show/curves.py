"""Learning curves of several runs: one table and one figure, in files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from miaod_nb.errors import DataError
from miaod_nb.evaluation import VOC12_AP
from miaod_nb.show import plots
from miaod_nb.show.plots.lines import FULL


def gather_metrics(runs: Sequence[Path]) -> pd.DataFrame:
    """The metrics of several runs as one table, a row a run and cycle.

    A run with full supervision on the same images adds the column "ratio to full". Raises
    DataError for a folder without metrics.
    """
    tables = []
    for run in runs:
        path = Path(run) / "metrics.csv"
        if not path.is_file():
            raise DataError("there are no metrics in this folder", where=path,
                            remedy="name run folders in which a cycle was evaluated")  # fmt: skip
        table = pd.read_csv(path) if path.stat().st_size > 1 else pd.DataFrame()
        if not {"strategy", "labeled_images", "evaluated_on", VOC12_AP} <= set(table.columns):
            raise DataError(
                "this is not a table of metrics", where=path, remedy="name run folders of miaod"
            )
        tables.append(table.assign(run=Path(run).name))
    table = pd.concat(tables, ignore_index=True)
    full: Mapping[str, float] = (
        table[table["strategy"] == FULL].groupby("evaluated_on")[VOC12_AP].mean().to_dict()
    )
    if full:
        table[f"{VOC12_AP}, ratio to full"] = table[VOC12_AP] / table["evaluated_on"].map(full)
    return table


def save_curves(runs: Sequence[Path], out: Path) -> list[Path]:
    """Writes `curves.csv` and `curves.png` of these runs into the folder `out`."""
    table = gather_metrics(runs)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"the folder cannot be made ({error.strerror})", where=out,
                        remedy="choose another --out") from error  # fmt: skip
    table.to_csv(out / "curves.csv", index=False, float_format="%.4f")
    with plots.style():
        figure, axes = plt.subplots()
        plots.learning_curves(axes, table)
        measured = ", ".join(sorted(set(table["evaluated_on"])))
        axes.set_title(f"evaluated on: {measured}", fontsize=10, loc="left")
        figure.savefig(out / "curves.png")
        plt.close(figure)
    return [out / "curves.csv", out / "curves.png"]
