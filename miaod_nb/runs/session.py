"""A process at work on a run folder: the lock, the log, when to save, and the wish to stop."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from miaod_nb.errors import ConfigError, Stopped, TrainingError
from miaod_nb.processes import ALONE, Processes, is_lost_connection
from miaod_nb.progress import say
from miaod_nb.runs.files import RunFolder


class Session:
    """One process at work on a run folder.

    Long loops ask `save_due` after every step, save their state and call `saved`, which ends the
    work if the user asked for that. Where several processes work in step they ask
    `any_save_due` and call `all_saved`, and so end at the same step.
    """

    def __init__(
        self, folder: RunFolder, save_every: float, tensorboard: bool = False,
        processes: Processes = ALONE,
    ) -> None:  # fmt: skip
        self.folder, self.save_every, self.processes = folder, save_every, processes
        writes = tensorboard and processes.is_first
        self._writer_type = _tensorboard_writer() if writes else None
        self._writer: Any = None  # opened by the first record, so that no other run's is touched
        self._stop_requested = False
        self._saved_at = time.monotonic()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the run folder's lock; the first Ctrl-C or termination signal asks to stop after
        the current step, a second interrupts at once."""
        with self.folder.lock():
            numbers = [signal.SIGINT, signal.SIGTERM]
            if threading.current_thread() is not threading.main_thread():
                numbers = []  # only the main thread may listen to signals
            before = {number: signal.signal(number, self._request) for number in numbers}
            try:
                with self._connected():
                    yield
            finally:
                self._stop_requested = False
                for number, handler in before.items():
                    signal.signal(number, handler)
                if self._writer is not None:
                    self._writer.close()
                    self._writer = None

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Turns the end of another process into an error for the user."""
        try:
            yield
        except RuntimeError as error:
            if self.processes.count == 1 or not is_lost_connection(error):
                raise
            if self._stop_requested:  # the other one was asked to stop too
                raise self._stopped() from None
            raise TrainingError(
                f"process {self.processes.index} of {self.processes.count} lost the connection to "
                "another one",
                where=self.folder.root,
                remedy="see above what that one said, and run the same command again to go on",
            ) from error

    def _request(self, number: int, frame: object) -> None:
        if self._stop_requested:
            raise KeyboardInterrupt
        self._stop_requested = True
        say("stopping after this step ...")

    def log(self, cycle: int, event: str, **fields: Any) -> None:
        """Appends a record to the run's log, and the terms of a training step to TensorBoard.

        A record other than a training step's replaces the one of its cycle and event: work that
        was cut off before it was marked as done is repeated.
        """
        if event != "step":
            self.folder.rewind_log(lambda r: (r.get("cycle"), r.get("event")) != (cycle, event))
        self.folder.append_log({"cycle": cycle, "event": event, "time": time.time(), **fields})
        if self._writer_type is not None and event == "step":
            self._writer = self._writer or self._writer_type(self.folder.path("tensorboard"))
            for name, value in fields["terms"].items():
                tag = f"cycle{cycle} {fields['stage']}/{name}"
                self._writer.add_scalar(tag, value, fields["step"])

    @property
    def save_due(self) -> bool:
        """Whether the work done since the last saved state should be saved now."""
        return self._stop_requested or time.monotonic() - self._saved_at > self.save_every

    def any_save_due(self) -> bool:
        """Whether any process wants its work to be saved now; all ask at the same step."""
        return self.processes.any(self.save_due)

    def saved(self) -> None:
        """Notes that all work is saved. Raises Stopped if the user asked for that."""
        self._saved_at = time.monotonic()
        if self._stop_requested:
            raise self._stopped()

    def all_saved(self) -> None:
        """As `saved`, in all processes at the same step if one was asked to stop. None goes on
        before all are here."""
        if self.processes.any(self._stop_requested):
            self._stop_requested = True
        self.saved()

    def _stopped(self) -> Stopped:
        return Stopped(
            "stopped as you asked; everything up to here is saved",
            where=self.folder.root,
            remedy="run the same command again to go on",
        )


def _tensorboard_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError(
            "TensorBoard is not installed",
            where="tensorboard",
            remedy="pip install 'miaod_nb[tensorboard]', or set tensorboard=false",
        ) from None
    return SummaryWriter
