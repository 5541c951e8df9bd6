"""The active-learning cycle as a resumable list of steps over a run folder."""

from miaod_nb.experiment.opening import open_run
from miaod_nb.experiment.run import Run, Step
from miaod_nb.experiment.together import run_all, running_beside

__all__ = ["Run", "Step", "open_run", "run_all", "running_beside"]
