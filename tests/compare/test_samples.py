"""What the notebooks show of a data set: pictures without labels, and counts of those given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from miaod_nb.boxes import Objects
from miaod_nb.compare import samples
from miaod_nb.config import make_config
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.toy.toy import make_toy


@pytest.fixture
def records(make_voc, tmp_path):
    """Twelve images, every second one portrait."""
    return scan_list(open_source(make_voc(tmp_path / "VOC")), "trainval", FaultCounts())


@pytest.fixture
def agg():
    """Figures that are never shown, and closed afterwards."""
    plt.switch_backend("agg")
    yield
    plt.close("all")


def objects(*labels, difficult=(), boxes=None):
    count = len(labels)
    marks = np.zeros(count, bool)
    marks[list(difficult)] = True
    corners = np.array(boxes or [[0, 0, 8, 8]] * count, np.float32).reshape(-1, 4)
    return Objects(corners, np.array(labels, np.int64), marks)


# gallery


def test_a_gallery_has_an_axes_an_image_and_hides_what_is_left_over(records, agg):
    axes = samples.gallery(records[:7], columns=5)
    figure = axes[0].figure
    assert len(axes) == 7 and sum(panel.get_visible() for panel in figure.axes) == 7
    assert [panel.get_xlim()[1] for panel in axes[:2]] == [64, 48]  # landscape, portrait
    assert not any(panel.patches for panel in axes)
    np.testing.assert_array_equal(
        axes[1].images[0].get_array(), samples.pixels(records[1])
    )  # fmt: skip
    figure.canvas.draw()


def test_pictures_of_a_gallery_fill_its_width(records, agg):
    axes = samples.gallery(records[:1], columns=1)
    axes[0].figure.canvas.draw()
    assert axes[0].get_window_extent().width > 0.95 * axes[0].figure.bbox.width


def test_nothing_to_show_makes_no_figure(agg):
    assert samples.gallery([]) == [] and not plt.get_fignums()


def test_rows_of_pictures_show_the_first_images_of_each(records, agg):
    rows = {"only one": records[:7], "both": [], "only the other": records[:2]}
    figure = samples.picture_rows(rows, columns=3)
    texts = [strip.get_suptitle() for strip in figure.subfigs]
    assert texts == ["only one: 7", "both: none", "only the other: 2"]
    shown = [sum(axes.get_visible() for axes in strip.axes) for strip in figure.subfigs]
    assert shown == [3, 0, 2]
    figure.canvas.draw()


# counts


def test_objects_are_counted_by_class_and_list_without_difficult_ones():
    lists = {
        "labeled": {"a": objects(0, 2, 2), "b": objects(), "c": objects(2, difficult=[0])},
        "test": {},
    }
    table = samples.object_counts(lists, ["cat", "cow", "dog"])
    assert table["labeled"].to_dict() == {"cat": 1, "cow": 0, "dog": 2}
    assert table["test"].tolist() == [0, 0, 0]


def test_sides_are_those_in_the_resized_image(tmp_path):
    config = make_config("tiny")  # 64 px
    sizes = {"a": (128, 96), "b": (32, 64)}
    records = {name: ImageRecord(name, "VOC", tmp_path, *size) for name, size in sizes.items()}
    found = {
        "b": objects(0, boxes=[[0, 0, 4, 9]]),
        "a": objects(0, 1, boxes=[[10, 10, 30, 90], [0, 0, 8, 8]]),
        "none": objects(),
    }
    records["none"] = records["a"]
    np.testing.assert_allclose(samples.object_sides(found, records, config), [6, 20, 4])
    assert samples.object_sides({"none": objects()}, records, config).shape == (0,)


# kinds


def test_kinds_of_the_toy_data_have_an_example_among_the_images_given(tmp_path):
    root = make_toy(tmp_path / "toy", num_pool=24, num_test=6, size=48)
    tests = scan_list(open_source(root), "test", FaultCounts())
    table = samples.kinds(root, tests)
    assert table["images"].sum() == 30 and table["images"].is_monotonic_decreasing
    assert table.loc["easy", "note"] == "" and table.loc["easy", "images"] >= 9
    examples = table["example"].dropna()
    assert set(examples) <= {record.id for record in tests} and "easy" in examples
    assert samples.kinds(root, [])["example"].isna().all()


def test_other_data_has_no_kinds(tmp_path):
    table = samples.kinds(tmp_path, [])
    assert table.empty and list(table.columns) == ["images", "note", "example"]
