"""Runs a grid: each run in a process of its own, several at once, equal first cycles once."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import torch

from miaod_nb.config import spell
from miaod_nb.errors import ConfigError, RunFolderError, Stopped
from miaod_nb.experiment.grid import Cell, Grid
from miaod_nb.experiment.opening import open_run
from miaod_nb.experiment.run import Run
from miaod_nb.experiment.together import OUTPUT, SECONDS_BETWEEN_LOOKS, end_all, start_process
from miaod_nb.progress import progress, say
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.identity import refuse_another
from miaod_nb.runs.machine import resolve_device
from miaod_nb.runs.record import CONFIG, is_run

FILE = "grid.yaml"  # in the grid's folder: what it was called with last
GPUS = "CUDA_VISIBLE_DEVICES"
Slot = Mapping[str, str]  # a place for one run: what its environment adds
Tell = Callable[
    [Cell, str], None
]  # of a run that has ended; what stopped it, "" for a finished one


def check_grid(grid: Grid, root: Path) -> Run:
    """The grid's first run, opened, after all that can be checked was: the folder, the settings of
    runs that were begun, and the data, once a seed. Raises ConfigError, DataError and
    RunFolderError."""
    if is_run(root):
        raise RunFolderError("this is the folder of a single run", where=root,
                             remedy="choose another --run-dir for the grid")  # fmt: skip
    for cell in grid.cells:
        _refuse_changed(cell, RunFolder(root / cell.name))
    of_seeds = {cell.config.seed: cell for cell in reversed(grid.cells)}
    cells = [of_seeds[seed] for seed in dict.fromkeys(cell.config.seed for cell in grid.cells)]
    first, *others = [
        open_run(grid.preset, data_root=grid.data_root, run_dir=(root / cell.name).absolute(),
                 overrides=cell.overrides)
        for cell in progress(cells, "reading the data")
    ]  # fmt: skip
    for run in others:
        if run.dataset.classes != first.dataset.classes:
            raise ConfigError(
                f"with seed {run.config.seed} the first labels have other classes "
                f"({', '.join(run.dataset.classes)}) than with seed {first.config.seed} "
                f"({', '.join(first.dataset.classes)})", where=f"{grid.path}, seeds",
                remedy="name them all in settings, such as classes: cat,dog",
            )  # fmt: skip
    if not first.dataset.test:
        raise ConfigError(
            "no mAP would be measured: there is no test list, and holdout=0", where=grid.path,
            remedy="set holdout or test_list in settings: a grid is there to compare results",
        )  # fmt: skip
    return first


def _refuse_changed(cell: Cell, folder: RunFolder) -> None:
    try:
        if is_run(folder.root):
            refuse_another(folder, cell.config, cell.card)
    except RunFolderError as error:
        raise RunFolderError(
            f"{cell.name}: {error.what}", where=error.where,
            remedy="restore these settings in the grid, or give what is changed a name of its own "
            "there (new recipes, strategies, seeds and more cycles are welcome)",
        ) from error  # fmt: skip


def slots_for(cells: Sequence[Cell], processes: int) -> list[Slot]:
    """The places for runs at the same time. processes: how many; 0: one a GPU, or as many as the
    cores have room for (setting threads). Raises ConfigError where each wants all cores."""
    device = cells[0].config.device
    if resolve_device(device).type == "cuda":
        gpus = gpus_of(device, torch.cuda.device_count(), os.environ.get(GPUS, ""))
        count = processes or max(len(gpus), 1)
        return [{GPUS: gpus[i % len(gpus)]} if gpus else {} for i in range(count)]
    threads = [cell.config.threads for cell in cells]
    if 0 not in threads:  # 0: a thread a core
        return [{}] * (processes or max(len(os.sched_getaffinity(0)) // max(threads), 1))
    if processes > 1:
        raise ConfigError(
            f"{processes} processes would want all cores each", where="threads = 0",
            remedy="say in settings how many threads a run has, such as threads: 1",
        )  # fmt: skip
    return [{}]


def gpus_of(device: str, count: int, visible: str) -> list[str]:
    """The GPUs to share out, by the names that CUDA_VISIBLE_DEVICES has for them; [] where the
    setting `device` names one itself. count: how many there are; visible: that variable, or ""."""
    if ":" in device:
        return []
    return visible.split(",")[:count] if visible else [str(i) for i in range(count)]


@contextmanager
def hold_grid(grid: Grid, root: Path) -> Iterator[RunFolder]:
    """The grid's folder, with a copy of its file; raises RunFolderError if another process holds
    it. A request to terminate ends all as Ctrl-C does, which raises Stopped."""
    folder = RunFolder(root)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with folder.lock():
            folder.save_text(FILE, grid.text)
            yield folder
    except KeyboardInterrupt:
        raise Stopped(
            "stopped as you asked; everything up to here is saved", where=root,
            remedy="run the same command again to go on",
        ) from None  # fmt: skip
    finally:
        signal.signal(signal.SIGTERM, before)


def run_grid(grid: Grid, root: Path, data_root: Path, slots: Sequence[Slot], tell: Tell) -> None:
    """Runs what is left of every run of the grid, as many at once as there are slots.

    root: the grid's folder, held. data_root: where the data lie. tell: called for each run as it
    ends. A run that fails does not stop the others.
    """
    crew = _Crew(grid, root, data_root, slots, tell)
    total = sum(cell.cycles for cell in grid.cells)
    left = sum(cell.cycles - cell.cycles_done(crew.folder(cell)) for cell in crew.waiting)
    left += sum(one.cell.cycles - one.done for one in crew.running)
    with closing(crew.work()) as cycles:
        for _ in progress(cycles, "grid, cycles", total, total - left):
            pass


@dataclass
class _Running:
    """A run at work. process: None where an earlier call, killed since, started it. done: cycles
    that were seen to be done. slot: None for an earlier one beyond the slots."""

    cell: Cell
    folder: RunFolder
    slot: Slot | None
    process: "subprocess.Popen[bytes] | None"
    done: int

    def has_ended(self) -> bool:
        return not self.folder.in_use() if self.process is None else self.process.poll() is not None

    def reason(self) -> str:
        """What stopped it, in words; "" for a run that is finished."""
        code = self.process.returncode if self.process else 0
        if not code:
            return ""
        said = self.folder.load_text(OUTPUT).splitlines()
        errors = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
        return errors[-1] if errors else f"its process ended with {code}"


class _Crew:
    """The processes at work on a grid, and the runs that wait for one."""

    def __init__(
        self, grid: Grid, root: Path, data_root: Path, slots: Sequence[Slot], tell: Tell
    ) -> None:
        self.grid, self.root, self.data_root, self.tell = grid, root, data_root, tell
        self.first_training = {cell.name: grid.first_training(cell) for cell in grid.cells}
        self.waiting = [cell for cell in grid.cells if not is_done(cell, root)]
        orphans = [cell for cell in self.waiting if self.folder(cell).in_use()]
        self.running = [
            _Running(cell, self.folder(cell), slot, None, cell.cycles_done(self.folder(cell)))
            for cell, slot in zip_longest(orphans, slots[: len(orphans)])
        ]
        for cell in orphans:
            say(f"{cell.name}: another process is at work on it and is waited for")
            self.waiting.remove(cell)
        self.free = list(slots[len(orphans) :])

    def folder(self, cell: Cell) -> RunFolder:
        return RunFolder(self.root / cell.name)

    def work(self) -> Generator[None, None, None]:
        """Starts and watches processes; an item for each cycle that is done from now on."""
        try:
            while self.waiting or self.running:
                for cell in list(self.waiting):
                    if self.free and self._may_begin(cell):
                        self._begin(cell)
                time.sleep(SECONDS_BETWEEN_LOOKS)
                for one in list(self.running):
                    yield from self._look_at(one)
        finally:
            if self.running:
                say("stopping after this step ...")
            end_all([one.process for one in self.running if one.process])

    def _may_begin(self, cell: Cell) -> bool:
        """Whether no run that trains its first cycle alike is still at it: then its weights are
        taken over."""
        training = self.first_training
        alike = [one for one in self.running if training[one.cell.name] == training[cell.name]]
        return all(one.folder.exists("cycle0/weights.pt") for one in alike)

    def _begin(self, cell: Cell) -> None:
        folder, slot = self.folder(cell), self.free.pop(0)
        self.waiting.remove(cell)
        say(f"{cell.name} begins; it prints to {folder.path(OUTPUT)}")
        folder.save_text(OUTPUT, "")  # makes the folder
        arguments = command_of(self.grid, cell, folder.root, self.data_root)
        process = start_process(arguments, folder.path(OUTPUT), slot)
        self.running.append(_Running(cell, folder, slot, process, cell.cycles_done(folder)))

    def _look_at(self, one: _Running) -> Iterator[None]:
        """An item for each cycle that was done meanwhile; tells of a run that has ended."""
        has_ended = one.has_ended()  # asked before its cycles are counted
        before, one.done = one.done, one.cell.cycles_done(one.folder)
        yield from [None] * (one.done - before)
        if not has_ended:
            return
        if one.process is not None and one.process.returncode and one.folder.in_use():
            one.process = None  # what a killed call had just started came first: it is waited for
            return
        self.running.remove(one)
        self.free += [one.slot] if one.slot is not None else []
        if one.process is None and not is_done(one.cell, self.root):
            self.waiting.insert(0, one.cell)  # what others began and left is gone on with
            return
        reason = one.reason()
        if not reason:
            yield from [None] * (one.cell.cycles - one.done)  # of a pool that became empty
        self.tell(one.cell, reason)


def strangers(grid: Grid, root: Path) -> list[str]:
    """Names of the run folders in a grid's folder that are not of it."""
    own = {cell.name for cell in grid.cells}
    found = [path.parent.name for path in sorted(root.glob(f"*/{CONFIG}"))]
    return [name for name in found if name not in own]


def is_done(cell: Cell, root: Path) -> bool:
    """Whether all cycles of a cell are done. root: the grid's folder."""
    return cell.cycles_done(RunFolder(root / cell.name)) == cell.cycles


def command_of(grid: Grid, cell: Cell, run_dir: Path, data_root: Path) -> list[str]:
    """What `miaod` is given to run a cell."""
    settings = [f"{name}={spell(value)}" for name, value in cell.overrides.items()]
    return [
        "run", "--preset", grid.preset, "--data-root", str(data_root.resolve()),
        *(word for setting in settings for word in ("--set", setting)),
        "--run-dir", str(run_dir.resolve()),
    ]  # fmt: skip
