"""Run folders: one writer at a time, and files that are always whole, the old one or the new."""

import errno
import fcntl
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import pandas as pd

from miaod_nb.errors import CheckpointError, MiaodError, RunFolderError, disk_fault
from miaod_nb.runs.cells import as_it_was, without_formulas

if TYPE_CHECKING:  # who only reads what a run says does not wait for torch
    import torch

LOG = "log.jsonl"
LOCK = ".lock"
TEMPORARY = ".tmp-"  # prefix of files that are still being written


class RunFolder:
    """The files of one experiment.

    Every file is named by its path relative to the folder; a path that leads out of it is refused.
    Writing makes missing folders. Faults of the disk or of a file raise RunFolderError, those of a
    weight file CheckpointError.
    """

    def __init__(self, path: str | Path) -> None:
        self.root = Path(path)

    def path(self, relative: str) -> Path:
        """Where `relative` lies. Raises RunFolderError if that is outside the folder."""
        path = self.root / relative
        inside = path.resolve().is_relative_to(self.root.resolve())
        if Path(relative).is_absolute() or not inside:
            raise RunFolderError(
                f"'{relative}' leads out of the run folder",
                where=self.root,
                remedy="use a path below the run folder, and no link that leaves it",
            )
        return path

    def exists(self, relative: str) -> bool:
        """Whether the file is there."""
        return self.path(relative).exists()

    def delete(self, relative: str) -> None:
        """Removes the file if it is there."""
        path = self.path(relative)
        with _explained(path, "removed"):
            path.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other processes out, and removes what a killed one left half written.

        The lock ends with its process at the latest. Raises RunFolderError if another holds it.
        """
        path = self.path(LOCK)
        with _explained(path, "locked"):
            _make_folder(self.root)
            path.touch()
            file = open(path, "r+")  # noqa: SIM115  (its faults are explained, those below are not)
        with file:
            _claim(file, self.root)
            with _explained(self.root, "tidied"):
                self._tidy()
            yield

    def in_use(self) -> bool:
        """Whether a process holds the lock now."""
        path = self.path(LOCK)
        with _explained(path, "read"):
            try:
                with open(path) as file:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except FileNotFoundError:
                return False
            except BlockingIOError:
                return True
        return False

    def refuse_in_use(self) -> None:
        """Raises RunFolderError where a process holds the lock now."""
        if self.in_use():
            raise _in_use_by(self.load_text(LOCK), self.root)

    def remove_leftovers(self, *places: str) -> None:
        """Removes what killed processes left half written in these folders, patterns that end with
        a slash; nobody else may be writing there."""
        with _explained(self.root, "tidied"):
            for place in places:
                for leftover in self.root.glob(f"{place}{TEMPORARY}[0-9]*-*"):
                    leftover.unlink(missing_ok=True)

    def _tidy(self) -> None:
        """Removes half written files, and a torn last line of the log, which would swallow the
        next record; touches nothing else, since the folder may hold other people's files."""
        self.remove_leftovers("", "cycle*/", "cycle*/*.parquet/", "labels/**/")
        path = self.path(LOG)
        if path.exists() and not path.read_bytes().endswith(b"\n"):
            self.rewind_log(lambda record: True)

    def save_bytes(self, relative: str, content: bytes | memoryview, durable: bool = True) -> None:
        """Writes the file so that a crash at any moment leaves the old one or the new one whole.

        durable=False: but a power cut may leave it broken; for many small files that are made anew
        if they are, since waiting for the disk would take longer than making them.
        """
        path = self.path(relative)
        action = f"written ({len(content)} bytes)"
        with _explained(path, action), written_whole(path, durable) as place:
            place.write_bytes(content)

    def save_text(self, relative: str, text: str) -> None:
        """Writes UTF-8 text."""
        self.save_bytes(relative, text.encode())

    def load_text(self, relative: str) -> str:
        """The text of a UTF-8 file."""
        return _load(self.path(relative), _text_of)

    def save_json(self, relative: str, obj: Any) -> None:
        """Writes JSON. Raises ValueError for NaN and infinity: JSON has neither."""
        try:
            text = json.dumps(obj, indent=2, allow_nan=False)
        except ValueError as error:
            raise ValueError(f"{relative}: {error}") from error
        self.save_text(relative, text + "\n")

    def load_json(self, relative: str) -> Any:
        """The value in a JSON file."""
        return _load(self.path(relative), lambda path: json.loads(_text_of(path)))

    def save_npy(self, relative: str, array: np.ndarray) -> None:
        """Writes an array. Raises ValueError for an array of Python objects."""
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        self.save_bytes(relative, buffer.getbuffer())

    def load_npy(self, relative: str) -> np.ndarray:
        """The array of a .npy file."""
        return _load(self.path(relative), lambda path: np.load(path, allow_pickle=False))

    def save_npz(self, relative: str, **arrays: Any) -> None:
        """Writes named arrays and texts that can be made anew; not durable, see `save_bytes`."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        self.save_bytes(relative, buffer.getbuffer(), durable=False)

    def load_npz(self, relative: str) -> dict[str, np.ndarray]:
        """The arrays of a .npz file, by name."""
        return _load(self.path(relative), _arrays_of)

    def save_tensors(self, relative: str, tensors: dict[str, Any]) -> None:
        """Writes a checkpoint: tensors, numbers, texts, and lists and dicts of them."""
        import torch

        # Into memory first: torch would hide a full disk behind an error of its own.
        buffer = io.BytesIO()
        torch.save(tensors, buffer)
        self.save_bytes(relative, buffer.getbuffer())

    def load_tensors(
        self, relative: str, map_location: "str | torch.device" = "cpu"
    ) -> dict[str, Any]:
        """The checkpoint, its tensors on `map_location`. Code in the file is refused, not run."""
        import torch

        return _load(
            self.path(relative),
            lambda path: torch.load(path, map_location, weights_only=True),
            CheckpointError,
        )

    def save_parquet(self, relative: str, table: pd.DataFrame) -> None:
        """Writes a table without its index."""
        self.save_bytes(relative, table.to_parquet(index=False))

    def load_parquet(self, relative: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The table of a Parquet file, or of a folder with its parts, in the order of their names.

        columns: those to read; None reads all.
        """
        wanted = None if columns is None else list(columns)
        path = self.path(relative)
        files = [path]
        if path.is_dir():  # names with a dot are of files that are still being written
            files = sorted(path.glob("[!.]*.parquet")) or [path / "*.parquet"]
        tables = [_load(file, lambda f: pd.read_parquet(f, columns=wanted)) for file in files]
        return pd.concat(tables, ignore_index=True)

    def save_csv(self, relative: str, table: pd.DataFrame) -> None:
        """Writes a table without its index, for people and spreadsheets, which take none of its
        texts for a formula."""
        self.save_text(relative, without_formulas(table).to_csv(index=False))

    def load_csv(self, relative: str) -> pd.DataFrame:
        """The table of a CSV file, its texts as they were before `save_csv`."""
        return _load(self.path(relative), lambda path: as_it_was(pd.read_csv(path)))

    def append_log(self, record: Mapping[str, Any]) -> None:
        """Adds one line to the log; numbers that JSON lacks (NaN, infinity) become null."""
        path = self.path(LOG)
        line = json.dumps(_finite(record)) + "\n"
        with _explained(path, f"written ({len(line)} bytes)"):
            _make_folder(self.root)
            with open(path, "a", encoding="utf-8") as file:
                file.write(line)

    def append_line(self, relative: str, line: str) -> None:
        """Adds a line to a file that people may have edited, so that a crash cannot lose it; where
        it cannot be written, nothing of it stays.

        A last line without its end, torn or not, keeps to itself.
        """
        path = self.path(relative)
        with _explained(path, f"written ({len(line) + 1} bytes)"):
            _make_folder(path.parent)
            with open(path, "ab+", buffering=0) as file:
                if end := file.tell():
                    file.seek(-1, os.SEEK_END)
                    line = line if file.read() == b"\n" else f"\n{line}"
                try:
                    rest = f"{line}\n".encode()
                    while rest:  # a disk that becomes full takes a part
                        rest = rest[file.write(rest) :]
                    os.fsync(file.fileno())
                except BaseException:
                    file.truncate(end)
                    raise
            _sync(path.parent)

    def read_log(self) -> list[dict[str, Any]]:
        """The records of the log; lines that a crash left torn are passed over."""
        if not self.exists(LOG):
            return []
        records = []
        for line in self.load_text(LOG).splitlines():
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, RecursionError):
                continue
            if isinstance(record, dict):
                records.append(record)
        return records

    def rewind_log(self, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Rewrites the log with the whole records that `keep` accepts."""
        if self.exists(LOG):
            kept = [json.dumps(record) + "\n" for record in self.read_log() if keep(record)]
            self.save_text(LOG, "".join(kept))

    def done_steps(self, cycle: int) -> list[str]:
        """Names of the cycle's finished steps, in the order in which they ended."""
        relative = f"cycle{cycle}/steps.json"
        names = self.load_json(relative) if self.exists(relative) else []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise RunFolderError(
                "the file is no list of the steps that are done",
                where=self.path(relative),
                remedy="restore it from a copy, or choose another run_dir",
            )
        return names

    def mark_done(self, cycle: int, step: str) -> None:
        """Notes that the step's files are complete."""
        log = self.path(LOG)
        if log.exists():  # what the step logged must not be lost when it is not repeated
            with _explained(log, "written"), open(log, "rb") as file:
                os.fsync(file.fileno())
        done = self.done_steps(cycle)
        if step not in done:
            self.save_json(f"cycle{cycle}/steps.json", [*done, step])


class ReadOnlyRunFolder(RunFolder):
    """A run folder that another process writes: this one reads, and its writing does nothing."""

    def delete(self, relative: str) -> None:
        pass

    @contextmanager
    def lock(self) -> Iterator[None]:
        yield

    def save_bytes(self, relative: str, content: bytes | memoryview, durable: bool = True) -> None:
        pass

    def append_line(self, relative: str, line: str) -> None:
        pass

    def append_log(self, record: Mapping[str, Any]) -> None:
        pass

    def rewind_log(self, keep: Callable[[dict[str, Any]], bool]) -> None:
        pass

    def mark_done(self, cycle: int, step: str) -> None:
        pass


def _claim(file: TextIO, folder: Path) -> None:
    """Locks the open file and writes the process's number into it, for those who come later."""
    with _explained(folder, "locked"):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use_by(file.read(), folder) from None
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()


def _in_use_by(process: str, folder: Path) -> RunFolderError:
    return RunFolderError(
        f"the run folder is in use by process {process or '(unknown)'}",
        where=folder,
        remedy="let that process end (a notebook: shut its kernel down), or choose another run_dir",
    )


@contextmanager
def _explained(path: Path, action: str) -> Iterator[None]:
    """Turns what the system says into an error for the user; `action`: what was to be done."""
    try:
        yield
    except OSError as error:
        what, remedy = disk_fault(error)
        raise RunFolderError(
            f"{what}: this cannot be {action}",
            where=path,
            remedy=f"{remedy} and start again to go on, or choose another run_dir",
        ) from error


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _load(
    path: Path, read: Callable[[Path], Any], error_type: type[MiaodError] = RunFolderError
) -> Any:
    """What `read` makes of the file; its faults raise `error_type`."""
    try:
        return read(path)
    except MemoryError:  # says nothing about the file
        raise
    except FileNotFoundError:
        what, remedy = "the file is missing", "restore it"
    except PermissionError:
        what, remedy = "no permission to read the file", "make it readable"
    except Exception as error:  # each reader has its own errors, some of them undocumented
        if type(error).__name__ == "OutOfMemoryError":  # torch's, of a device
            raise
        what = f"the file is broken or holds something else ({type(error).__name__})"
        remedy = "restore it from a copy"
    raise error_type(what, where=path, remedy=f"{remedy}, or choose another run_dir")


@contextmanager
def written_whole(path: Path, durable: bool = True) -> Iterator[Path]:
    """Another name to write a file under, in the folder of `path`, which is made if it is missing;
    at the end the file takes the name `path`, so that a crash at any moment leaves the old file or
    the new one whole. durable: see `RunFolder.save_bytes`. Raises OSError."""
    # In the same folder, because a rename is atomic only within one file system. Not the whole
    # name, which may be as long as the system allows, but its suffix.
    place = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name[-50:]}")
    _make_folder(path.parent)
    try:
        yield place
        if durable:
            _sync(place)
        os.replace(place, path)
    finally:
        place.unlink(missing_ok=True)
    if durable:
        _sync(path.parent)


def _make_folder(folder: Path) -> None:
    """Makes the folder and those above it, each entered durably in its parent."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(path: Path) -> None:
    """Makes a file's content or a folder's entries survive a power cut, on file systems that can
    promise it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _finite(value: Any) -> Any:
    """The value with None in place of every float that JSON cannot hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
