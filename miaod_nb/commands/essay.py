"""One HTML page of the executed notebooks, whole without a network."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import nbformat
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from miaod_nb.views.base import fragment

# A formula in Markdown: $$block$$ or $inline$; code spans are matched first and left alone.
_FORMULA = re.compile(r"(`[^`]*`)|\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)

_SHOWN_WIDGET = "application/vnd.jupyter.widget-view+json"
_WIDGET_STATES = "application/vnd.jupyter.widget-state+json"

_SWITCH = """
<style>
  body.jp-Notebook { max-width: 62rem; margin: 0 auto; }
  body:not(.with-code) .jp-CodeCell > .jp-Cell-inputWrapper { display: none; }
  .jp-InputPrompt, .jp-OutputPrompt { display: none; }
  #code-switch { position: fixed; top: 0.6rem; right: 1rem; z-index: 9; }
</style>
<button id="code-switch" onclick="document.body.classList.toggle('with-code')">code</button>
"""


def report_page(notebooks: Sequence[NotebookNode], title: str) -> str:
    """The notebooks' text and results, one after the other, as an HTML page.

    Code is there but hidden until the reader asks for it. Nothing is loaded from elsewhere; the
    interactive views work without a kernel, on what their notebooks have saved.
    """
    page = nbformat.v4.new_notebook()
    for notebook in notebooks:
        states = notebook.metadata.get("widgets", {}).get(_WIDGET_STATES, {}).get("state", {})
        page.cells += [_for_page(cell, states) for cell in notebook.cells if _is_shown(cell)]
    exporter = HTMLExporter(template_name="lab", exclude_input_prompt=True, require_js_url="")
    html, _ = exporter.from_notebook_node(page, {"metadata": {"name": title}})
    html = re.sub(r"<script[^>]*src=[^>]*>\s*</script>", "", html)  # MathJax, from a network
    return html.replace("</body>", _SWITCH + "</body>")


def _is_shown(cell: NotebookNode) -> bool:
    """Parameters stand in the executed notebooks; a reader of the page does not need them."""
    return not {"parameters", "injected-parameters"} & set(cell.metadata.get("tags", []))


def _for_page(cell: NotebookNode, states: Mapping[str, Any]) -> NotebookNode:
    for output in cell.get("outputs", []):
        shown = output.get("data", {}).get(_SHOWN_WIDGET, {}).get("model_id")
        state = states.get(shown, {}).get("state", {})
        if "_esm" in state:
            output.data = {"text/html": fragment(state)}
    if cell.cell_type == "markdown":
        cell.source = _FORMULA.sub(_math, cell.source)
        cell.source = re.sub(r"\]\((\w+\.ipynb)\)", r"](notebooks/\1)", cell.source)
    return cell


def _math(match: re.Match[str]) -> str:
    code, block, inline = match.groups()
    if code:
        return code
    return convert(block or inline, display="block" if block else "inline")
