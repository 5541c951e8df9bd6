"""What more labels would probably bring, in words and as continued curves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from miaod_nb import plots
from miaod_nb.compare.labels_or_training import loss_falls
from miaod_nb.compare.outlook import Outlook, next_labels
from miaod_nb.compare.stop_or_go import full_of, outlooks
from miaod_nb.plots.look import are_full
from miaod_nb.report.beginning import shown_label
from miaod_nb.report.drawing import drawn_panels
from miaod_nb.report.measured import Measured, one_of_each
from miaod_nb.report.pieces import Facts, Picture, Piece, Text
from miaod_nb.report.reported import ReportedRun

MOST_PANELS = 6
COLUMNS = 2


def more_labels(group: Measured) -> list[Piece]:
    """The outlook of every strategy, or why it has none; [] where all have full supervision."""
    found: dict[str, Outlook] = {}
    said: dict[str, str] = {}
    for run in one_of_each([run for run in group.runs if not run.card.labels_all]):
        more, texts = _outlooks(group, run)
        found |= more
        said |= {shown_label(label): text for label, text in texts.items()}
    if not said:
        return []
    pieces: list[Piece] = [Text("Would more labels help? The curves so far, continued, say:")]
    return [*pieces, Facts(said), *([_figure(group, found)] if found else [])]


def _outlooks(group: Measured, run: ReportedRun) -> tuple[dict[str, Outlook], dict[str, str]]:
    """Of the strategy of a run: its rows, and full supervision beside them."""
    table = group.table
    own = table[(table["strategy"] == run.label) | are_full(table["strategy"])]
    records = {one.name: one.record for one in group.runs if one.label == run.label}
    return outlooks(own, group.metric, *next_labels(run.record), loss_falls(records))


def _figure(group: Measured, found: Mapping[str, Outlook]) -> Picture:
    shown = dict(list(found.items())[:MOST_PANELS])
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    more = f" The first {MOST_PANELS} of {len(found)} are shown."
    return drawn_panels(
        lambda panels: _draw(panels, group.table, group.metric, shown), (rows, columns),
        f"{group.metric} over the number of labeled images, continued: "
        + "; ".join(f"{shown_label(label)}: {one.text}" for label, one in shown.items()),
        "Points were measured, the line is the curve through them, dashed where it is continued. "
        "The band holds 95 % of what one run would be measured to have, if the next labels are of "
        "the kind of those so far and training stays as it is."
        + more * (len(found) > MOST_PANELS),
        (4.6 * columns + 0.6, 3.4 * rows),
    )  # fmt: skip


def _draw(
    panels: np.ndarray, table: pd.DataFrame, metric: str, found: Mapping[str, Outlook]
) -> None:
    for axes, (label, outlook) in zip(panels.flat, found.items(), strict=False):
        full = full_of(table, table[table["strategy"] == label], metric)
        plots.continued_curve(axes, table, label, outlook.continued, outlook.marks, metric, full)
    for axes in panels.flat[len(found) :]:
        axes.set_visible(False)
