"""Work folders of the authors' code (`work_dirs/MI-AOD/<timestamp>`), read and checked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from miaod_nb.authors.work_log import WorkLog, read_work_log
from miaod_nb.data.pool import Indices
from miaod_nb.errors import RunFolderError

LETTERS = ("L", "U")  # labeled, and the unlabeled sample
EVALUATED_ON = "test list of the authors' code (from its log)"


@dataclass(frozen=True)
class WorkFolder:
    """What a work folder of the authors' code says of its cycles.

    labeled, unlabeled_sample: of every cycle, sorted indices into the lists of their data set, one
    list after the other. names: of every cycle, the ids in its list files by letter ("L", "U"),
    where there are any. mean_ap: VOC07 AP@0.5 (11 points) in [0, 1] of the first cycles, as far as
    logged. log: what else was logged.
    """

    path: Path
    labeled: tuple[Indices, ...]
    unlabeled_sample: tuple[Indices, ...]
    names: tuple[Mapping[str, tuple[str, ...]], ...]
    mean_ap: tuple[float, ...]
    log: WorkLog

    @property
    def cycles(self) -> int:
        """How many cycles have a labeled set; the last one may not have been trained."""
        return len(self.labeled)


def is_work_folder(path: str | Path) -> bool:
    """Whether this is such a folder, or one that holds such folders."""
    return bool(_candidates(Path(path)))


def read_work_folder(path: str | Path) -> WorkFolder:
    """The content of a work folder, or of the only one that lies in `path`.

    Raises RunFolderError for a folder that is none, and for files that are missing, broken, or
    contradict each other.
    """
    folder = _the_folder(Path(path))
    labeled, sample = (_read_sets(folder, letter) for letter in LETTERS)
    if len(labeled) != len(sample):
        fewer = "X_L" if len(labeled) < len(sample) else "X_U"
        _refuse_gap(folder, fewer, min(len(labeled), len(sample)))
    _refuse_shrinking(folder, labeled)
    names = tuple(_read_names(folder, c, (labeled[c], sample[c])) for c in range(len(labeled)))
    log = read_work_log(folder)
    return WorkFolder(folder, labeled, sample, names, log.mean_ap(len(labeled)), log)


def _candidates(path: Path) -> list[Path]:
    """The folder itself if it holds a labeled set, else those in it that do."""
    if any(path.glob("X_L_*.npy")):
        return [path]
    return sorted({file.parent for file in path.glob("*/X_L_*.npy")})


def _the_folder(path: Path) -> Path:
    found = _candidates(path)
    if len(found) == 1:
        return found[0]
    if found:
        raise _refusal(
            f"{len(found)} work folders lie here", path,
            "name one of them: " + ", ".join(folder.name for folder in found),
        )  # fmt: skip
    raise _refusal(
        "this is no work folder of the authors' code: it holds no X_L_0.npy"
        if path.is_dir() else "there is no such folder", path,
        "give the folder with X_L_0.npy, X_U_0.npy, ... (work_dirs/MI-AOD/<timestamp>)",
    )  # fmt: skip


def _read_sets(folder: Path, letter: str) -> tuple[Indices, ...]:
    """The index arrays X_<letter>_0.npy, X_<letter>_1.npy, ..., all cycles."""
    matches = (re.fullmatch(rf"X_{letter}_(\d+)\.npy", path.name) for path in folder.iterdir())
    cycles = sorted(int(match[1]) for match in matches if match)
    for cycle in range(max(len(cycles), 1)):
        if cycle not in cycles:
            _refuse_gap(folder, f"X_{letter}", cycle)
    return tuple(_read_indices(folder / f"X_{letter}_{cycle}.npy") for cycle in cycles)


def _refuse_gap(folder: Path, name: str, cycle: int) -> None:
    raise _refusal(
        f"the sets of cycle {cycle} are missing, others are there",
        folder / f"{name}_{cycle}.npy",
        "restore the file; a run that was begun again has the first cycles in its earlier folder",
    )


def _refuse_shrinking(folder: Path, labeled: Sequence[Indices]) -> None:
    """Raises RunFolderError unless every cycle has the labels of the one before, and more."""
    for cycle, (before, now) in enumerate(pairwise(labeled), start=1):
        lost = np.setdiff1d(before, now)
        if len(lost) or len(now) == len(before):
            what = (f"{len(lost)} images are labeled in cycle {cycle - 1} but not in cycle {cycle},"
                    f" first index {lost[0]}" if len(lost)
                    else f"cycle {cycle - 1} selected no image: both sets are equal")  # fmt: skip
            raise _refusal(what, folder / f"X_L_{cycle}.npy",
                           "restore the files of one run of the authors' code")  # fmt: skip


def _read_indices(path: Path) -> Indices:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        if "Object arrays" in str(error):
            raise _refusal(
                "the file holds Python objects, which could run code when they are loaded", path,
                "save its indices again: np.save(path, np.array(indices, dtype=np.int64))",
            ) from None  # fmt: skip
        raise _refusal("the file is broken, or no .npy file", path, "restore it") from None
    is_indices = isinstance(array, np.ndarray) and array.ndim == 1 and array.dtype.kind in "iu"
    if not is_indices or not len(array) or array.min() < 0:
        raise _refusal("the file does not hold a list of indices from 0 on", path, "restore it")
    indices = np.unique(array).astype(np.int64)
    if len(indices) < len(array):
        raise _refusal("an index stands twice in the file", path, "restore it")
    return indices


def _read_names(
    folder: Path, cycle: int, sets: Sequence[Indices]
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """The ids in the list files of a cycle by letter; their number is that of the indices."""
    found = {}
    for letter, indices in zip(LETTERS, sets, strict=True):
        pattern = re.compile(rf"trainval_(X_)?{letter}_.+\.txt")
        files = sorted(f for f in folder.glob(f"cycle{cycle}/*.txt") if pattern.fullmatch(f.name))
        if not files:  # a cycle that was not begun
            continue
        texts = [file.read_text(errors="replace") for file in files]
        # Each once: a folder may have its lists by both names.
        found[letter] = tuple(dict.fromkeys(name for text in texts for name in _lines(text)))
        if len(found[letter]) != len(indices):
            raise _refusal(
                f"the lists of cycle {cycle} name {len(found[letter])} images, "
                f"X_{letter}_{cycle}.npy has {len(indices)}",
                ", ".join(map(str, files)), "restore the files of one run of the authors' code",
            )  # fmt: skip
    return found


def _lines(text: str) -> list[str]:
    """The names in a list file, one a line; they may hold blanks."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def _refusal(what: str, where: object, remedy: str) -> RunFolderError:
    return RunFolderError(what, where=where, remedy=remedy)
