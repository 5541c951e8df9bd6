"""Two processes that share a run find what one finds, and end together."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tests.conftest import PROJECT, write_voc
from tests.experiment.helpers import Fate, log_of, miaod, run_arguments, run_child

pytestmark = pytest.mark.slow

SETTINGS = {
    "batch_size": 4, "cycles": 1, "weight_averaging": 0.9, "discrepancy_weight": "auto",
}  # fmt: skip
TRAIN = "miaod_nb.learning.train.optimization_step"
DETECT = "miaod_nb.passes.inference.detect"


@pytest.fixture(scope="module")
def mixed_root(tmp_path_factory) -> Path:
    """Wide and nearly square images: padded to 64 x 32 and 64 x 64 where they are alone."""
    root = tmp_path_factory.mktemp("mixed")
    write_voc(root / "VOC2007", 8, 3, size=(64, 60))
    write_voc(root / "VOC2012", 8, 3, size=(96, 36), seed=1, prefix="b")
    return root


@pytest.fixture(scope="module")
def alone(mixed_root, tmp_path_factory) -> Path:
    """The folder of the same run in a single process."""
    run = tmp_path_factory.mktemp("alone") / "run"
    outcome = miaod(*run_arguments(mixed_root, run, **SETTINGS))
    assert outcome.code == 0, outcome
    return run


def terms_of(run_dir: Path) -> list[tuple[Any, ...]]:
    """(stage, step, term, value) of everything that was logged in training."""
    return [
        (record["stage"], record["step"], name, value)
        for record in log_of(run_dir, "step")
        for name, value in record["terms"].items()
    ]


def assert_equal_results(found: Path, expected: Path) -> None:
    """Equal up to the order of summation: losses, metrics, scores and selection."""
    ours, theirs = terms_of(found), terms_of(expected)
    assert [one[:3] for one in ours] == [one[:3] for one in theirs]
    assert len({stage for stage, *_ in ours}) == 4
    assert [one[3] for one in ours] == pytest.approx([one[3] for one in theirs], rel=1e-4, abs=1e-7)
    metrics, others = (pd.read_csv(run / "metrics.csv") for run in (found, expected))
    pd.testing.assert_frame_equal(metrics, others, rtol=1e-3)
    scores, wanted = (pd.read_parquet(run / "cycle0/scores.parquet") for run in (found, expected))
    pd.testing.assert_frame_equal(scores, wanted, rtol=1e-2)
    assert selected_in(found) == selected_in(expected)
    torch.testing.assert_close(*map(quality_in, (found, expected)), rtol=1e-3, atol=1e-6)
    names = [sorted(file.name for file in run.rglob("*")) for run in (found, expected)]
    assert names[0] == names[1]  # no partial results are left


def selected_in(run_dir: Path) -> list[str]:
    selection = json.loads((run_dir / "cycle0/selection.json").read_text())
    return [one["id"] for one in selection["selected"]]


def quality_in(run_dir: Path) -> torch.Tensor:
    """How well each class was found in training."""
    return torch.load(run_dir / "cycle0/weights.pt", weights_only=True)["class_quality"]


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def _join(index: int, port: int) -> None:
    """Makes a child process one of two, as a launcher would."""
    os.environ.update({
        "RANK": str(index), "LOCAL_RANK": str(index), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
    })  # fmt: skip


def run_two(
    arguments: list[str], folder: Path, fates: Sequence[Fate | None] = (None, None)
) -> tuple[list[int], list[str]]:
    """Exit codes and outputs of two processes without a launcher that would end them."""
    port = free_port()
    outputs = [folder / f"process{index}.txt" for index in range(2)]

    def live(index: int) -> int:
        return run_child(arguments, outputs[index], fates[index], partial(_join, index, port))

    with ThreadPoolExecutor(2) as threads:
        codes = list(threads.map(live, range(2)))
    return codes, [output.read_text() for output in outputs]


def test_launched_by_torchrun(mixed_root, alone, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
               "2", "-m", "miaod_nb"]  # fmt: skip
    run = tmp_path / "run"
    done = subprocess.run(
        [*command, *run_arguments(mixed_root, run, **SETTINGS)], cwd=PROJECT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert_equal_results(run, alone)
    assert done.stdout.count(f"finished: {run}") == 1  # the first process alone speaks
    assert "Warning" not in done.stdout and "Traceback" not in done.stdout


@pytest.mark.parametrize("asked", [0, 1])
def test_asked_to_stop(mixed_root, alone, tmp_path, asked):
    """Whichever process gets the signal, both end after the same step; one alone goes on."""
    run = tmp_path / "run"
    arguments = run_arguments(mixed_root, run, **SETTINGS)
    fates: list[Fate | None] = [None, None]
    fates[asked] = Fate(TRAIN, 5, signal=signal.SIGINT)
    codes, texts = run_two(arguments, tmp_path, fates)
    assert codes == [130, 130], texts
    assert "Traceback" not in texts[0] + texts[1] and texts[1] == ""
    assert texts[0].count("everything up to here is saved") == 1
    logged = log_of(run, "step")
    assert 0 < len(logged) < len(log_of(alone, "step"))
    outcome = miaod(*arguments)
    assert outcome.code == 0
    assert "processes was 2 when this run began and is 1 now" in outcome.out
    assert log_of(run, "step")[: len(logged)] == logged
    assert_equal_results(run, alone)


@pytest.mark.parametrize("killed", [0, 1])
def test_the_end_of_one_ends_the_other(mixed_root, alone, tmp_path, killed):
    """A process that is killed leaves no other waiting; the same command goes on."""
    run = tmp_path / "run"
    arguments = run_arguments(mixed_root, run, **SETTINGS)
    fates: list[Fate | None] = [None, None]
    fates[killed] = Fate(TRAIN, 5)
    codes, texts = run_two(arguments, tmp_path, fates)
    assert codes[killed] == -signal.SIGKILL and codes[1 - killed] == 1
    assert "lost the connection" in texts[1 - killed]
    assert "Traceback" not in texts[1 - killed]
    codes, texts = run_two(arguments, tmp_path)
    assert codes == [0, 0], texts
    assert_equal_results(run, alone)


def test_cut_off_while_evaluating(mixed_root, alone, tmp_path):
    """What either process has found is kept, also when one alone goes on."""
    run = tmp_path / "run"
    arguments = run_arguments(mixed_root, run, **SETTINGS, save_every=0.001)
    codes, texts = run_two(arguments, tmp_path, [None, Fate(DETECT, 2, signal=signal.SIGTERM)])
    assert codes[1] == 130, texts
    assert codes[0] == 1 and "lost the connection" in texts[0]
    assert (run / "cycle0/detections_partial_1of2-00000.pt").exists()
    assert miaod(*arguments).code == 0
    assert not list(run.rglob("*_partial*"))
    assert_equal_results(run, alone)


def test_decisions_are_honored_by_both_and_written_by_one(alone, tmp_path):
    """The same batch as in a single process; a faulty line is said once, and ends both."""
    run = shutil.copytree(alone, tmp_path / "run")
    first = selected_in(run)[0]
    file = tmp_path / "decided.jsonl"
    file.write_text(json.dumps({"id": first, "action": "skip"}))
    assert miaod("review", run, "--decisions", file).code == 0
    expected = (run / "cycle0/selection.json").read_text()
    assert first not in expected
    steps = json.loads((run / "cycle0/steps.json").read_text())
    for text in ("", "{torn"):
        (run / "cycle0/steps.json").write_text(json.dumps([s for s in steps if s != "select"]))
        (run / "cycle0/selection.json").unlink()
        with (run / "cycle0/decisions.jsonl").open("a") as decisions:
            decisions.write(text)
        codes, texts = run_two(["run", "--run-dir", str(run)], tmp_path)
        assert codes == [1 if text else 0] * 2, texts
        if text:
            assert "decisions.jsonl, line 2" in texts[0] and "Traceback" not in "".join(texts)
            assert not (run / "cycle0/selection.json").exists()
        else:
            assert (run / "cycle0/selection.json").read_text() == expected
            assert len(log_of(run, "select")) == 1
