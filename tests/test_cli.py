"""The `miaod` command: help, `info`, `curves`, and what `run` says while it works."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from miaod_nb.config import make_config
from miaod_nb.experiment import Experiment
from tests.conftest import write_voc
from tests.experiment.helpers import SHELL_COMMAND, Outcome, log_of, miaod, run_arguments

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc(tmp_path_factory.mktemp("data") / "VOC2007")


@pytest.fixture(scope="module")
def finished(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A run folder of one cycle, and what the run said."""
    run_dir = tmp_path_factory.mktemp("runs") / "tiny"
    outcome = miaod(*run_arguments(data_root, run_dir, cycles=1))
    assert outcome.code == 0
    return run_dir, outcome


# ------------------------------------------------------------------------------------------ help


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_does_not_wait_for_torch(arguments):
    code = (
        "import sys\nfrom miaod_nb.cli import main\n"
        "try: main()\nexcept SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    child = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert child.stdout.splitlines()[-1] == "0 False", child
    assert "data-root" in child.stdout if "run" in arguments else "curves" in child.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["run", "--sed", "1"], "No such option"), (["rum"], "No such command"),
     (["info"], "Missing argument")],
)  # fmt: skip
def test_wrong_usage(arguments, words):
    outcome = miaod(*arguments)
    assert outcome.code == 2 and words in outcome.err


def test_error_in_a_shell():
    child = subprocess.run([*SHELL_COMMAND, "info", "nowhere"], capture_output=True, text=True)
    assert child.returncode == 1 and child.stdout == ""
    assert child.stderr.startswith("error: there is no such data folder\n  where: nowhere\n")


# ------------------------------------------------------------------------------------------- info


def test_info_reads_no_label(data_root, tmp_path):
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    shutil.rmtree(data / "Annotations")
    (data / "JPEGImages/000002.jpg").unlink()
    outcome = miaod("info", data)
    assert outcome == (
        0, "trainval: 11 usable images from 07\n1 x listed image missing (000002)\n", ""
    )  # fmt: skip


def test_info_of_another_list(data_root):
    assert miaod("info", data_root, "--list", "test").out == "test: 4 usable images from 07\n"


def test_info_with_labels(tmp_path, make_voc, voc_xml):
    data = make_voc(tmp_path / "VOC2007", num_trainval=3)
    (data / "Annotations/000001.xml").write_text("")
    boxes = [("disc", (2, 2, 9, 9)), ("disc", (2, 2, 30, 30)), ("ring", (2, 2, 30, 30))]
    (data / "Annotations/000002.xml").write_text(voc_xml(boxes, 48, 64))
    outcome = miaod("info", data, "--audit")
    assert outcome.code == 0
    first, said, *table = outcome.out.splitlines()
    assert first == "trainval: 3 usable images from 07"
    assert said == "the labels of these 3 images were read:"
    assert [line.split() for line in table[-4:]] == [
        ["disc", "1", "2", "0"],
        ["ring", "1", "1", "0"],
        ["1", "x", "annotation", "malformed:", "empty", "file", "(000001)"],
        ["1", "x", "image", "without", "objects", "(000003)"],
    ]


# -------------------------------------------------------------------------------------------- run


def test_run_ends_with_its_metrics(finished):
    run_dir, outcome = finished
    assert f"finished: {run_dir}" in outcome.out and outcome.err == ""
    header, row = outcome.out.splitlines()[-2:]
    assert "VOC12 AP@0.5 (area)" in header and "test list (4 images)" in row


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
    with Experiment(config, data_root, tmp_path / "run").opened():
        pass
    assert ("learning rate 0.001 -> 0.002: scaled" in capsys.readouterr().out) == said


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
