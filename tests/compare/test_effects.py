"""The two gains apart: by hand, as they were put in, and refused where runs are no pairs."""

import numpy as np
import pandas as pd
import pytest

from miaod_nb.compare.effects import comparisons, needs, table_of, two_by_two
from miaod_nb.compare.grid_results import check_table, read_grid
from miaod_nb.compare.verdict import main_effects, say_comparisons, say_effects, say_limits
from miaod_nb.errors import DataError
from miaod_nb.evaluation import VOC12_AP
from tests.compare.grids import COLUMNS, made_up_grid, rows_of

BY_HAND = {  # mAP at 40, 100 and 160 images
    ("label-set", "random"): ([0.20, 0.30, 0.40], [0.22, 0.30, 0.42]),
    ("label-set", "mi_aod"): ([0.20, 0.34, 0.42], [0.22, 0.36, 0.44]),
    ("mi-aod", "random"): ([0.24, 0.36, 0.42], [0.24, 0.32, 0.46]),
    ("mi-aod", "mi_aod"): ([0.24, 0.40, 0.48], [0.24, 0.42, 0.46]),
}
T_OF_TWO = 12.706  # Student's t, 95 %, one degree of freedom


def by_hand(seeds: int = 2, points: int = 3) -> pd.DataFrame:
    rows = [
        row for (recipe, selection), of_seeds in BY_HAND.items()
        for seed, values in enumerate(of_seeds[:seeds])
        for row in rows_of(recipe, selection, seed, values[:points])
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def of(effects, name, cycle=None):
    """The interval of one effect."""
    (found,) = [one.interval for one in effects if (one.name, one.cycle) == (name, cycle)]
    return found


def test_two_by_two_by_hand():
    two = two_by_two(by_hand(), None, "mi_aod")
    # At 100 images, seed 0: 0.30, 0.34, 0.36, 0.40; seed 1: 0.30, 0.36, 0.32, 0.42.
    for name, (first, second) in {
        "training gain": (0.06, 0.04), "selection gain": (0.04, 0.08), "interaction": (0.0, 0.04)
    }.items():  # fmt: skip
        interval = of(two.effects, name, 1)
        half = T_OF_TWO * abs(first - second) / 2
        mean = (first + second) / 2
        assert interval.mean == pytest.approx(mean, abs=1e-9) and interval.seeds == 2
        assert (interval.low, interval.high) == pytest.approx((mean - half, mean + half), abs=1e-4)
    # Mean heights, seed 0: 0.30, 0.325, 0.345, 0.38; seed 1: 0.31, 0.345, 0.335, 0.385.
    assert of(two.effects, "training gain").mean == pytest.approx((0.05 + 0.0325) / 2)
    assert of(two.effects, "selection gain").mean == pytest.approx((0.03 + 0.0425) / 2)
    assert of(two.effects, "interaction").mean == pytest.approx((0.01 + 0.015) / 2)
    # Before anything is chosen the training stands alone.
    assert of(two.effects, "training gain", 0).mean == pytest.approx(0.03)
    assert [one.name for one in two.effects if one.cycle == 0] == ["training gain"]
    assert len(two.cells) == 24 and not two.notes


def test_the_order_of_rows_changes_nothing():
    table, resampled = made_up_grid(0.02, {"mi_aod": 0.01}, resamples=20)
    mixed = table.sample(frac=1, random_state=1)
    here, there = (two_by_two(one, resampled, "mi_aod", "boxes") for one in (table, mixed))
    pd.testing.assert_frame_equal(table_of(here.effects), table_of(there.effects))


@pytest.mark.parametrize("test_images", [0.0, 0.01])
def test_effects_that_were_put_in_come_out_and_the_intervals_cover_them(test_images):
    truth = {"training gain": 0.03, "selection gain": 0.02, "interaction": 0.01}
    covered, means = [], []
    for number in range(40):
        table, resampled = made_up_grid(
            0.03 - 0.01 / 2, {"mi_aod": 0.02}, 0.01, cycles=3, test_images=test_images,
            resamples=40, number=number,
        )  # fmt: skip
        effects = two_by_two(table, resampled, "mi_aod").effects
        found = {name: of(effects, name, 2) for name in truth}
        covered += [one.low <= truth[name] <= one.high for name, one in found.items()]
        means.append([one.mean for one in found.values()])
    assert np.mean(covered) >= 0.9
    np.testing.assert_allclose(np.mean(means, axis=0), [*truth.values()], atol=0.004)


def test_what_was_bought_with_boxes_is_no_gain_by_boxes():
    """mAP that depends on the boxes alone: ahead by images, equal by boxes."""
    rows = []
    for recipe in ("label-set", "mi-aod"):
        for selection, each in (("random", 2), ("mi_aod", 4)):
            boxes = np.array([80.0 + 60 * each * cycle for cycle in range(4)])
            rows += rows_of(recipe, selection, 0, boxes / 1000, boxes)
    table = pd.DataFrame(rows, columns=COLUMNS)
    effects = {(one.effect, one.by): one for one in table_of(comparisons(table, None)[0])
               .query("recipe == 'mi-aod'").itertuples()}  # fmt: skip
    assert effects["mi_aod", "images"].mean == pytest.approx(0.18)
    assert effects["mi_aod", "boxes"].mean == pytest.approx(0, abs=1e-9)
    by_boxes = two_by_two(table, None, "mi_aod", "boxes")
    for one in by_boxes.effects:
        assert one.interval.mean == pytest.approx(0, abs=1e-9)
    areas = table_of(by_boxes.effects).query("cycle.isna()")
    assert set(areas["from"]) == {80} and set(areas["to"]) == {440}  # where all four are


def test_test_images_make_intervals_wider_only_where_they_are_known():
    table, resampled = made_up_grid(test_images=0.02, resamples=50)
    with_them = table_of(two_by_two(table, resampled, "mi_aod").effects)
    without = table_of(two_by_two(table, None, "mi_aod").effects)
    np.testing.assert_allclose(with_them["mean"], without["mean"])
    gains = with_them["effect"] != "interaction"  # moved together, the resamples leave it alone
    assert (with_them["high"] > without["high"] + 1e-4)[gains].all()


# ------------------------------------------------------------------------- too little, and said


def test_one_seed_has_no_interval_and_decides_nothing():
    two = two_by_two(by_hand(seeds=1), None, "mi_aod")
    assert all(one.interval.low is None and not one.interval.decided for one in two.effects)
    main = main_effects([two])
    said = say_effects(main, "mi_aod")
    assert said.count("It is open whether") == 3 and "no interval" in said
    assert "one seed says nothing of the spread of seeds" in say_limits(main, "Told.", [])


def test_two_points_have_no_area():
    two = two_by_two(by_hand(points=2), None, "mi_aod")
    assert two.notes == ("a curve has fewer than 3 points: no area",)
    main = main_effects([two])
    assert set(main["cycle"]) == {1} and "at 100 images" in say_effects(main, "mi_aod")
    found, notes = comparisons(by_hand(points=2), None, by=["images"])
    assert found == [] and notes == [
        f"mi_aod, {recipe}: a curve has fewer than 3 points: no area"
        for recipe in ("label-set", "mi-aod")
    ]


def test_first_labels_alone_tell_of_the_training_alone():
    two = two_by_two(by_hand(points=1), None, "mi_aod")
    assert [(one.name, one.cycle) for one in two.effects] == [("training gain", 0)]
    assert set(main_effects([two])["effect"]) == {"training gain"}


def test_seeds_and_cycles_without_a_partner_are_named():
    table = by_hand()
    last = table["cycle"] == 2
    alone = (table["recipe"] == "mi-aod") & (table["selection"] == "mi_aod")
    two = two_by_two(table[~(alone & (table["seed"] == 1))], None, "mi_aod")
    assert two.notes == ("left out are seeds that not all runs have: 1",)
    assert set(two.cells["seed"]) == {0}
    two = two_by_two(table[~(alone & last)], None, "mi_aod")
    assert two.notes[0] == "left out are cycles that not all runs have: 2"
    assert set(two.cells["cycle"]) == {0, 1}


def test_a_run_that_is_not_at_its_end_costs_its_seed_and_not_the_others_their_cycles():
    table, _ = made_up_grid(seeds=3, cycles=4)
    of_last = (table["selection"] == "mi_aod") & (table["seed"] == 2)
    two = two_by_two(table[~(of_last & (table["cycle"] > 0))], None, "mi_aod")
    assert two.notes == ("left out are seeds that have not come as far as others: 2",)
    assert set(two.cells["seed"]) == {0, 1} and set(two.cells["cycle"]) == {0, 1, 2, 3}
    longer = table["seed"] == 0  # two seeds of three cycles say more than one of four
    two = two_by_two(table[longer | (table["cycle"] < 3)], None, "mi_aod")
    assert two.notes == ("left out are cycles that not all runs have: 3",)
    assert set(two.cells["seed"]) == {0, 1, 2}


def test_a_selection_without_a_partner_is_named_and_the_others_are_compared():
    table = by_hand()
    alone = (table["recipe"] == "mi-aod") & (table["selection"] == "random")
    found, notes = comparisons(table[~alone], None, by=["images"])
    assert [(one.name, one.recipe) for one in found] == [("mi_aod", "label-set")]
    assert notes == ["mi_aod, mi-aod: no seed in common with random, left out"]
    assert set(needs(table[~alone])["recipe"]) == {"label-set"}


def test_of_several_recipes_of_a_training_the_first_counts_and_is_named():
    table = by_hand()
    other = table[table["recipe"] == "mi-aod"].assign(recipe="strong", training="mi_aod")
    two = two_by_two(pd.concat([table, other]), None, "mi_aod")
    assert two.recipes == ("label-set", "mi-aod")
    assert two.notes == (
        "of the recipes that train by mi_aod the first counts: mi-aod, not strong",
    )


# ------------------------------------------------------------------------------------- refused


def other_first(table):
    chosen = (table["recipe"] == "mi-aod") & (table["seed"] == 1) & (table["cycle"] == 0)
    return table.assign(boxes=table["boxes"] + 3 * chosen)


@pytest.mark.parametrize(
    ("change", "by", "words"),
    [
        (
            other_first,
            "images",
            "with seed 1 these runs begin with other labels: 40 images with 80",
        ),
        (lambda t: t[(t["recipe"] == "mi-aod") != (t["seed"] == 0)], "images", "no seed has a run"),
        (lambda t: t[t["selection"] != "mi_aod"], "images", "no selection 'mi_aod' beside random"),
        (lambda t: t[t["training"] != "mi_aod"], "images", "no recipe trains by mi_aod with both"),
        (lambda t: t.assign(boxes=np.nan), "boxes", "the boxes of this run's labels are not known"),
        (lambda t: t, "pounds", "labels are not counted in pounds"),
        (lambda t: t.assign(images=200 - t["images"]), "images", "fewer images in a later cycle"),
    ],
)
def test_runs_that_are_no_pairs_are_refused(change, by, words):
    with pytest.raises(DataError, match=words):
        two_by_two(change(by_hand()), None, "mi_aod", by)


def test_other_first_labels_are_refused_within_a_recipe_too():
    table = by_hand()
    chosen = (table["selection"] == "mi_aod") & (table["seed"] == 0)
    with pytest.raises(DataError, match="begin with other labels"):
        comparisons(table.assign(images=table["images"] + 1 * chosen), None)
    with pytest.raises(DataError, match="nothing to hold against the selection 'entropy'"):
        comparisons(table, None, against="entropy")


def test_runs_without_resamples_are_refused():
    table, resampled = made_up_grid(resamples=5)
    with pytest.raises(DataError, match="some runs have no resamples"):
        two_by_two(table, resampled[resampled["seed"] > 0], "mi_aod")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="seed"), "lacks the column seed"),
        (lambda t: t.iloc[:0], "has no row"),
        (lambda t: pd.concat([t, t[:1]]), "two rows of recipe label-set, selection random, seed 0"),
        (lambda t: t.assign(**{VOC12_AP: np.nan}), "has gaps or holds something else"),
        (lambda t: t.assign(cycle="one"), "the column cycle has gaps or holds something else"),
        (lambda t: t.assign(images=t["images"] + t["seed"] * (t["selection"] == "full")),
         "all labels are 400 images in one run and 401 in another"),
    ],
)  # fmt: skip
def test_tables_that_are_none_of_one_grid(change, words):
    table, _ = made_up_grid()
    check_table(table)
    with pytest.raises(DataError, match=words):
        check_table(change(table))


# --------------------------------------------------------------------------------------- files


def test_a_folder_is_read_with_its_resamples_or_without(tmp_path):
    table, resampled = made_up_grid(resamples=5)
    table.to_csv(tmp_path / "table.csv", index=False)
    grid = read_grid(tmp_path)
    pd.testing.assert_frame_equal(grid.table, table)
    assert grid.resampled is None and "over the seeds alone" in grid.told
    assert grid.units == ["images", "boxes", "minutes"]
    resampled.to_parquet(tmp_path / "resampled.parquet")
    assert "5 resamples" in read_grid(tmp_path).told
    resampled.iloc[3:].to_parquet(tmp_path / "resampled.parquet")
    grid = read_grid(tmp_path)
    assert grid.resampled is None and f"lacks 3 of {len(table)} rows" in grid.told
    (tmp_path / "resampled.parquet").write_text("something")
    with pytest.raises(DataError, match="no resamples of a grid"):
        read_grid(tmp_path)


def test_a_folder_without_a_table_is_answered_with_the_nearest(tmp_path):
    (tmp_path / "grid").mkdir()
    with pytest.raises(DataError, match="(?s)no table of a grid.*did you mean .*grid\\?"):
        read_grid(tmp_path / "gird")
    (tmp_path / "grid/table.csv").write_text('a,b\n"')
    with pytest.raises(DataError, match="table"):
        read_grid(tmp_path / "grid")


# --------------------------------------------------------------------------------- labels, words


def test_labels_needed_by_hand():
    rows = rows_of("mi-aod", "random", 0, [0.2, 0.3, 0.4]) + rows_of("mi-aod", "mi_aod", 0,
        [0.2, 0.5, 0.6]) + rows_of("mi-aod", "entropy", 0, [0.2, 0.25, 0.3])  # fmt: skip
    found = needs(pd.DataFrame(rows, columns=COLUMNS), by=["images"]).set_index("selection")
    assert found.loc["mi_aod", "needed"] == pytest.approx(80)  # two thirds of the way to 100
    assert found.loc["mi_aod", "ratio"] == pytest.approx(80 / 160)
    assert found["against"].tolist() == [160, 160] and np.isnan(found.loc["entropy", "needed"])


@pytest.mark.parametrize("number", range(4))
def test_nothing_is_called_better_whose_interval_includes_zero(number):
    table, _ = made_up_grid(0.01, {"entropy": -0.02, "mi_aod": 0.03}, number=number)
    main = main_effects([two_by_two(table, None, "mi_aod", by) for by in ("images", "boxes")])
    words = say_effects(main, "mi_aod").splitlines()
    for row in main.itertuples():
        (line,) = [
            one for one in words if f"{row.mean:+.3f} ({row.low:+.3f}".replace("-", "−") in one
        ]
        includes_zero = row.low <= 0 <= row.high
        assert ("It is open" in line) == includes_zero
        assert includes_zero or (("costs" in line or "less" in line) == (row.mean < 0))
    against = table_of(comparisons(table, None)[0])
    said = say_comparisons(against)
    assert "12 comparisons" in said and "about 0.6 would" in said
    assert said.count(" by ") == against["decided"].sum()
