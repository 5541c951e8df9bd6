"""The curves of a run's training."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from miaod_nb import plots
from miaod_nb.report.drawing import drawn_panels
from miaod_nb.report.pieces import Picture, Piece, Text
from miaod_nb.report.reported import ReportedRun
from miaod_nb.runs.steps import shown


def losses(run: ReportedRun) -> list[Piece]:
    """The losses of the newest cycle that logged some."""
    for cycle in reversed(range(run.record.cycles)):
        log = run.record.training_log(cycle)
        if len(log):
            return [_losses(run, cycle, list(dict.fromkeys(log["stage"])))]
    return [Text(f"The losses of {run.name} are not told: no training step was logged.")]


def _losses(run: ReportedRun, cycle: int, stages: Sequence[str]) -> Picture:
    """A panel for each kind of stage: with labels alone, and with unlabeled images."""
    kinds = [[s for s in stages if s.startswith(kind)] for kind in
             ("label_set", "minimize", "maximize")]  # fmt: skip
    kinds = [kind for kind in kinds if kind]
    adversarial = "; in the stage maximize the agreement of the two classifiers falls on purpose"
    return drawn_panels(
        partial(_draw_losses, run=run, cycle=cycle, kinds=kinds), (len(kinds), 1),
        f"Losses while cycle {cycle} of {run.name} was trained",
        f"{run.name}: the terms of the loss in cycle {cycle}, stages of one kind end to end. "
        "Falling curves are what training wants" + adversarial * (len(kinds) > 1) + ".",
        (7, 2.6 * len(kinds) + 0.4),
    )  # fmt: skip


def _draw_losses(
    panels: np.ndarray, run: ReportedRun, cycle: int, kinds: Sequence[Sequence[str]]
) -> None:
    for axes, stages in zip(panels[:, 0], kinds, strict=True):
        plots.training_curves(axes, run.record.loss_terms(cycle, stages))
        axes.set_title(", ".join(map(shown, stages)), loc="left", fontsize=10)
