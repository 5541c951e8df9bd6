"""What may change when a run goes on, what equal and different runs have in common."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.experiment import Run
from miaod_nb.runs.machine import THREADS_AT_START, prepare_torch
from tests.experiment.helpers import SETTINGS, log_of, miaod, results, run_arguments


@pytest.fixture
def copy(reference: Path, tmp_path: Path) -> Path:
    """The reference run, to be changed."""
    return shutil.copytree(reference, tmp_path / "run")


def experiment(data_root: Path, **settings: Any) -> Run:
    return Run(make_config("tiny", settings), data_root)


def test_finished_run_is_left_as_it_is(data_root, copy, reference):
    outcome = miaod(*run_arguments(data_root, copy))
    assert outcome.code == 0
    assert "cycle" not in outcome.out.split("finished")[0]
    assert results(copy) == results(reference)


def test_more_cycles_continue_a_run(data_root, tmp_path):
    """As if they had been asked for at once; a table of all cycles comes back."""
    settings = {"strategy": "random", "label_set_epochs": 1, "rounds": 0, "min_epoch_steps": 1}
    for name, steps in (("slowly", (1, 3)), ("at_once", (3,))):
        for cycles in steps:
            arguments = run_arguments(data_root, tmp_path / name, **settings, cycles=cycles)
            assert miaod(*arguments).code == 0
    assert results(tmp_path / "slowly") == results(tmp_path / "at_once")
    assert len((tmp_path / "slowly/metrics.csv").read_text().splitlines()) == 1 + 3


def test_fields_of_the_run_may_change(data_root, copy, reference):
    changed = {"cycles": 1, "workers": 3, "log_every": 7, "save_every": 1, "threads": 1}
    outcome = miaod(*run_arguments(data_root, copy, **changed))
    assert outcome.code == 0 and "warning" not in outcome.out
    assert results(copy) == results(reference)
    settings = json.loads((copy / "config.json").read_text())["settings"]
    assert {key: settings[key] for key in changed} == changed


def test_a_run_from_before_a_setting_existed_goes_on_with_its_default(data_root, copy, reference):
    path = copy / "config.json"
    document = json.loads(path.read_text())
    for part in (document["settings"], document["identity"]):
        del part["resize"], part["uncertainty_scores"]
    path.write_text(json.dumps(document))
    assert miaod(*run_arguments(data_root, copy)).code == 0
    assert results(copy) == results(reference)
    path.write_text(json.dumps(document))
    outcome = miaod(*run_arguments(data_root, copy, resize="stretch"))
    assert outcome.code == 1 and "resize: 'fit' there, 'stretch' now" in outcome.err


def test_threads_of_one_run_do_not_reach_the_next():
    device = torch.device("cpu")
    for threads in (1, 0):
        prepare_torch(make_config("tiny", {"threads": threads}), device)
        assert torch.get_num_threads() == (threads or THREADS_AT_START)


def test_another_environment_is_a_warning(data_root, copy):
    path = copy / "environment.json"
    environment = json.loads(path.read_text())
    path.write_text(json.dumps(environment | {"torch": "2.0.0", "threads": 64}))
    outcome = miaod(*run_arguments(data_root, copy))
    assert outcome.code == 0
    warnings = [line for line in outcome.out.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert f"torch was 2.0.0 when this run began and is {environment['torch']} now" in warnings[0]
    assert warnings[1].startswith("warning: threads was 64 ")


@pytest.mark.parametrize(
    ("log_every", "steps", "epochs"),
    [(5, [5, 10, 12], [0, 1, 1]), (50, [12], [1])],
    ids=["every fifth", "fewer steps than that"],
)
def test_log_every_thins_the_records_and_keeps_a_stages_last(
    data_root, tmp_path, log_every, steps, epochs
):
    settings = {"strategy": "random", "rounds": 0, "label_set_epochs": 2, "min_epoch_steps": 6}
    arguments = run_arguments(
        data_root, tmp_path / "run", **settings, cycles=1, log_every=log_every
    )
    assert miaod(*arguments).code == 0
    records = log_of(tmp_path / "run", "step")
    assert [record["step"] for record in records] == steps  # of 2 epochs of 6
    assert [record["epoch"] for record in records] == epochs


def test_another_seed_trains_otherwise_from_the_same_images(data_root, reference, tmp_path):
    """Equal seeds give equal runs: see every comparison with the reference run."""
    assert miaod(*run_arguments(data_root, tmp_path / "run", seed=1, cycles=1)).code == 0
    one, other = results(reference), results(tmp_path / "run")
    assert one["X_L_0.npy"] == other["X_L_0.npy"]
    for file in (
        "cycle0/weights.pt",
        "cycle0/scores.parquet/part-00000.parquet",
        "fingerprint.txt",
    ):
        assert one[file] != other[file]


def test_another_split_seed_begins_with_other_images(data_root):
    splits = [experiment(data_root, **SETTINGS, split_seed=seed).sets(0).labeled for seed in (0, 1)]
    assert len(splits[0]) == len(splits[1]) == 4
    assert not np.array_equal(*splits)


def test_default_run_folder(tmp_path, make_voc):
    """Named after the preset; with the fingerprint when a setting changes the results."""
    data_root = make_voc(tmp_path / "VOC2007", num_trainval=20)
    assert experiment(data_root).folder.root == Path("runs/tiny")
    assert experiment(data_root, cycles=5, workers=1).folder.root == Path("runs/tiny")
    changed = experiment(data_root, seed=1)
    assert changed.folder.root == Path(f"runs/tiny-{changed.fingerprint[:6]}")
    assert experiment(data_root, seed=2).folder.root != changed.folder.root


def test_data_in_another_place_is_the_same_data(data_root, tmp_path):
    moved = shutil.copytree(data_root, tmp_path / "elsewhere/VOC2007")
    one, other = (experiment(root, **SETTINGS).fingerprint for root in (data_root, moved))
    assert one == other


def test_default_run_folder_is_below_the_current_one(tmp_path, make_voc, monkeypatch):
    data_root = make_voc(tmp_path / "VOC2007", num_trainval=20)
    monkeypatch.chdir(tmp_path)
    without = dict.fromkeys(SETTINGS)  # leaves these to the preset
    arguments = run_arguments(data_root, None, **without | {"threads": 1, "cycles": 1})
    assert miaod(*arguments).code == 0
    assert (tmp_path / "runs/tiny/metrics.csv").is_file()
