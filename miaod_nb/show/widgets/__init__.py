"""The interactive views of a run: in JupyterLab, in an executed notebook, and in a page alone."""

from miaod_nb.show.widgets.base import View, as_html, page
from miaod_nb.show.widgets.viewer import uncertainty_viewer

__all__ = ["View", "as_html", "page", "uncertainty_viewer"]
