"""The annotator as a page alone: what the mouse does to boxes, and how it looks in each window."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from miaod_nb.experiment import Run
from miaod_nb.views import annotator
from miaod_nb.views import page as page_of
from tests.browser.easel import NEAR, SUGGESTED, Easel, between
from tests.browser.lab import WINDOWS, part, parts_outside
from tests.browser.test_board_page import FAINT_TEXTS

pytestmark = pytest.mark.slow

Opened = Callable[..., Any]
WITNESSED = """model: (window.model = Object.assign(stillModel(state), {
    render: (el) => render({ model: window.model, el }) }))"""


@pytest.fixture
def opened(browser: Browser, labeled_here: Run, tmp_path) -> Opened:
    """`opened((1280, 800), color_scheme="dark")`: the annotator in such a window, its model
    `window.model` there."""
    path = tmp_path / "annotator.html"
    html = page_of(annotator(labeled_here), "annotator")
    given = "model: stillModel(state)"
    assert html.count(given) == 1
    path.write_text(html.replace(given, WITNESSED), "utf-8")

    @contextmanager
    def show(window: tuple[int, int] = WINDOWS[0], **more: Any) -> Iterator["Still"]:
        width, height = window
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(path.as_uri())
        view = page.locator('.miaod-annotator[data-ready="1"]')
        view.wait_for()
        yield Still(view)
        assert faults == []
        context.close()

    return show


class Still(Easel):
    """The same in a page alone, whose model says what Python would have been told."""

    def boxes(self) -> list[Any]:
        """The boxes of the image as the script has them last told."""
        found = self.view.page.evaluate("window.model.get('events').at(-1)?.boxes ?? null")
        return [[n, b, s] for n, b, s in SUGGESTED] if found is None else [
            [one["name"], one["box"], one["score"]] for one in found
        ]  # fmt: skip

    def told(self) -> int:
        """How many changes the script has told of."""
        return int(self.view.page.evaluate("window.model.get('events').length"))


# ---------------------------------------------------------------------------------- the mouse


@pytest.mark.parametrize("end", [(60, 45), (50, 2), (2, 44), (1, 1)])
def test_a_box_is_drawn_in_every_direction(opened, end):
    with opened() as easel:
        width, height = easel.size
        end = min(end[0], width - 1), min(end[1], height - 1)
        places = easel.drag((33, 5) if end[1] > 5 else (33, 30), end)
        *old, new = easel.boxes()
        assert old == SUGGESTED and new == ["disc", between(*places), None]


def test_a_click_draws_nothing_and_selects_what_lies_below_in_turn(opened):
    with opened() as easel:
        chosen = easel.view.locator('[data-role="name"][aria-pressed="true"]')
        for name in ("1 disc", "2 square", "1 disc"):  # the smaller one first
            easel.click(25, 20)
            expect(chosen).to_have_text(name)
        easel.click(2, 2)
        expect(part(easel.view, "remove")).to_be_disabled()
        assert easel.told() == 0


def test_a_box_of_less_than_two_pixels_is_not_drawn(opened):
    with opened() as easel:
        easel.drag((3, 30), (4, 60))
        expect(part(easel.view, "said")).to_contain_text("Smaller than 2 pixels")
        assert easel.told() == 0
        easel.drag((2, 30), (5, 60))
        assert easel.told() == 1


def test_a_drag_that_is_let_go_outside_ends_at_the_edge_and_then_for_good(opened):
    """Also outside the window; a pointer that comes back without its button changes nothing."""
    with opened() as easel:
        width, height = easel.size
        (x, y), _ = easel.drag((33, 45), (33, 46))
        easel.keyboard.press("Control+z")
        start = easel.spot(33, 45)
        easel.mouse.move(*start)
        easel.mouse.down()
        easel.mouse.move(1270, 790, steps=4)
        easel.mouse.move(3000, 2000, steps=4)
        easel.mouse.up()
        x, y = easel.place(start)
        box = easel.boxes()[-1][1]
        assert box[2:] == [width, height] and box[:2] == pytest.approx([x, y], abs=NEAR)
        told = easel.told()
        easel.mouse.move(*easel.spot(5, 5), steps=6)
        easel.mouse.move(*easel.spot(20, 60), steps=6)
        assert easel.told() == told and easel.boxes()[-1][1] == box


def test_a_drag_whose_end_nobody_saw_ends_with_the_next_move(opened):
    with opened() as easel:
        start, end = easel.spot(33, 45), easel.spot(44, 60)
        easel.mouse.move(*start)
        easel.mouse.down()
        easel.mouse.move(*end, steps=3)
        canvas = easel.view.locator("canvas")
        canvas.evaluate("""(one) => one.dispatchEvent(
            new PointerEvent("pointermove", { clientX: 0, clientY: 0, buttons: 0 }))""")
        assert easel.told() == 1
        assert easel.boxes()[-1] == ["disc", between(easel.place(start), easel.place(end)), None]
        easel.mouse.up()
        assert easel.told() == 1


def test_a_box_that_is_shifted_keeps_its_size_and_loses_its_score(opened):
    with opened() as easel:
        easel.click(12, 10)
        start, end = easel.drag((15, 15), (26, 37))
        dx, dy = end[0] - start[0], end[1] - start[1]
        (name, box, score), other = easel.boxes()
        assert (name, score) == ("disc", None) and other == SUGGESTED[1]
        assert box == pytest.approx([10 + dx, 8 + dy, 30 + dx, 26 + dy], abs=NEAR)
        assert [box[2] - box[0], box[3] - box[1]] == pytest.approx([20, 18], abs=1e-9)
        easel.drag((box[0] + 10, box[1] + 9), (200, 200))
        width, height = easel.size
        assert easel.boxes()[0][1] == pytest.approx([width - 20, height - 18, width, height])
        assert easel.boxes()[0][1][2:] == [width, height]  # exactly
        easel.drag((width - 10, height - 9), (-50, -50))
        assert easel.boxes()[0][1] == pytest.approx([0, 0, 20, 18])
        assert easel.boxes()[0][1][:2] == [0, 0]


@pytest.mark.parametrize(
    ("handle", "moves"),
    [((0, 0), (0, 1)), ((0.5, 0), (1,)), ((1, 0.5), (2,)), ((1, 1), (2, 3)), ((0, 1), (0, 3))],
)
def test_a_handle_moves_its_edges_alone(opened, handle, moves):
    with opened() as easel:
        easel.click(12, 10)
        before = [10.0, 8.0, 30.0, 26.0]
        grip = 10 + 20 * handle[0], 8 + 18 * handle[1]
        start, end = easel.drag(grip, (grip[0] + 4, grip[1] + 3))
        by = [end[0] - start[0], end[1] - start[1]] * 2
        after = easel.boxes()[0][1]
        for side in range(4):
            if side in moves:
                assert after[side] == pytest.approx(before[side] + by[side], abs=NEAR)
            else:
                assert after[side] == before[side]


def test_an_edge_that_is_pulled_past_the_other_one_changes_sides(opened):
    with opened() as easel:
        easel.click(12, 10)
        easel.drag((10, 17), (42, 17))
        box = easel.boxes()[0][1]
        assert box[0] == 30 and box[2] == pytest.approx(42, abs=0.2)
        easel.drag((box[2], 17), (box[0] + 1, 17))  # would be too narrow: all stays
        assert easel.boxes()[0][1] == box and easel.told() == 1


def test_shift_draws_inside_the_selected_box(opened):
    with opened() as easel:
        easel.click(40, 38)  # selects the square
        easel.keyboard.down("Shift")
        places = easel.drag((32, 28), (41, 36))
        easel.keyboard.up("Shift")
        assert easel.boxes() == [*SUGGESTED, ["square", between(*places), None]]


def test_places_hold_when_the_picture_is_zoomed_and_pushed(opened):
    with opened() as easel:
        easel.click(2, 2)  # the wheel is the page's until somebody works here
        fixed, width = easel.spot(26, 40), easel.frame["width"]
        easel.mouse.move(*fixed)
        place = easel.place(fixed)
        easel.mouse.wheel(0, -700)
        expect(easel.view.locator("img")).not_to_have_css("width", f"{width}px")
        assert easel.frame["width"] > 2 * width
        assert easel.place(fixed) == pytest.approx(place, abs=NEAR)
        places = easel.drag((22, 46), (30, 49))
        assert easel.boxes()[-1][1] == between(*places)
        left = easel.frame["x"]
        easel.keyboard.down("Space")
        easel.drag((26, 40), (23, 38))
        easel.keyboard.up("Space")
        assert easel.frame["x"] < left - 20 and easel.told() == 1
        easel.drag((26, 44), (28, 44), button="middle")
        assert easel.told() == 1
        easel.keyboard.press("Escape")
        places = easel.drag((23, 43), (28, 45))
        assert easel.boxes()[-1][1] == between(*places)
        large = easel.frame["width"]
        easel.view.page.set_viewport_size({"width": 1265, "height": 800})  # a scroll bar came
        easel.view.page.wait_for_timeout(200)
        assert easel.frame["width"] == large
        easel.keyboard.press("f")
        assert easel.frame["width"] == width
        easel.view.page.set_viewport_size({"width": 900, "height": 600})
        easel.view.page.wait_for_timeout(200)
        assert easel.frame["width"] < width  # still seen in whole


def test_the_wheel_scrolls_the_page_until_somebody_works_here(opened):
    with opened() as easel:
        width = easel.frame["width"]
        easel.view.evaluate("() => document.activeElement.blur()")
        easel.mouse.move(*easel.spot(20, 20))
        easel.mouse.wheel(0, -300)
        easel.view.page.wait_for_timeout(200)
        assert easel.frame["width"] == width


# ------------------------------------------------------------------------------------- the keys


@pytest.mark.parametrize("key", ["Delete", "Backspace"])
def test_a_second_delete_takes_no_other_box(opened, key):
    with opened() as easel:
        easel.click(12, 10)
        easel.keyboard.press(key)
        assert easel.boxes() == SUGGESTED[1:]
        easel.keyboard.press(key)
        assert easel.boxes() == SUGGESTED[1:] and easel.told() == 1


def test_digits_change_the_class_of_the_selected_box_and_of_the_next(opened):
    with opened() as easel:
        easel.click(12, 10)
        easel.keyboard.press("1")  # it is a disc already
        assert easel.told() == 0
        easel.keyboard.press("2")
        assert easel.boxes()[0] == ["square", SUGGESTED[0][1], None]
        easel.keyboard.press("Escape")
        easel.drag((2, 50), (20, 60))
        assert easel.boxes()[-1][0] == "square"


def test_what_is_typed_is_no_key_and_a_new_name_becomes_a_class(opened):
    with opened() as easel:
        easel.click(12, 10)
        field = part(easel.view, "new-name")
        field.click()
        easel.keyboard.type("sn1 2f+-")
        for key in ("Delete", "Backspace", "Control+z", "ArrowLeft"):
            easel.keyboard.press(key)
        assert easel.told() == 0 and part(easel.view, "why").is_hidden()
        field.fill("Owl, <b>")
        field.press("Enter")
        assert easel.boxes()[0] == ["Owl, <b>", SUGGESTED[0][1], None]
        expect(part(easel.view, "name").last).to_have_text("3 Owl, <b>")
        field.fill("owl,<B>")
        field.press("Enter")
        expect(part(easel.view, "said")).to_contain_text("is the class Owl, <b>")
        assert easel.told() == 1
        for number in range(4, 13):
            field.fill(f"class {number}")
            field.press("Enter")
        part(easel.view, "more-names").select_option("class 11")
        assert easel.boxes()[0][0] == "class 11"
        easel.keyboard.press("3")  # the keys are the view's again
        assert easel.boxes()[0][0] == "Owl, <b>"


def test_undo_and_redo_walk_through_every_change(opened):
    with opened() as easel:
        states = [SUGGESTED]
        easel.click(12, 10)
        easel.keyboard.press("2")
        states.append(easel.boxes())
        easel.drag((15, 15), (18, 17))
        states.append(easel.boxes())
        easel.keyboard.press("Delete")
        states.append(easel.boxes())
        easel.drag((2, 50), (20, 60))
        states.append(easel.boxes())
        for keys in ("Control+z", "undo"):
            for before in reversed(states[:-1]):
                press(easel, keys)
                assert easel.boxes() == before
            press(easel, keys)  # there is nothing before
            for after in states[1:]:
                press(easel, "Control+Shift+z" if keys == "Control+z" else "redo")
                assert easel.boxes() == after
        press(easel, "undo")
        easel.keyboard.press("Control+y")
        assert easel.boxes() == states[-1]
        press(easel, "undo")
        easel.drag((2, 46), (9, 60))  # now nothing can be done again
        expect(part(easel.view, "redo")).to_be_disabled()


def press(easel: Still, what: str) -> None:
    """A button by its name, or keys."""
    button = part(easel.view, what)
    if "+" in what:
        easel.keyboard.press(what)
    elif button.is_enabled():
        button.click()


def test_images_are_done_empty_or_skipped_and_counted(opened):
    """Undo goes back to the image; no box left is not the same as nothing there."""
    with opened() as easel:
        view, events = easel.view, "window.model.get('events').map((one) => [one.state, one.note])"
        for _ in SUGGESTED:
            easel.click(25, 20)
            easel.keyboard.press("Delete")
        easel.keyboard.press("Enter")
        expect(part(view, "said")).to_contain_text("if nothing is there, say so")
        expect(part(view, "counts")).to_have_text("0 of 3 done, 1 begun")
        easel.keyboard.press("n")
        expect(part(view, "position")).to_have_text("2 of 3")
        easel.keyboard.press("n")  # its picture is not there: nobody has seen it
        expect(part(view, "said")).to_contain_text("not there yet")
        expect(part(view, "counts")).to_have_text("1 of 3 done")
        easel.keyboard.press("s")
        easel.keyboard.type("too dark")
        easel.keyboard.press("Enter")
        expect(part(view, "counts")).to_have_text("1 of 3 done, 1 skipped")
        expect(part(view, "position")).to_have_text("3 of 3")
        assert view.page.evaluate(events)[-1] == ["skip", "too dark"]
        easel.keyboard.press("Control+z")
        expect(part(view, "position")).to_have_text("2 of 3")
        easel.keyboard.press("Control+z")
        expect(part(view, "position")).to_have_text("1 of 3")
        expect(part(view, "counts")).to_have_text("0 of 3 done, 1 begun")
        expect(part(view, "saved")).to_contain_text("Not saved")
        expect(part(view, "hand-in")).to_be_disabled()


def test_two_outputs_of_a_view_show_the_same_image(opened):
    with opened() as easel:
        page = easel.view.page
        page.evaluate("""() => {
            const other = document.body.appendChild(document.createElement("div"));
            window.model.render(other);
            window.wanted = 0;
            window.model.on("change:wanted", () => { window.wanted += 1; });
        }""")
        second = page.locator(".miaod-annotator").nth(1)
        part(second, "next").click()
        for view in (page.locator(".miaod-annotator").first, second):
            expect(part(view, "position")).to_have_text("2 of 3")
        assert page.evaluate("window.wanted") == 1


def test_seconds_leave_out_the_time_in_which_nobody_did_anything(opened):
    with opened() as easel:
        page = easel.view.page
        page.evaluate("""() => {
            let now = 0;
            window.later = (seconds) => { now += 1000 * seconds; };
            performance.now = () => now;
        }""")
        easel.click(12, 10)
        for seconds in (4, 3, 300, 2):  # five minutes at the coffee machine
            page.evaluate("(seconds) => window.later(seconds)", seconds)
            easel.keyboard.press("Shift")
        easel.keyboard.press("2")
        assert page.evaluate("window.model.get('events').at(-1).seconds") == 9


# --------------------------------------------------------------------------------- in each window


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS)
def test_the_picture_has_room_in_every_window(opened, pictures, window, theme):
    with opened(window, color_scheme=theme) as easel:
        view, name = easel.view, f"annotator-page-{window[0]}x{window[1]}-{theme}"
        easel.click(12, 10)
        easel.keyboard.press("s")
        view.page.screenshot(path=pictures / f"{name}.png")
        frame = part(view, "easel").bounding_box()
        assert frame and frame["height"] >= 240 and frame["y"] + frame["height"] < window[1]
        assert easel.frame["height"] > 0.85 * frame["height"]  # the picture is higher than wide
        view.locator("summary").click()
        assert parts_outside(view) == []
        assert view.evaluate(FAINT_TEXTS) == []
