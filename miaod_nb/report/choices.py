"""The part of a report about the images that were chosen, and why."""

from collections.abc import Sequence

from miaod_nb import plots
from miaod_nb.report.data_part import class_mixes
from miaod_nb.report.drawing import drawn
from miaod_nb.report.gallery import gallery
from miaod_nb.report.measured import one_of_each
from miaod_nb.report.pieces import Piece, Section, Text
from miaod_nb.report.reported import ReportedRun
from miaod_nb.selection.choosing import cost_text


def choices(runs: Sequence[ReportedRun]) -> Section:
    """Scores, classes, the newest batch of every kind of run, and heat maps."""
    kinds = [run for run in one_of_each(runs) if not run.card.labels_all]
    pieces: list[Piece] = [plot for run in kinds for plot in _histogram(run)]
    pieces += class_mixes(runs)
    for run in kinds:
        pieces += gallery(run)
    return Section("What was chosen", pieces or [Text("No cycle has chosen images yet.")])


def _histogram(run: ReportedRun) -> list[Piece]:
    cycle = run.record.last_selection
    column = run.card.ranks_by
    if cycle is None or column is None or not run.record.has_scores(cycle):
        return []
    table = run.record.scores(cycle, ["id", column]).rename(columns={column: "score"})
    chosen = table["id"].isin(run.record.selected(cycle)).to_numpy()
    is_uncertainty = run.card.explained_by == "discrepancy"
    best = "The highest are chosen"
    if cost_text(run.record.selection(cycle)):
        best = "The highest for what their labels are expected to cost are chosen"
    if run.card.passes_over:
        best += ", but for those that the run passes over for other reasons"
    name = "image uncertainty" if is_uncertainty else f"score of {run.label}"
    return [drawn(
        lambda axes: plots.score_histogram(
            axes, table["score"].to_numpy(), chosen, name, run.label
        ),
        f"Scores of the pool in cycle {cycle} of {run.name}",
        f"{run.name}: the scores of all images that cycle {cycle} could choose from. "
        f"{best}; few images far on the right mean that the detector has clear favorites.",
    )]  # fmt: skip
