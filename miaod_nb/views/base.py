"""What the interactive views share: a script each, errors as sentences, pages without a kernel."""

import html
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anywidget
from IPython.display import display
from traitlets import Unicode

from miaod_nb.errors import MiaodError
from miaod_nb.views.contract import SHARED
from miaod_nb.views.stills import Still, output_of

HERE = Path(__file__).parent
EXPORT = "\nexport default { render };\n"  # what anywidget asks of a script
# Of traits that the script sets: the kernel's echo of a value would undo a change made since.
FROM_SCRIPT = {"sync": True, "echo_update": False}
WITHOUT_SCRIPTS = "An interactive view stood here."
NOT_STATE = ("layout", "tabbable", "tooltip")  # traits of every widget that a page does not need

PAGE = """\
<!doctype html>
<html lang="en" style="color-scheme: light dark">
<head><meta charset="utf-8"><title>{title}</title></head>
<body style="margin: 0; padding: 24px; max-width: 1400px">
{views}
</body>
</html>
"""


class View(anywidget.AnyWidget):
    """An interactive view, all of whose surface is in its script.

    A subclass sets `_esm = source("name.js")` and `_css = styles("name.css")`. All its traits are
    plain JSON, so that its state alone, in an executed notebook or in a page, shows it again.
    message: a sentence for the user, shown above the view; "" is none.
    """

    message = Unicode("").tag(sync=True)

    def __repr__(self) -> str:
        """What stands in a saved notebook where no script may run."""
        return self.message.partition("\n")[0] or WITHOUT_SCRIPTS

    def _ipython_display_(self) -> None:
        """Displays the view, and what stands for it where it cannot live."""
        live, metadata = self._repr_mimebundle_() or ({}, {})
        display(live, metadata=metadata, raw=True)
        still = None
        with suppress(Exception):  # whatever a picture fails at, the view is there
            still = self.still()
        display(output_of(still or Still(repr(self))), raw=True)

    def still(self) -> Still | None:
        """What stands for the view in a notebook that was saved; None: its message alone."""
        return None

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Turns an error that the user can meet into the view's `message`."""
        try:
            yield
        except MiaodError as error:
            self.message = str(error)
        else:
            self.message = ""


def source(*names: str) -> str:
    """A view's script: the contract, `common.js` and then these files, the last of which defines
    `render`."""
    contract = json.dumps(SHARED, ensure_ascii=False, separators=(",", ":"))
    return f"const CONTRACT = {contract};\n" + _joined("common.js", *names) + EXPORT


def styles(*names: str) -> str:
    """A view's style sheet: the colors of boxes, `common.css` and then these files."""
    colors = "".join(f" --{role}: {look['color']};" for role, look in SHARED["boxes"].items())
    return f".miaod-view {{{colors} }}\n" + _joined("common.css", *names)


def as_html(view: View) -> str:
    """The view as a piece of HTML that works without a kernel and without a network."""
    return fragment(view.get_state())


def fragment(state: Mapping[str, Any]) -> str:
    """As `as_html`, from a widget's state: what `get_state` or an executed notebook says."""
    traits = {
        key: value
        for key, value in state.items()
        if not key.startswith("_") and key not in NOT_STATE
    }
    script = state["_esm"].removesuffix(EXPORT)
    return (
        f"<div><style>{state.get('_css', '')}</style>"
        f'<script type="application/json">{_inside_script(traits)}</script><div></div>'
        "<script>(() => {\n"
        "const holder = document.currentScript.parentElement;\n"
        f"{script}\n"
        'const state = JSON.parse(holder.querySelector("script").textContent);\n'
        'render({ model: stillModel(state), el: holder.querySelector("div") });\n'
        "})();</script></div>"
    )


def page(view: View, title: str) -> str:
    """A whole HTML page with the view alone."""
    return PAGE.format(title=html.escape(title), views=as_html(view))


def _inside_script(state: Mapping[str, Any]) -> str:
    """JSON that may stand in a script element: nothing in it can end the element."""
    return json.dumps(state, separators=(",", ":")).replace("<", "\\u003c")


def _joined(*names: str) -> str:
    return "".join((HERE / name).read_text(encoding="utf-8") for name in names)
