"""The interactive views of a run: in JupyterLab, in an executed notebook, and in a page alone.

contract: what Python and the scripts share, and the keys of what the scripts are given
stills: what stands for a view where it cannot live: a picture of what it shows, and a sentence
base: what the interactive views share: a script each, errors as sentences, pages without a kernel
batches: the batch that a cycle chose, as the views ask for it
cards: what the review board says of each image of a batch
looked_at: one cycle of a run as a view asks it: scores, what is labeled, what was selected
payload: all that the viewer's script needs to show one image, as JSON. Arrays are base64 texts
doubtful: labels of a run that may be wrong, as the review board shows them
board: the review board of the next batch: people decide, the run folder keeps what they decided
annotator: a small batch is labeled on a canvas in the notebook itself
space: the selection space: the images of a cycle by what the detector's features have in common
viewer: the uncertainty viewer: why an image was chosen, layer by layer and anchor by anchor
whatif: what if the batch had been chosen otherwise: other settings, the same detector, no training
"""

from miaod_nb.views.annotator import annotator
from miaod_nb.views.base import View, as_html, page
from miaod_nb.views.board import board
from miaod_nb.views.space import selection_space
from miaod_nb.views.viewer import uncertainty_viewer
from miaod_nb.views.whatif import what_if

__all__ = [
    "View", "annotator", "as_html", "board", "page", "selection_space", "uncertainty_viewer",
    "what_if",
]  # fmt: skip
