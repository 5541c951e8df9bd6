"""What a process asks of the disk, counted, so that any of these calls can be the last thing that
it does, or fail, or find another file than there was.

Python tells an audit hook of every call that opens, renames, removes or links a file or makes a
folder, whichever part of whichever library it comes from.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from miaod_nb.runs.files import TEMPORARY
from tests.experiment.helpers import CHILDREN, live

TO_WRITE = os.O_WRONLY | os.O_RDWR
CHANGED = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.symlink": 1}
REMOVALS = ("os.remove", "os.rmdir")
Watcher = Callable[[str, Sequence[Any]], None]
_watchers: list[Watcher] = []  # an audit hook stays as long as its process


def _tell(event: str, arguments: Sequence[Any]) -> None:
    for watcher in list(_watchers):
        watcher(event, arguments)


sys.addaudithook(_tell)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tells of every call, before it happens."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@contextmanager
def counted(folder: Path, at_call: Callable[[int, str, Sequence[Any]], None]) -> Iterator[None]:
    """Calls `at_call` before each call that changes something below the folder, with its number
    from 1, its event and its arguments."""
    count, root = 0, str(folder.resolve())

    def watcher(event: str, arguments: Sequence[Any]) -> None:
        nonlocal count
        place = arguments[CHANGED[event]] if event in CHANGED else None
        if event == "open" and arguments[2] & TO_WRITE:
            place = arguments[0]
        if isinstance(place, str | os.PathLike) and os.path.abspath(place).startswith(root):
            count += 1
            at_call(count, event, arguments)

    with watched(watcher):
        yield


@contextmanager
def failing(folder: Path, first: int, error: int, but: Sequence[str] = ()) -> Iterator[None]:
    """Every changing call from that number on fails, as on a disk that is full or closed. but:
    events that do not."""

    def fail(number: int, event: str, arguments: Sequence[Any]) -> None:
        if number >= first and event not in but:
            raise OSError(error, os.strerror(error), str(arguments[CHANGED.get(event, 0)]))

    with counted(folder, fail):
        yield


@contextmanager
def at_opening(path: Path, number: int, act: Callable[[Path], None]) -> Iterator[list[int]]:
    """Does something to a file when it is opened for the n-th time; gives the numbers of all."""
    openings: list[int] = []

    def watcher(event: str, arguments: Sequence[Any]) -> None:
        if event == "open" and str(arguments[0]) == str(path):
            openings.append(len(openings) + 1)
            if openings[-1] == number:
                act(path)

    with watched(watcher):
        yield openings


# --------------------------------------------------------------------- processes that are killed


@dataclass(frozen=True)
class Moment:
    """The changing call before which a process is killed; number 0 is none. torn: where it would
    give a file its name, the file is cut in half first, as if it were not written yet."""

    number: int = 0
    torn: bool = False


def draw(generator: random.Random, most: int) -> Moment:
    """A moment within so many calls."""
    return Moment(generator.randint(1, most), generator.random() < 0.5)


def run_until(arguments: Sequence[str], folder: Path, moment: Moment) -> tuple[int, int, str]:
    """The command in a child process whose current folder is `folder`: its exit code, negative for
    a signal, the number of its changing calls, its end counted as one, and what it said."""
    output = folder.with_name(f"{folder.name}-said.txt")
    receiver, sender = CHILDREN.Pipe(duplex=False)
    child = CHILDREN.Process(target=_live, args=(arguments, folder, output, moment, sender))
    child.start()
    sender.close()
    child.join(120)
    assert child.exitcode is not None, output.read_text()
    calls = receiver.recv() if child.exitcode == 0 else 0
    return child.exitcode, calls, output.read_text()


def _live(
    arguments: Sequence[str], folder: Path, output: Path, moment: Moment, sender: Any
) -> None:
    calls = 0

    def at_call(number: int, event: str, about: Sequence[Any]) -> None:
        nonlocal calls
        calls = number
        if number == moment.number:
            if moment.torn and event == "os.rename":
                os.truncate(about[0], os.path.getsize(about[0]) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    os.chdir(folder)
    try:
        with counted(folder, at_call):
            live(arguments, output)
    except SystemExit as end:
        if end.code:
            raise
    at_call(calls + 1, "end", ())
    sender.send(calls)


# ------------------------------------------------------------------------------ what they left


def _ends(path: Path) -> None:
    assert path.read_text().endswith("\n")


READERS: Mapping[str, Callable[[Path], Any]] = {
    ".json": lambda path: json.loads(path.read_text()),
    ".jsonl": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
    ".npy": np.load,
    ".npz": lambda path: dict(np.load(path)),
    ".pt": lambda path: torch.load(path, weights_only=True),
    ".jpg": lambda path: Image.open(path).load(),
    ".txt": _ends,
    ".xml": _ends,
}


def read_everything(folder: Path) -> None:
    """Fails where a file is not whole; those with a name for the meantime may be."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith(TEMPORARY) and path.name != ".lock":
            READERS[path.suffix](path)
