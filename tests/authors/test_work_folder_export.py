"""A run in the names of the authors' code: every file says what the run says."""

import json
import shutil

import numpy as np
import pytest
import torch

from miaod_nb.authors.reference import to_reference_arrays
from miaod_nb.authors.work_folder import read_work_folder
from miaod_nb.authors.work_folder_export import export_run
from miaod_nb.authors.work_log import cycle_lines
from miaod_nb.config import make_config
from miaod_nb.errors import RunFolderError
from miaod_nb.evaluation import VOC07_AP
from miaod_nb.experiment import Run
from miaod_nb.runs.files import RunFolder
from tests.experiment.helpers import SETTINGS, log_of


@pytest.fixture
def exported(reference, tmp_path):
    files = export_run(RunFolder(reference), tmp_path / "work")
    assert sorted(files) == sorted(p for p in (tmp_path / "work").rglob("*") if p.is_file())
    return tmp_path / "work"


def test_export_reads_as_a_work_folder_with_the_same_sets_and_maps(reference, exported):
    run, work = RunFolder(reference), read_work_folder(exported)
    assert work.cycles == 2 and work.log.seed == 0
    for cycle in (0, 1):
        np.testing.assert_array_equal(work.labeled[cycle], run.load_npy(f"X_L_{cycle}.npy"))
        np.testing.assert_array_equal(
            work.unlabeled_sample[cycle], run.load_npy(f"X_U_{cycle}.npy")
        )
        listed = run.load_text(f"cycle{cycle}/trainval_L_07.txt").split()
        assert list(work.names[cycle]["L"]) == listed
        metrics = run.load_json(f"cycle{cycle}/metrics.json")["metrics"]
        assert work.mean_ap[cycle] == metrics[VOC07_AP]


def test_log_begins_each_stage_with_a_meta_line_and_ends_each_cycle_with_the_map(
    reference, exported
):
    (log,) = exported.glob("*.log.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    kinds = [line.get("mode", "meta") for line in lines]
    steps = len(log_of(reference, "step"))
    assert kinds.count("meta") == 2 * 4 and kinds.count("train") == steps
    assert [i for i, kind in enumerate(kinds) if kind == "val"] == [len(lines) // 2 - 1,
                                                                    len(lines) - 1]  # fmt: skip
    first = log_of(reference, "step")[0]
    assert lines[0]["seed"] == 0 and "torch: " in lines[0]["env_info"]
    assert lines[1]["l_det_cls"] == first["terms"]["classification"]
    assert lines[1]["lr"] == first["learning_rate"]
    assert lines[1]["L_det"] == pytest.approx(sum(first["terms"].values()))


def test_losses_of_a_pair_are_the_mean_of_its_two_steps():
    """By hand: 1 + 3 for image classification is 2 a step."""
    terms = {"classification": 4.0, "box": 2.0, "image_classification": 1.0,
             "unlabeled_discrepancy": 6.0, "unlabeled_image_classification": 3.0}  # fmt: skip
    record = {"stage": "minimize_1", "epoch": 0, "step": 7, "terms": terms,
              "learning_rate": 0.1, "images_per_s": 8.0}  # fmt: skip
    maximize = record | {"stage": "maximize_1", "terms": {"unlabeled_agreement": 5.0}}
    meta = {"seed": 1}
    found = [json.loads(line) for line in cycle_lines([record, maximize], 0.5, meta, 2)]
    assert found[1] == {
        "mode": "train", "epoch": 1, "iter": 7, "lr": 0.1, "time": 0.5, "l_det_cls": 2.0,
        "l_det_loc": 1.0, "l_wave_dis": 3.0, "l_imgcls": 2.0, "L_wave_min": 8.0,
    }  # fmt: skip
    assert found[3]["l_wave_dis_minus"] == found[3]["L_wave_max"] == 2.5
    assert found[0] == found[2] == meta
    assert found[4] == {"mode": "val", "epoch": 1, "iter": 7, "lr": 0.1, "mAP": 0.5}


def test_checkpoints_hold_the_detectors_by_their_names(reference, exported):
    for cycle, files in ((0, ["cycle0/epoch_1.pth"]), (1, ["cycle1/epoch_1.pth", "latest.pth"])):
        ours = torch.load(reference / f"cycle{cycle}/weights.pt", weights_only=True)
        for file in files:
            theirs = torch.load(exported / file, weights_only=True)
            assert theirs["meta"]["CLASSES"] == ("disc", "square")
            assert theirs["meta"]["epoch"] == 1 and theirs["meta"]["iter"] > 0
            expected = to_reference_arrays(ours["model"])
            assert list(theirs["state_dict"]) == list(expected)
            assert "bbox_head.f_mil_retina.weight" in expected
            for key, array in expected.items():
                assert torch.equal(theirs["state_dict"][key], array)


def test_export_again_after_more_cycles_and_of_a_run_cut_off(reference, tmp_path):
    run = shutil.copytree(reference, tmp_path / "run")
    for file in ("X_L_1.npy", "X_U_1.npy", "cycle1/weights.pt", "cycle1/metrics.json"):
        (run / file).rename(run / f"{file}.away")
    export_run(RunFolder(run), tmp_path / "work")
    assert read_work_folder(tmp_path / "work").cycles == 1
    for path in [*run.glob("*.away"), *run.glob("cycle1/*.away")]:
        path.rename(path.with_suffix(""))
    (run / "cycle1/weights.pt").unlink()  # in the middle of its training
    (run / "cycle1/metrics.json").unlink()
    export_run(RunFolder(run), tmp_path / "work")
    work = read_work_folder(tmp_path / "work")
    assert work.cycles == 2 and len(work.mean_ap) == 1
    assert not (tmp_path / "work/cycle1/epoch_1.pth").exists()


def test_indices_count_images_that_cannot_be_used_too(data_root, tmp_path):
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    ids = (data / "ImageSets/Main/trainval.txt").read_text().split()
    (data / f"JPEGImages/{ids[0]}.jpg").unlink()
    run = Run(make_config("tiny", SETTINGS), data, tmp_path / "run")
    run.advance(0, ["split"])
    export_run(run.folder, tmp_path / "work")
    labeled = read_work_folder(tmp_path / "work").labeled[0]
    assert [ids[index] for index in labeled] == run.dataset.ids(run.sets(0).labeled)
    assert labeled.tolist() == (run.sets(0).labeled + 1).tolist()


def test_data_set_that_is_gone_is_said(data_root, tmp_path, capsys):
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    run = Run(make_config("tiny", SETTINGS), data, tmp_path / "run")
    run.advance(0, ["split"])
    shutil.rmtree(data)
    export_run(run.folder, tmp_path / "work")
    assert "count the usable images only" in capsys.readouterr().out
    labeled = read_work_folder(tmp_path / "work").labeled[0]
    assert labeled.tolist() == run.sets(0).labeled.tolist()


def test_log_is_read_once(reference, tmp_path, monkeypatch):
    folder, read = RunFolder(reference), []
    monkeypatch.setattr(folder, "read_log", lambda: read.append(1) or log_of(reference))
    export_run(folder, tmp_path / "work")
    assert len(read) == 1


def test_data_set_may_be_named(data_root, tmp_path, capsys):
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    run = Run(make_config("tiny", SETTINGS), data, tmp_path / "run")
    run.advance(0, ["split"])
    data.rename(tmp_path / "moved")
    export_run(run.folder, tmp_path / "work", tmp_path / "moved")
    assert "count the usable images only" not in capsys.readouterr().out


def test_detector_that_the_authors_code_lacks_is_left_out_and_said(reference, tmp_path, capsys):
    run = RunFolder(shutil.copytree(reference, tmp_path / "run"))
    checkpoint = run.load_tensors("cycle1/weights.pt")
    renamed = {key.replace("backbone.", "backbone.blocks."): value
               for key, value in checkpoint["model"].items()}  # fmt: skip
    for cycle in (0, 1):
        run.save_tensors(f"cycle{cycle}/weights.pt", checkpoint | {"model": renamed})
    files = export_run(run, tmp_path / "work")
    assert not any(path.suffix == ".pth" for path in files)
    assert "the detectors are left out: the authors' code has no such detector" in (
        capsys.readouterr().out
    )
    assert read_work_folder(tmp_path / "work").cycles == 2


def test_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="holds no run that has begun"):
        export_run(RunFolder(tmp_path), tmp_path / "work")


@pytest.mark.parametrize("kind", ["file", "run", "other"])
def test_place_that_holds_something_else_is_refused(reference, tmp_path, kind):
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    elif kind == "run":
        shutil.copytree(reference, out)
    else:
        out.mkdir()
        (out / "notes.txt").write_text("mine")
    before = sorted(out.rglob("*"))
    with pytest.raises(RunFolderError, match="holds something else"):
        export_run(RunFolder(reference), out)
    assert sorted(out.rglob("*")) == before
