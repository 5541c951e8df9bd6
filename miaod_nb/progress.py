"""Progress of long loops: a bar on a terminal or under a notebook's cell, a rare line in a log.

Of several processes the first alone speaks.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import lru_cache
from typing import Any, TypeVar

from tqdm import tqdm

from miaod_nb.processes import launched

SECONDS_BETWEEN_LINES = 30.0
SECONDS_BETWEEN_UPDATES = 0.5  # of the bar under a cell
CELL_BAR = "miaod-progress"  # how the display ids of these bars begin

Item = TypeVar("Item")


def progress(
    iterable: Iterable[Item], description: str, total: int | None = None, done: int = 0
) -> Iterator[Item]:
    """The items of `iterable`, while the user sees how many are done and the time left.

    total: of all items, those included that were `done` before and do not come again.
    A terminal gets a bar, a notebook's cell one bar that all loops of the cell share; anything
    else at most one line in 30 seconds. Short loops leave no trace in a cell or a log.
    """
    if total is None and isinstance(iterable, Sized):
        total = done + len(iterable)
    if not _speaks():
        yield from iterable
        return
    shell = _kernel_shell()
    if shell is None and sys.stderr.isatty():
        yield from _Bar(iterable, description, total, initial=done, leave=False, dynamic_ncols=True)
        return
    show: Callable[[str], None] = _print_line
    pause = SECONDS_BETWEEN_LINES
    if shell is not None:
        show, pause = _cell_bar(shell.execution_count), SECONDS_BETWEEN_UPDATES
    width = 0 if shell is None else 78  # 0: no bar, only numbers
    start = last = now = time.monotonic()
    count = done
    for count, item in enumerate(iterable, start=done + 1):
        yield item
        now = time.monotonic()
        if now - last >= pause:
            show(
                tqdm.format_meter(count, total or 0, now - start, width, description, initial=done)
            )
            last = now
    if shell is not None and start < last < now:  # the bar stays in the cell: show it complete
        show(tqdm.format_meter(count, total or 0, now - start, width, description, initial=done))


class _Bar(tqdm):
    """A bar that does not stand still when the clock is set back."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._time = time.monotonic
        self.start_t = self.last_print_t = self._time()


def say(text: str) -> None:
    """Prints a line for the user, above a bar if one is shown."""
    if not _speaks():
        return
    tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()


def say_detail(text: str) -> None:
    """Prints a line that a notebook leaves out: there the bar and the figures say it."""
    if _kernel_shell() is None:
        say(text)


def _speaks() -> bool:
    """Whether this process tells the user what is going on."""
    index, _ = launched()
    return index == 0


def _kernel_shell() -> Any:
    """The shell of the notebook kernel that this code runs in; None elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell if hasattr(shell, "kernel") else None


def _print_line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@lru_cache(maxsize=1)  # one bar a cell, also when many loops run in it
def _cell_bar(execution_count: int) -> Callable[[str], None]:
    from IPython.display import display, update_display

    shown = False

    def show(text: str) -> None:
        nonlocal shown
        put: Callable[..., Any] = update_display if shown else display
        put({"text/plain": text}, raw=True, display_id=f"{CELL_BAR}-{execution_count}")
        shown = True

    return show
