"""The `miaod` command, here or in processes that die at a chosen moment, and what it left."""

import hashlib
import io
import itertools
import json
import multiprocessing
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from miaod_nb.cli import main
from miaod_nb.experiment import grid_runs
from miaod_nb.runs.files import RunFolder

SHELL_COMMAND = [sys.executable, "-c", "from miaod_nb.cli import main; main()"]

# Children are forked from a process that has imported everything but never used a thread.
CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["miaod_nb.experiment", "miaod_nb.labeling.importing"])

# 4 of 12 images are labeled first, 2 more in the second cycle. score_threshold: so that a detector
# that has learned nothing detects something, and equal metrics mean something. threads: sums in
# the same order everywhere.
SETTINGS = {
    "initial": 4, "budget": 2, "score_threshold": 0, "inference_batch_size": 2, "threads": 1,
    "device": "cpu",
}  # fmt: skip


def run_arguments(data_root: Path, run_dir: Path | None = None, **settings: object) -> list[str]:
    """The arguments of `miaod run` for a small experiment; None leaves a setting to the preset."""
    arguments = ["run", "--preset", "tiny", "--data-root", str(data_root)]
    if run_dir is not None:
        arguments += ["--run-dir", str(run_dir)]
    for key, value in (SETTINGS | settings).items():
        if value is not None:
            arguments += ["--set", f"{key}={value}"]
    return arguments


@dataclass(frozen=True)
class Fate:
    """A signal that a process gets at the n-th call of a function.

    when: before the call, after it, or "halfway": before it, with the file that is its first
    argument cut in half. file: counts only calls with an argument whose text ends so.
    """

    function: str
    call: int = 1
    when: Literal["before", "halfway", "after"] = "before"
    file: str = ""
    signal: int = signal.SIGKILL


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def miaod(*arguments: object) -> Outcome:
    """Runs the command in this process."""
    out, err, threads = io.StringIO(), io.StringIO(), torch.get_num_threads()
    with (
        patch.object(sys, "argv", ["miaod", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            torch.set_num_threads(threads)
    return Outcome(code, out.getvalue(), err.getvalue())


def run_child(
    arguments: Sequence[str],
    output: Path,
    fate: Fate | None = None,
    prepare: Callable[[], None] | None = None,
) -> int:
    """The exit code of a child process that ran the command, negative for a signal.

    output: file for all that it says. prepare: called in the child first.
    """
    child = CHILDREN.Process(target=live, args=(arguments, output, fate, prepare))
    child.start()
    child.join(120)
    assert child.exitcode is not None, output.read_text()
    return child.exitcode


def live(
    arguments: Sequence[str],
    output: Path,
    fate: Fate | None = None,
    prepare: Callable[[], None] | None = None,
) -> None:
    """The command in this process, which a test has started for it; see `run_child`."""
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    tqdm.set_lock(threading.RLock())  # its usual lock is a system object that a kill would leak
    if prepare is not None:
        prepare()
    if fate is not None:
        _arrange(fate)
    sys.argv = ["miaod", *arguments]
    main()


class Forked:
    """What stands for a process of its own, and starts in no time: a child as of `run_child`. Has
    what a grid uses of `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], output: Path, environment: object) -> None:
        self._child = CHILDREN.Process(target=live, args=(arguments, output))
        self._child.start()
        self.terminate, self.wait = self._child.terminate, self._child.join

    @property
    def returncode(self) -> int | None:
        return self._child.exitcode

    def poll(self) -> int | None:
        return self._child.exitcode


def fork_runs() -> None:
    """Lets a grid in this process start its runs so, and look at them often."""
    grid_runs.start_process = Forked  # type: ignore[assignment]
    grid_runs.SECONDS_BETWEEN_LOOKS = 0.05


def _arrange(fate: Fate) -> None:
    """Replaces the function by one that sends the signal when its time has come."""
    owner_name, _, name = fate.function.rpartition(".")
    owner = pkgutil.resolve_name(owner_name)
    original = getattr(owner, name)
    calls = itertools.count(1)

    def fated(*args: Any, **kwargs: Any) -> Any:
        counts = not fate.file or any(str(argument).endswith(fate.file) for argument in args)
        now = counts and next(calls) == fate.call
        if now and fate.when == "halfway":
            os.truncate(args[0], os.path.getsize(args[0]) // 2)
        if now and fate.when != "after":
            os.kill(os.getpid(), fate.signal)
        result = original(*args, **kwargs)
        if now and fate.when == "after":
            os.kill(os.getpid(), fate.signal)
        return result

    setattr(owner, name, fated)


# ------------------------------------------------------------------------------ what a run left


def log_of(run_dir: Path, event: str | None = None) -> list[dict[str, Any]]:
    """The records of the run's log, of one event if named."""
    records = RunFolder(run_dir).read_log()
    return [record for record in records if event in (None, record["event"])]


def results(run_dir: Path) -> dict[str, Any]:
    """Everything that equal runs have in common, by file; times, of files too, and speeds are
    left out."""
    found: dict[str, Any] = {}
    for path in sorted(run_dir.rglob("*")):
        name = str(path.relative_to(run_dir))
        if path.is_file() and name not in (".lock", "environment.json", "images.parquet"):
            found[name] = _content(path)
    return found


def _content(path: Path) -> Any:
    match path.name:
        case "config.json":
            return json.loads(path.read_text())["identity"]
        case "pool.parquet":  # where images lie is no result
            return pd.read_parquet(path).drop(columns=["source", "path"]).to_dict("records")
        case "weights.pt":
            saved = torch.load(path, weights_only=True)
            kept = saved["model"] | {"quality of classes": saved["class_quality"]}
            tensors = {name: _digest(tensor.numpy()) for name, tensor in kept.items()}
            return {"classes": saved["classes"], "tensors": tensors}
    match path.suffix:
        case ".json":
            return _timeless(json.loads(path.read_text()))
        case ".jsonl":
            return [_timeless(json.loads(line)) for line in path.read_text().splitlines()]
        case ".npy":
            return np.load(path).tolist()
        case ".npz":
            with np.load(path) as file:
                return {name: _digest(array) for name, array in file.items()}
        case ".parquet":
            table = pd.read_parquet(path)
            return table.map(lambda x: x.tolist() if isinstance(x, np.ndarray) else x).to_dict(
                "records"
            )
        case ".csv" | ".txt" | ".xml":
            return path.read_text()
        case ".jpg":
            return hashlib.sha256(path.read_bytes()).hexdigest()
    return "a file that a finished run does not keep"


def _timeless(document: Any) -> Any:
    """The document without what two equal runs have each for itself."""
    if not isinstance(document, dict):
        return document
    return {k: v for k, v in document.items() if k not in ("time", "images_per_s", "memory_mb")}


def _digest(array: np.ndarray) -> str:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return hashlib.sha256(buffer.getvalue()).hexdigest()
