"""A run whose detector begins with another's weights: in every cycle, said once, refused early."""

import json

import pytest
import torch

from miaod_nb.experiment import open_run
from miaod_nb.report.making import stage_minutes
from miaod_nb.runs.files import RunFolder
from tests.experiment.helpers import miaod, run_arguments

PLAIN = {"training": "label_set", "strategy": "random", "label_set_epochs": 1, "rounds": 0}


@pytest.fixture(scope="module")
def earlier(data_root, tmp_path_factory):
    """A finished run of one cycle."""
    run_dir = tmp_path_factory.mktemp("earlier")
    outcome = miaod(*run_arguments(data_root, run_dir, cycles=1, **PLAIN))
    assert outcome.code == 0, outcome.err
    return run_dir


def weights_of(run_dir, cycle):
    return torch.load(run_dir / f"cycle{cycle}/weights.pt")["model"]


def test_every_cycle_begins_with_the_file_and_it_is_said_once(data_root, earlier, tmp_path):
    """With a rate of almost nothing, training leaves what it began with."""
    run_dir = tmp_path / "run"
    settings = {**PLAIN, "weights": earlier / "cycle0", "cycles": 2, "learning_rate": 1e-9}
    outcome = miaod(*run_arguments(data_root, run_dir, **settings))
    assert outcome.code == 0, outcome.err
    for cycle in (0, 1):
        torch.testing.assert_close(weights_of(run_dir, cycle), weights_of(earlier, 0))
    assert outcome.out.count("the detector begins with") == 1
    log = [json.loads(line) for line in (run_dir / "log.jsonl").read_text().splitlines()]
    (said,) = [one for one in log if one["event"] == "weights"]
    assert said["cycle"] == 0 and "made anew: nothing" in said["taken"]
    assert "weights" not in stage_minutes(RunFolder(run_dir), 0)
    identity = json.loads((run_dir / "config.json").read_text())["identity"]
    assert identity["weights"].startswith("file:")


def test_weights_of_another_detector_are_refused_before_anything_is_written(
    data_root, earlier, tmp_path
):
    settings = {**PLAIN, "weights": earlier / "cycle0", "backbone_channels": 4}
    outcome = miaod(*run_arguments(data_root, tmp_path / "run", **settings))
    assert outcome.code == 1 and "backbone.conv1.weight is (8, 3, 7, 7) there" in outcome.err
    assert not (tmp_path / "run").exists()


def test_a_backbone_that_nobody_has_is_refused_before_anything_is_written(data_root, tmp_path):
    outcome = miaod(*run_arguments(data_root, tmp_path / "run", backbone="regnetx_02"))
    assert outcome.code == 1 and "did you mean regnetx_" in outcome.err
    assert not (tmp_path / "run").exists()


def test_a_model_of_timm_trains_and_is_loaded_again(data_root, tmp_path):
    settings = {**PLAIN, "backbone": "test_convnext", "cycles": 1}
    outcome = miaod(*run_arguments(data_root, tmp_path / "run", **settings))
    assert outcome.code == 0, outcome.err
    saved = weights_of(tmp_path / "run", 0)
    model = open_run(run_dir=tmp_path / "run").load_model(0)
    assert all(torch.equal(value, saved[key]) for key, value in model.state_dict().items())
    assert type(model.backbone).__name__ == "TimmFeatures"
