"""The viewer as a page alone: in windows of every size, in the dark, on paper and in words."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from miaod_nb.experiment import Run
from miaod_nb.views import page as page_of
from miaod_nb.views import uncertainty_viewer
from miaod_nb.views.base import EXPORT, source
from tests.browser.alone import Shows, contrast, frame
from tests.browser.lab import WINDOWS, part, parts_outside

pytestmark = pytest.mark.slow

SMALL = WINDOWS[2:]
SIDES = (1, 2)  # pictures side by side
Show = Callable[..., Locator]


@pytest.fixture(scope="module")
def files(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """The page of a viewer with one picture, of several images, and of one with two pictures."""
    one = uncertainty_viewer(run)
    one.embed(image["id"] for image in one.index[1:3])
    two = uncertainty_viewer(run, 1, beside=[(run, 0)])
    assert (one.message, two.message) == ("", "")
    return {1: page_of(one, "one"), 2: page_of(two, "two")}


@pytest.fixture
def show(browser: Browser, files: dict[int, str], tmp_path: Path) -> Iterator[Show]:
    """`show(window, pictures, change, ...)`: the viewer in a window of this size; change: what to
    do to the page's text, other keywords: of the browser's context."""
    shows = Shows(browser, tmp_path)

    def opened(
        window: tuple[int, int] = WINDOWS[0], pictures: int = 1,
        change: Callable[[str], str] = str, **look: Any,
    ) -> Locator:  # fmt: skip
        return shows(change(files[pictures]), window, **look)

    yield opened
    shows.close()


# ----------------------------------------------------------------------------- room


@pytest.mark.parametrize("pictures", SIDES)
@pytest.mark.parametrize("window", WINDOWS)
def test_pictures_and_titles_are_seen_whole_when_the_page_opens(show, window, pictures):
    view = show(window, pictures)
    for place in range(pictures):
        assert frame(view.locator("figure").nth(place))["bottom"] <= window[1]
    assert parts_outside(view) == []


@pytest.mark.parametrize("window", WINDOWS)
def test_nothing_beside_a_picture_takes_room_from_it(show, window):
    """It is as large as if it were alone: as wide as the view or as high as the window allows."""
    view = show(window)
    before = frame(part(view, "picture-0"))
    view.evaluate("""(root) => {
        for (const part of root.querySelectorAll(".miaod-side, .miaod-place")) part.remove();
        dispatchEvent(new Event("resize"));
    }""")
    after = frame(part(view, "picture-0"))
    assert after["right"] - after["left"] == before["right"] - before["left"] >= 220


@pytest.mark.parametrize("window", SMALL)
def test_seldom_used_controls_fold_in_small_windows_and_open_by_mouse_and_key(show, window):
    view = show(window)
    for role in ("previous", "next", "images", "layer-weight"):
        expect(part(view, role)).to_be_visible()
    folded = [part(view, role) for role in ("boxes", "k", "opacity", "class", "search")]
    for control in folded:
        expect(control).to_be_hidden()
    part(view, "more").click()
    for control in folded:
        expect(control).to_be_visible()
    assert parts_outside(view) == []
    part(view, "more").press("Enter")
    expect(folded[0]).to_be_hidden()
    view.page.set_viewport_size({"width": 1280, "height": 800})
    expect(folded[0]).to_be_visible()
    expect(part(view, "more")).to_be_hidden()


@pytest.mark.parametrize("window", WINDOWS)
def test_the_table_of_a_click_stands_beside_the_picture_or_below(show, window):
    view = show(window)
    part(view, "picture-0").click(position={"x": 90, "y": 90})
    picture, table = frame(part(view, "picture-0")), frame(view.locator("table"))
    beside = table["left"] >= picture["right"]
    assert beside or table["top"] >= picture["bottom"]
    if window not in SMALL:
        assert beside and table["bottom"] <= window[1]
    assert parts_outside(view) == []


@pytest.mark.parametrize("pictures", SIDES)
@pytest.mark.parametrize("window", WINDOWS)
def test_parts_are_read_in_the_order_in_which_they_stand(show, window, pictures):
    view = show(window, pictures)
    part(view, "picture-0").click(position={"x": 90, "y": 90})
    parts = view.locator(".miaod-bar, .miaod-shown, .miaod-legend, .miaod-charts, .miaod-place, "
                         ".miaod-hints")  # fmt: skip
    frames = [frame(one) for one in parts.all() if one.is_visible()]
    assert len(frames) >= 6
    for one, next_one in pairwise(frames):
        assert next_one["top"] >= one["bottom"] - 1 or next_one["left"] >= one["right"] - 1 or (
            next_one["top"] > one["top"] and next_one["left"] > one["left"] - 1)  # fmt: skip


# ----------------------------------------------------------------------- what is said and drawn


def pixels(view: Locator) -> str:
    return part(view, "picture-0").evaluate("(canvas) => canvas.toDataURL()")


def test_first_sight_is_the_layer_without_boxes_and_a_key_shows_them(show):
    view = show()
    assert part(view, "layer-discrepancy").get_attribute("aria-pressed") == "true"
    expect(part(view, "boxes")).not_to_be_checked()
    expect(view).to_contain_text("A click lists the anchors there, b shows predictions.")
    first = pixels(view)
    part(view, "layer-none").click()
    assert pixels(view) != first
    part(view, "layer-discrepancy").click()
    assert pixels(view) == first
    view.focus()
    view.page.keyboard.press("b")
    expect(part(view, "boxes")).to_be_checked()
    expect(part(view, "legend")).to_contain_text("prediction, score")


def test_k_grows_and_falls_with_and_without_shift(show):
    view = show()
    part(view, "k").fill("3")
    view.focus()
    for key, place in {"=": "4", "+": "5", "-": "4", "_": "3"}.items():
        view.page.keyboard.press(key)
        expect(part(view, "k")).to_have_value(place)


def test_what_a_search_said_goes_when_it_no_longer_holds(show):
    view = show()

    def search() -> None:
        part(view, "search").fill("nowhere")
        part(view, "search").press("Enter")
        expect(part(view, "found")).to_have_text('no image id contains "nowhere"')

    search()
    part(view, "search").press("x")
    expect(part(view, "found")).to_be_empty()
    search()
    part(view, "next").click()
    expect(part(view, "found")).to_be_empty()
    search()
    view.focus()
    view.page.keyboard.press("Escape")
    expect(part(view, "found")).to_be_empty()


def test_keys_list_the_most_uncertain_place_and_put_it_away(show):
    view = show()
    before = pixels(view)
    view.focus()
    view.page.keyboard.press("m")
    expect(view.locator("tbody td").first).to_have_text("1")
    expect(part(view, "heard")).to_contain_text("listed at x")
    assert pixels(view) != before
    view.page.keyboard.press("Escape")
    expect(view.locator("table")).to_have_count(0)
    assert pixels(view) == before


def test_the_scale_is_named_with_its_range_wherever_it_stands(show):
    view = show()
    names = {"discrepancy": "discrepancy", "weight": "instance weight", "weighted": "re-weighted"}
    for layer, name in names.items():
        part(view, f"layer-{layer}").click()
        low, high = view.locator(".miaod-ends span").all_inner_texts()
        said = f"Colors: {name}, {low} (dark) to {high} (bright)."
        expect(part(view, "scale")).to_have_text(said)
        label = part(view, "picture-0").get_attribute("aria-label")
        assert f"Layer: {name} of all classes, all levels, {low} to {high}." in label
        own = "not from 0" in part(view, "legend").inner_text()
        assert own == (float(low) > 0) and float(low) < float(high)
    part(view, "layer-none").click()
    expect(part(view, "scale")).to_be_empty()


def test_numbers_of_a_column_have_as_many_decimals(show):
    view = show()
    part(view, "picture-0").click(position={"x": 90, "y": 90})
    rows = [row.locator("td").all_inner_texts() for row in view.locator("tbody tr").all()]
    heads = view.locator("th").all_inner_texts()
    assert len(rows) > 1 and view.locator('th[scope="col"]').count() == len(heads)
    for name in ("discrepancy", "weight", "re-weighted", "p₁", "p₂"):
        column = [row[heads.index(name)] for row in rows]
        kinds = {(len(text.partition(".")[2].partition("e")[0]), "e" in text) for text in column}
        assert len(kinds) == 1, column


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.0123, 0.00456, 0], ["0.0123", "0.0046", "0.0000"]),
        ([1.3, 12, 1.04], ["1.3", "12.0", "1.0"]),
        ([0.01, 2e-6], ["0.0100", "<0.0001"]),
        ([3e-5, 2e-9], ["3.00e-5", "2.00e-9"]),
        ([0, 0], ["0", "0"]),
    ],
)
def test_a_column_is_written_with_the_digits_that_it_needs(browser, values, texts):
    script = source("tables.js").removesuffix(EXPORT)
    page = browser.new_page()
    assert page.evaluate(f"(values) => {{ {script}; return alike(values); }}", values) == texts
    page.close()


@pytest.mark.parametrize("pictures", SIDES)
def test_texts_of_charts_do_not_overlap_and_are_in_words_too(show, pictures):
    view = show(pictures=pictures)
    charts = part(view, "charts").locator("svg").all()
    said = part(view, "charts").locator("[data-role^=at-k]").all_inner_texts()
    assert len(charts) == 2 and len(said) == pictures
    for chart in charts:
        frames = [frame(text) for text in chart.locator("text").all()]
        assert len(frames) == 4
        for one, other in combinations(frames, 2):
            assert one["right"] <= other["left"] or other["right"] <= one["left"] or (
                one["bottom"] <= other["top"] or other["bottom"] <= one["top"])  # fmt: skip
        words = chart.locator("desc").text_content()
        assert words == "; ".join(said) and re.search(r"mean [\d.e-]+, rank \d+ of \d+", words)
    edges = charts[1].locator("text").nth(1).text_content()
    assert re.fullmatch(r"1 to \d+, 1 on top|1 throughout", edges)


def test_controls_and_pictures_have_names(show):
    view = show()
    page = view.page
    for role, name in {
        "group": "uncertainty viewer", "slider": "opacity of the layer", "searchbox": "Find",
        "checkbox": "predictions", "combobox": "feature level", "button": "next",
    }.items():  # fmt: skip
        expect(page.get_by_role(role, name=name).first).to_be_visible()
    expect(page.get_by_role("slider", name="k, the number of anchors")).to_have_attribute(
        "aria-valuetext", part(view, "k-value").inner_text()
    )
    unnamed = view.evaluate("""(root) => [...root.querySelectorAll("input, select, button")]
        .filter((one) => !one.labels?.length && !one.ariaLabel && !one.textContent.trim())
        .map((one) => one.dataset.role)""")
    assert unnamed == []


def test_a_picture_says_what_it_shows_and_follows_the_settings(show):
    view = show()

    def label() -> str:
        return page.get_by_role("img").first.get_attribute("aria-label")

    page = view.page
    first = part(view, "images").input_value()
    assert f"Image {first}. run, cycle 1: score" in label() and "rank 1 of 9" in label()
    assert "not drawn" in label()
    part(view, "boxes").check()
    assert "with a score of 0.3 or more." in label()
    part(view, "level").select_option("0")
    assert "level of stride 8 px" in label()
    part(view, "class").select_option(index=1)
    assert f"of {part(view, 'class').locator('option').nth(1).inner_text()}, " in label()
    part(view, "layer-none").click()
    assert "No layer." in label()
    part(view, "next").click()
    expect(part(view, "position")).to_have_text("2 of 3")
    assert first not in label() and "rank 2 of 9" in label()


# --------------------------------------------------------------------------- dark and printed


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_and_legend_can_be_read_on_any_page(show, scheme):
    view = show(pictures=2, color_scheme=scheme)
    expect(view).to_have_attribute("data-page", scheme)
    for selector, name, least in (
        ("svg text", "fill", 7), ("[data-role^=at-k]", "color", 4.5),
        ("svg polyline", "stroke", 3.5), (".miaod-legend div", "color", 4.5),
        ("svg .axis", "stroke", 2), (".miaod-quiet", "color", 4.5),
    ):  # fmt: skip
        assert contrast(view, selector, name) >= least, selector
    marks = view.evaluate("""(root) => [...root.querySelectorAll(".miaod-mark")].map((mark) =>
        getComputedStyle(mark, "::before").backgroundColor)""")
    assert marks and set(marks) == {"rgb(255, 255, 255)"}  # as the halo on pictures


def test_paper_shows_picture_and_legend_without_controls(show):
    view = show(color_scheme="dark")
    view.focus()
    view.page.keyboard.press("m")
    view.page.emulate_media(media="print", color_scheme="dark")
    for seen in (part(view, "picture-0"), part(view, "legend"), part(view, "charts"),
                 part(view, "scale"), view.locator("table")):  # fmt: skip
        expect(seen).to_be_visible()
    for selector in ("button", "select", "input", ".miaod-hints", ".miaod-click"):
        for one in view.locator(selector).all():
            expect(one).to_be_hidden()
    assert view.evaluate("(root) => getComputedStyle(root).backgroundColor") == "rgb(255, 255, 255)"
    assert contrast(view, "svg text, figcaption, td") >= 7


def test_printed_pictures_are_no_wider_than_the_paper(show):
    def printed(html: str) -> str:  # no script runs then
        observed = "new ResizeObserver(fit).observe(parts.body);"
        assert observed in html
        return html.replace(observed, "").replace('"resize"', '"nothing"')

    view = show(WINDOWS[1], 2, printed)
    view.page.emulate_media(media="print")
    view.page.set_viewport_size({"width": 700, "height": 990})
    assert parts_outside(view) == []


# ------------------------------------------------------------------------- nothing to be shown


def test_data_of_another_version_is_a_sentence(show):
    def older(html: str) -> str:
        return html.replace('"details":', '"numbers":')

    view = show(change=older)
    expect(part(view, "message")).to_contain_text("Run the cell of this view again.")
    expect(part(view, "note")).to_be_empty()
    for role in ("boxes", "k"):
        expect(part(view, role)).to_be_hidden()  # there is nothing that they could change


def test_an_image_that_nobody_brings_is_waited_for_in_words(show):
    """As in a notebook whose kernel does not run: `still` is what a page says of itself."""
    view = show(change=lambda html: html.replace("still: true", "still: false"))
    page = view.page
    part(view, "images").select_option(index=5)
    note = page.locator('[data-role="note"]')  # the view is not ready while it waits
    expect(note).to_contain_text("Computing")
    page.clock.fast_forward(6000)
    expect(note).to_contain_text("run the cell of this view")
    page.locator('[data-role="images"]').select_option(index=0)
    expect(note).to_be_empty()


def test_a_view_whose_images_are_gone_says_so_and_shows_no_empty_controls(browser, run, tmp_path):
    folder = run.data_root / "JPEGImages"
    away = folder.rename(tmp_path / "away")
    try:
        viewer = uncertainty_viewer(run)
    finally:
        away.rename(folder)
    assert "cannot be read" in viewer.message and viewer.payload == {}
    path = tmp_path / "page.html"
    path.write_text(page_of(viewer, "gone"), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    view = page.locator('.miaod-viewer[data-ready="1"]')
    expect(part(view, "message")).to_contain_text("cannot be read")
    assert json.loads(view.evaluate("""(root) => JSON.stringify(
        [...root.querySelectorAll("button, select, input")].filter((one) => one.offsetWidth)
            .map((one) => one.dataset.role))""")) == []  # fmt: skip
    page.close()
