"""The views of a batch, used with mouse and keys in JupyterLab: board, selection space, what-if."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from miaod_nb.experiment import Run
from miaod_nb.inspection.replay import difference
from miaod_nb.views import board, selection_space, what_if
from miaod_nb.views import page as page_of
from tests.browser.lab import (
    SIZES,
    WINDOWS,
    NotebookPage,
    cell_of,
    keep_pictures,
    part,
    parts_outside,
)

pytestmark = pytest.mark.slow

SCROLLED = {
    "card", "state", "accept", "skip", "defer", "note", "alike", "note-text", "picture", "CANVAS",
}  # fmt: skip
Opened = Callable[[str], AbstractContextManager[NotebookPage]]


def card(view: Locator, image_id: str) -> Locator:
    return view.locator(f'[data-role="card"][data-id="{image_id}"]')


@pytest.fixture
def opened(lab: Any, own_run: Run) -> Opened:
    """`opened("board(run)")`: a notebook that was run and shows this view, called `view`."""

    @contextmanager
    def show(expression: str) -> Iterator[NotebookPage]:
        with lab.open(cell_of(own_run.folder.root, expression)) as notebook:
            notebook.run()
            yield notebook

    return show


def decided(run: Run) -> list[tuple[str, str, str]]:
    """What stands in the decision file of the newest cycle."""
    lines = run.folder.path("cycle1/decisions.jsonl").read_text().splitlines()
    return [tuple(json.loads(line)[key] for key in ("id", "action", "note")) for line in lines]


def batch(run: Run) -> list[str]:
    return [row["id"] for row in run.folder.load_json("cycle1/selection.json")["selected"]]


# --------------------------------------------------------------------------------- the board


def test_keys_decide_and_python_writes_it_down(opened, own_run):
    first, second, third = batch(own_run)
    with opened("board(run)") as notebook:
        view = notebook.view("board")
        cells = view.page.locator(".jp-Cell").count()
        view.focus()
        for key in ("a", "s", "d"):  # each goes on to the next card
            view.page.keyboard.press(key)
        notebook.until("view.saved == 3")
        assert decided(own_run) == [
            (first, "accept", ""),
            (second, "skip", ""),
            (third, "defer", ""),
        ]
        states = [card(view, i).get_attribute("data-state") for i in (first, second, third)]
        assert states == ["accept", "skip", "defer"]
        expect(part(card(view, second), "state")).to_have_text("✕ skipped")
        expect(part(view, "saved")).to_contain_text("cycle1/decisions.jsonl")
        view.page.keyboard.press("Home")
        view.page.keyboard.press("n")
        view.page.keyboard.type("a dark one")
        view.page.keyboard.press("Enter")
        notebook.until("view.saved == 4")
        assert decided(own_run)[-1] == (first, "note", "a dark one")
        expect(card(view, first)).to_contain_text("note: a dark one")
        assert card(view, first).get_attribute("data-state") == "accept"
        assert view.page.locator(".jp-Cell").count() == cells  # no key went to the notebook


def test_decisions_are_taken_back_one_by_one(opened, own_run):
    """By u and Ctrl+Z, to what held before, also to nothing; no key moves the focus elsewhere."""
    first, second, _ = batch(own_run)
    with opened("board(run)") as notebook:
        view = notebook.view("board")
        cells = view.page.locator(".jp-Cell").count()
        view.focus()
        view.page.keyboard.press("a")
        view.page.keyboard.press("ArrowLeft")
        view.page.keyboard.press("s")
        view.page.keyboard.press("d")
        notebook.until("view.saved == 3")
        for n, key in enumerate(("u", "Control+z", "u", "u"), start=4):  # the last finds nothing
            view.page.keyboard.press(key)
            if n < 7:
                notebook.until(f"view.saved == {n}")
        assert decided(own_run)[3:] == [
            (second, "undecided", ""), (first, "accept", ""), (first, "undecided", ""),
        ]  # fmt: skip
        states = [card(view, i).get_attribute("data-state") for i in (first, second)]
        assert states == ["undecided", "undecided"]
        expect(part(view, "apply")).to_be_disabled()
        assert view.evaluate("view => view.contains(document.activeElement)")
        assert view.page.locator(".jp-Cell").count() == cells


def test_the_mouse_decides_and_apply_lets_the_next_best_in(opened, own_run):
    first, second, third = before = batch(own_run)
    with opened("board(run)") as notebook:
        view = notebook.view("board")
        expect(part(view, "apply")).to_be_disabled()
        part(card(view, first), "skip").click()
        part(card(view, second), "accept").click()
        notebook.until("view.saved == 2")
        part(view, "apply").click()
        notebook.until("view.applied == 1")
        now = batch(own_run)
        assert now[:2] == [second, third] and len(now) == 3 and now[2] not in before
        expect(card(view, now[2])).to_be_visible()
        expect(card(view, first)).to_have_count(0)
        expect(part(view, "saved")).to_contain_text("1 out and 1 in")
        part(view, "left-out").locator("summary").click()
        part(view, "take-back").click()
        notebook.until("view.saved == 3")
        part(view, "apply").click()
        notebook.until("view.applied == 2")
        assert batch(own_run) == before
        expect(card(view, first)).to_be_visible()
        view.page.keyboard.press("End")  # the keys are the board's again
        view.page.keyboard.press("d")
        notebook.until("view.saved == 4")
        assert decided(own_run)[-1] == (third, "defer", "")


def test_the_drawer_brings_back_and_u_takes_that_back(opened, own_run):
    """The keys stay with the board, also where parts are drawn anew when Python has answered."""
    first, _, _ = batch(own_run)
    with opened("board(run)") as notebook:
        view = notebook.view("board")

        def answered(number: int) -> None:
            notebook.until(f"view.saved == {number}")
            expect(part(view, "saved")).not_to_have_text("Saving …")
            assert view.evaluate("view => view.contains(document.activeElement)")

        part(card(view, first), "skip").click()
        answered(1)
        part(view, "apply").click()
        expect(card(view, first)).to_have_count(0)
        answered(1)
        part(view, "left-out").locator("summary").click()
        aside = part(view, "aside")
        expect(aside.locator("img")).to_be_visible()
        expect(aside).to_contain_text("✕ skipped")
        part(aside, "take-back").click()
        answered(2)
        expect(aside).to_contain_text("comes in with Apply")
        view.page.keyboard.press("u")
        answered(3)
        expect(aside).to_contain_text("✕ skipped")
        view.page.keyboard.press("Control+z")  # the skip itself
        answered(4)
        expect(aside).to_contain_text("comes in with Apply")
        assert [line[1] for line in decided(own_run)] == ["skip", "accept", "skip", "undecided"]
        part(view, "apply").click()
        expect(card(view, first)).to_be_visible()
        expect(part(view, "left-out")).to_be_hidden()
        answered(4)


def test_what_is_not_saved_is_said_until_an_answer_comes(opened, own_run, tmp_path):
    with opened("board(run)") as notebook:
        view, mark = notebook.view("board"), tmp_path / "go on"
        wait = f"while not pathlib.Path({str(mark)!r}).exists(): time.sleep(0.05)"
        notebook.begin(f"import pathlib, time\n{wait}")
        view.focus()
        view.page.keyboard.press("a")
        expect(part(view, "saved")).to_have_text("Saving …")
        expect(part(view, "saved")).to_contain_text("Not saved", timeout=20_000)
        mark.touch()
        expect(part(view, "saved")).to_contain_text("1 decision is saved", timeout=20_000)
        assert part(view, "saved").get_attribute("role") is None


def test_a_message_goes_with_the_next_decision_that_is_saved(opened, own_run):
    first, second, _ = batch(own_run)
    path = own_run.folder.path("cycle1/decisions.jsonl")
    with opened("board(run)") as notebook:
        view = notebook.view("board")
        path.write_text("nonsense\n")
        part(card(view, first), "skip").click()
        expect(part(view, "message")).to_contain_text("line 1")
        path.unlink()
        part(card(view, second), "skip").click()
        expect(part(view, "message")).to_be_hidden()


def test_without_replacement_the_batch_shrinks(opened, own_run):
    first, *others = batch(own_run)
    with opened("board(run)") as notebook:
        view = notebook.view("board")
        part(view, "replace").uncheck()
        part(card(view, first), "defer").click()
        notebook.until("view.saved == 1")
        part(view, "apply").click()
        notebook.until("view.applied == 1")
        assert batch(own_run) == others
        expect(part(view, "card")).to_have_count(2)


def test_enter_enlarges_with_the_numbers_and_escape_closes(opened, own_run):
    _, second, _ = batch(own_run)
    with opened("board(run)") as notebook:
        view = notebook.view("board")
        view.focus()
        view.page.keyboard.press("ArrowRight")
        view.page.keyboard.press("Enter")
        large = part(view, "enlarged")
        expect(large).to_have_attribute("data-id", second)
        notebook.until(f"view.enlarged['id'] == {second!r}")
        places = notebook.python("view.cards[1]['places']")
        expect(large.locator("table").first.locator("tr")).to_have_count(1 + len(places))
        expect(large).to_contain_text(places[0]["first"])
        view.page.keyboard.press("s")
        notebook.until("view.saved == 1")
        assert decided(own_run) == [(second, "skip", "")]
        expect(large).to_contain_text("✕ skipped")
        view.page.keyboard.press("Escape")
        expect(large).to_have_count(0)


def test_the_board_fits_into_a_notebook(opened, own_run, pictures):
    with opened("board(run)") as notebook:
        view = notebook.view("board")
        view.focus()
        for key in ("a", "s", "d", "Home"):
            view.page.keyboard.press(key)
        notebook.until("view.saved == 3")

        def check() -> None:
            assert set(parts_outside(view)) <= SCROLLED
            assert view.evaluate("""(root) => [...root.querySelectorAll(".miaod-card")]
                .every((card) => card.scrollWidth <= card.clientWidth)""")

        def keep(name: str) -> None:
            keep_pictures(view, name, pictures, check)
            for width, height in WINDOWS[len(SIZES) :]:
                view.page.set_viewport_size({"width": width, "height": height})
                view.page.wait_for_timeout(300)
                check()
                view.page.screenshot(path=pictures / f"{name}-{width}x{height}.png")

        keep("board")
        view.page.keyboard.press("Enter")
        keep("board-enlarged")


def test_a_page_of_the_board_says_that_nothing_is_saved(browser, own_run, tmp_path):
    made = board(own_run)
    path = tmp_path / "board.html"
    path.write_text(page_of(made, "board"), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    view = page.locator('.miaod-board[data-ready="1"]')
    view.wait_for()
    expect(part(view, "card")).to_have_count(3)
    view.focus()
    page.keyboard.press("s")
    expect(part(view, "saved")).to_contain_text("Not saved")
    assert not own_run.folder.exists("cycle1/decisions.jsonl")
    page.close()


def test_a_fault_is_a_sentence_in_the_view(opened, own_run):
    own_run.folder.save_text("cycle1/decisions.jsonl", "nonsense\n")
    with opened("board(run)") as notebook:
        text = part(notebook.view("board"), "message").inner_text()
        assert "line 1" in text and "what to do" in text


# -------------------------------------------------------------------------------- what if


def test_other_settings_show_what_is_added_and_dropped(opened, own_run, pictures):
    with opened("what_if(run)") as notebook:
        view = notebook.view("whatif")
        expect(part(view, "jaccard")).to_have_text("1.00")
        expect(part(view, "scope")).to_have_text("These are the run's own settings.")
        expect(part(view, "ranks")).to_have_text("No image comes in and none falls out.")
        own = batch(own_run)
        table = notebook.python(
            "__import__('miaod_nb.inspection.anchor_values', fromlist=['a'])"
            ".keep_anchor_values(run, 1).drop(columns='stands_for').to_dict('list')"
        )
        part(view, "k").focus()
        view.page.keyboard.press("Home")  # k = 1
        notebook.until("view.result['settings']['k'] == 1")
        _shows(view, own, _best(table, "mean 1", 3))
        part(view, "aggregate").select_option("sum")
        notebook.until("view.result['settings']['aggregate'] == 'sum'")
        _shows(view, own, _best(table, "sum", 3))
        expect(part(view, "k")).to_be_disabled()
        part(view, "strategy").select_option("entropy")
        part(view, "budget").focus()
        for _ in range(4):
            view.page.keyboard.press("ArrowRight")
        notebook.until("view.result['settings']['budget'] == 7")
        _shows(view, own, _best(table, "entropy", 7))
        expect(part(view, "ranks")).to_have_text(
            "Below each image: #rank in the run → #rank with these settings"
        )
        expect(part(view, "scope")).not_to_contain_text("own settings")
        keep_pictures(view, "whatif", pictures, lambda: _nothing_outside(view))
        part(view, "reset").click()
        expect(part(view, "jaccard")).to_have_text("1.00")


def _nothing_outside(view: Locator) -> None:
    assert parts_outside(view) == []


def _best(table: dict[str, list[Any]], column: str, count: int) -> list[str]:
    rows = zip(table[column], table["rank"], table["id"], strict=True)
    ordered = sorted(rows, key=lambda row: (-row[0], row[1]))
    return [image_id for _, _, image_id in ordered[:count]]


def _shows(view: Locator, before: list[str], after: list[str]) -> None:
    """Whether the view shows how one batch differs from the other."""
    changed = difference(before, after)
    expect(part(view, "jaccard")).to_have_text(f"{changed.jaccard:.2f}")
    for role, ids in (("added", changed.added), ("dropped", changed.dropped)):
        figures = part(view, role).locator("figure")
        expect(figures).to_have_count(len(ids))
        assert [one.get_attribute("data-id") for one in figures.all()] == ids
        expect(part(view, role).locator("img")).to_have_count(len(ids))


def test_pages_of_space_and_what_if_open_without_a_kernel(browser, own_run, tmp_path):
    for name, made in (("space", selection_space(own_run)), ("whatif", what_if(own_run))):
        assert made.message == ""
        path = tmp_path / f"{name}.html"
        path.write_text(page_of(made, name), encoding="utf-8")
        page = browser.new_page()
        page.goto(path.as_uri())
        page.locator(f'.miaod-{name}[data-ready="1"]').wait_for()
        page.close()
