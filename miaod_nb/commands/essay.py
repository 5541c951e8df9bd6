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

_HEADING = re.compile(r"^#+ ", re.MULTILINE)
_SHOWN_WIDGET = "application/vnd.jupyter.widget-view+json"
_WIDGET_STATES = "application/vnd.jupyter.widget-state+json"

# The theme's colors are those of nbconvert; on paper they stay light.
_STYLE = """
<style>
  :root { color-scheme: light dark; }
  @media screen and (prefers-color-scheme: dark) {
    DARK
    .jp-RenderedImage img { filter: brightness(0.92); }
  }
  body.jp-Notebook { max-width: 62rem; margin: 0 auto; }
  .jp-RenderedMarkdown { overflow-wrap: anywhere; }
  body:not(.with-code) .jp-CodeCell > .jp-Cell-inputWrapper { display: none; }
  .jp-InputPrompt, .jp-OutputPrompt { display: none; }
  .jp-RenderedText pre, .jp-InputArea pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  /* On narrow pages nbconvert makes a table's row of it, which cannot scroll. */
  .jp-OutputArea-child .jp-OutputArea-output {
    display: block; overflow-x: auto; box-sizing: border-box; width: auto; margin: 0;
  }
  .jp-RenderedHTMLCommon :is(td, th) { overflow-wrap: normal; }
  .jp-RenderedImage img { background: #ffffff; border-radius: 6px; }
  #code-switch { position: fixed; top: 0.6rem; right: 1rem; z-index: 9; }
  @media print {
    :root { color-scheme: light; }
    #code-switch { display: none; }
    h1, h2, h3, h4 { break-after: avoid; }
    img, tr { break-inside: avoid; }
  }
</style>
"""
_SWITCH = """
<button id="code-switch" type="button" aria-pressed="false" onclick="this.setAttribute(
  'aria-pressed', document.body.classList.toggle('with-code'))">code</button>
"""


def report_page(notebooks: Sequence[NotebookNode], title: str) -> str:
    """The notebooks' text and results, one after the other, as an HTML page.

    Code is there but hidden until the reader asks for it. Nothing is loaded from elsewhere; the
    interactive views work without a kernel, on what their notebooks have saved.
    """
    page = nbformat.v4.new_notebook()
    page.cells.append(nbformat.v4.new_markdown_cell(f"# The notebooks of {title}"))
    for notebook in notebooks:
        states = notebook.metadata.get("widgets", {}).get(_WIDGET_STATES, {}).get("state", {})
        page.cells += [_for_page(cell, states) for cell in notebook.cells if _is_shown(cell)]
    exporter = HTMLExporter(template_name="lab", exclude_input_prompt=True, require_js_url="")
    html, _ = exporter.from_notebook_node(page, {"metadata": {"name": title}})
    html = re.sub(r"<script[^>]*src=[^>]*>\s*</script>", "", html)  # MathJax, from a network
    # The page says by its colors whether it is dark, which the views ask, not by an attribute.
    html = re.sub(r"<body [^>]*>", '<body class="jp-Notebook">' + _SWITCH, html, count=1)
    environment = exporter.environment
    dark, _, _ = environment.loader.get_source(environment, "static/theme-dark.css")
    return html.replace("</head>", _STYLE.replace("DARK", dark) + "</head>", 1)


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
        cell.source = _HEADING.sub(r"#\g<0>", cell.source)  # below the page's own
        cell.source = re.sub(r"\]\((\w+\.ipynb)\)", r"](notebooks/\1)", cell.source)
    return cell


def _math(match: re.Match[str]) -> str:
    code, block, inline = match.groups()
    if code:
        return code
    return convert(block or inline, display="block" if block else "inline")
