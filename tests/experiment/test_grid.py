"""A grid file is read as it says, or refused before anything runs; its runs are dealt out so that
equal first cycles are trained once."""

import re
from collections import Counter
from pathlib import Path

import pytest
import torch
import yaml

from miaod_nb.config import make_config, parse_settings
from miaod_nb.errors import ConfigError, DataError, RunFolderError
from miaod_nb.experiment import grid_runs
from miaod_nb.experiment.grid import SHARED, read_grid
from miaod_nb.experiment.grid_runs import (
    GPUS,
    check_grid,
    command_of,
    gpus_of,
    hold_grid,
    run_grid,
    slots_for,
    strangers,
)
from miaod_nb.runs.files import RunFolder
from tests.conftest import PROJECT
from tests.experiment.helpers import SETTINGS

TWO_BY_TWO = {
    "preset": "tiny", "cycles": 2, "seeds": [0, 1], "strategies": ["random", "mi_aod"],
    "recipes": {"label-set": {"training": "label_set"}, "mi-aod": {"training": "mi_aod"}},
    "settings": SETTINGS,
}  # fmt: skip


@pytest.fixture
def read(tmp_path):
    """`read(**changes)`: the grid of a file with these keys changed."""

    def read_(**changes):
        path = tmp_path / "grid.yaml"
        path.write_text(yaml.safe_dump(TWO_BY_TWO | changes))
        return read_grid(path)

    return read_


def test_cells_are_recipes_times_seeds_times_strategies(read):
    grid = read(full=True)
    assert [cell.name for cell in grid.cells] == [
        f"{recipe}-{selection}-s{seed}"
        for seed in (0, 1)
        for recipe in ("label-set", "mi-aod")
        for selection in ("random", "mi_aod", "full")
    ]
    trainings = {cell.recipe: cell.card.training_of(cell.config.training) for cell in grid.cells}
    assert trainings == {"label-set": "label_set", "mi-aod": "mi_aod"}
    assert all(cell.config.split_seed == cell.config.seed for cell in grid.cells)
    assert Counter(cell.cycles for cell in grid.cells) == {2: 8, 1: 4}  # full has one cycle


def test_a_split_seed_of_the_grid_holds_for_all(read):
    grid = read(settings={**SETTINGS, "split_seed": 7})
    assert {(c.config.seed, c.config.split_seed) for c in grid.cells} == {(0, 7), (1, 7)}


def test_texts_are_read_as_on_the_command_line(read):
    """YAML takes 1e-3 for a text, and 320x240 is one."""
    config = read(settings={"learning_rate": "1e-3", "image_size": "320x240"}).cells[0].config
    assert config.learning_rate == 1e-3 and config.image_size == (320, 240)


def test_a_run_is_given_what_makes_its_settings_again(read, tmp_path):
    variants = [{"half": {"strategy": "mix", "mix": "50% random, 50% entropy"}}, "mi_aod_weighted"]
    grid = read(strategies=variants, settings={**SETTINGS, "classes": ["7", "disc"]})
    for cell in grid.cells:
        words = command_of(grid, cell, tmp_path, tmp_path)
        pairs = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
        given = make_config("tiny", parse_settings(pairs))
        assert given == make_config("tiny", cell.overrides)
        assert given.strategy == ("mix" if cell.selection == "half" else "mi_aod_weighted")


def test_first_cycles_that_train_alike(read):
    """Same training, settings and seed; another strategy, or what it alone reads, is no matter."""
    weighted = {"unweighted": {"strategy": "entropy", "entropy_aggregate": "sum"}}
    grid = read(strategies=["random", "mi_aod", weighted], full=True)
    groups = Counter(grid.first_training(cell) for cell in grid.cells)
    assert sorted(groups.values()) == [1, 1, 1, 1, 3, 3, 3, 3]  # full supervision is alone


def test_the_grid_that_its_page_shows(tmp_path):
    text = (PROJECT / "docs/grid.md").read_text()
    (tmp_path / "grid.yaml").write_text(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])
    grid = read_grid(tmp_path / "grid.yaml")
    assert len(grid.cells) == 2 * (3 + 1) * 3
    named = text[text.index("measured on (`classes`") : text.index("they stand in")]
    assert set(re.findall(r"`(\w+)`", named)) == SHARED


@pytest.mark.parametrize(
    ("changes", "words", "remedy"),
    [
        ({"sedes": [0]}, "unknown key 'sedes'", "did you mean 'seeds'"),
        ({"seeds": []}, "seeds is empty", "name at least one"),
        ({"strategies": []}, "strategies is empty", "name at least one"),
        ({"recipes": {}}, "recipes is empty", "name at least one"),
        ({"seeds": [0, True]}, "True is not allowed", ""),
        ({"seeds": [1, 1]}, "the seed 1 stands twice", ""),
        ({"strategies": ["random", "random"]}, "'random' stands twice", "a name of its own"),
        ({"strategies": ["full"], "full": True}, "'full' stands twice", ""),
        ({"strategies": ["randon"]}, "no strategy 'randon'", "did you mean 'random'"),
        ({"strategies": [{"a": {"strategy": "mixx"}}]}, "no strategy 'mixx'", "mix"),
        ({"strategies": [{"random": {"strategy": "entropy"}}]}, "name of another", ""),
        ({"strategies": [{"a": {"strategy": "random", "learning_rate": 0.1}}]},
         "learning_rate is no setting of the choice", "recipe"),
        ({"strategies": ["mix"]}, "what to mix", ""),
        ({"preset": "tny"}, "no preset 'tny'", "did you mean 'tiny'"),
        ({"settings": {"sede": 1}}, "unknown setting 'sede'", "did you mean"),
        ({"settings": {"seed": 1}}, "seed is no setting of a part", "keys of the file"),
        ({"settings": {"cycles": 3}}, "cycles is no setting of a part", "keys of the file"),
        ({"recipes": {"a": {"learning_rat": 1}}}, "unknown setting 'learning_rat'", "did you mean"),
        ({"recipes": {"a": {"learning_rate": 99}}}, "learning_rate = 99 is not allowed", ""),
        ({"recipes": {"a": {"device": "cpu"}}}, "device stands in settings too", "one of the two"),
        ({"recipes": {"a": {"test_list": "val"}}}, "test_list is the same in all runs", "settings"),
        ({"recipes": {"a": {"detector": "yolo"}}}, "no detector 'yolo'", ""),
        ({"recipes": {"a/b": {}}}, "cannot name a run folder", ""),
        ({"recipes": {"a": {"learning_rate": 0.1}, "b": {"learning_rate": 0.1}}},
         "a-random-s0 and b-random-s0 are the same run", "leave one of them out"),
        # What auto means depends on the strategy: the two meet in mi_aod.
        ({"recipes": {"auto": {}, "mi-aod": {"training": "mi_aod"}}},
         "auto-mi_aod-s0 and mi-aod-mi_aod-s0 are the same run", "auto"),
        ({"recipes": {"a": {"learning_rate": 0.1}, "A": {"learning_rate": 0.2}}},
         "are the same run", "names"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place(read, changes, words, remedy):
    with pytest.raises(ConfigError) as caught:
        read(**changes)
    assert words in caught.value.what and remedy in str(caught.value.remedy)
    assert "grid.yaml, " in str(caught.value.where)


def test_a_key_that_stands_twice_is_refused(tmp_path):
    """YAML would take the second recipe for the first."""
    path = tmp_path / "grid.yaml"
    path.write_text("preset: tiny\nrecipes:\n  a: {rounds: 1}\n  a: {rounds: 2}\n")
    with pytest.raises(ConfigError, match="'a' stands twice"):
        read_grid(path)


@pytest.mark.parametrize("text", ["", "- a list", "preset: tiny"])
def test_a_file_without_its_keys_is_refused(tmp_path, text):
    (tmp_path / "grid.yaml").write_text(text)
    with pytest.raises(ConfigError, match="the grid names no"):
        read_grid(tmp_path / "grid.yaml")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="not there"):
        read_grid(tmp_path / "grid.yaml")


# ------------------------------------------------------------------------------- before it runs


def test_what_is_checked_before_it_runs(read, data_root, tmp_path):
    grid, root = read(data_root=str(data_root)), tmp_path / "runs"
    assert check_grid(grid, root).config.seed == 0
    assert not root.exists()  # nothing was begun
    run = check_grid(grid, root)
    with run.hold():
        run.steps(0)[0].run()
        run.folder.mark_done(0, "split")
    assert strangers(grid, root) == [] and strangers(read(seeds=[1]), root) == [run.record.name]
    more = read(data_root=str(data_root), cycles=3, seeds=[0, 2], strategies=["random", "entropy"])
    check_grid(more, root)  # welcome
    with pytest.raises(RunFolderError, match="label-set-random-s0: .*learning_rate") as caught:
        check_grid(read(settings={**SETTINGS, "learning_rate": 0.5}), root)
    assert "a name of its own" in str(caught.value.remedy)
    with pytest.raises(RunFolderError, match="folder of a single run"):
        check_grid(grid, run.folder.root)


def test_without_any_metric_there_is_no_grid(read, make_voc, tmp_path):
    root = make_voc(tmp_path / "voc")
    (root / "ImageSets/Main/test.txt").unlink()
    settings = {**SETTINGS, "holdout": 0}
    with pytest.raises(ConfigError, match="no mAP would be measured"):
        check_grid(read(data_root=str(root), settings=settings), tmp_path / "runs")
    settings["holdout"] = 0.5
    assert check_grid(read(data_root=str(root), settings=settings), tmp_path / "runs").dataset.test


def test_seeds_that_begin_with_other_classes_are_refused(read, make_voc, tmp_path):
    root = make_voc(tmp_path / "voc", classes=[f"class{i}" for i in range(12)])
    (root / "ImageSets/Main/test.txt").unlink()
    with pytest.raises(ConfigError, match="seed 1 the first labels have other classes"):
        check_grid(read(data_root=str(root)), tmp_path / "runs")


def test_places_for_runs(read, monkeypatch):
    monkeypatch.setattr(grid_runs.os, "sched_getaffinity", lambda _: set(range(4)))
    assert slots_for(read().cells, 0) == [{}] * 4  # a thread each
    assert slots_for(read().cells, 3) == [{}] * 3
    assert slots_for(read(settings={**SETTINGS, "threads": 3}).cells, 0) == [{}]
    every_core = read(settings={**SETTINGS, "threads": 0}).cells
    assert slots_for(every_core, 0) == [{}]
    with pytest.raises(ConfigError, match="2 processes would want all cores"):
        slots_for(every_core, 2)


def test_a_gpu_each(read, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv(GPUS, raising=False)
    cells = read(settings={**SETTINGS, "device": "auto"}).cells
    assert slots_for(cells, 0) == [{GPUS: "0"}, {GPUS: "1"}]
    assert slots_for(cells, 3) == [{GPUS: "0"}, {GPUS: "1"}, {GPUS: "0"}]
    monkeypatch.setenv(GPUS, "5,7")
    assert slots_for(cells, 0) == [{GPUS: "5"}, {GPUS: "7"}]
    assert slots_for(read(settings={**SETTINGS, "device": "cuda:1"}).cells, 0) == [{}]
    assert gpus_of("cuda", 1, "GPU-aa,GPU-bb") == ["GPU-aa"]


# --------------------------------------------------------------------- who begins when, no training


class Process:
    """A process that does a cycle whenever it is looked at."""

    def __init__(self, folder: Path, cycles: int, code: int = 0, ends_after: int = 99) -> None:
        self.folder, self.cycles, self.code, self.ends_after = folder, cycles, code, ends_after
        self.done, self.returncode, self.terminated = 0, None, False

    def poll(self):
        folder = RunFolder(self.folder)
        if self.done == min(self.cycles, self.ends_after):
            self.returncode = self.code
        else:
            folder.save_bytes(f"cycle{self.done}/weights.pt", b"")
            for step in ("evaluate", "select"):
                folder.mark_done(self.done, step)
            self.done += 1
        return self.returncode

    def terminate(self):
        self.terminated = True

    def wait(self):
        pass


@pytest.fixture
def started(monkeypatch):
    """The names of the runs that began, in order, with the environment; `fail`: those that do."""
    begun: list[tuple[str, dict]] = []
    processes: list[Process] = []

    def start(arguments, output, environment):
        name = Path(arguments[-1]).name
        begun.append((name, environment))
        fails = name in start.fail
        if fails:
            output.write_text("noise\nerror: the loss is not finite\n  where: cycle 0\n")
        cycles = 1 if "-full-" in name else 2
        processes.append(Process(Path(arguments[-1]), cycles, int(fails), 0 if fails else 99))
        return processes[-1]

    start.fail, start.begun, start.processes = set(), begun, processes
    monkeypatch.setattr(grid_runs, "start_process", start)
    monkeypatch.setattr(grid_runs, "SECONDS_BETWEEN_LOOKS", 0)
    return start


def run_all(grid, root, slots):
    ended = []
    with hold_grid(grid, root):
        run_grid(grid, root, root, slots, lambda cell, reason: ended.append((cell.name, reason)))
    return ended


def test_one_trains_the_first_cycle_and_the_others_wait_for_it(read, started, tmp_path):
    run_all(read(full=True), tmp_path / "runs", [{GPUS: str(i)} for i in range(8)])
    names = [name for name, _ in started.begun]
    # Of the runs that begin at once no two train alike; the others follow.
    leaders = [f"{r}-{s}-s{i}" for i in (0, 1) for r in ("label-set", "mi-aod")
               for s in ("random", "full")]  # fmt: skip
    assert names[:8] == leaders and len(set(names)) == 12
    assert sorted(env[GPUS] for _, env in started.begun[:8]) == [str(i) for i in range(8)]


def test_every_run_is_told_once_and_a_second_call_finds_all_done(read, started, tmp_path):
    grid = read()
    ended = run_all(grid, tmp_path / "runs", [{}])
    assert ended == [(cell.name, "") for cell in grid.cells]
    assert (tmp_path / "runs/grid.yaml").read_text() == grid.text
    assert run_all(grid, tmp_path / "runs", [{}]) == [] and len(started.begun) == 8
    more = read(seeds=[0, 1, 2])
    assert len(run_all(more, tmp_path / "runs", [{}])) == 4


def test_a_run_that_fails_is_named_and_the_others_go_on(read, started, tmp_path):
    started.fail = {"label-set-random-s0"}
    ended = dict(run_all(read(), tmp_path / "runs", [{}, {}]))
    assert ended.pop("label-set-random-s0") == "the loss is not finite"
    assert len(ended) == 7 and set(ended.values()) == {""}
    started.fail = set()
    assert run_all(read(), tmp_path / "runs", [{}]) == [("label-set-random-s0", "")]


def test_an_interrupt_ends_all_and_says_how_to_go_on(read, started, tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(grid_runs.time, "sleep", interrupt)
    with pytest.raises(grid_runs.Stopped, match="run the same command again"):
        run_all(read(), tmp_path / "runs", [{}, {}])
    assert [process.terminated for process in started.processes] == [True, True]


def test_what_an_earlier_call_left_running_is_waited_for(read, started, tmp_path, monkeypatch):
    """It ends without being finished, as a killed one does: then it is begun again."""
    grid, root, looks = read(seeds=[0], recipes={"a": {}}), tmp_path / "runs", []
    monkeypatch.setattr(
        RunFolder, "in_use",
        lambda self: self.root.name == "a-random-s0" and len(looks) < 4 and not looks.append(1),
    )  # fmt: skip
    ended = run_all(grid, root, [{}])
    assert [name for name, _ in started.begun] == ["a-random-s0", "a-mi_aod-s0"]
    assert len(looks) == 4 and [name for name, _ in ended] == ["a-random-s0", "a-mi_aod-s0"]


def test_what_an_earlier_call_had_just_started_may_come_first(read, started, tmp_path, monkeypatch):
    """The folder was free when the run began, and in use when it wanted it."""
    grid, root = read(seeds=[0], recipes={"a": {}}, strategies=["random"]), tmp_path / "runs"
    started.fail, asked = {"a-random-s0"}, []

    def in_use(folder):
        if started.begun:
            asked.append(1)
        if len(asked) == 3:  # the other one is through
            for cycle in range(2):
                folder.mark_done(cycle, "select")
        return len(asked) in (1, 2)

    monkeypatch.setattr(RunFolder, "in_use", in_use)
    assert run_all(grid, root, [{}]) == [("a-random-s0", "")]
    assert len(started.begun) == 1 and len(asked) == 3


def test_two_calls_at_once_are_refused(read, started, tmp_path):
    with hold_grid(read(), tmp_path / "runs"), pytest.raises(RunFolderError, match="in use"):
        run_all(read(), tmp_path / "runs", [{}])
