"""The report holds the notebooks' text and results, and needs no network."""

import re

import nbformat
import pytest

from miaod_nb.commands.essay import report_page

v4 = nbformat.v4


@pytest.fixture
def page() -> str:
    output = v4.new_output("stream", text="out-of-a-cell")
    first = v4.new_notebook(cells=[
        v4.new_markdown_cell("# First\n\nif $x_1 < 2$, `$HOME` is code and\n\n$$y = z^2$$"),
        v4.new_markdown_cell("[next](02_more.ipynb)"),
        v4.new_code_cell("secret = 1", metadata={"tags": ["parameters"]}),
        v4.new_code_cell("print('code-of-a-cell')", outputs=[output], execution_count=1),
    ])  # fmt: skip
    second = v4.new_notebook(cells=[v4.new_markdown_cell("# Second")])
    return report_page([first, second], "title")


def test_text_and_results_stand_in_order(page):
    assert page.index("First") < page.index("out-of-a-cell") < page.index("Second")
    assert "code-of-a-cell" in page and "secret" not in page


def test_headings_stand_below_that_of_the_page(page):
    found = re.findall(r"<h(\d)[^>]*>([^<]*)", page.partition("<body")[2])
    assert found == [("1", "The notebooks of title"), ("2", "First"), ("2", "Second")]
    assert '<html lang="en">' in page


def test_the_page_follows_light_and_dark_and_prints_light(page):
    """Views ask the page's colors: an attribute would tell them that it is always light."""
    assert re.findall(r"<body[^>]*>", page) == ['<body class="jp-Notebook">']
    assert page.count("@media screen and (prefers-color-scheme: dark)") == 1


def test_formulas_are_pictures_of_their_own(page):
    assert page.count("<math") == 2 and 'display="block"' in page
    assert "<msub><mi>x</mi><mn>1</mn></msub>" in page
    assert "$HOME" in page and "$x_1" not in page


def test_links_lead_to_the_executed_notebooks(page):
    assert 'href="notebooks/02_more.ipynb"' in page


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"?(?:https?:)?//[^>]*>", page)


def test_views_are_shown_without_a_kernel():
    shown, states = "application/vnd.jupyter.widget-view+json", "widget-state+json"
    state = {"_esm": "const render = () => {}; // the-script", "_css": "", "message": "a-sentence"}
    data = {shown: {"model_id": "one"}, "text/plain": "not-this"}
    cell = v4.new_code_cell("view", outputs=[v4.new_output("display_data", data=data)])
    notebook = v4.new_notebook(cells=[cell])
    notebook.metadata["widgets"] = {
        f"application/vnd.jupyter.{states}": {"state": {"one": {"state": state}}}
    }
    page = report_page([notebook], "title")
    assert "the-script" in page and "a-sentence" in page and "not-this" not in page
