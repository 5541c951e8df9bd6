"""Control runs (random, entropy, full supervision) and evaluation without a test list."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from miaod_nb.experiment import training
from miaod_nb.runs.record import RunRecord
from tests.experiment.helpers import log_of, miaod, run_arguments

FEW = {"initial": 8, "budget": 2}


@pytest.fixture
def no_test_list(data_root: Path, tmp_path: Path) -> Path:
    """A data set without a list to evaluate on."""
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    (data / "ImageSets/Main/test.txt").unlink()
    return data


def selection_of(run_dir: Path, cycle: int) -> list[dict[str, Any]]:
    return json.loads((run_dir / f"cycle{cycle}/selection.json").read_text())["selected"]


def metrics_of(run_dir: Path) -> pd.DataFrame:
    return pd.read_csv(run_dir / "metrics.csv")


@pytest.mark.parametrize("strategy", ["random", "entropy"])
def test_control_strategy(data_root, reference, tmp_path, strategy):
    """Trains on labeled images alone, from the same first images as the reference run."""
    run_dir = tmp_path / "run"
    assert miaod(*run_arguments(data_root, run_dir, strategy=strategy)).code == 0
    first = np.load(run_dir / "X_L_0.npy")
    assert first.tolist() == np.load(reference / "X_L_0.npy").tolist()
    assert {record["stage"] for record in log_of(run_dir, "step")} == {"label_set"}
    chosen = [one["index"] for one in selection_of(run_dir, 0)]
    assert np.load(run_dir / "X_L_1.npy").tolist() == sorted([*first, *chosen])
    scored = strategy == "entropy"
    assert (run_dir / "cycle0/scores.parquet").exists() == scored
    assert all((one["score"] is not None) == scored for one in selection_of(run_dir, 0))
    table = metrics_of(run_dir)
    assert table["labeled_images"].tolist() == [4, 6]
    assert set(table["strategy"]) == {strategy} and set(table["training"]) == {"label_set"}


def test_most_wanted_images_come_first(reference):
    for cycle in range(2):
        scores = pd.read_parquet(reference / f"cycle{cycle}/scores.parquet")
        selected = selection_of(reference, cycle)
        assert [one["rank"] for one in selected] == [1, 2]
        best = sorted(scores["score"].astype(np.float32), reverse=True)[:2]
        assert [np.float32(one["score"]) for one in selected] == best


def test_full_supervision(data_root, tmp_path):
    """One cycle on all images, however many are asked for, and nothing to select."""
    run_dir = tmp_path / "run"
    assert miaod(*run_arguments(data_root, run_dir, strategy="full", cycles=3)).code == 0
    assert np.load(run_dir / "X_L_0.npy").tolist() == list(range(12))
    assert not list(run_dir.rglob("selection.json")) and not (run_dir / "cycle1").exists()
    (row,) = metrics_of(run_dir).to_dict("records")
    assert (row["labeled_images"], row["labeled_percent"]) == (12, 100)
    (split,) = log_of(run_dir, "split")
    assert (split["labeled"], split["trained"], split["pool"]) == (12, 12, 0)


@pytest.mark.parametrize("strategy", ["mi_aod", "random", "full"])
def test_holdout_is_the_same_for_all_and_never_trained_on(
    no_test_list, tmp_path, monkeypatch, strategy
):
    trained: set[str] = set()
    original = training.training_plan

    def spy(ids: Sequence[str], *args: Any, **kwargs: Any) -> Any:
        trained.update(ids)
        return original(ids, *args, **kwargs)

    monkeypatch.setattr(training, "training_plan", spy)
    run_dir = tmp_path / "run"
    arguments = run_arguments(no_test_list, run_dir, **FEW, holdout=0.4, strategy=strategy)
    assert miaod(*arguments).code == 0
    held_out = list(RunRecord.open(run_dir).test)
    pool = (no_test_list / "ImageSets/Main/trainval.txt").read_text().split()
    shuffled = np.arange(12)
    np.random.RandomState(0).shuffle(shuffled)  # split_seed=0; 3 = 0.4 * 8, rounded down
    assert held_out == [pool[i] for i in sorted(shuffled[:3])]
    assert trained and trained.isdisjoint(held_out)
    assert set(metrics_of(run_dir)["evaluated_on"]) == {
        "holdout (3 of the first labeled images, never trained on)"
    }


@pytest.mark.parametrize("settings", [{"holdout": 0}, {"holdout": 0.1}])
def test_no_image_to_evaluate_on_is_said(no_test_list, tmp_path, settings):
    """holdout=0.1 of 8 images is none."""
    run_dir = tmp_path / "run"
    settings = FEW | settings | {"cycles": 1, "strategy": "random"}
    outcome = miaod(*run_arguments(no_test_list, run_dir, **settings))
    assert outcome.code == 0
    assert "no mAP" in outcome.out and "AP@0.5" not in outcome.out
    assert not list(run_dir.rglob("metrics.*"))
