"""The what-if view as a page alone: in windows of every size, in the dark, on paper, in words."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from miaod_nb.experiment import Run
from miaod_nb.views import page as page_of
from miaod_nb.views import what_if
from tests.browser.alone import Shows, contrast, frame
from tests.browser.lab import WINDOWS, part, parts_outside

pytestmark = pytest.mark.slow

Show = Callable[..., Locator]


@pytest.fixture
def show(browser: Browser, run: Run, tmp_path: Path) -> Iterator[Show]:
    """`show(settings, window, ...)`: the view of a run with these settings changed."""
    shows = Shows(browser, tmp_path)

    def opened(
        settings: dict[str, Any], window: tuple[int, int] = WINDOWS[0], **look: Any
    ) -> Locator:
        view = what_if(run)
        view.settings = view.settings | settings
        return shows(page_of(view, "what if"), window, **look)

    yield opened
    shows.close()


@pytest.mark.parametrize("window", WINDOWS)
def test_lists_stand_side_by_side_or_below_each_other_where_it_is_narrow(show, window):
    view = show({"budget": 6}, window)
    added, dropped = frame(part(view, "added")), frame(part(view, "dropped"))
    if window[0] > 760:
        assert dropped["left"] >= added["right"] and dropped["top"] == added["top"]
    else:
        assert dropped["top"] >= added["bottom"] and dropped["left"] == added["left"]
        assert added["right"] - added["left"] > 0.9 * window[0] - 60
    assert parts_outside(view) == []


def test_a_batch_that_stays_is_said_without_empty_lists(show):
    view = show({})
    expect(part(view, "scope")).to_have_text("These are the run's own settings.")
    expect(part(view, "ranks")).to_have_text("No image comes in and none falls out.")
    expect(view.locator("h4")).to_have_count(0)
    view = show({"budget": 6})
    assert view.locator("h4").all_inner_texts() == ["+ Added: 3", "− Dropped: none"]
    expect(view.locator("figure img")).to_have_count(3)


def test_controls_have_names_and_the_result_is_told(show):
    view = show({"budget": 6})
    page = view.page
    for role, name in {
        "group": "what if", "combobox": "strategy", "checkbox": "re-weighted",
        "button": "As the run has it", "slider": "k, the number of anchors",
    }.items():  # fmt: skip
        expect(page.get_by_role(role, name=name)).to_be_visible()
    budget = page.get_by_role("slider", name="budget")
    expect(budget).to_have_attribute("aria-valuetext", "6 images")
    expect(part(view, "budget-text")).to_have_text("6 images")
    expect(page.get_by_role("status").filter(has_text="added")).to_contain_text("+ 3 added")
    budget.press("ArrowRight")
    expect(budget).to_have_attribute("aria-valuetext", "7 images")
    expect(page.get_by_role("status").filter(has_text="No notebook answers")).to_be_visible()


def test_the_lists_of_other_settings_are_pale(show):
    """Those of the settings before stay to be seen while nobody has answered."""

    def strength() -> float:
        return float(part(view, "lists").evaluate("(lists) => getComputedStyle(lists).opacity"))

    view = show({"budget": 6})
    assert strength() == 1
    part(view, "budget").press("ArrowRight")
    assert strength() < 1
    part(view, "budget").press("ArrowLeft")
    assert strength() == 1


def test_settings_that_cannot_be_replayed_are_told_from_waiting(show):
    view = show({"budget": 0})
    expect(part(view, "message")).to_contain_text("what to do")
    expect(part(view, "summary")).to_have_text("The lists are of the settings before these.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_on_any_page(show, scheme):
    view = show({"budget": 6}, color_scheme=scheme)
    expect(view).to_have_attribute("data-page", scheme)
    assert contrast(view, "h3, h4, label span, figcaption span, .miaod-number") >= 4.5


def test_paper_shows_every_tile_of_the_lists(show):
    view = show({"budget": 9}, (760, 300), color_scheme="dark")
    part(view, "added").evaluate("""(list) => {
        const tiles = list.querySelector(".miaod-tiles");
        for (let i = 0; i < 40; i += 1) tiles.append(tiles.firstChild.cloneNode(true));
    }""")
    cut = """(tiles) => tiles.scrollHeight - tiles.clientHeight"""
    tiles = part(view, "added").locator(".miaod-tiles")
    assert tiles.evaluate(cut) > 0
    view.page.emulate_media(media="print", color_scheme="dark")
    assert tiles.evaluate(cut) == 0
    expect(part(view, "reset")).to_be_hidden()
    assert contrast(view, "h3, h4, figcaption span") >= 4.5


def test_images_that_are_gone_are_named_without_a_picture(show, run, tmp_path):
    folder = run.data_root / "JPEGImages"
    away = folder.rename(tmp_path / "away")
    try:
        view = show({"budget": 6})
    finally:
        away.rename(folder)
    expect(part(view, "message")).to_be_hidden()
    assert part(view, "added").locator("figure").all_inner_texts()[0].startswith("no picture")
