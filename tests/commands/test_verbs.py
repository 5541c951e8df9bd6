"""What run, curves, evaluate and predict say and write."""

import json
import re
import shutil

import pandas as pd
import pytest
from PIL import Image

from miaod_nb.config import make_config
from miaod_nb.experiment import Run
from miaod_nb.trained import evaluating as evaluating_module
from miaod_nb.wording import number_text
from tests.experiment.helpers import log_of, miaod

PNG = b"\x89PNG"

# -------------------------------------------------------------------------------------------- run


def test_run_ends_with_its_metrics(finished):
    run_dir, outcome = finished
    assert f"finished: {run_dir}" in outcome.out and outcome.err == ""
    table = outcome.out.partition("finished: ")[2].splitlines()[1:]
    assert table[0] == "evaluated on the test list (4 images):" and max(map(len, table)) <= 100
    assert table == miaod("info", run_dir).out.splitlines()[-len(table) :]


def test_log_has_all_that_curves_need(finished):
    records = log_of(finished[0], "step")
    stages = ["label_set", "minimize_1", "maximize_1", "label_set_1"]
    assert [(r["stage"], r["step"]) for r in records] == [(s, n) for s in stages for n in (1, 2, 3)]
    for record in records:
        assert set(record["terms"]) >= {"classification", "box"}
        assert all(isinstance(value, float) for value in record["terms"].values())
        assert 0 < record["learning_rate"] <= 1e-3
        assert record["images_per_s"] > 0 and record["memory_mb"] > 10
        assert (record["cycle"], record["epoch"]) == (0, 0)
    assert "unlabeled_discrepancy" in records[3]["terms"]
    assert "unlabeled_agreement" in records[6]["terms"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, False),
        ({"batch_size": 4}, True),
        ({"batch_size": 4, "learning_rate": 3e-4}, False),
        ({"learning_rate": 3e-4}, False),
    ],
)
def test_learning_rate_that_follows_the_batch_is_said(data_root, tmp_path, capsys, settings, said):
    config = make_config("tiny", {"initial": 4, "budget": 2, "threads": 1, **settings})
    with Run(config, data_root, tmp_path / "run").hold():
        pass
    assert ("the preset's 0.001 in proportion" in capsys.readouterr().out) == said


# ----------------------------------------------------------------------------------------- curves


def test_curves_of_two_runs(finished, tmp_path):
    other = shutil.copytree(finished[0], tmp_path / "other")
    outcome = miaod("curves", finished[0], other, "--out", tmp_path / "out/curves")
    files = [tmp_path / "out/curves" / name for name in ("curves.csv", "curves.png")]
    assert outcome == (0, "".join(f"{file}\n" for file in files), "")
    table = pd.read_csv(files[0])
    assert table["run"].tolist() == ["tiny", "other"]
    assert table["labeled_images"].tolist() == [4, 4]
    assert files[1].read_bytes().startswith(PNG)


def test_curves_of_a_folder_without_metrics(finished, tmp_path):
    outcome = miaod("curves", finished[0], tmp_path, "--out", tmp_path / "out")
    assert outcome.code == 1 and not (tmp_path / "out").exists()
    assert outcome.err.startswith("error: there are no metrics in this folder")
    assert str(tmp_path / "metrics.csv") in outcome.err and "what to do" in outcome.err


# --------------------------------------------------------------------------------------- evaluate


def test_evaluate_says_what_the_run_recorded(finished):
    outcome = miaod("evaluate", finished[0])
    assert outcome.code == 0
    recorded = json.loads((finished[0] / "cycle0/metrics.json").read_text())["metrics"]
    assert "evaluated on the test list (4 images):" in outcome.out.splitlines()
    for name, value in recorded.items():
        assert re.search(rf"^  {re.escape(name)} +{value:.4f}$", outcome.out, re.MULTILINE)


def test_predictions_are_evaluated_again_without_the_detector(finished, data_root, tmp_path):
    first = miaod("evaluate", finished[0], "--out", tmp_path / "out")
    again = miaod("evaluate", tmp_path / "out/predictions.json", "--data-root", data_root)
    assert again.code == 0 and first.out.startswith(again.out)
    assert first.out.splitlines()[-1] == str(tmp_path / "out/categories.json")


def test_evaluate_without_labels(finished, tmp_path):
    weights = shutil.copy(finished[0] / "cycle0/weights.pt", tmp_path)
    outcome = miaod("evaluate", weights)
    assert outcome.code == 1 and "--data-root" in outcome.err and outcome.out == ""


def test_ctrl_c_ends_with_a_sentence(finished, monkeypatch):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluating_module, "evaluate_what", interrupted)
    outcome = miaod("evaluate", finished[0])
    assert outcome.code == 130
    assert outcome.err.startswith("stopped as you asked\n") and "Traceback" not in outcome.err


# ---------------------------------------------------------------------------------------- predict


def test_predict_ranks_images_and_names_those_left_out(workplace):
    (workplace / "photos/text.jpg").write_text("no image")
    outcome = miaod("predict", "runs/mine", "photos", "--out", "found", "--score", "0")
    assert outcome.code == 0, outcome.err
    header, *rows = outcome.out.splitlines()
    assert header.split() == ["rank", "file", "uncertainty", "boxes"]
    assert [row.split()[0] for row in rows[:2]] == ["1", "2"]
    assert {row.split()[1] for row in rows[:2]} == {"cat.jpg", "dog.jpg"}
    assert rows[2:] == ["1 left out:", "  text.jpg: image unreadable"]
    table = pd.read_csv(workplace / "found/images.csv")
    assert table["file"].tolist() == [*(row.split()[1] for row in rows[:2]), "text.jpg"]
    for name in ("cat.jpg", "dog.jpg"):
        with Image.open(workplace / "found/images" / name) as drawn:
            assert max(drawn.size) == 1000


def test_a_single_image_tells_its_uncertainty(workplace):
    outcome = miaod("predict", "epoch_3.pth", "photos/dog.jpg", "--out", "found",
                    "--set", "image_size=64x64")  # fmt: skip
    (uncertainty,) = pd.read_csv(workplace / "found/images.csv")["uncertainty"]
    assert uncertainty > 0
    row = outcome.out.splitlines()[-1].split()
    assert row[:3] == ["1", "dog.jpg", number_text(uncertainty)]


def test_predict_shows_the_first_of_many(workplace, monkeypatch):
    monkeypatch.setattr("miaod_nb.commands.predict.MOST_ROWS", 1)
    outcome = miaod("predict", "runs/mine", "photos", "--out", "found")
    assert outcome.out.splitlines()[2] == "... and 1 more in found/images.csv"


def test_predictions_of_a_folder_are_evaluated_as_the_run(finished, data_root, tmp_path):
    """Of all images of a data set, those of the test list count; its labels are not needed."""
    out = tmp_path / "found"
    assert miaod("predict", finished[0], data_root / "JPEGImages", "--out", out).code == 0
    again = miaod("evaluate", out / "predictions.json", "--data-root", data_root,
                  "--out", tmp_path / "again")  # fmt: skip
    assert again.code == 0, again.err
    recorded = json.loads((finished[0] / "cycle0/metrics.json").read_text())["metrics"]
    found = json.loads((tmp_path / "again/metrics.json").read_text())["metrics"]
    assert found == pytest.approx(recorded, rel=1e-6) and max(recorded.values()) > 0
    others = miaod("evaluate", out / "predictions.json", "--data-root", data_root, "--list",
                   "trainval")  # fmt: skip
    assert others.code == 0 and "trainval list (12 images)" in others.out


def test_a_verb_refuses_a_place_before_it_works(finished, workplace):
    """What is wrong with --out is said in the same words by every verb that writes."""
    (workplace / "file").write_text("mine")
    for arguments in (
        ["evaluate", "runs/mine"],
        ["predict", "runs/mine", "photos"],
        ["curves", "runs/mine"],
        ["report", "runs/mine"],
        ["convert", "runs/mine"],
        ["convert", "runs/mine/cycle0/weights.pt"],
        ["convert", "work_dirs/MI-AOD", "--data-root", "VOC2007"],
    ):
        outcome = miaod(*arguments, "--out", "file/below")
        assert outcome.code == 1 and outcome.out == ""
        assert "--out lies below a file, but a folder is written" in outcome.err


def test_a_verb_names_the_run_that_was_meant(workplace):
    misspelled = workplace / "runs/mime"
    for_any_folder = [["info"], ["evaluate"], ["convert", "--out", "o"]]
    for_runs = [
        ["review"], ["report"], ["lab"], ["predict", "photos", "--out", "o"],
        ["curves", "--out", "o"],
    ]  # fmt: skip
    asked = [(verb, False) for verb in for_any_folder + for_runs]
    for (verb, *others), is_there in [*asked, *((verb, True) for verb in for_runs)]:
        if is_there:
            misspelled.mkdir(exist_ok=True)
        outcome = miaod(verb, misspelled, *others)
        assert outcome.code == 1 and outcome.out == "", verb
        assert f"did you mean {workplace / 'runs/mine'}?" in outcome.err, verb
