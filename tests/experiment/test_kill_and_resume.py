"""A run that is killed, anywhere and often, ends with the results of one that never was.

Every test leads a run through many lives: a process is started, dies at a chosen moment, and the
next one goes on. Results are compared with those of a run that nothing interrupted.
"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from miaod_nb.learning import train
from tests.experiment.helpers import (
    SHELL_COMMAND,
    Fate,
    log_of,
    miaod,
    results,
    run_arguments,
    run_child,
)

EVERY_STEP = 0.001  # seconds between saved states: less than any step takes
TRAIN = "miaod_nb.learning.train.optimization_step"
DETECT = "miaod_nb.passes.inference.detect"
EVALUATE = "miaod_nb.experiment.steps.evaluate"
SCORE = "miaod_nb.selection.mi_aod.MiAod.observe"
CHOOSE = "miaod_nb.selection.mi_aod.MiAod.choose"
LOG = "miaod_nb.runs.files.RunFolder.append_log"
MARK_DONE = "miaod_nb.runs.files.RunFolder.mark_done"


def lead(arguments: list[str], folder: Path, fates: Sequence[Fate]) -> list[list[dict]]:
    """Runs the command to its end in one life more than there are fates. Returns the log of every
    life that ended early."""
    logs = []
    for number, fate in enumerate(fates):
        output = folder / f"life{number}.txt"
        expected = 130 if fate.signal in (signal.SIGINT, signal.SIGTERM) else -fate.signal
        assert run_child(arguments, output, fate) == expected, (fate, output.read_text())
        assert "finished" not in output.read_text(), fate
        logs.append(log_of(folder / "run"))
    output = folder / "last.txt"
    assert run_child(arguments, output) == 0, output.read_text()
    assert "finished" in output.read_text()
    return logs


@pytest.mark.slow
@pytest.mark.parametrize("when", ["halfway", "after"])
def test_killed_while_saving(data_root, reference, tmp_path, when):
    """Killed when the new file is half written, and when it has just taken the old one's place."""
    saves = [
        ("environment.json", 1), ("config.json", 1), ("X_L_0.npy", 1), ("exclusions.json", 1),
        ("state.pt", 2), ("state.pt", 5), ("log.jsonl", 2), ("state.pt", 4), ("state.pt", 5),
        ("weights.pt", 1), ("detections_partial_0of1-00000.pt", 1), ("per_class.csv", 1),
        ("metrics.json", 1), ("metrics.csv", 1), ("scores_partial-00000.pt", 2),
        ("part-00000.parquet", 1), ("selection.json", 1), ("cycle0/steps.json", 1),
        ("X_U_1.npy", 1), ("state.pt", 1), ("state.pt", 9), ("cycle1/weights.pt", 1),
        ("cycle1/selection.json", 1),
    ]  # fmt: skip
    arguments = run_arguments(data_root, tmp_path / "run", save_every=EVERY_STEP)
    logs = lead(arguments, tmp_path, [Fate("os.replace", n, when, file) for file, n in saves])
    assert results(tmp_path / "run") == results(reference)
    final = log_of(tmp_path / "run")
    for log in logs:  # records keep their time: at most the step that was cut off is done again
        assert final[: len(log[:-1])] == log[:-1]


@pytest.mark.slow
def test_killed_between_two_saves(data_root, reference, tmp_path):
    """Steps, images and a half-written line of the log are lost, and nothing of them remains."""
    arguments = run_arguments(data_root, tmp_path / "run")
    in_training = [Fate(TRAIN, call) for call in (2, 6, 8, 8)]  # once in every stage
    lead_to = [*in_training, Fate(DETECT, 2), Fate(EVALUATE), Fate(SCORE, 3), Fate(CHOOSE)]
    for number, fate in enumerate([*lead_to, Fate(LOG, 4)]):
        assert run_child(arguments, tmp_path / f"{number}.txt", fate) == -signal.SIGKILL, fate
    with (tmp_path / "run/log.jsonl").open("a") as file:
        file.write('{"cycle": 1, "event": "st')
    assert run_child(arguments, tmp_path / "last.txt") == 0
    assert results(tmp_path / "run") == results(reference)


@pytest.mark.slow
def test_killed_while_a_strategy_looks_at_labeled_images(data_root, tmp_path):
    """Core-set keeps features of pool and labeled images, and chooses as if nobody had disturbed
    it."""
    observe, choose = (
        f"miaod_nb.selection.coreset.CoreSet.{name}" for name in ("observe", "choose")
    )
    settings = {"strategy": "coreset", "save_every": EVERY_STEP}
    alone, arguments = (
        run_arguments(data_root, tmp_path / n, **settings) for n in ("alone", "run")
    )
    assert run_child(alone, tmp_path / "alone.txt") == 0
    # 8 images of the pool in 4 batches, then 4 labeled ones in 2
    fates = [Fate(observe, 3), Fate(observe, 3), Fate(observe, 2), Fate(choose)]
    lead(arguments, tmp_path, fates)
    found = results(tmp_path / "run")
    assert found == results(tmp_path / "alone")
    labeled = pd.read_parquet(tmp_path / "run/cycle0/labeled.parquet")
    assert list(labeled) == ["id", "index", "feature"] and len(labeled) == 4
    rows = found["cycle0/selection.json"]["selected"]
    assert all("farthest from what is labeled (distance" in row["reason"] for row in rows)
    assert [(row["rank"], row["score"]) for row in rows] == [(1, None), (2, None)]


@pytest.mark.slow
def test_killed_where_a_strategy_goes_by_how_training_went(data_root, tmp_path):
    """PPAL weighs classes by how well each was found in all of the training, before the kill too,
    and chooses as if nobody had disturbed it."""
    settings = {"strategy": "ppal", "save_every": EVERY_STEP, "cycles": 1}
    alone, arguments = (
        run_arguments(data_root, tmp_path / n, **settings) for n in ("alone", "run")
    )
    assert run_child(alone, tmp_path / "alone.txt") == 0
    ppal = "miaod_nb.selection.ppal.Ppal"
    fates = [Fate(TRAIN, 5), Fate(f"{ppal}.choose")]
    lead(arguments, tmp_path, fates)
    found = results(tmp_path / "run")
    assert found == results(tmp_path / "alone")
    quality, _ = torch.load(tmp_path / "run/cycle0/weights.pt", weights_only=True)["class_quality"]
    assert (quality > 0).all()
    rows = found["cycle0/selection.json"]["selected"]
    assert len(rows) == 2 and all("uncertain" in row["reason"] for row in rows)


@pytest.mark.slow
def test_killed_between_the_end_of_a_step_and_its_mark(data_root, reference, tmp_path):
    arguments = run_arguments(data_root, tmp_path / "run")
    unmarked = [Fate(MARK_DONE, 1)] + 6 * [Fate(MARK_DONE, 2)]  # the first call repeats a step
    marked = 8 * [Fate(MARK_DONE, 1, "after")]
    lead(arguments, tmp_path, unmarked + marked)
    assert results(tmp_path / "run") == results(reference)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_asked_to_stop(data_root, reference, tmp_path, number):
    """Ctrl-C and the system's request end a step cleanly; the same command goes on."""
    arguments = run_arguments(data_root, tmp_path / "run")
    fates = [
        Fate("miaod_nb.experiment.steps.ids_by_source", signal=number),
        Fate(TRAIN, 2, signal=number), Fate(DETECT, signal=number), Fate(SCORE, 2, signal=number),
        Fate(CHOOSE, signal=number),
    ]  # fmt: skip
    lead(arguments, tmp_path, fates)
    assert results(tmp_path / "run") == results(reference)
    for life in range(len(fates)):
        text = (tmp_path / f"life{life}.txt").read_text()
        assert text.count("stopping after this step") == 1
        assert f"where: {tmp_path / 'run'}" in text and "run the same command again" in text
        assert "Traceback" not in text


def test_second_ctrl_c_stops_at_once(data_root, reference, tmp_path, monkeypatch):
    """Without waiting for the step to end or be saved; the run can go on all the same."""
    original = train.optimization_step

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        return original(*args, **kwargs)

    arguments = run_arguments(data_root, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(train, "optimization_step", interrupted)
        outcome = miaod(*arguments)
    assert outcome.code == 130
    assert not list((tmp_path / "run").rglob("state.pt"))
    assert miaod(*arguments).code == 0
    assert results(tmp_path / "run") == results(reference)


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_reaches_the_loaders_too(data_root, reference, tmp_path):
    """A terminal sends Ctrl-C to all processes of a command, also to those that load images.
    Two such processes change nothing in the results, nor does going on without them."""
    arguments = run_arguments(data_root, tmp_path / "run", workers=2)
    child = subprocess.Popen(
        [*SHELL_COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    while child.poll() is None and len(log_of(tmp_path / "run", "step")) < 8:
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGINT)
    text, _ = child.communicate(timeout=60)
    assert child.returncode == 130, text
    assert "Traceback" not in text and text.count("stopping after this step") == 1
    assert miaod(*run_arguments(data_root, tmp_path / "run")).code == 0
    assert results(tmp_path / "run") == results(reference)
