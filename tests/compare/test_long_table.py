"""The long table: what stands in it, and which runs cannot stand in one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from miaod_nb.boxes import Detections, Objects
from miaod_nb.compare.long_table import LongTable, Member, long_table, members_of, resampled_row
from miaod_nb.errors import DataError
from miaod_nb.evaluation import VOC07_AP, VOC12_AP
from miaod_nb.evaluation.resampling import draw_resamples
from miaod_nb.passes.kept_detections import save_detections
from miaod_nb.runs.files import RunFolder
from tests.compare.test_curves import describe, write_run


def write(folder, strategy="random", classes=("cat",), **settings):
    """A run of two cycles, 0.2 and 0.4, in which 3 and 5 boxes were drawn."""
    describe(write_run(folder, strategy, [10, 20], [0.2, 0.4]), classes, strategy=strategy,
             **settings)  # fmt: skip
    for cycle, boxes in enumerate((3, 5)):
        (folder / f"cycle{cycle}").mkdir()
        labels = {"images": 10, "sha256": "", "boxes": {"cat": boxes}}
        (folder / f"cycle{cycle}/labels.json").write_text(json.dumps(labels))
    return folder


def test_rows_of_a_run(tmp_path):
    run = write(tmp_path / "a", "mi_aod", seed=3, image_seconds=6, box_seconds=60)
    table = long_table([Member(run, "mine", "best")])
    assert list(table.columns) == [
        "recipe", "training", "selection", "seed", "cycle", "images", "boxes", "minutes",
        VOC12_AP, VOC07_AP, "COCO AP@[.5:.95]", "COCO AP50", "COCO AP75",
    ]  # fmt: skip
    row = table.iloc[1]
    assert row.tolist()[:10] == ["mine", "mi_aod", "best", 3, 1, 20, 5, 7.0, 0.4, 0.5]
    assert row[10:].isna().all()  # this run did not measure them


def test_runs_of_no_grid_are_named_by_what_trains_and_chooses(tmp_path):
    runs = [write(tmp_path / "a", "mi_aod"), write(tmp_path / "b", "random", seed=1),
            write(tmp_path / "c", "random", training="mi_aod")]  # fmt: skip
    members = members_of(runs)
    assert [(one.recipe, one.selection) for one in members] == [
        ("mi_aod", "mi_aod"), ("label_set", "random"), ("mi_aod", "random")
    ]  # fmt: skip
    assert len(long_table(members)) == 6
    with pytest.raises(DataError, match="not of one recipe: learning_rate"):
        members_of([*runs, write(tmp_path / "d", "random", learning_rate=0.5)])


def test_settings_that_the_choice_alone_reads_may_differ(tmp_path):
    runs = [write(tmp_path / "a", "entropy", entropy_aggregate="sum"), write(tmp_path / "b")]
    assert len(long_table(members_of(runs))) == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"classes": ("dog",)}, "detect other classes"),
        ({"preset": "voc0712"}, "judged by different metrics"),
        ({"seed": 1, "rounds": 0}, "not of one recipe: rounds"),
        ({"seed": 1, "entropy_aggregate": "sum"}, "not of one recipe: entropy_aggregate"),
        ({}, "two runs are of recipe r, selection s and seed 0"),
    ],
)
def test_runs_that_cannot_stand_in_one_table(tmp_path, settings, words):
    first = write(tmp_path / "a", "entropy")
    preset, classes = settings.pop("preset", ""), settings.pop("classes", ("cat",))
    second = write(tmp_path / "b", "entropy", classes, **settings)
    if preset:
        config = json.loads((second / "config.json").read_text())
        config["settings"]["preset"] = preset
        (second / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match=words):
        long_table([Member(first, "r", "s"), Member(second, "r", "s")])


def test_other_test_images_only_where_each_split_has_its_holdout(tmp_path):
    runs = [write(tmp_path / "a"), write(tmp_path / "b", seed=1, split_seed=1)]
    document = json.loads((runs[1] / "config.json").read_text())
    document["identity"]["data"]["test"] = ["b 64x64"]
    (runs[1] / "config.json").write_text(json.dumps(document))
    members = [Member(run, "r", "s") for run in runs]
    with pytest.raises(DataError, match="evaluated on other images"):
        long_table(members)
    for run in runs:
        table = pd.read_csv(run / "metrics.csv").assign(evaluated_on="holdout (1 of the first)")
        table.to_csv(run / "metrics.csv", index=False)
    assert long_table(members)["seed"].tolist() == [0, 0, 1, 1]


# ---------------------------------------------------------------------------------- its resamples

BOX = np.array([[0, 0, 10, 10]], np.float32)
TRUTHS = {name: Objects(BOX, np.zeros(1, np.int64), np.zeros(1, bool)) for name in "ab"}


def found(*scores: float) -> Detections:
    boxes = np.repeat(BOX, len(scores), axis=0)
    return Detections(boxes, np.array(scores, np.float32), np.zeros(len(scores), np.int64))


def test_resamples_of_an_image_that_is_found_and_one_that_is_not(tmp_path):
    """Drawn as often as it is, the found image makes the average precision: 0, 1/2 or 1."""
    run = write(tmp_path / "a")
    save_detections(RunFolder(run), 0, {"a": found(0.9), "b": found()})
    draws = draw_resamples(2, 50)
    row = resampled_row(Member(run, "r", "s"), 0, TRUTHS, draws)
    assert row.dtype == np.float32 and row.tolist() == (draws[:, 0] / 2).tolist()
    assert resampled_row(Member(run, "r", "s"), 1, TRUTHS, draws) is None  # nothing was kept


def test_the_files_hold_what_was_measured(tmp_path, capsys):
    runs = [write(tmp_path / name, seed=seed) for seed, name in enumerate("ab")]
    for cycle in range(2):
        save_detections(RunFolder(runs[0]), cycle, {"a": found(0.9), "b": found(0.5)})
    members = [Member(run, "r", "s") for run in [*runs, tmp_path / "not begun"]]
    table = LongTable(RunFolder(tmp_path), members, TRUTHS)
    table.update()
    assert len(pd.read_csv(tmp_path / "table.csv")) == 4
    resampled = pd.read_parquet(tmp_path / "resampled.parquet")
    assert resampled.shape == (2, 4 + 1000) and resampled["seed"].tolist() == [0, 0]
    assert (resampled.filter(regex="^r[0-9]") == 1).all(axis=None)
    assert "b: no resamples of cycle 1: its detections are gone" in capsys.readouterr().out
    written = (tmp_path / "table.csv").read_bytes()
    table.update()  # again: nothing is new
    assert (tmp_path / "table.csv").read_bytes() == written
    assert pd.read_parquet(tmp_path / "resampled.parquet").equals(resampled)


def test_before_anything_is_measured_nothing_is_written(tmp_path):
    members = [Member(Path(tmp_path / "none"), "r", "s")]
    LongTable(RunFolder(tmp_path), members, TRUTHS).update()
    assert list(tmp_path.iterdir()) == []
