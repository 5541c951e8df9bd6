"""The errors a user can meet: each says what was wrong, where, and what to do about it."""

import difflib
import errno
import time
from pathlib import Path

SECONDS_FOR_THE_REST = 1.0  # in which a browser sends the other cells of "Run All"


class MiaodError(Exception):
    """Base of all errors that are shown to the user without a traceback.

    what: one sentence saying what is wrong. where: file, field or both. remedy: what to do next.
    """

    def __init__(self, what: str, *, where: object = None, remedy: str | None = None) -> None:
        self.what, self.where, self.remedy = what, where, remedy
        lines = [what]
        if where is not None:
            lines.append(f"  where: {where}")
        if remedy is not None:
            lines.append(f"  what to do: {remedy}")
        super().__init__("\n".join(lines))

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in place of a traceback. Cells that are on their way here by then
        are left out; later ones would run, and show below the error what an earlier call opened."""
        time.sleep(SECONDS_FOR_THE_REST)
        return f"error: {self}".splitlines()


class ConfigError(MiaodError):
    """A setting is unknown, has a wrong value, or contradicts another one."""


class DataError(MiaodError):
    """The data set as a whole cannot be used (single faulty files are counted, not refused)."""


class CheckpointError(MiaodError):
    """A weight file does not fit the model that should load it, or cannot be read."""


class RunFolderError(MiaodError):
    """The run folder belongs to another experiment, is in use, or cannot be written."""


class DecisionError(MiaodError):
    """A decision about a chosen image cannot be read, belongs elsewhere, or cannot be applied."""


class TrainingError(MiaodError):
    """Training cannot go on, for example because a loss is no longer finite."""


class Stopped(MiaodError):
    """The user asked to stop; everything up to here is saved."""


def nearest_path(path: Path) -> str:
    """A question for the beginning of a remedy: the nearest name beside a path that is not there;
    "" where none is near."""
    names = [beside.name for beside in path.parent.glob("*")]
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {path.with_name(near[0])}? " if near else ""


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether a device, or the system for the workers, had no memory left."""
    signs = ("out of memory", "can't allocate memory", "DataLoader worker")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def disk_fault(error: OSError) -> tuple[str, str]:
    """What the system could not do with a file, and the remedy, in words for the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no space left", "free some space there"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "no write permission", "make the folder writable"
    return error.strerror or str(error), "check the folder and its disk"


def read_fault(error: OSError) -> tuple[str, str]:
    """What the system says of a file that cannot be read, and the remedy, in words for the user."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return "no permission to read it", "make it readable"
    if error.errno == errno.ENOENT:
        return "it is not there any more", "put it back"
    return error.strerror or str(error), "check the file and its disk"


def unreadable(path: Path, error: OSError) -> DataError:
    """The error for a file of a data set that cannot be read."""
    fault, remedy = read_fault(error)
    return DataError(f"the file cannot be read ({fault})", where=path, remedy=remedy)
