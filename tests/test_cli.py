"""The `miaod` command: its help and every example in it, and what each verb says and writes."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import typer
from PIL import Image

from miaod_nb.cli import app
from miaod_nb.config import PRESETS, make_config
from miaod_nb.experiment import Run
from miaod_nb.trained import evaluating as evaluating_module
from miaod_nb.trained.detector import Detector
from tests.authors.work_folders import mean_ap_lines, write_work_folder
from tests.conftest import write_voc
from tests.experiment.helpers import (
    SETTINGS,
    SHELL_COMMAND,
    Outcome,
    log_of,
    miaod,
    run_arguments,
)

PNG = b"\x89PNG"
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
EXAMPLES = {
    name: re.findall(r"^  (miaod .+)$", command.epilog, re.MULTILINE)
    for name, command in COMMANDS.items()
}
ALL_EXAMPLES = [
    pytest.param(example, marks=[pytest.mark.slow] * (name == "notebooks"), id=example)
    for name, examples in EXAMPLES.items()
    for example in examples
]


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


def test_help_names_every_preset():
    assert all(preset in miaod("run", "--help").out for preset in PRESETS)


@pytest.mark.parametrize("verb", ["", *COMMANDS])
def test_help_fits_a_terminal(verb, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    outcome = miaod(*filter(None, [verb]), "--help")
    assert outcome.code == 0 and outcome.err == ""
    assert max(map(len, outcome.out.splitlines())) <= 80
    examples = EXAMPLES[verb] if verb else EXAMPLES["run"][:2]
    assert examples and all(f"    {example}\n" in outcome.out for example in examples)
    if not verb:
        listed = outcome.out.partition("Commands:\n")[2].splitlines()
        assert [line.split()[0] for line in listed] == list(COMMANDS)
        assert all(line.endswith(".") and not line.endswith("...") for line in listed)


# -------------------------------------------------------------------------------------- examples


@pytest.fixture
def workplace(finished, data_root, tmp_path, monkeypatch) -> Path:
    """A folder with everything that the examples name; commands run in it."""
    for name in ("mine", "mine-random"):
        shutil.copytree(finished[0], tmp_path / "runs" / name)
    shutil.copytree(data_root, tmp_path / "VOC2007")
    Detector.load(finished[0]).save_reference(tmp_path / "epoch_3.pth")
    (tmp_path / "photos").mkdir()
    shutil.copy(data_root / "JPEGImages/000001.jpg", tmp_path / "photos/dog.jpg")
    shutil.copy(data_root / "JPEGImages/000002.jpg", tmp_path / "photos/cat.jpg")
    (tmp_path / "VOCdevkit").mkdir()
    (tmp_path / "VOCdevkit/VOC2007").symlink_to(tmp_path / "VOC2007")
    ids = (data_root / "ImageSets/Main/trainval.txt").read_text().split()
    sets = ([[1, 4], [1, 2, 4]], [[0, 6], [0, 3, 6]])
    write_work_folder(tmp_path / "work_dirs/MI-AOD", *sets, {"07": ids}, mean_ap_lines(0.25))
    (tmp_path / "decided.jsonl").write_text('{"id": "000001", "action": "skip"}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made_small(example: str) -> list[str]:
    """The example with the smallest preset in place of a larger one, and few images labeled."""
    words = shlex.split(example)[1:]
    small = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    if words[0] in ("run", "notebooks") and "--run-dir" not in words:
        words += ["--preset", "tiny", "--set", "cycles=1", *small]
    words = ["cycle=0" if word == "cycle=1" else word for word in words]  # the only one
    if "work_dirs/MI-AOD" in words and words[0] == "convert":
        words += ["--preset", "tiny", "--set", "threads=1", "--set", "device=cpu"]
    if words[0] == "bench":
        words = [{"cuda": "cpu"}.get(word, word) for word in words]
        words += ["--preset", "tiny", "--against", "none", "--set", "threads=1"]
    if "voc" in words:
        words[words.index("voc")] = "tiny"
        words[words.index("runs/mine")] = "runs/new"
        words += ["--set", "cycles=1", *small]
    return words


@pytest.mark.parametrize("example", ALL_EXAMPLES)
def test_example_runs(workplace, example):
    if "results/predictions.json" in example:
        assert miaod("evaluate", "runs/mine", "--out", "results").code == 0
    outcome = miaod(*made_small(example))
    assert outcome.code == 0, outcome.err
    assert outcome.out
    for option in ("--out ", "--json "):
        if option in example:
            assert Path(example.partition(option)[2].split()[0]).exists()


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
    assert outcome.code == 1 and "give --data-root" in outcome.err and outcome.out == ""


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
    document = json.loads((workplace / "found/predictions.json").read_text())
    assert [entry["file"] for entry in document["images"]] == [r.split()[1] for r in rows[:2]]
    for name in ("cat.jpg", "dog.jpg"):
        with Image.open(workplace / "found/images" / name) as drawn:
            assert max(drawn.size) == 1000


def test_a_single_image_tells_its_uncertainty(workplace):
    outcome = miaod("predict", "epoch_3.pth", "photos/dog.jpg", "--out", "found",
                    "--set", "image_size=64x64")  # fmt: skip
    (entry,) = json.loads((workplace / "found/predictions.json").read_text())["images"]
    assert entry["uncertainty"] > 0
    row = outcome.out.splitlines()[-1].split()
    assert row[:3] == ["1", "dog.jpg", f"{entry['uncertainty']:.3g}"]


def test_predict_shows_the_first_of_many(workplace, monkeypatch):
    monkeypatch.setattr("miaod_nb.cli.MOST_ROWS", 1)
    outcome = miaod("predict", "runs/mine", "photos", "--out", "found")
    assert outcome.out.splitlines()[2] == "... and 1 more in found/predictions.json"


# --------------------------------------------------------------------------- info of what is ours


def test_info_of_a_run(finished):
    outcome = miaod("info", finished[0])
    assert outcome.code == 0
    first, *lines = outcome.out.splitlines()
    assert first == f"{finished[0]}: run folder"
    assert "preset=tiny" in lines[0] and "initial=4" in lines[0] and "cycles=1" in outcome.out
    assert "12 pool images, 4 to test on" in outcome.out
    assert "  cycle 0     finished" in lines
    assert f"more: miaod run --run-dir {finished[0]} --set cycles=2" in outcome.out
    assert "evaluated on the test list (4 images):" in lines
    recorded = pd.read_csv(finished[0] / "metrics.csv")["VOC12 AP@0.5 (area)"][0]
    assert lines[-1].split()[:2] == ["0", "4"] and lines[-1].split()[3] == f"{recorded:.4f}"


def test_info_says_what_comes_next(finished, tmp_path):
    run = shutil.copytree(finished[0], tmp_path / "run")
    steps = json.loads((run / "cycle0/steps.json").read_text())
    (run / "cycle0/steps.json").write_text(json.dumps(steps[:3]))
    lines = miaod("info", run).out.splitlines()
    assert "  cycle 0     split, label-set, minimize 1" in lines
    assert f"  next        maximize 1 of cycle 0: miaod run --run-dir {run}" in lines


def test_info_of_weights(workplace):
    ours, theirs = miaod("info", "runs/mine/cycle0/weights.pt"), miaod("info", "epoch_3.pth")
    assert ours.out.startswith("runs/mine/cycle0/weights.pt: weights of miaod\n")
    assert theirs.out.startswith("epoch_3.pth: checkpoint of the authors' code\n")
    content = torch.load("runs/mine/cycle0/weights.pt")
    parameters = Detector.load("epoch_3.pth").model.parameters()
    number = sum(parameter.numel() for parameter in parameters)
    for outcome in (ours, theirs):
        assert f"  detector    retinanet on resnet18, {number:,} parameters" in outcome.out
        assert "  classes     2: disc, square" in outcome.out
    assert content["settings"]["initial"] == 4 and "initial=4" in ours.out
    assert "num_levels=3" in theirs.out


def test_info_of_a_work_folder(workplace):
    first, header, *rows, last = miaod("info", "work_dirs/MI-AOD").out.splitlines()
    assert first == "work_dirs/MI-AOD: work folder of the authors' code"
    assert header.endswith("VOC07 AP@0.5 (11 points)")
    assert [row.split() for row in rows] == [["0", "2", "2", "0.2500"], ["1", "3", "3", "-"]]
    assert last.startswith("to go on: miaod convert work_dirs/MI-AOD --data-root")


def test_info_of_nothing_known(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    outcome = miaod("info", tmp_path / "notes.txt")
    assert outcome.code == 1 and "this is no weight file, or a torn one" in outcome.err
    assert "what to do: name a data set" in outcome.err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("metrics.csv", 'cycle,"strategy\n0,mi_aod\n', "not a table of metrics"),
        ("metrics.csv", "cycle,labeled_images\n0,4\n", "there is no column strategy, evaluated_on"),
        ("config.json", '{"settings": {}, "identity": []}', "does not describe an experiment"),
    ],
)
def test_info_of_a_damaged_run(finished, tmp_path, name, content, words):
    run = shutil.copytree(finished[0], tmp_path / "run")
    (run / name).write_text(content)
    outcome = miaod("info", run)
    assert outcome.code == 1 and words in outcome.err and str(run / name) in outcome.err


# ---------------------------------------------------------------------------------------- convert


def test_convert_there_and_back(workplace):
    said, written = miaod("convert", "epoch_3.pth", "--out", "new/mine.pt").out.splitlines()
    assert "from the preset voc0712, images 1000x600" in said and written == "new/mine.pt"
    assert miaod("convert", "new/mine.pt", "--out", "back.pth").code == 0
    came, back = (torch.load(name)["state_dict"] for name in ("epoch_3.pth", "back.pth"))
    assert came.keys() == back.keys() and all(torch.equal(came[key], back[key]) for key in came)


def test_settings_of_a_converted_checkpoint(workplace):
    outcome = miaod("convert", "epoch_3.pth", "--out", "mine.pt", "--preset", "tiny",
                    "--set", "classes=a,b", "--set", "image_size=96x64")  # fmt: skip
    assert outcome.code == 0, outcome.err
    detector = Detector.load("mine.pt")
    assert detector.classes == ("a", "b")
    assert (detector.config.preset, detector.config.image_size) == ("tiny", (96, 64))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["epoch_3.pth", "--out", "photos/dog.jpg"], "there is something already"),
        (["epoch_3.pth", "--out", "x.pt", "--to", "onnx"], "choose one of: miaod, reference"),
        (["epoch_3.pth", "--out", "x.pt", "--data-root", "VOC2007"], "a weight file needs no data"),
        (["runs/mine/cycle0/weights.pt", "--out", "x", "--preset", "voc"], "leave the preset out"),
        (["missing.pth", "--out", "x.pt"], "there is no such file or folder"),
        (["photos/dog.jpg", "--out", "x.pt"], "torn, or no checkpoint"),
        (["photos", "--out", "x"], "neither a run folder nor a work folder"),
        (["runs/mine", "--out", "x", "--to", "miaod"], "in miaod's format already"),
        (["runs/mine", "--out", "x", "--preset", "voc"], "the run has its own settings"),
        (["runs/mine", "--out", "x", "--set", "seed=1"], "leave --preset and --set out"),
        (["work_dirs/MI-AOD", "--out", "x"], "give --data-root"),
        (["work_dirs/MI-AOD", "--out", "x", "--to", "reference"], "authors' code already"),
    ],
)
def test_convert_refuses(workplace, arguments, words):
    outcome = miaod("convert", *arguments)
    assert outcome.code == 1 and words in outcome.err
    assert outcome.out == "" and not list(workplace.glob("x*"))


def test_a_work_folder_goes_on_as_a_run(workplace):
    arguments = ["--data-root", "VOC2007", "--preset", "tiny", "--set", "threads=1",
                 "--set", "device=cpu"]  # fmt: skip
    outcome = miaod("convert", "work_dirs/MI-AOD", "--out", "runs/continued", *arguments)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1] == "runs/continued"
    lines = miaod("info", "runs/continued").out
    assert "  cycle 0     finished" in lines and "next        split of cycle 1" in lines
    assert miaod("run", "--run-dir", "runs/continued").code == 0
    table = pd.read_csv("runs/continued/metrics.csv")
    assert table["labeled_images"].tolist() == [2, 3]
    assert table["VOC07 AP@0.5 (11 points)"][0] == 0.25


def test_a_run_becomes_a_work_folder(workplace):
    outcome = miaod("convert", "runs/mine", "--out", "theirs")
    assert outcome.code == 0, outcome.err
    assert "theirs/X_L_0.npy" in outcome.out.splitlines()
    theirs = Detector.load("theirs/latest.pth")
    ours = Detector.load("runs/mine").model.state_dict()
    assert all(torch.equal(ours[key], value) for key, value in theirs.model.state_dict().items())
