"""Progress of long loops: a bar on a terminal, a rare line in a log file."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30.0

Item = TypeVar("Item")


def progress(
    iterable: Iterable[Item], description: str, total: int | None = None, done: int = 0
) -> Iterator[Item]:
    """The items of `iterable`, while stderr shows how many are done and the time left.

    total: of all items, those included that were `done` before and do not come again.
    A terminal gets a bar; anything else at most one line in 30 seconds, none for short loops.
    """
    if total is None and isinstance(iterable, Sized):
        total = done + len(iterable)
    if sys.stderr.isatty():
        yield from tqdm(iterable, description, total, initial=done, leave=False, dynamic_ncols=True)
        return
    start = last = time.monotonic()
    for count, item in enumerate(iterable, start=done + 1):
        yield item
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            meter = tqdm.format_meter(
                count, total or 0, now - start, ncols=0, prefix=description, initial=done
            )
            print(meter, file=sys.stderr, flush=True)
            last = now


def say(text: str) -> None:
    """Prints a line for the user, above a bar if one is shown."""
    tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()
