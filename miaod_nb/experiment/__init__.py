"""The active-learning cycle as a resumable list of steps over a run folder."""

from miaod_nb.experiment.cycle import Experiment, Step, run

__all__ = ["Experiment", "Step", "run"]
