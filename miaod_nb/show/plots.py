"""Figures of results. Every function draws on the Axes it is given and returns it."""

from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from miaod_nb.errors import DataError
from miaod_nb.evaluation import VOC12_AP

# One role, one look, in every figure; line and marker tell them apart without color.
STYLES: dict[str, dict[str, str]] = {
    "mi_aod": {"color": "#0072B2", "linestyle": "-", "marker": "o", "label": "MI-AOD"},
    "entropy": {"color": "#D55E00", "linestyle": "--", "marker": "s", "label": "entropy"},
    "random": {"color": "#999999", "linestyle": ":", "marker": "^", "label": "random"},
}
OTHER_STYLE = {"color": "#882255", "linestyle": "-.", "marker": "D"}
FULL = "full"


def learning_curves(axes: Axes, table: pd.DataFrame, metric: str = VOC12_AP) -> Axes:
    """mAP over labeled images: a thin line a run, a thick one for the mean of a strategy's runs.

    table: rows of `metrics.csv` files, with `strategy`, `run`, `labeled_images` and `metric`
    (0 to 1). Full supervision is a horizontal line. The mAP axis begins at 0.
    """
    axes.set(xlabel="labeled images", ylabel=metric, ylim=(0, max(1.1 * table[metric].max(), 0.1)))
    ends: dict[str, float] = {}
    partial = table[table["strategy"] != FULL]
    for strategy, rows in partial.groupby("strategy", sort=False):
        style = STYLES.get(str(strategy), OTHER_STYLE | {"label": str(strategy)})
        runs = [run for _, run in rows.groupby("run")]
        if len(runs) > 1:
            for run in runs:
                axes.plot(run["labeled_images"], run[metric], color=style["color"], linewidth=0.8)
        mean = rows.groupby("labeled_images")[metric].mean()
        axes.plot(mean.index, mean.to_numpy(), **style)  # type: ignore[arg-type]
        ends[style["label"]] = mean.iloc[-1]
    full = table.loc[table["strategy"] == FULL, metric]
    if len(full):
        axes.axhline(full.mean(), color="black", linewidth=1)
        ends["all labels"] = full.mean()
    for label, height in _apart(ends, gap=0.05 * axes.get_ylim()[1]).items():
        axes.annotate(label, (1.01, height), xycoords=("axes fraction", "data"), va="center")
    axes.set_xticks(sorted(partial["labeled_images"].unique()))
    return axes


def _apart(heights: Mapping[str, float], gap: float) -> dict[str, float]:
    """The same heights, raised where needed to lie at least `gap` apart."""
    placed: dict[str, float] = {}
    lowest = float("-inf")
    for label, height in sorted(heights.items(), key=lambda item: item[1]):
        placed[label] = max(height, lowest)
        lowest = placed[label] + gap
    return placed


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
    with (
        as_file(files("miaod_nb.show") / "miaod.mplstyle") as style,
        plt.style.context(style),
    ):
        figure, axes = plt.subplots()
        learning_curves(axes, table)
        measured = ", ".join(sorted(set(table["evaluated_on"])))
        axes.set_title(f"evaluated on: {measured}", fontsize=10, loc="left")
        figure.savefig(out / "curves.png")
        plt.close(figure)
    return [out / "curves.csv", out / "curves.png"]
