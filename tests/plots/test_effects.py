"""Gains as figures: full points only where zero is left out, and no text over another."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from miaod_nb import plots
from miaod_nb.evaluation import VOC12_AP
from miaod_nb.plots.look import looks

NAMES = ("random", "mi_aod", "a selection with a long name")


@pytest.fixture(autouse=True)
def agg():
    plt.switch_backend("agg")
    with plots.style():
        yield
    plt.close("all")


def gains(*rows):
    table = pd.DataFrame(rows, columns=["effect", "recipe", "by", "mean", "low", "high"])
    return table.assign(decided=(table["low"] > 0) | (table["high"] < 0))


def cells(selection, seeds=2):
    rows = [
        (training, one, seed, cycle, 40 + 60 * cycle, 0.2 + 0.1 * cycle + 0.02 * seed)
        for training in ("label_set", "mi_aod") for one in ("random", selection)
        for seed in range(seeds) for cycle in range(3)
    ]  # fmt: skip
    columns = ["training", "selection", "seed", "cycle", "images", VOC12_AP]
    return pd.DataFrame(rows, columns=columns)


def texts_overlap(figure):
    """Pairs of texts of a figure that cover each other."""
    figure.canvas.draw()
    shown = [
        text for axes in figure.axes
        for text in (*axes.texts, axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels(),
                     *axes.get_yticklabels(), axes.title, axes._left_title)
        if text.get_text() and text.get_visible()
    ]  # fmt: skip
    places = [(text.get_text(), Text.get_window_extent(text)) for text in shown]  # no arrows
    return [(a, b) for (a, one), (b, two) in combinations(places, 2) if one.overlaps(two)]


def test_points_are_full_only_where_the_interval_leaves_zero_out():
    table = gains(
        ("a", "", "images", 0.02, 0.01, 0.03), ("b", "", "images", 0.02, -0.01, 0.05),
        ("c", "", "images", -0.02, -0.03, -0.01), ("d", "", "images", 0.02, np.nan, np.nan),
        ("e", "", "images", np.nan, np.nan, np.nan),
    )  # fmt: skip
    _, axes = plt.subplots()
    plots.differences(axes, table, table["effect"], [{"color": "#0072B2", "marker": "o"}] * 5)
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    filled = [to_hex(line.get_markerfacecolor()) == "#0072b2" for line in points]
    assert filled == [True, False, True, False]
    assert [text.get_text() for text in axes.texts] == ["+0.020", "+0.020", "−0.020", "+0.020"]
    assert [text.get_weight() for text in axes.texts] == ["bold", "normal", "bold", "normal"]
    assert axes.get_xlim()[0] == -axes.get_xlim()[1] < -0.05


@pytest.mark.parametrize("selection", NAMES[1:])
def test_two_by_two_shows_four_curves_their_seeds_and_no_text_over_another(selection):
    rows = [(f"{name} gain", "", by, 0.03, 0.01, 0.05)
            for name in ("training", "selection") for by in ("images", "boxes")]  # fmt: skip
    rows += [("interaction", "", by, 0.0, np.nan, np.nan) for by in ("images", "boxes")]
    figure, panels = plt.subplots(1, 2, figsize=(11, 4), width_ratios=[5, 3], layout="constrained")
    plots.two_by_two(panels, cells(selection), gains(*rows), among=["coreset", *NAMES])
    means = [line for line in panels[0].lines if line.get_linestyle() in ("-", "--")]
    assert [tuple(line.get_ydata().round(6)) for line in means] == [(0.21, 0.31, 0.41)] * 4
    seeds = [line for line in panels[0].lines if line.get_linestyle() == "None"]
    assert [len(line.get_xdata()) for line in seeds] == [6] * 4
    names = {text.get_text() for text in panels[0].texts}
    assert {"MI-AOD + random", "label-set + random"} < names and len(names) == 4
    chosen = looks(["coreset", *NAMES])[selection]["color"]  # as in figures beside it
    assert {line.get_color() for line in means} == {"#999999", chosen}
    assert texts_overlap(figure) == []


@pytest.mark.parametrize("recipes", [["one"], ["one", "another recipe"]])
def test_the_forest_has_a_panel_a_unit_and_a_row_a_selection(recipes):
    rows = [
        (name, recipe, by, value, value - 0.02, value + 0.02)
        for recipe in recipes for name in NAMES[1:]
        for by, value in (("images", 0.03), ("boxes", -0.01), ("minutes", -0.03))
        if (name, by) != ("mi_aod", "minutes")
    ]  # fmt: skip
    table = gains(*rows).rename(columns={"effect": "selection"})
    figure, panels = plt.subplots(1, 3, figsize=(10, 1.3 + 0.7 * len(recipes)),
                                  layout="constrained")  # fmt: skip
    plots.forest(panels, table)
    assert [axes._left_title.get_text() for axes in panels] == [
        "by images", "by boxes", "by minutes"
    ]  # fmt: skip
    labels = [label.get_text() for label in panels[0].get_yticklabels()]
    assert labels[0] == "MI-AOD" + " (one)" * (len(recipes) > 1) and len(labels) == 2 * len(recipes)
    assert len(panels[2].texts) == len(recipes)  # what has no number leaves its row empty
    assert len({axes.get_xlim() for axes in panels}) == 1
    assert texts_overlap(figure) == []
