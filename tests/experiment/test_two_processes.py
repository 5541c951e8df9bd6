"""Two processes with half of each batch do what one does: the same losses and the same selection.

They are started by torchrun, as users start them, and exchange values over gloo on this machine.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from miaod_nb.store import RunFolder
from tests.experiment.helpers import run_arguments

LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def launch(arguments: list[str], launcher: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*launcher, "-m", "miaod_nb", *arguments], env=ENVIRONMENT, text=True, timeout=240,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip


def losses(root: Path) -> dict[tuple[object, ...], dict[str, float]]:
    """The loss terms of every logged step."""
    return {
        (r["cycle"], r["stage"], r["step"]): r["terms"]
        for r in RunFolder(root).read_log()
        if r["event"] == "step"
    }


@pytest.fixture(scope="module")
def one(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("one") / "run"
    done = launch(run_arguments(data_root, root, batch_size=4), [sys.executable])
    assert done.returncode == 0, done.stdout
    return root


@pytest.fixture(scope="module")
def two(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a run of two processes, and what they printed."""
    root = tmp_path_factory.mktemp("two") / "run"
    done = launch(run_arguments(data_root, root, batch_size=4), LAUNCHER)
    assert done.returncode == 0, done.stdout
    return root, done.stdout


@pytest.mark.slow
def test_losses_of_every_stage_are_equal(one, two):
    expected, found = losses(one), losses(two[0])
    assert expected.keys() == found.keys()
    stages = {stage for _, stage, _ in expected}
    assert stages == {"label_set", "minimize_1", "maximize_1", "label_set_1"}
    for step, terms in expected.items():
        assert found[step] == pytest.approx(terms, rel=2e-3, abs=1e-6), step


@pytest.mark.slow
def test_selections_and_metrics_are_equal(one, two):
    for cycle in range(2):
        file = f"cycle{cycle}/selection.json"
        chosen = [
            [row["id"] for row in json.loads((root / file).read_text())["selected"]]
            for root in (one, two[0])
        ]
        assert chosen[0] == chosen[1]
    metrics = [
        json.loads((root / "cycle1/metrics.json").read_text())["metrics"] for root in (one, two[0])
    ]
    assert metrics[1] == pytest.approx(metrics[0], abs=0.02, nan_ok=True)
    scores = [RunFolder(root).load_parquet("cycle1/scores.parquet") for root in (one, two[0])]
    assert scores[0]["id"].equals(scores[1]["id"])
    np.testing.assert_allclose(scores[1]["score"], scores[0]["score"], rtol=1e-2)


@pytest.mark.slow
def test_one_process_speaks_and_writes(two):
    root, printed = two
    assert printed.count("cycle 0: split") == 1 and printed.count("finished: ") == 1
    assert json.loads((root / "environment.json").read_text())["processes"] == 2
    assert not list(root.rglob("*_partial*")) and not list(root.rglob(".tmp-*"))


@pytest.mark.slow
def test_a_batch_that_cannot_be_shared_is_refused(data_root, tmp_path):
    done = launch(run_arguments(data_root, tmp_path / "run", batch_size=3), LAUNCHER)
    assert done.returncode != 0
    assert "2 processes cannot have equal parts of a batch of 3 images" in done.stdout
    assert "miaod_nb/" not in done.stdout  # no traceback of ours
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_another_verb_is_refused(tmp_path):
    done = launch(["info", str(tmp_path)], LAUNCHER)
    assert "`miaod info` is the work of one process, and 2 were launched" in done.stdout
