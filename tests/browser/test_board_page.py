"""The review board as a page alone: how it looks in each window, what mouse and keys show."""

import io
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from miaod_nb.boxes import Detections
from miaod_nb.experiment import Run, open_run
from miaod_nb.passes.kept_detections import keep_detections
from miaod_nb.views import board
from miaod_nb.views import page as page_of
from miaod_nb.wording import number_text
from tests.browser.lab import WINDOWS, part, parts_outside

pytestmark = pytest.mark.slow

SCROLLED = {"card", "state", "accept", "skip", "defer", "note", "note-text", "picture", "CANVAS"}
NARROW = {(853, 533), (760, 700)}
FOCUS_INSIDE = "view => view.contains(document.activeElement)"
# Texts whose color is not 4.5 times as light or dark as what lies behind them; disabled buttons
# may be so, and what is no text.
FAINT_TEXTS = """(root) => {
    const channels = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => channels(color).slice(0, 3).map((value) => value / 255)
        .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (one) => {
        const color = getComputedStyle(one).backgroundColor;
        return (channels(color)[3] ?? 1) > 0 ? color : behind(one.parentElement);
    };
    return [...root.querySelectorAll("*")].filter((one) => one.checkVisibility()
        && !one.disabled && !one.matches("option") && [...one.childNodes].some(
        (node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim())).filter((one) => {
        const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
    }).map((one) => one.textContent);
}"""

Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def still(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a board of which two images were set aside, one of them to come back."""
    folder = tmp_path_factory.mktemp("board")
    own = open_run(run_dir=shutil.copytree(run.folder.root, folder / "run"))
    doubt_labels(own)
    made = board(own)
    first, second, _ = (card["id"] for card in made.cards)
    for n, (image_id, action, note) in enumerate(
        [(first, "skip", ""), (first, "note", "too dark"), (second, "defer", "")], start=1
    ):
        made.events = [{"id": image_id, "action": action, "note": note, "n": n}]
    made.apply += 1
    made.events = [{"id": second, "action": "accept", "note": "", "n": 4}]
    assert made.message == "" and list(made.aside) == [first, second]
    path = folder / "board.html"
    path.write_text(page_of(made, "board"), encoding="utf-8")
    return path


def doubt_labels(run: Run) -> None:
    """Keeps that the detector sees other objects a little beside those of an evaluated image."""
    found = run.dataset.test_objects
    image_id = next(i for i, one in found.items() if len(one))
    boxes, labels = found[image_id].boxes, found[image_id].labels
    others = Detections(boxes + 2, np.full(len(labels), 0.9, np.float32), 1 - labels)
    keep_detections(run.folder, 1, {image_id: others})


@pytest.fixture
def opened(browser: Browser, still: Path) -> Opened:
    """`opened((1280, 800), color_scheme="dark")`: the board in such a window."""

    @contextmanager
    def show(window: tuple[int, int] = WINDOWS[0], **more: Any) -> Iterator[Locator]:
        width, height = window
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(still.as_uri())
        view = page.locator('.miaod-board[data-ready="1"]')
        view.wait_for()
        page.wait_for_timeout(200)  # the board fits itself to its room
        yield view
        assert faults == []
        context.close()

    return show


def box(part: Locator) -> dict[str, float]:
    found = part.bounding_box()
    assert found is not None
    return {**found, "right": found["x"] + found["width"], "bottom": found["y"] + found["height"]}


def seen(part: Locator) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(part.screenshot())).convert("RGB")).astype(int)


# ------------------------------------------------------------------------------- in each window


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS)
def test_pictures_come_first_in_every_window(opened, pictures, window, theme):
    with opened(window, color_scheme=theme) as view:
        name = f"board-page-{window[0]}x{window[1]}-{theme}"
        view.page.screenshot(path=pictures / f"{name}.png")
        for role in ("mix", "hints"):
            assert part(view, role).evaluate("one => one.open") == (window not in NARROW)
        card = part(view, "card").first
        picture, inside = box(card.locator("img")), box(part(card, "picture"))
        assert picture["bottom"] < window[1]  # seen without scrolling
        assert picture["y"] < window[1] / 2
        used = [picture["width"] / inside["width"], picture["height"] / inside["height"]]
        assert max(used) > 0.97
        assert inside["height"] >= min(0.7 * inside["width"], 0.35 * window[1])
        view.focus()
        view.page.keyboard.press("n")
        part(view, "left-out").locator("summary").click()
        assert set(parts_outside(view)) <= SCROLLED
        assert view.evaluate(FAINT_TEXTS) == []
        part(view, "left-out").scroll_into_view_if_needed()
        assert 0 <= box(part(view, "apply"))["y"] < window[1]  # Apply stays in reach
        view.page.screenshot(path=pictures / f"{name}-drawer.png")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_labels_to_look_at_again_are_shown_with_both_boxes(opened, pictures, theme):
    with opened(WINDOWS[0], color_scheme=theme) as view:
        fold = part(view, "doubts")
        assert not fold.evaluate("one => one.open")
        fold.locator("summary").click()
        first = part(view, "doubt").first
        expect(first).to_contain_text("(0.90)")
        fold.screenshot(path=pictures / f"board-doubts-{theme}.png")
        assert view.evaluate(FAINT_TEXTS) == [] and set(parts_outside(view)) <= SCROLLED
        picture = seen(first.locator("canvas"))
        for color in ((0, 0, 0), (0, 0x72, 0xB2)):  # the label's box, and the predicted one
            assert (np.abs(picture - color).max(axis=2) < 40).any()


@pytest.mark.parametrize("window", WINDOWS)
def test_numbers_stand_beside_the_enlarged_picture_or_below_it(opened, pictures, window):
    with opened(window) as view:
        view.focus()
        view.page.keyboard.press("Enter")
        large = part(view, "enlarged")
        expect(large).to_have_attribute("data-ready", "1")
        frame, details = box(large.locator(".miaod-frame")), box(large.locator(".miaod-details"))
        if window in NARROW:
            assert details["y"] >= frame["bottom"]
            assert frame["width"] > 0.95 * details["width"]
        else:
            assert details["x"] >= frame["right"] and details["y"] < frame["y"] + 30
        picture = box(large.locator("img"))
        assert picture["y"] >= 0 and picture["bottom"] <= window[1] + 1
        assert max(picture["width"] / frame["width"], picture["height"] / window[1]) > 0.6
        assert view.evaluate(FAINT_TEXTS) == []
        part(view, "left-out").locator("summary").click()  # what is folded has places as well
        assert parts_outside(view) == []
        view.page.screenshot(path=pictures / f"board-large-{window[0]}x{window[1]}.png")


def test_what_the_user_opens_stays_open(opened):
    with opened((760, 700)) as view:
        mix, hints = part(view, "mix"), part(view, "hints")
        mix.locator("summary").press("Enter")  # a key that enlarges elsewhere
        assert mix.evaluate("one => one.open") and part(view, "enlarged").count() == 0
        view.page.set_viewport_size({"width": 800, "height": 500})
        view.page.wait_for_timeout(200)
        assert mix.evaluate("one => one.open") and not hints.evaluate("one => one.open")
        view.page.set_viewport_size({"width": 1280, "height": 800})
        expect(hints).to_have_attribute("open", "")
        mix.locator("summary").click()
        view.page.set_viewport_size({"width": 1920, "height": 1080})
        view.page.wait_for_timeout(200)
        assert not mix.evaluate("one => one.open")


def test_on_paper_the_board_is_whole_and_has_no_controls(opened):
    with opened((760, 700), color_scheme="dark") as view:
        grid = part(view, "grid")
        assert grid.evaluate("one => one.scrollHeight > one.clientHeight")
        view.page.emulate_media(media="print")
        assert grid.evaluate("one => one.scrollHeight <= one.clientHeight + 1")
        assert view.locator("button:visible, input:visible, kbd:visible").count() == 0
        assert view.evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(255, 255, 255)"
        assert view.evaluate(FAINT_TEXTS) == []


# --------------------------------------------------------------------------- boxes and pictures


def test_b_shows_the_bare_pictures(opened):
    with opened() as view:
        picture = part(view, "picture").first
        boxed = seen(picture)
        view.focus()
        view.page.keyboard.press("b")
        assert not part(view, "boxes").is_checked()
        assert view.locator("canvas:visible").count() == 0
        bare = seen(picture)
        assert (abs(boxed - bare).max(axis=-1) > 8).any()
        view.page.keyboard.press("Enter")
        expect(part(view, "enlarged")).to_be_visible()
        assert view.locator("canvas:visible").count() == 0
        part(view, "boxes").check()
        assert view.locator("canvas:visible").count() == 1
        view.page.keyboard.press("Escape")
        assert (seen(picture) == boxed).all()


def test_while_b_is_held_down_the_picture_is_bare(opened):
    with opened() as view:
        view.focus()
        view.page.keyboard.press("Enter")
        canvas = part(view, "enlarged").locator("canvas")
        for _ in range(3):  # the first, and what a key that is held down repeats
            view.page.keyboard.down("b")
            expect(canvas).to_be_hidden()
        view.page.keyboard.up("b")
        expect(canvas).to_be_visible()


def test_boxes_on_cards_are_thin(opened):
    """A line and its halo take at most 2 pixels of a card: small objects can be seen."""
    with opened() as view:
        widths = view.evaluate("""(view) => [...view.querySelectorAll("canvas")].flatMap((one) => {
            const { width, height } = one;
            const { data } = one.getContext("2d").getImageData(0, 0, width, height);
            const painted = (x, y) => data[4 * (y * width + x) + 3] > 60;
            const runs = [];
            for (let y = 0; y < height; y++) {
                for (let x = 0, run = 0; x < width; x++) {
                    if (painted(x, y)) run += 1;
                    else if (run) { runs.push(run / devicePixelRatio); run = 0; }
                }
            }
            return runs;
        })""")
        assert len(widths) > 50 and np.median(widths) <= 3


def test_a_click_on_a_picture_enlarges_and_elsewhere_only_selects(opened):
    with opened() as view:
        second, third = part(view, "card").nth(1), part(view, "card").nth(2)
        second.locator("header").click()
        expect(second).to_have_attribute("aria-current", "true")
        assert part(view, "enlarged").count() == 0
        frame = part(third, "picture")
        assert "enlarge" in (frame.get_attribute("title") or "")
        assert frame.evaluate("one => getComputedStyle(one).cursor") == "zoom-in"
        frame.click()
        image_id = third.get_attribute("data-id")
        expect(part(view, "enlarged")).to_have_attribute("data-id", image_id)
        assert view.evaluate(FOCUS_INSIDE)
        part(view, "close").click()
        expect(third).to_be_visible()
        expect(third).to_have_attribute("aria-current", "true")


# ----------------------------------------------------------------------- notes, focus, the drawer


def test_notes_are_written_by_mouse(opened):
    with opened() as view:
        card = part(view, "card").nth(1)
        button, field = part(card, "note"), part(view, "note-input")
        assert "(n)" in (button.get_attribute("title") or "")
        button.click()
        expect(card).to_have_attribute("aria-current", "true")
        expect(field).to_be_focused()
        view.page.keyboard.type("unsure bus")  # u, s, b and n are letters here
        expect(field).to_have_value("unsure bus")
        part(view, "note-save").click()
        expect(part(card, "note-text")).to_have_text("note: unsure bus")
        expect(field).to_have_count(0)
        assert view.evaluate(FOCUS_INSIDE)
        assert card.get_attribute("data-state") == "undecided"
        for leave in (part(view, "note-cancel").click, lambda: view.page.keyboard.press("Escape")):
            button.click()
            view.page.keyboard.type("another")
            leave()
            expect(field).to_have_count(0)
            expect(part(card, "note-text")).to_have_text("note: unsure bus")
            assert view.evaluate(FOCUS_INSIDE)


def test_the_keys_stay_with_the_board_whatever_is_done(opened):
    with opened() as view:
        view.focus()
        for key in ("a", "s", "d", "u", "Control+z", "Home", "End", "b", "[", "]", "ArrowUp",
                    "Enter", "s", "ArrowLeft", "u", "Escape", "n", "Escape"):  # fmt: skip
            view.page.keyboard.press(key)
            assert view.evaluate(FOCUS_INSIDE), key
        card = part(view, "card").first
        part(view, "left-out").locator("summary").click()
        for button in (part(card, "skip"), part(card, "accept"), part(view, "boxes"),
                       part(view, "replace"), part(view, "take-back").first):  # fmt: skip
            button.click()
            assert view.evaluate(FOCUS_INSIDE)
        part(card, "picture").click()
        for role in ("accept", "note", "note-cancel", "close"):
            visible = part(view, role).locator("visible=true").first
            visible.click()
            assert view.evaluate(FOCUS_INSIDE), role


def test_parts_that_are_drawn_anew_under_the_focus_leave_it_to_the_board(opened):
    with opened((853, 533)) as view:
        part(view, "card").first.locator("button").first.focus()
        view.page.set_viewport_size({"width": 1280, "height": 800})  # larger pictures: new cards
        view.page.wait_for_timeout(200)
        assert view.evaluate(FOCUS_INSIDE)
        view.page.keyboard.press("Enter")
        part(view, "enlarged").locator("button").first.focus()
        view.page.set_viewport_size({"width": 760, "height": 700})
        view.page.wait_for_timeout(200)
        assert view.evaluate(FOCUS_INSIDE)


def test_the_drawer_shows_what_was_set_aside_and_what_comes_back(opened):
    with opened() as view:
        drawer, items = part(view, "left-out"), part(view, "aside")
        summary = drawer.locator("summary")
        expect(summary).to_have_text("Set aside (2), 1 of them in with Apply")
        expect(items.first).to_be_hidden()
        summary.click()
        aside, waiting = items.nth(0), items.nth(1)
        for one in (aside, waiting):
            expect(one).to_contain_text(one.get_attribute("data-id") or "-")
            assert one.locator("img").evaluate("one => one.naturalWidth") > 0
        expect(aside).to_contain_text("✕ skipped")
        expect(aside).to_contain_text("note: too dark")
        expect(waiting).to_contain_text("comes in with Apply")
        expect(part(waiting, "take-back")).to_be_hidden()
        expect(part(view, "apply")).to_have_text("Apply: 1 in")
        part(aside, "take-back").click()
        expect(summary).to_contain_text("2 of them in")
        expect(aside).to_contain_text("comes in with Apply")
        expect(aside).to_be_visible()  # the drawer stays open
        view.page.keyboard.press("u")
        expect(aside).to_contain_text("✕ skipped")
        assert view.evaluate(FOCUS_INSIDE)


# ------------------------------------------------------------------------- for those who hear it


def test_cards_are_a_list_in_the_order_in_which_they_are_seen(opened):
    with opened((760, 700)) as view:
        cards = view.get_by_role("list", name="the images of the batch").locator("> *")
        assert cards.count() == part(view, "card").count() == 3
        places = [(box(one)["y"], box(one)["x"]) for one in cards.all()]
        assert places == sorted(places)
        view.focus()
        view.page.keyboard.press("ArrowRight")
        view.page.keyboard.press("s")
        names = [one.get_attribute("aria-label") or "" for one in cards.all()]
        for one, name in zip(cards.all(), names, strict=True):
            assert re.fullmatch(rf"#\d+ {one.get_attribute('data-id')}, \w+", name)
        assert names[1].endswith(", skipped") and names[0].endswith(", undecided")
        current = [one.get_attribute("aria-current") for one in cards.all()]
        assert current == [None, None, "true"]


def test_everything_has_a_name_and_only_what_is_done_is_said(opened):
    with opened() as view:
        nameless = view.evaluate("""(view) => [...view.querySelectorAll("button, input, canvas")]
            .filter((one) => !/\\w/.test(one.getAttribute("aria-label") || one.textContent ||
                one.closest("label")?.textContent || "")).map((one) => one.outerHTML)""")
        assert nameless == []
        assert view.evaluate("""(view) => [...view.querySelectorAll("canvas")]
            .every((one) => one.getAttribute("role") === "img")""")
        assert view.evaluate("""(view) => [...view.querySelectorAll("img")]
            .every((one) => one.alt)""")
        assert part(view, "bar").locator("[role=status], [aria-live]").count() == 0
        assert part(view, "bar").evaluate("one => !one.closest('[role=status], [aria-live]')")
        first = part(view, "card").first.get_attribute("data-id")
        view.focus()
        view.page.keyboard.press("d")
        expect(part(view, "said")).to_have_text(f"{first}: deferred")
        view.page.keyboard.press("Home")
        expect(part(view, "said")).to_have_text(re.compile(rf"#\d+ {first}, deferred"))
        levels = view.evaluate("view => [...view.querySelectorAll('h1, h2, h3, h4, h5')]"
                               ".map((one) => one.tagName)")  # fmt: skip
        assert levels == ["H3"]


def test_scores_are_written_as_everywhere(opened, run):
    every = {f"score {number_text(score)}" for score in run.record.scores(1)["score"]}
    with opened() as view:
        texts = view.locator(".miaod-card .miaod-name span:last-child").all_inner_texts()
        assert len(texts) == 3 and set(texts) <= every


def test_what_is_not_saved_is_said_for_as_long_as_it_holds(opened):
    with opened() as view:
        view.focus()
        before = part(view, "saved").inner_text()
        view.page.keyboard.press("]")  # asks for nothing
        assert part(view, "saved").inner_text() == before
        view.page.keyboard.press("a")
        expect(part(view, "saved")).to_contain_text("Not saved")
        assert part(view, "saved").get_attribute("role") == "alert"
