"""`miaod convert`, there and back."""

import pandas as pd
import pytest
import torch

from miaod_nb.trained.detector import Detector
from tests.experiment.helpers import miaod


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
