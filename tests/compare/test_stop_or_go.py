"""What is said of the next labels, and of labels or training, follows from the points."""

import numpy as np
import pandas as pd
import pytest

from miaod_nb.compare.labels_or_training import labels_or_training, loss_fall
from miaod_nb.compare.outlook import look_ahead
from miaod_nb.compare.stop_or_go import full_of, outlooks, outlooks_of_grid
from miaod_nb.errors import DataError
from miaod_nb.evaluation import VOC12_AP
from tests.compare.grids import made_up_grid

RISING, FLAT = (0.34, 0.49, 0.62), (0.5, 0.51, 0.49)


def rows(strategy="random", scores=RISING, run="r", images=(40, 100, 160)):
    return pd.DataFrame(
        {"strategy": strategy, "run": run, "labeled_images": images[: len(scores)],
         VOC12_AP: scores}
    )  # fmt: skip


def test_the_sentence_tells_what_the_outlook_holds():
    outlook = look_ahead(rows(), VOC12_AP, 60, 400)
    gain, full = outlook.gain, outlook.full
    assert outlook.text == (
        f"the next 60 images would probably bring {gain.mean:.2f} ({gain.low:.2f} to "
        f"{gain.high:.2f}) mAP; all 400 labels about {full.mean:.2f} ({full.low:.2f} to "
        f"{full.high:.2f})"
    )


def test_the_last_batch_is_what_is_left():
    assert look_ahead(rows(), VOC12_AP, 60, 190).batch == 30
    assert look_ahead(rows(), VOC12_AP, 60, 161).text.startswith("the next image would")
    over = look_ahead(rows(), VOC12_AP, 60, 160)
    assert over.batch == 0 and over.text == "all images are labeled: there is no next batch"


def test_a_pool_ten_times_as_large_is_the_farthest():
    assert look_ahead(rows(), VOC12_AP, 60, 1600).full is not None
    far = look_ahead(rows(), VOC12_AP, 60, 1601)
    assert far.full is None
    assert far.text.endswith("all 1601 are too many to tell from 160 labeled ones")


def test_cycles_that_were_not_measured_are_left_out():
    gaps = rows(scores=(0.34, np.nan, 0.49, 0.62), images=(40, 70, 100, 160))
    assert look_ahead(gaps, VOC12_AP, 60, 400).text == look_ahead(rows(), VOC12_AP, 60, 400).text
    with pytest.raises(DataError, match="measured at 2"):
        look_ahead(rows(scores=(0.34, np.nan, 0.62)), VOC12_AP, 60, 400)


def test_every_strategy_has_a_text_and_full_supervision_none():
    table = pd.concat([
        rows("mi_aod", run="a"), rows("mi_aod", (0.31, 0.45, 0.62), run="b"),
        rows("random", (0.3, 0.4), run="c"), rows("full", (0.84,), run="d", images=(400,)),
    ])  # fmt: skip
    found, texts = outlooks(table, VOC12_AP, 60, 400, {"b": 0.2, "c": 0.2})
    assert list(found) == ["mi_aod"] and list(texts) == ["mi_aod", "random"]
    assert found["mi_aod"].text[1:] in texts["mi_aod"]
    assert "b: the loss" in texts["mi_aod"] and "c: the loss" not in texts["mi_aod"]
    assert texts["random"].startswith("a learning curve can be continued from 3 numbers")


def test_full_supervision_belongs_to_runs_that_train_alike():
    trained = {"mi_aod": "mi_aod", "random": "label_set", "full": "label_set"}
    table = pd.concat([
        rows("mi_aod", run="a"), rows("random", run="b"),
        rows("full", (0.9,), run="c", images=(400,)), rows("full", (0.8,), run="d", images=(400,)),
    ])  # fmt: skip
    table = table.assign(training=table["strategy"].map(trained))
    assert full_of(table, table[table["strategy"] == "random"], VOC12_AP) == pytest.approx(0.85)
    assert full_of(table, table[table["strategy"] == "mi_aod"], VOC12_AP) is None
    texts = outlooks(table, VOC12_AP, 60, 400)[1]
    assert "measured to bring 0.850" in texts["random"] and "measured" not in texts["mi_aod"]


def test_the_curve_is_drawn_from_the_first_point_to_all_labels():
    outlook = look_ahead(rows(), VOC12_AP, 60, 400)
    table = outlook.continued
    assert table["labeled_images"].iloc[[0, -1]].tolist() == [40, 400]
    assert table["labeled_images"].is_monotonic_increasing and table["mean"].is_monotonic_increasing
    assert outlook.marks == {"next batch": 220, "all 400": 400}
    assert set(outlook.marks.values()) | {160} <= set(table["labeled_images"])
    assert ((table["low"] < table["mean"]) & (table["mean"] < table["high"])).all()
    far = look_ahead(rows(), VOC12_AP, 60, 10**6)
    assert far.marks == {"next batch": 220} and far.continued["labeled_images"].max() == 1600
    over = look_ahead(rows(), VOC12_AP, 60, 160)
    assert over.marks == {"all 160": 160} and over.continued["labeled_images"].max() == 160


def test_a_grid_has_an_outlook_for_every_selection_of_every_recipe():
    table = made_up_grid(cycles=4)[0]
    named, found, texts = outlooks_of_grid(table, VOC12_AP)
    names = [f"{one} ({recipe})" for recipe in ("label-set", "mi-aod")
             for one in ("random", "mi_aod")]  # fmt: skip
    assert list(found) == list(texts) == names and set(names) < set(named["strategy"])
    one = found["random (label-set)"]
    assert (one.batch, one.pool, one.curves.last) == (60, 400, 220)
    assert "All labels were measured to bring" in texts["random (label-set)"]
    without = outlooks_of_grid(table[table["selection"] != "full"], VOC12_AP)[1]
    open_end = without["random (label-set)"]
    assert (open_end.batch, open_end.pool, open_end.full) == (60, None, None)
    assert open_end.text.endswith("mAP") and open_end.marks == {"next batch": 280}
    assert open_end.continued["labeled_images"].max() == 400  # three batches further
    assert open_end.gain == one.gain


def test_a_grid_of_two_cycles_says_why_there_is_no_outlook():
    for cycles in (1, 2):
        _, found, texts = outlooks_of_grid(made_up_grid(cycles=cycles)[0], VOC12_AP)
        assert not found and all(f"measured at {cycles}" in text for text in texts.values())


def said(scores, full=None, falls=None, images=(40, 100, 160), pool=400):
    table = rows(scores=scores, images=images)
    return labels_or_training(look_ahead(table, VOC12_AP, 60, pool), table, VOC12_AP, full, falls)


def test_full_supervision_is_held_against_the_curve():
    full = look_ahead(rows(), VOC12_AP, 60, 400).full
    (as_expected,) = said(RISING, full=full.mean)
    assert as_expected.endswith("the two agree.")
    (above,) = said(RISING, full=full.high + 0.01)
    assert "more than the " in above and "something else than labels" in above
    (below,) = said(RISING, full=full.low - 0.01)
    assert "less than the " in below and "trained too little" in below
    assert len(said(RISING, full=0.9, pool=4000)) == 1  # too far away to be held against it


def test_labels_that_grew_without_mean_ap_are_told():
    (flat,) = said(FLAT)
    assert flat.startswith("From 40 to 160 labeled images mAP did not rise by more than chance")
    assert said((0.5, 0.45, 0.4))[0].startswith("From 40 to 160")
    assert "Nothing here says" in said(FLAT, images=(100, 110, 120))[0]  # hardly more labels
    assert "Nothing here says" in said(RISING)[0]


def test_more_runs_tell_a_smaller_rise():
    """0.03 more is chance for one run, and none for five."""
    of = {run: rows(scores=(0.50, 0.515, 0.53), run=run) for run in "abcde"}
    for runs, is_told in (("a", True), ("abcde", False)):
        table = pd.concat([of[run] for run in runs])
        texts = labels_or_training(look_ahead(table, VOC12_AP, 60, 400), table, VOC12_AP)
        assert ("more than chance" in texts[0]) == is_told


def test_a_loss_that_falls_is_told_by_run():
    (fall,) = said(RISING, falls={"s0": 0.12, "s1": 0.03})
    assert fall.startswith("s0: the loss on labeled images still fell by 12 % in the last fifth")


def log_of(losses, stage="label_set_1"):
    return pd.DataFrame(
        {"cycle": 0, "stage": stage, "epoch": 0, "step": range(len(losses)), "learning_rate": 0.1,
         "classification": np.array(losses) - 0.1, "box": 0.1, "unlabeled_discrepancy": np.nan}
    )  # fmt: skip


def test_the_fall_of_a_loss_is_that_of_the_last_stage():
    falling = [1.0] * 6 + [0.5, 0.5] + [0.4, 0.4]
    assert loss_fall(log_of(falling)) == pytest.approx(0.2)
    both = pd.concat([log_of([9.0] * 10, "label_set"), log_of(falling)])
    assert loss_fall(both) == pytest.approx(0.2)


@pytest.mark.parametrize(
    "losses",
    [[], [0.5] * 9, [0.5] * 10, [0.4] * 8 + [0.5, 0.5], [0.5] * 6 + [0.3, 0.7, 0.2, 0.6]],
)
def test_a_loss_that_does_not_fall_for_certain_is_not_told(losses):
    """None logged, too few, level, rising, and up and down."""
    assert loss_fall(log_of(losses)) is None
