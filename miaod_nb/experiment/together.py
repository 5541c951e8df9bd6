"""Several experiments at once: controls run in processes of their own while the first one runs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from miaod_nb.detector import detector_maker
from miaod_nb.errors import DataError
from miaod_nb.experiment.run import Run
from miaod_nb.plugins import comes_from, home_of
from miaod_nb.progress import progress, say

OUTPUT = "output.log"  # what a process of its own prints, in its run folder
SECONDS_BETWEEN_LOOKS = 1.0


def run_all(runs: Sequence[Run]) -> None:
    """Runs what is left of every experiment; of several that hold a core or more each, as many at
    once as the processor has room for (settings `threads` and `device`).

    One that another process works on is waited for. Ctrl-C ends all of them cleanly. Others than
    the first go as far as their images have labels.
    """
    first, *others = runs
    with running_beside(first, others) as children:
        elsewhere = [run for run in others if run in children or run.folder.in_use()]
        first.run()
        for run in others:
            if run not in elsewhere:
                _run_on(run)
        for run in elsewhere:
            _wait_for(run, children.get(run))
            _run_on(run)  # what its process could not do is done here, or the reason is said


def _run_on(run: Run) -> None:
    """Runs a control as far as there are labels: it asks for images of its own, which people who
    label the batches of the first run alone have not labeled."""
    try:
        run.run()
    except DataError as error:
        say(f"{run.folder.root.name} goes no further: {error.what}")


@contextmanager
def running_beside(
    first: Run, others: Sequence[Run]
) -> Iterator[dict[Run, "subprocess.Popen[bytes]"]]:
    """Lets some of the `others` run in processes of their own, as many as the processor has room
    for beside `first`; gives those processes, and ends them cleanly when it is left."""
    beside = [run for run in others if _can_run_elsewhere(run)][: _room_beside(first)]
    children: dict[Run, subprocess.Popen[bytes]] = {}
    try:
        for run in beside:
            children[run] = _start(run)
        yield children
    finally:
        end_all(list(children.values()))


def start_process(
    arguments: Sequence[str], output: Path, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """A process of its own for a `miaod` command. output: file for what it prints. environment:
    what is added to that of this process."""
    code = "from miaod_nb.cli import main; main()"
    with open(output, "wb") as file:
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments], env={**os.environ, **environment},
            stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def end_all(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Ends processes cleanly, with their states saved."""
    for process in processes:
        process.terminate()  # nothing happens to one that has ended
    for process in processes:
        process.wait()


def _room_beside(run: Run) -> int:
    """How many more experiments like this one the machine can run at the same time."""
    if run.device.type != "cpu" or not run.config.threads:  # 0: a thread a core
        return 0
    return max(len(os.sched_getaffinity(0)) // run.config.threads - 1, 0)


def _can_run_elsewhere(run: Run) -> bool:
    """Whether a new process would know its strategy and detector, and there is work left."""
    homes = (home_of(run.strategy), home_of(detector_maker(run.config.detector)))
    is_known = all(comes_from(home) for home in homes)
    return is_known and not run.is_finished() and not run.folder.in_use()


def _start(run: Run) -> "subprocess.Popen[bytes]":
    with run.hold():
        pass  # now its folder alone says what to do
    root = run.folder.root.resolve()
    say(f"{root.name} runs beside this one; it prints to {run.folder.path(OUTPUT)}")
    return start_process(["run", "--run-dir", str(root)], run.folder.path(OUTPUT), {})


def _wait_for(run: Run, process: "subprocess.Popen[bytes] | None") -> None:
    """Waits until the process that works on a run has ended, and shows how many epochs of training
    are done. process: None for one that was started elsewhere."""
    name, total = run.folder.root.name, _epochs_before(run, run.config.cycles)
    done = _epochs_done(run)

    def epochs() -> Iterator[None]:
        """One item for each epoch that is done from now on."""
        seen, works = done, True
        while works:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            works = run.folder.in_use() if process is None else process.poll() is None
            now = _epochs_done(run)
            yield from [None] * (now - seen)
            seen = now

    for _ in progress(epochs(), f"waiting for {name}", total, done):
        pass


def _epochs_done(run: Run) -> int:
    """Epochs of training that the log says are done, in all cycles."""
    steps = [record for record in run.folder.read_log() if record.get("event") == "step"]
    if not steps:
        return 0
    last = steps[-1]
    stages = run.stages_of(last["cycle"])
    names = [plan.name for plan in stages]
    before = stages[: names.index(last["stage"])]
    epochs = sum(plan.epochs for plan in before) + last["epoch"]
    return _epochs_before(run, last["cycle"]) + epochs


def _epochs_before(run: Run, cycle: int) -> int:
    """Epochs of training in all cycles before this one."""
    return sum(plan.epochs for earlier in range(cycle) for plan in run.stages_of(earlier))
