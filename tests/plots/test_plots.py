"""Figures show what they were given: lines, bars, boxes, labels and limits."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.text import Text

from miaod_nb import plots
from miaod_nb.evaluation import VOC12_AP
from miaod_nb.plots.look import STYLES, LineEnd, apart, label_ends, level_colors

IMAGE = np.full((96, 128, 3), 90, dtype=np.uint8)
BOXES = np.array([[10, 20, 60, 80], [100, 2, 128, 40], [0, 0, 5, 5]], dtype=np.float32)


@pytest.fixture
def axes():
    """Empty axes of a figure of the project's size."""
    plt.switch_backend("agg")
    figure, axes = plt.subplots(figsize=(7, 4), dpi=100)
    yield axes
    figure.canvas.draw()  # whatever was put on the axes can be drawn
    plt.close("all")


def texts_of(axes):
    return [text.get_text() for text in axes.texts]


def names_of(axes):
    """The texts of the legend."""
    return [text.get_text() for text in axes.get_legend().texts]


def heights_of(axes):
    """The y values of every line, rounded."""
    return [tuple(np.round(line.get_ydata(), 6).tolist()) for line in axes.lines]


def metrics(**runs):
    """Rows of metrics: strategy_seed=[mAP at 10, 20, ... labeled images]."""
    rows = [
        {"strategy": name.rpartition("_")[0], "run": name, "labeled_images": 10 * k, VOC12_AP: ap}
        for name, values in runs.items()
        for k, ap in enumerate(values, start=1)
    ]
    return pd.DataFrame(rows)


# boxes


@pytest.mark.parametrize("role", ["truth", "prediction", "missed", "anchor"])
def test_boxes_stand_in_pixels_and_texts_stay_in_the_picture(axes, role):
    assert plots.boxes_on_image(axes, IMAGE, BOXES, ["disc", "diningtable 0.87", "x"], role) is axes
    assert axes.get_xlim() == (0, 128) and axes.get_ylim() == (96, 0)
    drawn = [(*box.get_xy(), box.get_width(), box.get_height()) for box in axes.patches]
    assert drawn == [(10, 20, 50, 60), (100, 2, 28, 38), (0, 0, 5, 5)]
    assert sorted(texts_of(axes)) == ["diningtable 0.87", "disc", "x"]
    axes.figure.canvas.draw()
    picture = axes.get_window_extent()
    for text in axes.texts:
        place = text.get_window_extent()
        assert picture.x0 - 1 <= place.x0 and place.x1 <= picture.x1 + 1
        assert picture.y0 - 1 <= place.y0 and place.y1 <= picture.y1 + 1


def test_an_image_without_boxes_is_drawn_alone(axes):
    plots.boxes_on_image(axes, IMAGE, np.zeros((0, 4)))
    assert len(axes.images) == 1 and not axes.patches and not axes.texts


def test_texts_never_cover_each_other_and_the_largest_box_keeps_its_own(axes):
    boxes = np.array([[10, 10, 20 + k, 20 + k] for k in range(12)])
    plots.boxes_on_image(axes, IMAGE, boxes, [f"name {k}" for k in range(12)])
    places = [text.get_window_extent() for text in axes.texts]
    assert 1 <= len(places) < 12
    assert not any(a.overlaps(b) for k, a in enumerate(places) for b in places[:k])
    assert "name 11" in texts_of(axes)


def test_boxes_may_be_a_tensor(axes):
    plots.boxes_on_image(axes, IMAGE, torch.from_numpy(BOXES), ["a", "b", "c"])
    assert [box.get_width() for box in axes.patches] == [50, 28, 5]


def test_as_many_texts_as_boxes(axes):
    with pytest.raises(ValueError):
        plots.boxes_on_image(axes, IMAGE, BOXES, ["one"])


def test_a_second_role_goes_on_top_with_another_look(axes):
    plots.boxes_on_image(axes, IMAGE, BOXES[:1], role="truth")
    plots.add_boxes(axes, BOXES[1:2], role="missed")
    truth, missed = axes.patches
    assert len(axes.images) == 1
    assert truth.get_edgecolor() != missed.get_edgecolor()
    assert truth.get_linestyle() != missed.get_linestyle()


# anchors and maps


def test_anchors_of_each_level_look_alike_and_the_picture_holds_all(axes):
    sides = {"stride 8": [30.0, 40.0], "stride 32": [130.0, 160.0]}
    levels = {
        name: np.array([[64 - s / 2, 48 - s / 2, 64 + s / 2, 48 + s / 2] for s in both])
        for name, both in sides.items()
    }
    plots.anchors_on_image(axes, IMAGE, levels)
    looks = [(box.get_edgecolor(), box.get_linewidth()) for box in axes.patches]
    assert looks[0] == looks[1] != looks[2] == looks[3]
    assert sorted(texts_of(axes)) == ["stride 32", "stride 8"]
    assert axes.get_xlim() == (64 - 80, 64 + 80) and axes.get_ylim() == (48 + 80, 48 - 80)
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[64, 48]])  # the center of the cell


@pytest.mark.parametrize(
    ("values", "vmax", "range_", "extend"),
    [
        (np.linspace(0, 0.5, 12).reshape(3, 4), None, (0, 0.5), "neither"),
        (np.linspace(0, 0.5, 12).reshape(3, 4), 0.25, (0, 0.25), "max"),
        (np.linspace(0.05, 0.5, 12).reshape(3, 4), None, (0, 0.5), "neither"),
        (np.linspace(0.9, 1.8, 12).reshape(3, 4), None, (0.9, 1.8), "neither"),  # as weights
        (np.linspace(0.9, 1.8, 12).reshape(3, 4), 2, (0, 2), "neither"),  # beside another map
        (np.zeros((3, 4)), None, (0, 1), "neither"),
    ],
)
def test_heat_begins_at_zero_or_has_its_own_range_and_names_its_scale(
    axes, values, vmax, range_, extend
):
    plots.heat_map(axes, np.zeros((6, 8, 3), dtype=np.uint8), values, "discrepancy", vmax)
    photo, heat = axes.images
    assert photo.get_extent() == heat.get_extent()
    assert heat.get_clim() == range_ and list(heat.colorbar.get_ticks()) == list(range_)
    assert heat.colorbar.ax.get_xlabel() == "discrepancy" and heat.colorbar.extend == extend


# bars


def test_counts_are_sorted_by_the_first_list_and_written(axes):
    table = pd.DataFrame({"labeled": [3, 40], "test": [7, 90]}, index=["cow", "dog"])
    plots.class_counts(axes, table)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["dog", "cow"]
    assert [bar.get_width() for bar in axes.patches] == [40, 3, 90, 7]
    assert texts_of(axes) == ["40  labeled", "3", "90  test", "7"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first group on top


@pytest.mark.parametrize("counts", [[5], [0], list(range(20))])
def test_counts_of_one_class_none_and_many(axes, counts):
    table = pd.DataFrame({"labeled": counts}, index=[f"class {k}" for k in range(len(counts))])
    plots.class_counts(axes, table)
    assert len(axes.patches) == len(counts) and axes.get_xlim()[0] == 0 < axes.get_xlim()[1]


def test_shares_stand_beside_the_outlined_pool(axes):
    table = pd.DataFrame(
        {"pool": [0.2, 0.5], "mi_aod": [0.6, np.nan]}, index=["crowded", "small objects"]
    )
    plots.share_bars(axes, table)
    assert texts_of(axes) == ["20%  pool", "50%", "60%  MI-AOD", "–"]
    pool, _, chosen, _ = axes.patches
    assert pool.get_facecolor() == (1, 1, 1, 1) != chosen.get_facecolor()


def test_costs_of_batches_are_told_in_their_units(axes):
    table = pd.DataFrame({"mi_aod": [20, 61, 9.71], "coreset": [20, 40, 7.3]},
                         index=["images", "boxes", "minutes"])  # fmt: skip
    plots.batch_costs(axes, table)
    numbers = ["20  MI-AOD", "61", "9.7", "20  coreset", "40", "7.3"]
    assert texts_of(axes) == numbers
    assert [label.get_text() for label in axes.get_yticklabels()] == list(table.index)


def test_every_score_is_in_the_histogram_once(axes):
    scores = np.linspace(0, 1, 50) ** 2
    selected = scores > 0.8
    plots.score_histogram(axes, scores, selected)
    rest, chosen = axes.containers
    assert sum(bar.get_height() for bar in rest) == (~selected).sum()
    assert sum(bar.get_height() for bar in chosen) == selected.sum()
    for below, above in zip(rest, chosen, strict=True):
        assert above.get_y() == below.get_height()
    assert names_of(axes) == [f"{(~selected).sum()} not selected", f"{selected.sum()} selected"]


def test_nothing_is_drawn_across_the_bars_of_the_histogram(axes):
    scores = np.concatenate([np.zeros(9), np.linspace(0, 1, 9)])
    plots.score_histogram(axes, scores, scores > 0.5)
    assert not axes.lines and not axes.texts
    axes.figure.canvas.draw()
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1 - 1


@pytest.mark.parametrize("draw", [
    lambda axes: plots.score_histogram(axes, np.array([0.1, 0.2, 0.9]), np.array([0, 0, 1]) > 0),
    lambda axes: plots.true_positive_counts(axes, pd.DataFrame({"mi_aod": [1, 3]}, index=[4, 6])),
    lambda axes: plots.class_counts(axes, pd.DataFrame({"pool": [3, 1]}, index=["cat", "dog"])),
    lambda axes: plots.learning_curves(axes, metrics(mi_aod_0=np.linspace(0.1, 0.2, 30))
                                       .assign(labeled_images=np.arange(30) % 5)),
])  # fmt: skip
def test_axes_that_count_have_whole_steps(axes, draw):
    draw(axes)
    axes.figure.canvas.draw()
    counting = axes.xaxis if axes.get_ylabel() in ("", "labeled images", VOC12_AP) else axes.yaxis
    ticks = counting.get_ticklocs()
    assert len(ticks) > 1 and (ticks == ticks.round()).all()


@pytest.mark.parametrize("size", [0, 1, 6])
@pytest.mark.parametrize("chosen", [True, False])
def test_histogram_of_equal_scores_all_chosen_or_none(axes, size, chosen):
    plots.score_histogram(axes, np.zeros(size), np.full(size, chosen))
    assert names_of(axes) == [f"{size * (not chosen)} not selected", f"{size * chosen} selected"]


def test_instances_share_one_scale_and_the_largest_of_each_row_stands_out(axes):
    series = {"p1": [0.9, 0.6, 0.0], "|p1 − p2|": [0.1, 0.4, 0.3]}
    plots.instance_bars(axes, ["a", "b", "c"], series)
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["|p1 − p2|", "p1"]  # from below
    heights = np.array([bar.get_height() for bar in axes.patches]).reshape(2, 3)
    np.testing.assert_allclose(heights / heights.max() * 0.9, [series[row] for row in rows])
    bold = [text.get_text() for text in axes.texts if text.get_weight() == "bold"]
    assert bold == ["0.4", "0.9"]


# curves


def test_every_term_has_a_line_of_its_own_look_and_a_label(axes):
    table = pd.DataFrame({"step": [1, 2, 3], "box": [0.5, 0.4, 0.3], "agreement": [np.nan, 1, 2]})
    plots.training_curves(axes, table)
    assert heights_of(axes) == [(0.5, 0.4, 0.3), (1, 2)]  # no value is drawn where there is none
    first, second = axes.lines
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()
    assert sorted(texts_of(axes)) == ["agreement", "box"]
    assert axes.get_yscale() == "linear" and axes.get_ylim()[0] == 0


@pytest.mark.parametrize(("lowest", "scale"), [(0.01, "log"), (0.1, "linear"), (0.0, "linear")])
def test_wide_ranges_of_positive_losses_are_logarithmic(axes, lowest, scale):
    plots.training_curves(axes, pd.DataFrame({"step": [1, 2], "box": [1.0, lowest]}))
    assert axes.get_yscale() == scale


def test_stages_show_what_each_of_them_changed(axes):
    plots.stage_values(
        axes, ["label_set", "minimize", "maximize", "x"], [0.02, 0.012, 0.05, 0.05], "value"
    )
    assert texts_of(axes) == ["▼ −0.0080", "▲ +0.038", "± 0.0"]
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert ticks == ["label-set", "minimize", "maximize", "x"]
    assert axes.get_ylim()[0] == 0 and axes.get_ylabel() == "value"


def test_a_single_stage_that_changed_nothing(axes):
    plots.stage_values(axes, ["label_set"], [0.0])
    assert not axes.texts and axes.get_ylim() == (0, 1)


def test_mean_and_seeds_and_full_supervision_are_drawn(axes):
    table = metrics(mi_aod_0=[0.2, 0.4], mi_aod_1=[0.4, 0.6], random_0=[0.2, 0.3], full_0=[0.8])
    plots.learning_curves(axes, table)
    lines = dict(zip(heights_of(axes), axes.lines, strict=True))
    assert lines.keys() == {(0.2, 0.4), (0.4, 0.6), (0.3, 0.5), (0.2, 0.3), (0.8, 0.8)}
    assert lines[0.3, 0.5].get_linewidth() > lines[0.2, 0.4].get_linewidth()  # mean over one seed
    assert lines[0.3, 0.5].get_linestyle() != lines[0.2, 0.3].get_linestyle()
    assert sorted(texts_of(axes)) == ["MI-AOD", "all labels", "random"]
    assert axes.get_ylabel() == VOC12_AP and axes.get_xlabel() == "labeled images"
    assert axes.get_ylim()[0] == 0 and list(axes.get_xticks()) == [10, 20]


def test_each_kind_of_full_supervision_is_a_line_of_its_own(axes):
    """Their mean would be a ceiling that no run reached."""
    table = metrics(mi_aod_0=[0.2, 0.4], full_0=[0.8], more_0=[0.7])
    table["strategy"] = table["strategy"].replace("more", "full (training=mi_aod)")
    plots.learning_curves(axes, table)
    assert set(heights_of(axes)) == {(0.2, 0.4), (0.8, 0.8), (0.7, 0.7)}
    assert sorted(texts_of(axes)) == ["MI-AOD", "all labels", "all labels (training=mi_aod)"]
    assert list(axes.get_xticks()) == [10, 20]


def test_ratio_to_full_supervision_is_drawn_up_to_one(axes):
    table = metrics(mi_aod_0=[0.2, 0.4], full_0=[0.8])
    table["ratio"] = table[VOC12_AP] / 0.8
    plots.learning_curves(axes, table, "ratio")
    assert set(heights_of(axes)) == {(0.25, 0.5), (1, 1)}
    assert axes.get_ylim()[1] > 1 and axes.get_ylabel() == "ratio"


@pytest.mark.parametrize("runs", [{"mine_0": [0.5]}, {"full_0": [0.8]}, {"random_0": [0, 0]}])
def test_curves_of_few_values(axes, runs):
    plots.learning_curves(axes, metrics(**runs))
    assert len(axes.lines) == len(axes.texts) == 1


def per_class(*classes):
    table = metrics(mi_aod_0=[0.2, 0.4], mi_aod_1=[0.4, 0.6], random_0=[0.1, 0.3], full_0=[0.9])
    return pd.concat([table.assign(**{"class": name}) for name in classes], ignore_index=True)


@pytest.fixture
def panels():
    plt.switch_backend("agg")
    figure, panels = plt.subplots(2, 2)
    yield panels
    figure.canvas.draw()
    plt.close("all")


def test_one_panel_a_class_with_equal_axes(panels):
    assert plots.per_class_curves(panels, per_class("dog", "cat", "cow")) is panels
    assert [panel.get_title("left") for panel in panels.flat[:3]] == ["dog", "cat", "cow"]
    for panel in panels.flat[:3]:
        assert set(heights_of(panel)) == {(0.3, 0.5), (0.1, 0.3), (0.9, 0.9)}
        assert panel.get_xlim() == panels[0, 0].get_xlim() and panel.get_ylim()[0] == 0
    assert [panel.get_visible() for panel in panels.flat] == [True, True, True, False]
    (legend,) = panels[0, 0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["MI-AOD", "random", "all labels"]
    assert legend.get_title().get_text() == VOC12_AP


def test_a_class_without_test_objects_says_so(panels):
    table = per_class("dog", "zebra")
    table.loc[table["class"] == "zebra", VOC12_AP] = np.nan
    plots.per_class_curves(panels, table)
    assert not panels[0, 1].lines and texts_of(panels[0, 1]) == ["no test objects"]
    assert len(panels[0, 0].lines) == 3


def test_more_classes_than_panels_are_refused(panels):
    with pytest.raises(ValueError, match="5 classes"):
        plots.per_class_curves(panels, per_class(*"abcde"))


def test_published_numbers_are_the_authors_and_are_called_so(axes):
    plots.published_curve(axes)
    assert (47.18, 58.41, 64.02, 67.72, 69.79, 71.07, 72.27) in heights_of(axes)
    assert "authors" in axes.get_title("left") and "not measured here" in axes.get_title("left")
    assert {"MI-AOD", "random", "entropy", "CDAL", "all labels"} <= set(texts_of(axes))
    # The authors' claim: with 20 % of the labels 93.5 % of full supervision.
    last = plots.PUBLISHED.loc[20]
    assert last["MI-AOD"] / last["all labels"] == pytest.approx(0.935, abs=5e-4)


# looks


def test_labels_are_moved_apart_evenly_and_keep_their_order():
    placed = apart({"c": 0.52, "a": 0.5, "b": 0.51, "far": 0.9}, gap=0.1)
    assert placed == pytest.approx({"a": 0.41, "b": 0.51, "c": 0.61, "far": 0.9})
    assert apart({}, gap=0.1) == {}
    low = apart({"a": 0.0, "b": 0.01, "c": 0.02}, gap=0.1)  # none below the axis
    assert low == pytest.approx({"a": 0.0, "b": 0.1, "c": 0.2})


def test_labels_at_line_ends_do_not_overlap_and_leave_the_limits(axes):
    axes.set(xlim=(0, 1), ylim=(1, 1000), yscale="log")
    ends = {name: LineEnd(1, 900 + k, "black") for k, name in enumerate("abcde")}
    label_ends(axes, ends)
    axes.figure.canvas.draw()
    places = [Text.get_window_extent(text) for text in axes.texts]  # without the hair lines
    assert texts_of(axes) == list("abcde") and axes.get_ylim() == (1, 1000)
    assert all(low.y1 <= high.y0 for low, high in pairwise(places))
    assert all(place.x0 > axes.get_window_extent().x1 for place in places)


def test_roles_can_be_told_apart_without_color():
    looks = [STYLES[name] for name in ("mi_aod", "entropy", "random")]
    assert (
        len({look["linestyle"] for look in looks}) == len({look["marker"] for look in looks}) == 3
    )


def test_level_colors_go_from_dark_to_light():
    brightness = [sum(bytes.fromhex(color[1:])) for color in level_colors(5)]
    assert brightness == sorted(brightness) and len(set(brightness)) == 5
    assert level_colors(0) == []


def test_the_style_is_the_projects_own_and_can_be_left_again():
    before = dict(plt.rcParams)
    with plots.style():
        assert plt.rcParams["figure.figsize"] == [7, 4]
        assert not plt.rcParams["axes.spines.top"]
    assert dict(plt.rcParams) == before
    with plt.rc_context():
        plots.use_style()
        assert plt.rcParams["lines.linewidth"] == 2


# what a report adds


def test_a_row_of_maps_stands_beside_the_image_each_with_its_scale(panels):
    maps = {"discrepancy": np.full((96, 128), 0.5), "weight": np.full((96, 128), 2.0)}
    row = panels.flat[:3]
    assert plots.heat_map_row(row, IMAGE, maps, BOXES[:1]) is row
    assert len(row[0].images) == 1 and len(row[0].patches) == 1
    assert [panel.images[1].get_clim() for panel in row[1:]] == [(0, 0.5), (0, 2.0)]
    names = [panel.images[1].colorbar.ax.get_xlabel() for panel in row[1:]]
    assert names == list(maps)
    with pytest.raises(ValueError):
        plots.heat_map_row(panels.flat, IMAGE, maps)


def test_true_positives_stand_by_labeled_images_and_strategy(axes):
    table = pd.DataFrame({"mi_aod": [30.0, 90.0], "random": [20.0, np.nan]}, index=[40, 100])
    plots.true_positive_counts(axes, table)
    assert texts_of(axes) == ["30  MI-AOD", "90", "20  random", "–"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["40", "100"]
    assert axes.get_ylabel() == "labeled images" and "true positives" in axes.get_xlabel()


def test_bars_of_one_color_have_other_hatches_and_many_are_named_above(axes):
    table = pd.DataFrame({f"own {n}": [float(n + 1)] for n in range(8)})
    plots.true_positive_counts(axes, table)
    looks_of_bars = {(bar.get_facecolor(), bar.get_hatch()) for bar in axes.patches}
    assert len(looks_of_bars) == 8
    assert texts_of(axes) == [str(n + 1) for n in range(8)]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == list(table)


def test_calibration_leaves_rare_scores_out_and_shows_the_diagonal(axes):
    table = pd.DataFrame(
        {"score": [0.15, 0.5, 0.9], "precision": [0.1, 0.7, 1.0], "detections": [50, 10, 9]}
    )
    none = table.assign(detections=0)
    plots.calibration(axes, {"mi_aod": table, "random": none})
    diagonal, line, empty = axes.lines
    np.testing.assert_allclose(diagonal.get_xydata(), [[0, 0], [1, 1]])
    np.testing.assert_allclose(line.get_xydata(), [[0.15, 0.1], [0.5, 0.7]])
    assert not len(empty.get_xydata()) and sorted(texts_of(axes)) == [
        "MI-AOD",
        "as right as it says",
    ]


def test_class_mix_shows_shares_of_each_set_and_leaves_an_empty_one_blank(axes):
    table = pd.DataFrame({"4": [3, 1], "6": [2, 2], "none": [0, 0]}, index=["dog", "cat"])
    plots.class_mix(axes, table)
    assert texts_of(axes) == ["75%", "50%", "25%", "50%"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["dog", "cat"]
    assert axes.images[0].get_clim() == (0, 0.75)
    light, dark = axes.texts[0].get_color(), axes.texts[2].get_color()
    assert (light, dark) == ("black", "white")


def test_three_runs_have_a_confidence_interval_and_two_have_none(axes):
    plots.learning_curves(axes, metrics(mi_aod_0=[0.2, 0.4], mi_aod_1=[0.4, 0.6]))
    assert not axes.collections
    table = metrics(random_0=[0.2, 0.2], random_1=[0.3, 0.2], random_2=[0.4, 0.2])
    plots.learning_curves(axes, table)
    (band,) = axes.collections
    heights = np.concatenate([path.vertices[:, 1] for path in band.get_paths()])
    half = 4.302653 * 0.1 / np.sqrt(3)  # t of 2 degrees of freedom, standard deviation 0.1
    assert [heights.min(), heights.max()] == pytest.approx([0.3 - half, 0.3 + half])


@pytest.mark.parametrize("over", ["labeled_boxes", "labeled_images"])
def test_runs_with_other_numbers_in_a_cycle_are_averaged_by_cycle(axes, over):
    table = metrics(mi_aod_0=[0.2, 0.4], mi_aod_1=[0.4, 0.6])
    table["cycle"] = [0, 1, 0, 1]
    table[over] = [10, 30, 20, 50]
    plots.learning_curves(axes, table, over=over)
    mean = axes.lines[-1]
    np.testing.assert_allclose(mean.get_xydata(), [[15, 0.3], [40, 0.5]])


CONTINUED = pd.DataFrame(
    {"labeled_images": [10, 20, 30, 40, 60], "mean": [0.2, 0.3, 0.35, 0.4, 0.45],
     "low": [0.1, 0.2, 0.25, 0.3, 0.32], "high": [0.3, 0.4, 0.45, 0.5, 0.6]}
)  # fmt: skip


def test_a_curve_is_continued_where_nothing_was_measured(axes):
    table = metrics(mi_aod_0=[0.21, 0.31, 0.34], mi_aod_1=[0.19, 0.29, 0.36], random_0=[0.1, 0.1])
    marks = {"next batch": 40, "all 60": 60}
    plots.continued_curve(axes, table, "mi_aod", CONTINUED, marks, full=0.5)
    points, behind, ahead, full, *at = axes.lines
    assert sorted(points.get_ydata()) == [0.19, 0.21, 0.29, 0.31, 0.34, 0.36]
    assert behind.get_xdata().tolist() == [10, 20, 30] and behind.get_linestyle() == "-"
    assert ahead.get_xdata().tolist() == [30, 40, 60] and ahead.get_linestyle() == "--"
    assert full.get_ydata() == [0.5, 0.5]
    assert [(one.get_xdata()[0], one.get_ydata()[0]) for one in at] == [(40, 0.4), (60, 0.45)]
    assert texts_of(axes) == ["all labels, measured: 0.50", "next batch\n0.40", "all 60\n0.45"]
    (band,) = axes.collections
    assert band.get_datalim(axes.transData).intervalx.tolist() == [30, 60]
    assert axes.get_title(loc="left") == "MI-AOD" and axes.get_ylim()[1] > 0.6


def test_a_curve_that_goes_on_far_has_a_logarithmic_axis(axes):
    table = metrics(random_0=[0.21, 0.31, 0.34])
    far = CONTINUED.assign(labeled_images=[10, 20, 30, 40, 300])
    plots.continued_curve(axes, table, "random", far, {})
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["10", "30", "300"]


@pytest.mark.parametrize("draw", ["bars", "mix", "classes", "boxes", "ends"])
def test_a_name_with_two_dollar_signs_is_no_formula(axes, draw):
    name = "a$_1$"
    if draw == "bars":
        plots.class_counts(axes, pd.DataFrame({"pool": [3]}, index=[name]))
    elif draw == "mix":
        plots.class_mix(axes, pd.DataFrame({"4": [3]}, index=[name]))
    elif draw == "classes":
        plots.per_class_curves(np.array([[axes]]), per_class(name))
    elif draw == "boxes":
        plots.boxes_on_image(axes, IMAGE, BOXES[:1], [name])
    else:
        label_ends(axes, {name: LineEnd(1, 0.5, "black")})
    axes.figure.canvas.draw()
    drawn = [one for one in axes.findobj(Text) if name in one.get_text()]
    assert drawn and not any(one.get_parse_math() for one in drawn)
