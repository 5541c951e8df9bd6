"""Figures: arrays and tables in, Axes out; interactive views of a run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from miaod_nb.experiment.cycle import Experiment
    from miaod_nb.show.widgets import View


def board(run: "Experiment", cycle: int | None = None) -> "View":
    """The review board of a batch: see `miaod_nb.show.widgets.board`."""
    from miaod_nb.show import widgets  # only notebooks have what these need

    return widgets.board(run, cycle)
