"""Runs whose cycles ask for boxes or minutes: what is written, said, continued and reviewed."""

import shutil

import pandas as pd
import pytest

from miaod_nb.experiment import open_run
from miaod_nb.experiment.pricing import learn_prices
from miaod_nb.inspection.inspected import ranked
from miaod_nb.labeling.reviewing import apply_decisions, batch_lines, decide
from miaod_nb.report.beginning import in_short
from miaod_nb.report.gallery import gallery
from miaod_nb.report.loading import load_runs
from miaod_nb.runs.label_store import Answer, AnsweredObject, LabelStore
from miaod_nb.runs.record import RunRecord
from tests.experiment.helpers import Fate, miaod, results, run_arguments, run_child

QUICK = {"label_set_epochs": 1, "min_epoch_steps": 1, "rounds": 0, "cycles": 2}


@pytest.fixture(scope="module")
def folder(data_root, tmp_path_factory):
    """A run of two cycles by boxes, and what it said; tests must not change it."""
    where = tmp_path_factory.mktemp("budgets") / "run"
    settings = QUICK | {"strategy": "entropy", "budget": "6 boxes"}
    outcome = miaod(*run_arguments(data_root, where, **settings))
    assert outcome.code == 0, outcome.err
    where.with_name("said.txt").write_text(outcome.out)
    return where


def test_a_batch_of_boxes_says_what_it_is_expected_to_cost(folder):
    selection = RunRecord.open(folder).selection(0)
    cost, rows = selection["cost"], selection["selected"]
    assert (cost["amount"], cost["unit"]) == (6, "boxes")
    assert 1 <= len(rows) <= selection["budget"] <= 6
    assert cost["expected"] == sum(row["cost"] for row in rows) <= 6
    assert all(row["cost"] >= 1 and row["reason"].endswith("for what it costs") for row in rows)
    assert cost["estimate"]["images"] == 4 and cost["estimate"]["error"] > 0
    said = folder.with_name("said.txt").read_text()
    assert f"{len(rows)} images, about " in said and "of 6 boxes" in said
    assert "expected boxes: " in said and "(from 4 labeled images, all of which train" in said


def test_boxes_are_a_column_of_the_scores_and_ranks_go_by_them(folder):
    record = RunRecord.open(folder)
    table = record.scores(0)
    assert (table["box_sum"] >= 0).all()
    costs = (table["box_sum"] * record.selection(0)["cost"]["estimate"]["factor"]).clip(lower=1)
    order = table["id"][(table["score"] / costs).sort_values(ascending=False, kind="stable").index]
    ranks = {row["id"]: row["rank"] for row in record.selection(0)["selected"]}
    assert ranks == {i: r for r, i in enumerate(order, start=1) if i in ranks}
    assert ranked(open_run(run_dir=folder), 0)["id"].tolist() == order.tolist()


def test_the_cost_is_shown_wherever_the_batch_is(folder):
    assert "of 6 boxes" in miaod("info", folder).out
    assert "images to label, about " in batch_lines(RunRecord.open(folder).selection(1), 9)[-1]
    (run,) = load_runs([folder])
    assert "They are expected to cost about " in str(gallery(run)[0])
    assert "as many as about 6 boxes are enough for a cycle" in str(in_short([run], []))


@pytest.mark.slow
def test_killed_and_continued_is_undisturbed(data_root, folder, tmp_path):
    settings = QUICK | {"strategy": "entropy", "budget": "6 boxes", "save_every": 0.001}
    arguments = run_arguments(data_root, tmp_path / "run", **settings)
    see, learn = "selection.counting.Counting.observe", "experiment.selecting.learn_prices"
    for number, fate in enumerate([Fate(f"miaod_nb.{see}", 5), Fate(f"miaod_nb.{learn}")]):
        assert run_child(arguments, tmp_path / f"{number}.txt", fate) == -fate.signal
    assert run_child(arguments, tmp_path / "last.txt") == 0
    assert results(tmp_path / "run") == results(folder)


def test_minutes_are_those_of_looks_and_boxes(data_root, tmp_path):
    """A strategy that looks at nothing else counts boxes too."""
    settings = QUICK | {"strategy": "random", "budget": "1.5 minutes", "cycles": 1}
    assert miaod(*run_arguments(data_root, tmp_path, **settings, image_seconds=12)).code == 0
    selection, scores = RunRecord.open(tmp_path).selection(0), RunRecord.open(tmp_path).scores(0)
    cost, rows = selection["cost"], selection["selected"]
    assert list(scores) == ["id", "index", "box_sum"] and cost["unit"] == "minutes"
    assert cost["seconds"] == {"image": 12.0, "box": 7.0, "answers": 0}
    seen = scores.set_index("id")["box_sum"]
    minutes = [(12 + 7 * cost["estimate"]["factor"] * seen[row["id"]]) / 60 for row in rows]
    assert [row["cost"] for row in rows] == pytest.approx(minutes)
    assert sum(minutes) == pytest.approx(cost["expected"]) and cost["expected"] <= 1.5
    assert all(row["score"] is None and row["reason"] == "drawn at random" for row in rows)


def test_review_replaces_within_the_budget(folder, tmp_path):
    record = RunRecord.open(shutil.copytree(folder, tmp_path / "run"))
    last, first = record.selection(1), record.selection(1)["selected"][0]["id"]
    decide(record, 1, first, "skip")
    found = apply_decisions(record, 1)
    assert first not in {row["id"] for row in found["selected"]}
    assert found["cost"]["expected"] <= 6
    assert {k: v for k, v in found["cost"].items() if k != "expected"} == {
        k: v for k, v in last["cost"].items() if k != "expected"
    }
    shrunk = apply_decisions(record, 1, replace=False)
    assert {row["id"] for row in shrunk["selected"]} < {row["id"] for row in last["selected"]} | {
        row["id"] for row in found["selected"]
    }
    decide(record, 1, first, "undecided")
    assert apply_decisions(record, 1)["selected"] == last["selected"]


def test_times_of_people_replace_the_settings_when_there_are_enough(folder, monkeypatch):
    run = open_run(run_dir=folder)
    box = AnsweredObject(name="disc", box=(1.0, 1.0, 9.0, 9.0))
    answers = {
        str(n): Answer(id=str(n), objects=(box,) * (n % 3), by="me", source="test", time=0.0,
                       seconds=10.0 + 5 * (n % 3))
        for n in range(20)
    }  # fmt: skip
    monkeypatch.setattr(LabelStore, "answers", lambda self: answers)
    seen = pd.read_parquet(folder / "cycle0/labeled.parquet")["box_sum"].to_numpy()
    work = learn_prices(run, 0, run.config, seen).seconds
    assert (work.image, work.box, work.answers) == (pytest.approx(10), pytest.approx(5), 20)


def test_curves_are_drawn_over_what_labels_cost(folder, tmp_path):
    for by in ("boxes", "minutes"):
        assert miaod("curves", folder, "--by", by, "--out", tmp_path / by).code == 0
    table = pd.read_csv(tmp_path / "boxes/curves.csv")
    record = RunRecord.open(folder)
    boxes = [sum(record.labels(cycle)["boxes"].values()) for cycle in range(2)]
    assert table["labeled_boxes"].tolist() == boxes
    minutes = (7.8 * table["labeled_images"] + 7 * table["labeled_boxes"]) / 60
    assert table["labeling_minutes"].tolist() == pytest.approx(minutes.tolist(), abs=0.05)
    refused = miaod("curves", folder, "--by", "hours", "--out", tmp_path / "hours")
    assert refused.code == 1 and "choose one of: images, boxes, minutes" in refused.err
