"""The interactive views of a run: in JupyterLab, in an executed notebook, and in a page alone."""

from miaod_nb.views.base import View, as_html, page
from miaod_nb.views.board import board
from miaod_nb.views.space import selection_space
from miaod_nb.views.viewer import uncertainty_viewer
from miaod_nb.views.whatif import what_if

__all__ = [
    "View", "as_html", "board", "page", "selection_space", "uncertainty_viewer", "what_if",
]  # fmt: skip
