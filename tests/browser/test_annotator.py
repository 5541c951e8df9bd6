"""A batch is labeled by mouse in JupyterLab, handed in, and trained on by the next cycle."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from miaod_nb.data.records import FaultCounts
from miaod_nb.experiment import Run, open_run
from miaod_nb.labeling.drawing import drawings_of
from miaod_nb.selection.decisions import decisions_of
from tests.browser.easel import NEAR, Easel
from tests.browser.lab import THEME, WINDOWS, NotebookPage, cell_of, part, parts_outside

pytestmark = pytest.mark.slow

Opened = Callable[[], AbstractContextManager[tuple[NotebookPage, Easel]]]


@pytest.fixture
def opened(lab: Any, labeled_here: Run) -> Opened:
    """A notebook that was run and shows the annotator, called `view`; and its easel."""
    cell = cell_of(labeled_here.folder.root, "miaod_nb.views.annotator(run)")

    @contextmanager
    def show() -> Iterator[tuple[NotebookPage, Easel]]:
        with lab.open(cell) as notebook:
            notebook.run()
            shown = notebook.view("annotator")
            shown.scroll_into_view_if_needed()
            yield notebook, Easel(shown)

    return show


def test_what_the_mouse_draws_is_what_the_next_cycle_trains_on(opened, labeled_here, pictures):
    first, second, third = labeled_here.record.selected(1)
    expected = draw_and_hand_in(opened, pictures)
    run = open_run(run_dir=labeled_here.folder.root, overrides={"cycles": 3})
    run.advance(2, ["split"])
    assert set(run.record.labeled(2)) == {*run.record.labeled(1), first, second}
    classes = run.record.classes_of(2)
    assert classes == (*run.record.classes_of(1), "owl")
    faults = FaultCounts()
    found = run.dataset.oracle.read([first, second], classes, faults)
    assert faults.as_dict().keys() == {"image without objects"}
    assert [classes[label] for label in found[first].labels] == [name for name, _ in expected]
    for box, (_, sides) in zip(found[first].boxes.tolist(), expected, strict=True):
        x1, y1, x2, y2 = sides  # the run's labels are VOC's own, which are read a pixel short
        assert box == pytest.approx([x1, y1, x2 - 1, y2 - 1], abs=NEAR)
    assert len(found[second].boxes) == 0
    (decision,) = decisions_of(run.record, 1)
    assert (decision.id, decision.action, decision.note) == (third, "skip", "too dark")


def draw_and_hand_in(opened: Opened, pictures: Path) -> list[tuple[str, list[float]]]:
    """Labels all three images by mouse and keys; what must be in the first one then: names and
    sides, as the mouse went over the picture that the browser shows."""
    with opened() as (notebook, easel):
        view, keyboard, cells = easel.view, easel.keyboard, view_cells(easel)
        easel.click(12, 10)  # the suggested disc is moved, then stretched at its lower right corner
        start, end = easel.drag((15, 15), (16, 17))
        moved = [10 + end[0] - start[0], 8 + end[1] - start[1]]
        moved += [moved[0] + 20, moved[1] + 18]
        start, end = easel.drag((moved[2], moved[3]), (33, 30))
        disc = [*moved[:2], moved[2] + end[0] - start[0], moved[3] + end[1] - start[1]]
        keyboard.press("2")  # and is a square
        easel.click(42, 18)  # the suggested square goes
        keyboard.press("Delete")
        keyboard.press("Control+z")
        keyboard.press("Control+z")
        keyboard.press("Control+Shift+z")
        keyboard.press("Control+y")
        places = easel.drag((18, 4), (2, 20))  # a new box, from the right to the left
        field = part(view, "new-name")
        field.fill("owl")
        field.press("Enter")
        owl = [places[1][0], places[0][1], places[0][0], places[1][1]]
        keyboard.press("Enter")
        second = part(view, "position")
        expect(second).to_have_text("2 of 3")
        expect(view).to_have_attribute("data-ready", "1")
        keyboard.press("n")
        expect(view).to_have_attribute("data-ready", "1")
        part(view, "skip").click()
        keyboard.type("too dark")
        keyboard.press("Enter")
        expect(part(view, "counts")).to_have_text("2 of 3 done, 1 skipped")
        part(view, "hand-in").click()
        expect(part(view, "result")).to_contain_text("Handed in, import ")
        for words in ("2 images labeled (1 of them show nothing), 1 skipped",
                      "0 accepted, 0 moved, 1 renamed, 3 deleted, 1 added",
                      "new classes, which join with the next cycle: owl"):  # fmt: skip
            expect(part(view, "result")).to_contain_text(words)
        assert part(view, "message").is_hidden()
        assert view_cells(easel) == cells  # no key went to the notebook
        fits_in_every_window(easel, pictures)
    return [("square", disc), ("owl", owl)]


def view_cells(easel: Easel) -> int:
    return easel.view.page.locator(".jp-Cell").count()


def fits_in_every_window(easel: Easel, pictures: Path) -> None:
    view, page = easel.view, easel.view.page
    for theme in ("Light", "Dark"):
        page.evaluate(THEME, f"JupyterLab {theme}")
        for width, height in WINDOWS:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(300)
            view.scroll_into_view_if_needed()
            assert parts_outside(view) == []
            page.screenshot(path=pictures / f"annotator-{theme}-{width}x{height}.png")
    page.evaluate(THEME, "JupyterLab Light")  # the server keeps it for later pages


def test_a_killed_kernel_and_a_closed_page_lose_nothing(opened, labeled_here):
    """While no kernel answers the view says that nothing is saved yet."""
    first, second, _ = labeled_here.record.selected(1)
    with opened() as (notebook, easel):
        easel.view.focus()
        easel.keyboard.press("Enter")
        expect(part(easel.view, "position")).to_have_text("2 of 3")
        expect(easel.view).to_have_attribute("data-ready", "1")
        kernel = int(notebook.python("__import__('os').getpid()"))
        os.kill(kernel, signal.SIGSTOP)  # a busy one would answer beside its cell
        easel.drag((2, 2), (20, 20))
        easel.drag((2, 30), (20, 40))
        kept = part(easel.view, "saved")
        expect(kept).to_have_text("Saving …")
        expect(kept).to_contain_text("Not saved", timeout=20_000)
        expect(part(easel.view, "hand-in")).to_be_disabled()
        os.kill(kernel, signal.SIGCONT)
        expect(kept).to_contain_text("saved at once", timeout=20_000)
        notebook.until("view.saved == 3")
        os.kill(kernel, signal.SIGKILL)
    made = drawings_of(labeled_here.record, 1)
    assert {i: one.state for i, one in made.items()} == {first: "done", second: "begun"}
    with opened() as (notebook, easel):
        expect(part(easel.view, "position")).to_have_text("2 of 3")
        expect(part(easel.view, "counts")).to_have_text("1 of 3 done, 1 begun")
        assert notebook.python(f"len(view.drawings[{second!r}]['boxes'])") == 4
