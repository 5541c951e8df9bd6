"""What all views share: scripts, styles, messages, and pages that need no kernel."""

import base64
import io
import json
import re

import matplotlib
import numpy as np
import pytest
from PIL import Image
from traitlets import Dict

from miaod_nb.errors import ConfigError
from miaod_nb.plots.pictures import BOX_LINES
from miaod_nb.views import (
    annotator,
    base,
    board,
    selection_space,
    uncertainty_viewer,
    what_if,
)
from miaod_nb.views.base import (
    EXPORT,
    HERE,
    WITHOUT_SCRIPTS,
    View,
    as_html,
    fragment,
    page,
    source,
    styles,
)
from miaod_nb.views.contract import SHARED
from miaod_nb.views.stills import RUN_AGAIN, sheet
from miaod_nb.views.whatif import WhatIf


class Small(View):
    _esm = "const render = ({ model, el }) => {};" + EXPORT
    _css = ".small { color: black; }"
    numbers = Dict().tag(sync=True)


def test_a_saved_notebook_says_in_words_what_stood_there(displayed):
    """Where no script may run, as on a code hosting site, people see the text of an output."""
    view = Small()
    live, still = displayed(view)
    assert live["text/plain"] == WITHOUT_SCRIPTS and "application/vnd.jupyter.widget" in str(live)
    assert still["text/plain"] == f"{WITHOUT_SCRIPTS} {RUN_AGAIN}" and "<img" not in str(still)
    view.message = "no <scores>\n  where: there"
    live, still = displayed(view)
    assert live["text/plain"] == "no <scores>"
    assert f"<p>no &lt;scores&gt; {RUN_AGAIN}</p>" in still["text/html"]


@pytest.mark.parametrize("make", [annotator, board, selection_space, uncertainty_viewer, what_if])
def test_a_picture_of_a_view_stands_in_a_saved_notebook(make, copied, displayed):
    view = make(copied)
    if isinstance(view, WhatIf):  # the run's own settings change nothing
        view.settings = view.settings | {"strategy": "random"}
    _, still = displayed(view)
    assert copied.folder.root.name in still["text/plain"]
    assert still["text/plain"].endswith(RUN_AGAIN)
    content = base64.b64decode(still["image/jpeg"])
    assert len(content) < 100_000
    picture = Image.open(io.BytesIO(content))
    picture.load()
    assert picture.format == "JPEG" and 600 < picture.width < 1000 > picture.height > 100
    assert np.asarray(picture).std() > 10  # not blank
    assert f'src="data:image/jpeg;base64,{still["image/jpeg"]}"' in still["text/html"]
    assert re.search(r'<img alt="[^"]{20,}"', still["text/html"])


def test_a_still_of_the_board_has_what_was_decided(copied, displayed):
    view = board(copied)
    before = displayed(view)[1]["image/jpeg"]
    view.decisions = {view.cards[0]["id"]: {"action": "skip", "note": ""}}
    assert displayed(view)[1]["image/jpeg"] != before


def test_a_still_that_fails_leaves_the_view(displayed, monkeypatch):
    def fail(self: View) -> None:
        raise KeyError("layer")

    monkeypatch.setattr(Small, "still", fail)
    live, still = displayed(Small())
    assert "application/vnd.jupyter.widget" in str(live)
    assert still["text/plain"] == f"{WITHOUT_SCRIPTS} {RUN_AGAIN}"


def test_an_id_that_looks_like_a_formula_is_written_as_it_is():
    assert len(sheet([("", "1. im$_$000001"), ("", "cost$5_$6")])) > 1000


@pytest.fixture
def displayed(monkeypatch):
    """What a notebook keeps of a cell that ends with a view: the data of each output."""

    def outputs_of(view: View) -> list[dict[str, str]]:
        found = []
        monkeypatch.setattr(base, "display", lambda data, **how: found.append(data))
        view._ipython_display_()
        return found

    return outputs_of


def state_in(html: str) -> dict:
    found = re.search(r'<script type="application/json">(.*?)</script>', html)
    assert found is not None
    return json.loads(found[1])


def test_a_script_begins_with_the_contract_and_ends_with_its_export():
    text = source("heat.js", "viewer.js")
    assert text.endswith(EXPORT) and text.index("function element") < text.index("function heatOf")
    found = re.match(r"const CONTRACT = (.*);\n", text)
    assert found is not None
    assert json.loads(found[1]) == json.loads(json.dumps(SHARED))
    colors = SHARED["uncertainty"]
    assert len(colors) == 256
    for value in (0, 100, 255):
        assert tuple(colors[value]) == matplotlib.colormaps["cividis"](value, bytes=True)[:3]


def test_styles_and_scripts_have_the_colors_of_figures():
    for role, (color, _, width) in BOX_LINES.items():
        assert f"--{role}: {color};" in styles("viewer.css")
        assert SHARED["boxes"][role]["color"] == color and SHARED["boxes"][role]["width"] == width


def test_scripts_and_styles_load_nothing_from_a_network():
    files = [path for path in HERE.iterdir() if path.suffix in (".js", ".css")]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    assert {path.stem for path in files} > {
        "common",
        "viewer",
        "board",
        "annotator",
        "space",
        "whatif",
    }
    addresses = set(re.findall(r"https?://[^\"'\s]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert "import " not in text.replace("important", "") and "@import" not in text


def test_an_error_becomes_the_message_and_goes_with_the_next_success():
    view = Small()
    with view.explaining():
        raise ConfigError("too small", where="k", remedy="choose more")
    assert view.message == "too small\n  where: k\n  what to do: choose more"
    with view.explaining():
        pass
    assert view.message == ""


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError), Small().explaining():
        1 / 0  # noqa: B018


def test_a_piece_of_html_holds_the_state_and_the_script_without_its_export():
    text = "a </script> & <b>"
    html = as_html(Small(numbers={"text": text}))
    assert state_in(html) == {"message": "", "numbers": {"text": text}}
    assert "export default" not in html and ".small { color: black; }" in html
    assert html.count("</script>") == 2  # the state cannot end its element


def test_a_saved_state_makes_the_same_piece():
    view = Small(numbers={"a": 1})
    assert fragment(json.loads(json.dumps(view.get_state(), default=str))) == as_html(view)


def test_a_page_is_whole_and_its_title_is_text():
    html = page(Small(), "runs <1>")
    assert html.startswith("<!doctype html>") and "<title>runs &lt;1&gt;</title>" in html
    assert "</html>" in html and 'charset="utf-8"' in html
