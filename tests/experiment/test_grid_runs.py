"""A grid that is killed in the middle ends with the tables of one that nothing interrupted."""

import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from miaod_nb.evaluation import VOC12_AP
from miaod_nb.experiment import grid_runs
from miaod_nb.runs.files import RunFolder
from tests.experiment.helpers import CHILDREN, SETTINGS, Fate, Forked, fork_runs, live, miaod

GRID = {
    "preset": "tiny", "cycles": 2, "seeds": [0, 1], "strategies": ["random", "entropy", "mi_aod"],
    "recipes": {"label-set": {"training": "label_set"}, "mi-aod": {"training": "mi_aod"}},
    "settings": SETTINGS,
}  # fmt: skip


@pytest.fixture
def forked(monkeypatch):
    """Runs start in no time."""
    monkeypatch.setattr(grid_runs, "start_process", Forked)
    monkeypatch.setattr(grid_runs, "SECONDS_BETWEEN_LOOKS", 0.05)


def write_grid(folder: Path, data_root: Path, **changes: object) -> Path:
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(GRID | {"data_root": str(data_root)} | changes))
    return path


def kill_runs(root: Path) -> int:
    """Kills the runs that a killed grid has left behind; how many there were."""
    folders = [RunFolder(lock.parent) for lock in root.glob("*/.lock")]
    at_work = [folder for folder in folders if folder.in_use()]
    for folder in at_work:
        os.kill(int(folder.load_text(".lock")), signal.SIGKILL)
    while any(folder.in_use() for folder in at_work):
        pass
    return len(at_work)


@pytest.mark.slow
def test_killed_and_continued_it_gives_the_same_tables(data_root, tmp_path, forked):
    file = write_grid(tmp_path, data_root)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    outcome = miaod("grid", file, "--run-dir", whole, "--processes", 2)
    assert outcome.code == 0, outcome
    assert "all 12 runs are finished" in outcome.out
    # Of the three strategies one trains the first cycle of a recipe and seed.
    assert len(list(whole.glob("*/cycle0/taken_over.json"))) == 8

    arguments = ["grid", str(file), "--run-dir", str(killed), "--processes", "2"]
    fate = Fate("miaod_nb.experiment.grid_runs._Crew._begin", call=6)
    child = CHILDREN.Process(target=live, args=(arguments, tmp_path / "first.txt", fate, fork_runs))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL, (tmp_path / "first.txt").read_text()
    kill_runs(killed)
    begun = len(list(killed.glob("*/config.json")))
    assert 0 < begun < 12 and len(pd.read_csv(killed / "table.csv")) < 24
    outcome = miaod("grid", file, "--run-dir", killed, "--processes", 2)
    assert outcome.code == 0, outcome.err
    assert len(list(killed.glob("*/cycle0/taken_over.json"))) == 8

    assert (whole / "table.csv").read_bytes() == (killed / "table.csv").read_bytes()
    tables = [pd.read_parquet(root / "resampled.parquet") for root in (whole, killed)]
    assert tables[0].equals(tables[1])
    check_tables(pd.read_csv(whole / "table.csv"), tables[0])


def check_tables(table: pd.DataFrame, resampled: pd.DataFrame) -> None:
    keys = ["recipe", "selection", "seed", "cycle"]
    assert len(table) == 24 and not table.duplicated(keys).any()
    assert table[keys].equals(resampled[keys].astype(table[keys].dtypes))
    assert list(table.columns[:8]) == [
        "recipe", "training", "selection", "seed", "cycle", "images", "boxes", "minutes"
    ]  # fmt: skip
    assert (table["images"] == 4 + 2 * table["cycle"]).all()
    assert (table["boxes"] > 0).all() and (table["minutes"] > 0).all()
    # Equal first cycles have equal rows.
    first = table[table["cycle"] == 0].groupby(["recipe", "seed"])
    assert (first[[VOC12_AP, "boxes"]].nunique() == 1).all(axis=None)
    values = resampled.filter(regex=r"^r\d+$")
    assert values.shape == (24, 1000) and (values.dtypes == np.float32).all()
    # Resamples scatter around the value of all test images.
    assert np.abs(values.mean(axis=1) - table[VOC12_AP]).max() < 0.1


@pytest.mark.slow
def test_a_process_of_its_own_without_a_test_list(make_voc, tmp_path):
    """Each seed has its own holdout: a table all the same, nothing to resample."""
    root = make_voc(tmp_path / "voc")
    (root / "ImageSets/Main/test.txt").unlink()
    one = {"recipes": {"plain": None}, "strategies": ["random"], "seeds": [0, 1], "cycles": 1}
    file = write_grid(tmp_path, root, **one, settings={**SETTINGS, "holdout": 0.5})
    outcome = miaod("grid", file, "--run-dir", tmp_path / "runs")
    assert outcome.code == 0, outcome
    assert "there will be no resampled.parquet" in outcome.out
    assert pd.read_csv(tmp_path / "runs/table.csv")["seed"].tolist() == [0, 1]
    assert not (tmp_path / "runs/resampled.parquet").exists()
    assert "finished" in (tmp_path / "runs/plain-random-s1/output.log").read_text()


@pytest.mark.slow
def test_extended_and_with_a_run_that_diverges(data_root, tmp_path, forked):
    changes = {"recipes": {"good": None}, "strategies": ["random"], "seeds": [0], "cycles": 1}
    file, root = write_grid(tmp_path, data_root, **changes), tmp_path / "runs"
    assert miaod("grid", file, "--run-dir", root).code == 0
    changes["recipes"]["wild"] = {"learning_rate": 10, "optimizer": "sgd", "clip_norm": 0}
    file = write_grid(tmp_path, data_root, **changes | {"cycles": 2, "full": True})
    outcome = miaod("grid", file, "--run-dir", root)
    assert outcome.code == 1 and "wild-random-s0" in outcome.err and "good" not in outcome.err
    table = pd.read_csv(root / "table.csv")
    assert table["selection"].tolist() == ["random", "random", "full"]
    assert table["cycle"].tolist() == [0, 1, 0] and table["images"].tolist()[2] == 12
    changes["recipes"] = {"good": {"learning_rate": 0.5}}
    outcome = miaod("grid", write_grid(tmp_path, data_root, **changes), "--run-dir", root)
    assert outcome.code == 1 and "good-random-s0" in outcome.err and "learning_rate" in outcome.err
