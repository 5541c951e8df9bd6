"""The active-learning cycle: steps over a run folder, and who walks them.

first_choice: which images are labeled first where what pictures look like decides it
imported: sets of images that are labeled or chosen before a run draws any, kept in its folder
dataset: the data of an experiment: which images, which classes, and which labels may be read when
preparing: reads the data of an experiment: its images, the first sets
training: the training steps of a cycle: batches in a reproducible order, and a state that survives
state: what a run works with, and what it has found so far
pricing: what labels are expected to cost, as far as a run has learned it
selecting: what a strategy sees in the images of a cycle, and what it chooses among them
steps: what the steps of a cycle do; their results are files of the run folder
run: the active-learning experiment: named steps, whose results are files of the run folder
parameters: a notebook's parameters, as people and papermill give them
opening: how an experiment is begun or continued: by a preset and its data
beginning: a run on a folder of one's own images: begun, and what was found there in words
together: several experiments at once
grid: a grid of recipes x strategies x seeds, read from a file and checked
grid_runs: runs a grid, several runs at once
"""

from miaod_nb.experiment.opening import open_run
from miaod_nb.experiment.run import Run, Step
from miaod_nb.experiment.together import run_all, running_beside

__all__ = ["Run", "Step", "open_run", "run_all", "running_beside"]
