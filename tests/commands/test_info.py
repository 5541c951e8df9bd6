"""What `miaod info` says of a data set, a run, a weight file and a work folder."""

import json
import re
import shutil

import pandas as pd
import pytest
import torch

from miaod_nb.trained.detector import Detector
from tests.experiment.helpers import miaod


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


def test_info_of_data_that_nobody_labeled(data_root, tmp_path):
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    shutil.rmtree(data / "Annotations")
    lines = miaod("info", data, "--audit").out.splitlines()
    assert lines[1] == "the labels of these 12 images were read: none names a class"
    assert lines[2].startswith("12 x annotation missing") and len(lines) == 3


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


def test_info_says_what_more_labels_would_bring(finished, tmp_path):
    """After three evaluated cycles; before, why it cannot be said."""
    before = " ".join(miaod("info", finished[0]).out.split())
    assert "outlook a learning curve can be continued from 3 numbers of labeled images" in before
    run = shutil.copytree(finished[0], tmp_path / "run")
    row = pd.read_csv(run / "metrics.csv").iloc[0].to_dict()
    points = zip((4, 6, 8), (0.2, 0.3, 0.35), strict=True)
    rows = [row | {"labeled_images": n, "VOC12 AP@0.5 (area)": mean_ap} for n, mean_ap in points]
    pd.DataFrame(rows).to_csv(run / "metrics.csv", index=False)
    after = " ".join(miaod("info", run).out.split())
    assert re.search(
        r"outlook the next 2 images would probably bring 0\.\d\d \(0\.\d\d to 0\.\d\d\) mAP; "
        r"all 12 labels about 0\.\d\d \(0\.\d\d to 0\.\d\d\)", after,
    )  # fmt: skip


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
        (
            "config.json",
            '{"settings": {}, "identity": []}',
            "does not describe what it should: identity is wrong",
        ),
    ],
)
def test_info_of_a_damaged_run(finished, tmp_path, name, content, words):
    run = shutil.copytree(finished[0], tmp_path / "run")
    (run / name).write_text(content)
    outcome = miaod("info", run)
    assert outcome.code == 1 and words in outcome.err and str(run / name) in outcome.err
