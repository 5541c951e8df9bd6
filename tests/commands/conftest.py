"""What the verbs are given: a finished run, and a folder with everything that examples name."""

import json
import shutil
from pathlib import Path

import pytest

from miaod_nb.trained.detector import Detector
from tests.authors.work_folders import mean_ap_lines, write_work_folder
from tests.experiment.helpers import SETTINGS, Outcome, miaod, run_arguments


@pytest.fixture(scope="session")
def finished(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A run folder of one cycle, and what the run said."""
    run_dir = tmp_path_factory.mktemp("runs") / "tiny"
    outcome = miaod(*run_arguments(data_root, run_dir, cycles=1))
    assert outcome.code == 0
    return run_dir, outcome


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
    chosen = json.loads((tmp_path / "runs/mine/cycle0/selection.json").read_text())["selected"]
    task = {"data": {"image_id": chosen[0]["id"]}, "annotations": [{"result": []}]}
    (tmp_path / "project-1.json").write_text(json.dumps([task]))
    box = {"image_id": "dog", "category_id": 1, "bbox": [4, 4, 9, 9], "score": 0.6}
    (tmp_path / "boxes.json").write_text(json.dumps([box]))
    (tmp_path / "boxes.csv").write_text("image,x1,y1,x2,y2,score,class\ndog,4,4,13,13,0.6,disc\n")
    (tmp_path / "done.txt").write_text("cat.jpg\n")
    (tmp_path / "decided.jsonl").write_text('{"id": "000001", "action": "skip"}\n')
    (tmp_path / "grid.yaml").write_text(
        "preset: tiny\ndata_root: VOC2007\ncycles: 1\nseeds: [0]\nstrategies: [random]\n"
        "recipes: {plain: {}}\n"
        f"settings: {json.dumps(SETTINGS)}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path
