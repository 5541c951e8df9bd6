"""Experiments that run beside each other give what they give alone, and end together."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from miaod_nb.errors import CheckpointError, Stopped
from miaod_nb.experiment import Run, open_run, run_all, running_beside, together
from miaod_nb.selection.random import Random
from miaod_nb.selection.registry import STRATEGIES
from tests.experiment.helpers import SETTINGS


@pytest.fixture
def opened(data_root, tmp_path, monkeypatch):
    """`opened(name, **settings)`: an experiment in a folder of that name, on two cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})

    def open_(name: str, **settings: object) -> Run:
        overrides = SETTINGS | {"strategy": "random"} | settings
        return open_run("tiny", data_root=data_root, run_dir=tmp_path / name, overrides=overrides)

    return open_


@pytest.fixture
def started(monkeypatch):
    """The run folders for which a process was started."""
    roots: list[Path] = []
    real = subprocess.Popen

    def popen(arguments, **how):
        roots.append(Path(arguments[-1]))
        return real(arguments, **how)

    monkeypatch.setattr(together.subprocess, "Popen", popen)
    return roots


def chosen(run: Run, cycle: int) -> list[int]:
    return [
        one["index"] for one in run.folder.load_json(f"cycle{cycle}/selection.json")["selected"]
    ]


@pytest.mark.slow
def test_a_run_beside_another_gives_what_it_gives_alone(opened, started, tmp_path, capfd):
    first, control = opened("first", strategy="mi_aod"), opened("control", strategy="entropy")
    run_all([first, control])
    assert started == [tmp_path / "control"] and first.is_finished() and control.is_finished()
    assert "finished" in (tmp_path / "control/output.log").read_text()
    alone = opened("elsewhere/alone", strategy="entropy")
    alone.run()
    for cycle in range(2):
        assert chosen(control, cycle) == chosen(alone, cycle)
    assert control.metrics().equals(alone.metrics())
    run_all([first, control])  # nothing is left: no other process
    assert len(started) == 1


def test_epochs_done_are_read_from_the_log(opened):
    run = opened("run", strategy="mi_aod", label_set_epochs=3, rounds=1)  # 3 + 1 + 1 + 3 epochs
    assert together._epochs_done(run) == 0
    for cycle, stage, epoch, done in (
        (0, "label_set", 2, 2), (0, "maximize_1", 0, 4), (1, "label_set_1", 1, 14)
    ):  # fmt: skip
        run.folder.append_log({"cycle": cycle, "event": "step", "stage": stage, "epoch": epoch})
        assert together._epochs_done(run) == done


def test_epochs_done_of_cycles_that_go_on_are_their_own(opened):
    recipe = {"start_from": "previous", "later_epochs": 1, "label_set_epochs": 3, "rounds": 1}
    run = opened("run", strategy="mi_aod", **recipe)  # 3 + 1 + 1 + 3 epochs, then 1 + 1 + 1 + 1
    assert together._epochs_before(run, 3) == 8 + 4 + 4
    run.folder.append_log({"cycle": 2, "event": "step", "stage": "label_set_1", "epoch": 0})
    assert together._epochs_done(run) == 8 + 4 + 3


@pytest.mark.parametrize(
    ("settings", "cores"), [({"threads": 0}, 2), ({"threads": 2}, 2), ({"threads": 1}, 1)]
)
def test_without_room_one_follows_the_other(opened, started, monkeypatch, settings, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    done = []
    monkeypatch.setattr(Run, "run", lambda run: done.append(run.folder.root.name))
    run_all([opened("first", **settings), opened("control", **settings)])
    assert done == ["first", "control"] and not started


def test_a_strategy_that_a_new_process_would_not_know_stays_here(opened, started, monkeypatch):
    class Own(Random):
        card = replace(Random.card, name="own")

    monkeypatch.setitem(STRATEGIES, "own", Own)
    done = []
    monkeypatch.setattr(Run, "run", lambda run: done.append(run.folder.root.name))
    run_all([opened("first"), opened("control", strategy="own")])
    assert done == ["first", "control"] and not started


@pytest.mark.slow
def test_what_stops_the_other_process_is_said(opened):
    first, control = opened("first", cycles=1), opened("control", strategy="entropy", cycles=1)
    with control.hold():
        control.folder.save_bytes("cycle0/state.pt", b"no checkpoint")
    with pytest.raises(CheckpointError, match="the file is broken"):
        run_all([first, control])
    assert first.is_finished()


@pytest.mark.slow
def test_a_run_that_was_started_before_is_waited_for(opened, started):
    first, control = opened("first", cycles=1), opened("control", strategy="entropy", cycles=1)
    with running_beside(first, [control]) as children:
        while not control.folder.in_use():
            assert children[control].poll() is None
        run_all([first, control])
        assert control.is_finished()
    assert len(started) == 1


@pytest.mark.slow
def test_what_still_runs_is_ended_with_its_state_saved(opened):
    first, control = opened("first"), opened("control", strategy="entropy", label_set_epochs=1000)
    with running_beside(first, [control]):
        while not control.folder.read_log()[1:]:
            pass
    assert not control.folder.in_use() and not control.is_finished()
    assert control.folder.exists("cycle0/state.pt")


def test_full_supervision_is_finished_after_its_one_cycle(opened):
    run = opened("full", strategy="full")
    for step in run.steps(0):
        assert not run.is_finished()
        run.folder.mark_done(0, step.name)
    assert run.is_finished()


@pytest.mark.slow
def test_stopping_one_stops_all_and_both_go_on(opened, monkeypatch, tmp_path):
    first, control = opened("first", cycles=1), opened("control", strategy="entropy", cycles=1)
    real = Run.run

    def stopped(run):
        raise Stopped("stopped as you asked")

    monkeypatch.setattr(Run, "run", stopped)
    with pytest.raises(Stopped):
        run_all([first, control])
    monkeypatch.setattr(Run, "run", real)
    run_all([first, control])  # the folder is free again
    assert first.is_finished() and control.is_finished()
    assert json.loads((tmp_path / "control/config.json").read_text())["settings"]["cycles"] == 1
