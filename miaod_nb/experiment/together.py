"""Several experiments at once: controls run in processes of their own while the first one runs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from miaod_nb.detector import DETECTORS
from miaod_nb.errors import TrainingError
from miaod_nb.experiment.cycle import Experiment
from miaod_nb.progress import progress, say

OUTPUT = "output.log"  # what a process of its own prints, in its run folder
SECONDS_BETWEEN_LOOKS = 1.0


def run_all(runs: Sequence[Experiment]) -> None:
    """Runs what is left of every experiment; of several that hold a core or more each, as many at
    once as the processor has room for (settings `threads` and `device`).

    Ctrl-C ends all of them cleanly. Raises TrainingError when a process of its own failed.
    """
    first, *others = runs
    beside = [run for run in others if _can_run_elsewhere(run)][: _room_beside(first)]
    children = [_Child.start(run) for run in beside]
    try:
        for run in [first, *(run for run in others if run not in beside)]:
            run.run()
        for child in children:
            child.wait()
    finally:
        for child in children:
            child.stop()


def _room_beside(run: Experiment) -> int:
    """How many more experiments like this one the machine can run at the same time."""
    if run.device.type != "cpu" or not run.config.threads:  # 0: a thread a core
        return 0
    return max(len(os.sched_getaffinity(0)) // run.config.threads - 1, 0)


def _can_run_elsewhere(run: Experiment) -> bool:
    """Whether a new process would know its strategy and detector, and there is work left."""
    homes = (type(run.strategy).__module__, DETECTORS[run.config.detector].__module__)
    return all(home.startswith("miaod_nb.") for home in homes) and not run.is_finished()


@dataclass(frozen=True)
class _Child:
    """An experiment that runs in a process of its own."""

    run: Experiment
    process: "subprocess.Popen[bytes]"
    output: IO[bytes]

    @classmethod
    def start(cls, run: Experiment) -> "_Child":
        with run.opened():
            pass  # now its folder alone says what to do
        root = run.folder.root.resolve()
        output = open(run.folder.path(OUTPUT), "wb")  # noqa: SIM115  (closed by `stop`)
        say(f"{root.name} runs beside this one; it prints to {run.folder.path(OUTPUT)}")
        code = "from miaod_nb.cli import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, "run", "--run-dir", str(root)],
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        return cls(run, process, output)

    def wait(self) -> None:
        """Waits for the process to end, and shows how many epochs of training are done."""
        name, total = self.run.folder.root.name, self.run.config.cycles * self._epochs_of_a_cycle()
        done = self._done()
        for _ in progress(self._epochs_since(done), f"waiting for {name}", total, done):
            pass
        if self.process.returncode:
            _, found, words = self.run.folder.load_text(OUTPUT).rpartition("error: ")
            reason = words.strip() if found else f"exit status {self.process.returncode}"
            raise TrainingError(
                f"{self.run.folder.root.name} stopped: {reason}",
                where=self.run.folder.path(OUTPUT),
                remedy="mend what it says and run the same again to go on",
            )

    def _epochs_since(self, seen: int) -> Iterator[None]:
        """One item for each epoch that was done since, until the process has ended."""
        running = True
        while running:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            running = self.process.poll() is None
            done = self._done()
            yield from [None] * (done - seen)
            seen = done

    def _done(self) -> int:
        """Epochs of training that the log says are done, in all cycles."""
        steps = [record for record in self.run.folder.read_log() if record.get("event") == "step"]
        if not steps:
            return 0
        last, names = steps[-1], [plan.name for plan in self.run.stages]
        before = self.run.stages[: names.index(last["stage"])]
        epochs = sum(plan.epochs for plan in before) + last["epoch"]
        return last["cycle"] * self._epochs_of_a_cycle() + epochs

    def _epochs_of_a_cycle(self) -> int:
        return sum(plan.epochs for plan in self.run.stages)

    def stop(self) -> None:
        """Asks a process that still runs to save its state and end, and waits for that."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        self.output.close()
