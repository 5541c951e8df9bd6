"""Controls that train on equal labels train once, and get what they would have got alone."""

from pathlib import Path

import pytest
import torch

from miaod_nb.experiment import open_run
from miaod_nb.runs.files import RunFolder
from tests.experiment.helpers import SETTINGS


def run(data_root: Path, folder: Path, strategy: str, **settings: object) -> RunFolder:
    overrides = SETTINGS | {"strategy": strategy, "cycles": 1} | settings
    experiment = open_run("tiny", data_root=data_root, run_dir=folder, overrides=overrides)
    experiment.run()
    return experiment.folder


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    return folder.load_tensors("cycle0/weights.pt")["model"]


def training_log(folder: RunFolder) -> list[dict]:
    timing = ("time", "images_per_s", "memory_mb")
    return [
        {key: value for key, value in record.items() if key not in timing}
        for record in folder.read_log()
        if "stage" in record
    ]


@pytest.fixture
def random(data_root: Path, tmp_path: Path) -> RunFolder:
    return run(data_root, tmp_path / "random", "random")


def test_the_second_control_takes_over_what_it_would_have_trained(
    random, data_root, tmp_path, capsys
):
    capsys.readouterr()
    shared = run(data_root, tmp_path / "entropy", "entropy")
    assert f"taken over from {random.root}" in capsys.readouterr().out
    alone = run(data_root, tmp_path / "elsewhere/entropy", "entropy")
    assert "taken over" not in capsys.readouterr().out
    for name, value in weights(alone).items():
        assert torch.equal(weights(shared)[name], value)
    assert training_log(shared) == training_log(alone) != []
    for file in ("cycle0/selection.json", "metrics.csv", "cycle0/steps.json"):
        assert shared.load_text(file) == alone.load_text(file)
    assert shared.load_tensors("cycle0/weights.pt")["settings"]["strategy"] == "entropy"


@pytest.mark.parametrize(
    ("strategy", "settings"),
    [
        ("mi_aod", {}),  # has other stages
        ("entropy", {"seed": 1}),
        ("entropy", {"split_seed": 1}),  # other labels
        ("entropy", {"learning_rate": 0.002}),
        ("random", {}),  # the same experiment: run twice on purpose
    ],
)
def test_unequal_work_is_not_shared(random, data_root, tmp_path, strategy, settings, capsys):
    run(data_root, tmp_path / "other", strategy, **settings)
    assert "taken over" not in capsys.readouterr().out


def test_damaged_neighbors_are_passed_over(random, data_root, tmp_path, capsys):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/config.json").write_text("[]")
    random.delete("cycle0/labels.json")
    run(data_root, tmp_path / "entropy", "entropy")
    assert "taken over" not in capsys.readouterr().out
