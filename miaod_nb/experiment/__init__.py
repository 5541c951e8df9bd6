"""The active-learning cycle as a resumable list of steps over a run folder."""

from miaod_nb.experiment.cycle import Experiment, Step
from miaod_nb.experiment.opening import open_run, run
from miaod_nb.experiment.together import run_all, running_beside

__all__ = ["Experiment", "Step", "open_run", "run", "run_all", "running_beside"]
