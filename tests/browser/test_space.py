"""The selection space in the browser: images are pointed at, encircled and decided about, by mouse
and keys, in JupyterLab; and its page alone: axes, sizes, dark and printed."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from miaod_nb.experiment import Run
from miaod_nb.views import page as page_of
from miaod_nb.views import selection_space
from miaod_nb.views.space import Space
from tests.browser.lab import WINDOWS, NotebookPage, cell_of, part, parts_outside

pytestmark = pytest.mark.slow

MARGIN = 16  # pixels between the points and the edges of the map
Opened = Callable[[], AbstractContextManager[tuple[NotebookPage, Locator]]]
Shown = Callable[..., Locator]


@pytest.fixture
def opened(lab: Any, own_run: Run) -> Opened:
    """`opened()`: a notebook that was run and shows the space, called `view`; and this view."""

    @contextmanager
    def show() -> Iterator[tuple[NotebookPage, Locator]]:
        with lab.open(cell_of(own_run.folder.root, "selection_space(run)")) as notebook:
            notebook.run()
            view = notebook.view("space")
            view.scroll_into_view_if_needed()
            yield notebook, view

    return show


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Iterator[Shown]:
    """`shown(view, window, scheme)`: the view as a page alone, in a window of this size."""
    pages: list[Page] = []

    def show(view: Space, window: tuple[int, int] = WINDOWS[0], scheme: str = "light") -> Locator:
        path = tmp_path / "space.html"
        path.write_text(page_of(view, "space"), encoding="utf-8")
        size = {"width": window[0], "height": window[1]}
        page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        pages.append(page)
        page.goto(path.as_uri())
        found = page.locator('.miaod-space[data-ready="1"]')
        found.wait_for()
        return found

    yield show
    for page in pages:
        page.close()


def decided(run: Run) -> list[tuple[str, str]]:
    """What stands in the decision file of the newest cycle."""
    lines = run.folder.path("cycle1/decisions.jsonl").read_text().splitlines()
    return [(json.loads(line)["id"], json.loads(line)["action"]) for line in lines]


# ----------------------------------------------------------------------------- in a notebook

MIDDLES = """(icons) =>
    icons.map((one) => [...one.getContext("2d").getImageData(16, 18, 1, 1).data.slice(0, 3)])"""


def test_pointing_shows_an_image_and_a_line_around_points_gives_their_ids(opened):
    with opened() as (notebook, view):
        middles = view.locator(".miaod-mark").evaluate_all(MIDDLES)
        assert middles[1] == [255, 255, 255]  # of a labeled image: paper, as on the map
        places = _places(view, notebook.python("view.points"))
        box = part(view, "map").bounding_box()
        image_id, (x, y) = min(places.items(), key=lambda item: item[1])  # the leftmost
        view.page.mouse.move(box["x"] + x, box["y"] + y)
        hover = part(view, "hover")
        expect(hover).to_have_attribute("data-id", image_id)
        expect(hover.locator("img")).to_be_visible()  # brought by Python
        _draw(view, [(0, 0), (0.5, 0), (0.5, 1), (0, 1)])
        left = sorted(i for i, (x, _) in places.items() if x < box["width"] / 2)
        assert sorted(notebook.until("view.ids")) == left
        expect(part(view, "counts")).to_contain_text(f"{len(left)} images encircled: ")
        expect(part(view, "gallery").locator("img")).to_have_count(len(left))
        part(view, "gallery").locator("figure").last.hover()  # shows it on the map, large
        expect(hover).to_have_attribute("data-id", notebook.python("view.ids")[-1])
        expect(hover.locator("img")).to_be_visible()
        view.focus()
        view.page.keyboard.press("Escape")
        notebook.until("view.ids == []")


def test_what_is_encircled_is_skipped_asked_for_and_taken_back(opened, own_run):
    with opened() as (notebook, view):
        _draw(view, [(0, 0), (1, 0), (1, 1), (0, 1)])
        notebook.until("len(view.ids) == 16")
        expect(part(view, "counts")).to_have_text(
            "16 images encircled: 7 labeled, 3 selected in this cycle, 6 other"
        )
        expect(part(view, "skip")).to_have_text("Skip 9")
        expect(part(view, "buttons")).to_contain_text("7 labeled left out")
        expect(part(view, "undo")).to_be_disabled()
        part(view, "skip").click()
        expect(part(view, "saved")).to_contain_text("cycle1/decisions.jsonl")
        assert len(decided(own_run)) == 9 and {action for _, action in decided(own_run)} == {"skip"}
        expect(part(view, "gallery").locator("figure", has_text="✕ skipped")).to_have_count(9)
        expect(part(view, "ask")).to_be_disabled()
        expect(part(view, "buttons")).to_contain_text("a batch has 3 images: too many to ask for")
        part(view, "undo").click()
        expect(part(view, "gallery").locator("figure", has_text="skipped")).to_have_count(0)
        expect(part(view, "undo")).to_be_disabled()
        assert {action for _, action in decided(own_run)[9:]} == {"undecided"}


def test_keys_encircle_one_by_one_and_the_board_lets_them_in(opened, own_run):
    with opened() as (notebook, view):
        cells = view.page.locator(".jp-Cell").count()
        scored = [p for p in notebook.python("view.points") if p["score"] is not None]
        order = [point["id"] for point in sorted(scored, key=lambda point: -point["score"])]
        view.focus()
        for key in ("ArrowRight", "Space", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
            view.page.keyboard.press(key)
        notebook.until(f"view.ids == {[order[0], order[3]]}")
        expect(part(view, "told")).to_contain_text(f"{order[3]}: pool, uncertainty")
        expect(part(view, "told")).to_contain_text(", encircled")
        view.page.keyboard.press("Enter")
        notebook.until(f"view.ids == {order[:1]}")
        expect(part(view, "told")).to_contain_text(", not encircled")
        view.page.keyboard.press("Enter")
        notebook.until("len(view.ids) == 2")
        part(view, "ask").focus()
        view.page.keyboard.press("Space")  # a button that has the focus is pressed
        notebook.until("view.answered == 1")
        assert decided(own_run) == [(order[0], "accept"), (order[3], "accept")]
        batch = notebook.python(
            "[row['id'] for row in __import__('miaod_nb.labeling.reviewing', fromlist=['a'])"
            ".apply_decisions(run.record, 1)['selected']]"
        )
        assert batch == [order[0], order[1], order[3]]
        view.page.keyboard.press("u")
        notebook.until("view.answered == 2")
        assert decided(own_run)[2:] == [(order[0], "undecided"), (order[3], "undecided")]
        assert view.page.locator(".jp-Cell").count() == cells  # no key went to the notebook


# ------------------------------------------------------------------------------ a page alone


def test_arrows_point_from_the_most_uncertain_on(own_run, shown):
    made = selection_space(own_run)
    view = shown(made)
    scored = [point for point in made.points if point["score"] is not None]
    view.focus()
    for point in sorted(scored, key=lambda point: -point["score"])[:3]:
        view.page.keyboard.press("ArrowRight")
        expect(part(view, "hover")).to_have_attribute("data-id", point["id"])
        expect(part(view, "told")).to_contain_text(point["id"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colors_are_ranks_of_the_uncertainty(own_run, shown, scheme):
    made = selection_space(own_run)
    view = shown(made, scheme=scheme)
    points = made.points
    scored = sorted((p for p in points if p["score"] is not None), key=lambda p: p["score"])
    places, ranks = _places(view, points), range(len(scored))
    seen = [_color_at(view, places[point["id"]]) for point in scored]
    colors = matplotlib.colormaps["cividis"]([rank / (len(scored) - 1) for rank in ranks])
    near = abs(np.array(seen) - 255 * colors[:, :3]).max(axis=1) <= 4
    assert near[0] and near[-1] and near.mean() > 0.6  # some points lie under others
    expect(part(view, "scale")).to_contain_text("by rank")


def test_labeled_images_have_the_colors_of_the_page_also_when_it_changes(own_run, shown):
    """Triangles of paper with an edge of ink; paper that is printed is white."""
    made = selection_space(own_run)
    view = shown(made, scheme="dark")
    places = _places(view, made.points)
    labeled = [places[point["id"]] for point in made.points if point["kind"] == "labeled"]

    def lightest() -> int:
        return max(sum(_color_at(view, place)) for place in labeled)

    def darkest() -> int:
        return min(sum(_color_at(view, place)) for place in labeled)

    assert darkest() < 3 * 60
    view.page.emulate_media(media="print")
    view.page.wait_for_timeout(200)
    assert lightest() == 3 * 255 and _edges(view) > 100
    view.page.emulate_media(media="screen")
    view.page.wait_for_timeout(200)
    assert darkest() < 3 * 60
    view.page.emulate_media(color_scheme="light")
    view.page.wait_for_timeout(200)
    assert lightest() == 3 * 255


def test_axes_are_named_with_their_share_and_stand_beside_the_map(own_run, shown):
    made = selection_space(own_run)
    first, second = (float(f"{100 * share:.2g}") for share in made.shares)
    view = shown(made)
    x, y = part(view, "axis-x"), part(view, "axis-y")
    expect(x).to_contain_text(f"1st principal component: {first:g} % of the variance")
    expect(x).to_contain_text("both axes have the same scale")
    expect(y).to_have_text(f"2nd principal component: {second:g} % of the variance")
    frame, below, left = (one.bounding_box() for one in (part(view, "map"), x, y))
    assert frame["y"] + frame["height"] <= below["y"] + 1
    assert left["x"] + left["width"] <= frame["x"] + 1 and left["height"] > left["width"]


def test_a_flat_cloud_has_a_scale_for_each_axis_and_says_so(own_run, shown):
    made = selection_space(own_run)
    made.points = [{**point, "y": point["y"] / 1000} for point in made.points]
    expect(part(shown(made), "axis-x")).to_contain_text("each axis has its own scale")


def test_screen_readers_get_the_map_in_words_and_parts_in_the_order_of_sight(own_run, shown):
    made = selection_space(own_run)
    made.lasso_ids = [point["id"] for point in made.points]
    view = shown(made)
    expect(part(view, "map")).to_have_attribute(
        "aria-label", "map of 16 images: 6 pool, 7 labeled, 3 selected in this cycle"
    )
    expect(part(view, "map")).to_have_attribute("role", "img")
    assert view.evaluate("""(root) => [...root.querySelectorAll("canvas")].every((one) =>
        one.getAttribute("aria-label") || one.getAttribute("aria-hidden") === "true")""")
    below = ["counts", "saved", "gallery", "ids"]
    tops = [part(view, role).bounding_box()["y"] for role in below]
    assert tops == sorted(tops)
    expect(part(view, "told")).to_have_attribute("role", "status")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_space_fits_into_windows_of_all_sizes(own_run, shown, pictures, scheme):
    made = selection_space(own_run)
    made.lasso_ids = [point["id"] for point in made.points][:12]
    for width, height in WINDOWS:
        view = shown(made, (width, height), scheme)
        assert parts_outside(view) == []
        assert view.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        frame, lasso = part(view, "map").bounding_box(), part(view, "lasso").bounding_box()
        assert frame["height"] <= 0.62 * height or frame["height"] == 260
        assert frame["y"] + frame["height"] <= height  # in sight without scrolling
        beside = lasso["x"] >= frame["x"] + frame["width"]
        assert beside if width >= 1280 else frame["width"] > width - 120
        view.page.screenshot(path=pictures / f"space-{scheme}-{width}x{height}.png")


def test_a_saved_page_keeps_pictures_and_says_that_it_decides_nothing(own_run, shown):
    made = selection_space(own_run)
    made.lasso_ids = [made.points[0]["id"]]
    view = shown(made)
    expect(part(view, "gallery").locator("img")).to_have_count(1)
    expect(part(view, "buttons")).to_be_hidden()
    expect(part(view, "saved")).to_contain_text("A saved page decides nothing")
    _draw(view, [(0, 0), (1, 0), (1, 1), (0, 1)])
    expect(part(view, "counts")).to_contain_text("16 images encircled")
    expect(part(view, "gallery").locator("img")).to_have_count(1)
    expect(part(view, "more")).to_have_text("A saved page keeps no pictures of other images.")


def test_of_many_images_the_first_are_shown_and_the_others_counted(own_run, shown, monkeypatch):
    monkeypatch.setattr("miaod_nb.views.space.SHOWN", 5)
    made = selection_space(own_run)
    made.lasso_ids = [point["id"] for point in made.points]
    page = shown(made).page
    html = page.content().replace("still: true", "still: false")  # as in a notebook
    page.set_content(html)
    view = page.locator('.miaod-space[data-ready="1"]')
    expect(part(view, "gallery").locator("figure")).to_have_count(5)
    expect(part(view, "more")).to_have_text("and 11 more")


# ------------------------------------------------------------------------------------ helpers


def _places(view: Locator, points: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Where each point lies on the map, in CSS pixels, by id: amid it, on one scale."""
    box = part(view, "map").bounding_box()
    low = [min(point[axis] for point in points) for axis in "xy"]
    size = [max(point[axis] for point in points) - least
            for axis, least in zip("xy", low, strict=True)]  # fmt: skip
    room = (box["width"] - 2 * MARGIN, box["height"] - 2 * MARGIN)
    scale = min(room[0] / size[0], room[1] / size[1])
    left, top = ((box["width"] - scale * size[0]) / 2, (box["height"] - scale * size[1]) / 2)
    return {
        p["id"]: (
            left + scale * (p["x"] - low[0]),
            box["height"] - top - scale * (p["y"] - low[1]),
        )
        for p in points
    }


def _color_at(view: Locator, place: tuple[float, float]) -> list[int]:
    """The color of the map at a place in CSS pixels."""
    return part(view, "map").evaluate(
        """(canvas, place) => {
            const dense = canvas.width / canvas.clientWidth;
            const [x, y] = place.map((at) => Math.round(dense * at));
            return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data.slice(0, 3)];
        }""",
        list(place),
    )


def _edges(view: Locator) -> int:
    """How many pixels of the map are opaque and nearly black."""
    return part(view, "map").evaluate(
        """(canvas) => {
            const { data } = canvas.getContext("2d")
                .getImageData(0, 0, canvas.width, canvas.height);
            let dark = 0;
            for (let i = 0; i < data.length; i += 4) {
                dark += data[i + 3] === 255 && data[i] + data[i + 1] + data[i + 2] < 120;
            }
            return dark;
        }"""
    )


def _draw(view: Locator, corners: list[tuple[float, float]]) -> None:
    """Draws a line through places on the map, shares of its width and height, by the mouse."""
    box = part(view, "map").bounding_box()
    places = [(box["x"] + x * (box["width"] - 1), box["y"] + y * (box["height"] - 1))
              for x, y in corners]  # fmt: skip
    mouse = view.page.mouse
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place, steps=5)
    mouse.up()
