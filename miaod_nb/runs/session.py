"""A process at work on a run folder: the lock, the log, when to save, and the wish to stop."""

import ctypes
import importlib.metadata
import platform
import resource
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from miaod_nb.config import Config, make_config, validated
from miaod_nb.errors import ConfigError, RunFolderError, Stopped, TrainingError
from miaod_nb.processes import ALONE, Processes, is_lost_connection
from miaod_nb.progress import say
from miaod_nb.runs.files import RunFolder

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h
THREADS_AT_START = torch.get_num_threads()  # one a core, unless the environment says otherwise


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


@contextmanager
def memory_explained() -> Iterator[None]:
    """Turns a lack of memory, of the device or for the workers, into an error for the user."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        signs = ("out of memory", "can't allocate memory", "DataLoader worker")
        if not any(sign in text for sign in signs):
            raise
        raise TrainingError(
            f"there is not enough memory: {text.splitlines()[0]}",
            where="batch_size, image_size, workers",
            remedy="run the same command again after other programs ended, or use a smaller "
            "batch_size or image_size (a new run_dir), or workers=0",
        ) from error


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


def resolve_device(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA when there is one. Raises ConfigError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"the device '{name}' is not there ({torch.cuda.device_count()} CUDA devices found)",
            where="device",
            remedy="set device=auto or device=cpu",
        )
    return device


def prepare_torch(config: Config, device: torch.device) -> None:
    """Makes torch's results reproducible on the device, with the configured number of threads."""
    torch.set_num_threads(config.threads or THREADS_AT_START)
    backends: Any = torch.backends  # its types lack the setting
    backends.fp32_precision = "tf32" if config.precision == "tf32" else "ieee"
    if device.type == "cuda":
        torch.use_deterministic_algorithms(True, warn_only=True)
    else:
        _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Makes glibc, where that is the C library, use freed memory again instead of giving it back.

    Every large tensor would else get fresh pages from the system, which costs more than many an
    operation on it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def describe_environment(device: torch.device, processes: Processes = ALONE) -> dict[str, Any]:
    """What results depend on in their last digits: versions, device, threads, and how many
    processes there are, if several."""
    packages = ("miaod_nb", "torch", "torchvision", "timm", "numpy")
    versions = {name: importlib.metadata.version(name) for name in packages}
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    several = {"processes": processes.count} if processes.count > 1 else {}
    return versions | {
        "python": platform.python_version(),
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
        **several,
    }


def memory_mb(device: torch.device) -> float:
    """Peak memory so far in MiB: of the device, or of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if platform.system() == "Darwin" else 2**10)  # bytes there, KiB elsewhere


def project_folder() -> Path:
    """Where `runs` and `data` lie: the current folder, or the one above when that is the
    project's `notebooks`, in which a notebook server starts them."""
    among_notebooks = Path.cwd().name == "notebooks" and Path("../pyproject.toml").is_file()
    return Path("..") if among_notebooks else Path()


def default_run_dir(config: Config, fingerprint: str) -> Path:
    """`runs/<preset>`, with the fingerprint's first six digits if a setting differs from it."""
    changed = make_config(config.preset).identity() != config.identity()
    return project_folder() / "runs" / (config.preset + (f"-{fingerprint[:6]}" if changed else ""))


def _stored_identity(folder: RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and the data that a run folder's experiment is about."""
    try:
        identity = dict(folder.load_json("config.json")["identity"])
        return identity, dict(identity.pop("data"))
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            "the file does not describe an experiment",
            where=folder.path("config.json"),
            remedy="restore it from a copy, or choose another run_dir",
        ) from error


def refuse_another(folder: RunFolder, config: Config, data: Mapping[str, Any]) -> None:
    """Raises RunFolderError naming every difference in what decides results, if the folder holds
    another experiment. data: its identity."""
    before, stored_data = _stored_identity(folder)
    now = config.identity()
    # A setting that did not exist when the run began had its default.
    defaults = validated({}).model_dump(mode="json")
    before = {key: defaults[key] for key in now.keys() - before.keys()} | before
    differing = [
        f"{key}: {before.get(key)!r} there, {now.get(key)!r} now"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    differing += [
        f"{key}: {len(stored_data.get(key, []))} there, {len(data.get(key, []))} now, or others"
        for key in sorted(data.keys() | stored_data.keys())
        if stored_data.get(key) != data.get(key)
    ]
    if differing:
        raise RunFolderError(
            "the run folder holds another experiment; " + "; ".join(differing),
            where=folder.path("config.json"),
            remedy="choose another run_dir, or the same settings as before",
        )


def claim_folder(
    folder: RunFolder, config: Config, data: Mapping[str, Any], fingerprint: str,
    environment: Mapping[str, Any], data_root: Path,
) -> None:  # fmt: skip
    """Describes the experiment in its run folder, or checks that the folder holds the same one.

    data_root: noted, so that the folder alone is enough to go on; it may change.

    Another environment is a warning. Raises RunFolderError as `refuse_another` does.
    """
    if folder.exists("config.json"):
        refuse_another(folder, config, data)
        recorded = folder.load_json("environment.json") if folder.exists("environment.json") else {}
        recorded = {"processes": 1} | recorded
        for key, value in ({"processes": 1} | dict(environment)).items():
            if recorded.get(key) != value:
                say(f"warning: {key} was {recorded.get(key)} when this run began and is {value} "
                    "now; results may differ in the last digits")  # fmt: skip
    else:
        remains = [name for name in ("log.jsonl", "cycle0") if folder.exists(name)]
        if remains:
            raise RunFolderError(
                f"the folder holds {' and '.join(remains)} of an experiment, but no config.json",
                where=folder.path("config.json"),
                remedy="restore the file, or choose another run_dir",
            )
        folder.save_json("environment.json", dict(environment))
        folder.save_text("fingerprint.txt", fingerprint + "\n")
    folder.save_json(
        "config.json",
        {"settings": config.model_dump(mode="json"), "data_root": str(data_root.resolve()),
         "identity": config.identity() | {"data": dict(data)}},
    )  # fmt: skip
