"""The uncertainty viewer, used with mouse and keys in JupyterLab, and in a page of its own."""

import io
import re
import subprocess
import sys
from collections.abc import Iterator

import matplotlib
import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator

from miaod_nb.commands.essay import report_page
from miaod_nb.inspection.anchor_values import anchor_values
from miaod_nb.inspection.maps import anchor_map
from miaod_nb.views import page as page_of
from miaod_nb.views import uncertainty_viewer
from tests.browser.lab import NotebookPage, keep_pictures, part, parts_outside

pytestmark = pytest.mark.slow

MEASURE = """(root) => {
    const times = {};
    const timed = (name, action) => {
        const start = performance.now();
        action();
        root.querySelector("canvas").getContext("2d").getImageData(0, 0, 1, 1);
        times[name] = performance.now() - start;
    };
    for (const layer of ["weight", "weighted", "discrepancy"]) {
        timed(layer, () => root.querySelector(`[data-role=layer-${layer}]`).click());
    }
    const slider = root.querySelector("[data-role=opacity]");
    timed("opacity", () => {
        slider.value = 20;
        slider.dispatchEvent(new Event("input"));
    });
    return times;
}"""


def look(view: Locator, picture: int = 0) -> np.ndarray:
    """What a picture of the view shows: int (H, W, 3)."""
    shot = part(view, f"picture-{picture}").screenshot()
    return np.array(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def changed(before: np.ndarray, after: np.ndarray) -> float:
    """Which share of the pixels differs visibly."""
    assert before.shape == after.shape
    return float((abs(before - after).max(axis=-1) > 8).mean())


def code(run) -> str:
    """A cell that shows the viewer of a run's newest cycle."""
    return (
        "import miaod_nb\nfrom miaod_nb.views import uncertainty_viewer\n"
        f"run = miaod_nb.open_run(run_dir={str(run.folder.root)!r})\n"
        f"viewer = uncertainty_viewer(run)\nviewer"
    )


@pytest.fixture(scope="module")
def notebook(lab, run) -> Iterator[NotebookPage]:
    """A notebook with the viewer of the newest cycle, and with that of both, run."""
    both = "both = uncertainty_viewer(run, cycle=1, beside=[(run, 0)])\nboth"
    with lab.open(code(run), both) as opened:
        opened.run()
        yield opened


@pytest.fixture
def view(notebook) -> Locator:
    """The viewer as it is when it was just made, but without boxes and with k = 1."""
    found = notebook.view("viewer")
    part(found, "images").select_option(index=0)
    part(found, "layer-discrepancy").click()
    for name, value in {"level": "-1", "class": "-1", "sort": "score"}.items():
        part(found, name).select_option(value)
    part(found, "opacity").fill("50")
    part(found, "k").fill("0")
    for name in ("boxes", "anchors"):
        part(found, name).uncheck()
    part(found, "images").select_option(index=0)
    notebook.until("viewer.shown == viewer.index[0]['id'] and viewer.settings['k'] == 0")
    return notebook.view("viewer")


def test_paging_by_button_and_key_follows_the_ranks(notebook, view, run):
    ids = notebook.python("[image['id'] for image in viewer.index]")
    assert ids[:3] == run.dataset.ids(np.array(run.selection(1)))
    first = look(view)
    part(view, "next").click()
    notebook.until(f"viewer.shown == {ids[1]!r}")
    assert part(view, "position").inner_text().startswith("2 of ")
    view.focus()
    view.page.keyboard.press("ArrowRight")
    notebook.until(f"viewer.shown == {ids[2]!r}")
    notebook.view("viewer")
    assert part(view, "images").input_value() == ids[2]
    view.page.keyboard.press("ArrowLeft")
    view.page.keyboard.press("ArrowLeft")
    assert part(view, "position").inner_text().startswith("1 of ")
    view.page.mouse.move(0, 0)
    assert changed(first, look(view)) == 0  # shown again from what the browser kept


def test_layers_and_opacity_change_the_picture(notebook, view):
    heat = look(view)
    part(view, "layer-none").click()
    plain = look(view)
    assert changed(heat, plain) > 0.5
    assert notebook.until("viewer.settings['layer'] == 'none'")
    view.focus()
    view.page.keyboard.press("3")
    assert part(view, "layer-weight").get_attribute("aria-pressed") == "true"
    assert changed(plain, look(view)) > 0.5
    weights = look(view)
    part(view, "opacity").focus()
    for _ in range(10):
        view.page.keyboard.press("ArrowRight")
    notebook.until("abs(viewer.settings['opacity'] - 0.6) < 1e-6")
    assert changed(weights, look(view)) > 0.3
    part(view, "opacity").fill("0")
    assert changed(plain, look(view)) == 0  # nothing but the photo


def test_an_opaque_heat_map_has_the_colors_of_its_values(view, run):
    part(view, "opacity").fill("100")
    values = anchor_values(run, 1, part(view, "images").input_value())
    expected = anchor_map(values.discrepancy, values.grid, values.size)
    expected /= expected.max()
    colors = 255 * matplotlib.colormaps["cividis"](expected)[..., :3]
    shot = Image.fromarray(look(view).astype(np.uint8))
    seen = np.array(shot.resize(expected.shape[::-1], Image.Resampling.BOX)).astype(int)
    inner = (slice(1, -1), slice(1, -1))  # the screenshot's outermost pixels are partly white
    assert abs(seen - colors)[inner].mean() < 3


def test_the_k_slider_shows_how_score_and_rank_change(notebook, view):
    part(view, "anchors").check()
    own = part(view, "at-k-0").inner_text()
    before = look(view)
    part(view, "k").focus()
    for _ in range(4):
        view.page.keyboard.press("ArrowRight")
    notebook.until("viewer.settings['k'] == 4")
    assert part(view, "at-k-0").inner_text() != own
    mean = notebook.python("viewer.payload_of(viewer.shown)['panels'][0]['means'][4]")
    seen = re.search(r"mean ([\d.e-]+), rank", part(view, "at-k-0").inner_text())
    assert seen is not None and float(seen[1]) == pytest.approx(mean, rel=0.01)
    assert f"{notebook.python('viewer.ks[4]')} of" in part(view, "k-value").inner_text()
    assert changed(before, look(view)) > 0  # more anchors are dots


def test_a_click_lists_the_anchors_of_that_place(notebook, view, run):
    frame = part(view, "picture-0").bounding_box()
    part(view, "picture-0").click(position={"x": frame["width"] / 2, "y": frame["height"] / 2})
    listed = notebook.until("viewer.listed")
    values = anchor_values(run, 1, listed["id"])
    height, width = values.size
    assert listed["place"] == pytest.approx([width / 2, height / 2], abs=1)
    centers = (values.grid.boxes[:, :2] + values.grid.boxes[:, 2:]) / 2
    strides = np.repeat(values.grid.strides, values.grid.level_sizes)
    x, y = listed["place"]
    near = (abs(centers.numpy() - [x, y]).max(axis=1) <= strides / 2).nonzero()[0]
    wanted = [anchor for anchor in values.top if anchor in near][: len(listed["anchors"])]
    assert listed["anchors"] == wanted and wanted
    first = part(view, "place").locator("td").all_inner_texts()
    assert float(first[3]) == pytest.approx(values.discrepancy[wanted[0]], rel=0.01)


def test_search_and_sorting_find_images(notebook, view):
    ids = notebook.python("[image['id'] for image in viewer.index]")
    part(view, "search").fill(ids[5])
    part(view, "search").press("Enter")
    notebook.until(f"viewer.shown == {ids[5]!r}")
    part(view, "search").fill("nowhere")
    part(view, "search").press("Enter")
    assert 'no image id contains "nowhere"' in part(view, "found").inner_text()
    part(view, "search").fill("")
    part(view, "sort").select_option("id")
    options = part(view, "images").locator("option").all()
    assert [one.get_attribute("value") for one in options] == sorted(ids)


def test_ground_truth_is_shown_of_labeled_images_alone(notebook, view, run):
    assert part(view, "truth").is_disabled()
    part(view, "sort").select_option("labeled")
    labeled = notebook.python("[image['id'] for image in viewer.index if image['labeled']]")
    part(view, "images").select_option(labeled[0])
    notebook.until(f"viewer.shown == {labeled[0]!r}")
    notebook.view("viewer")
    with_truth = look(view)
    part(view, "truth").uncheck()
    assert changed(with_truth, look(view)) > 0.001
    sets = run.sets(1)
    assert sorted(labeled) == sorted(run.dataset.ids(sets.labeled))


def test_what_cannot_be_shown_is_said_in_the_view(notebook, view, run):
    image_id = notebook.python("viewer.index[3]['id']")
    path = run.dataset.records[image_id].image_path
    content = path.read_bytes()
    path.unlink()
    try:
        part(view, "images").select_option(image_id)
        notebook.until("viewer.message")
    finally:
        path.write_bytes(content)
    assert "cannot be read" in part(view, "message").inner_text()
    assert part(view, "images").input_value() != image_id  # what is shown is named
    part(view, "next").click()
    notebook.until("not viewer.message")


def test_changes_without_the_kernel_are_quick(view, capsys):
    times = view.evaluate(MEASURE)
    with capsys.disabled():
        print("\n" + ", ".join(f"{name} {value:.1f} ms" for name, value in times.items()))
    assert max(times.values()) < 500


def test_two_cycles_stand_side_by_side(notebook, pictures):
    view = notebook.view("viewer", place=1)
    titles = view.locator("figcaption").all_inner_texts()
    assert "cycle 1" in titles[0] and "cycle 0" in titles[1]
    assert changed(look(view, 0), look(view, 1)) > 0.01
    part(view, "picture-1").click(position={"x": 60, "y": 60})
    keep_pictures(view, "viewer-two-cycles", pictures, lambda: fits(view))


def test_the_viewer_fits_into_a_notebook(view, pictures):
    part(view, "boxes").check()
    part(view, "anchors").check()
    part(view, "picture-0").click(position={"x": 80, "y": 80})
    heights = []

    def check() -> None:
        fits(view)
        frame = part(view, "picture-0").bounding_box()
        heights.append(round(frame["height"]))

    keep_pictures(view, "viewer", pictures, check)
    assert heights[0] <= 440 and heights[1] == 594  # 55 % of a window of 1080 pixels


def fits(view: Locator) -> None:
    assert parts_outside(view) == []


# ----------------------------------------------------------------------------- without a kernel


@pytest.fixture(scope="module")
def still(run, tmp_path_factory):
    """The viewer as a page, with three images."""
    viewer = uncertainty_viewer(run)
    viewer.embed([image["id"] for image in viewer.index[1:3]])
    assert viewer.message == ""
    path = tmp_path_factory.mktemp("page") / "viewer.html"
    path.write_text(page_of(viewer, "a title"), encoding="utf-8")
    return path


def test_a_cycle_that_is_not_there_is_said_in_the_view(browser, run, tmp_path):
    path = tmp_path / "viewer.html"
    path.write_text(page_of(uncertainty_viewer(run, cycle=7), "a title"), encoding="utf-8")
    page, _ = opened_alone(browser, path)
    text = part(page.locator('.miaod-viewer[data-ready="1"]'), "message").inner_text()
    assert "cycle 7" in text and "what to do" in text
    page.context.close()


def opened_alone(browser, path):
    """A page of a file in a browser that reaches no network, and what it asked for all the same."""
    page = browser.new_context(offline=True).new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    return page, asked


def test_a_page_works_without_a_kernel(browser, still):
    page, asked = opened_alone(browser, still)
    view = page.locator('.miaod-viewer[data-ready="1"]')
    view.wait_for()
    before = look(view)
    part(view, "opacity").fill("90")
    assert changed(before, look(view)) > 0.3
    heat = look(view)
    part(view, "layer-weight").click()
    assert changed(heat, look(view)) > 0.3
    part(view, "next").click()
    page.wait_for_function(
        "document.querySelector('[data-role=position]').textContent === '2 of 3'"
    )
    assert "3 of 16 images" in part(view, "kept").inner_text()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    page.context.close()


def test_the_page_of_executed_notebooks_holds_working_views(browser, run, tmp_path):
    cell = nbformat.v4.new_code_cell(code(run))
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "in.ipynb")
    # In a process of its own: Playwright's event loop is running in this one.
    command = [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "--kernel", "python3"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    executed = nbformat.read(tmp_path / "out.ipynb", 4)
    path = tmp_path / "page.html"
    path.write_text(report_page([executed], "title"), encoding="utf-8")
    page, asked = opened_alone(browser, path)
    view = page.locator('.miaod-viewer[data-ready="1"]')
    view.wait_for()
    before = look(view)
    part(view, "opacity").fill("90")
    assert changed(before, look(view)) > 0.3
    assert [url for url in asked if url.startswith("http")] == []
    page.context.close()
