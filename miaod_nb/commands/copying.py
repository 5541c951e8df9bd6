"""Copies of the project's notebooks in a run folder, for people who work in them."""

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import nbformat

from miaod_nb.commands.executing import SOURCES, parameters_of
from miaod_nb.compare.grid_results import TABLE
from miaod_nb.errors import ConfigError
from miaod_nb.experiment.run import Run
from miaod_nb.progress import say
from miaod_nb.runs.identity import has_begun, project_folder

VERSION = "miaod_nb_source"  # in a copy's metadata: the digest of what it was made of
HERE = Path(__file__).parent
PLACE = "lab"  # the folder of the copies: `miaod notebooks` writes into its own


def copy_notebooks(run: Run, renew: bool) -> Path:
    """Copies the notebooks into the run folder, the run's parameters filled in; gives the first.

    A copy that is there is kept, whoever made it, and said to be of another version if it is. With
    `renew` it makes way for a new one, and stays under another name.
    """
    sources = sorted(SOURCES.glob("0*.ipynb"))
    if not sources:
        raise ConfigError("the notebooks are not there", where=SOURCES,
                          remedy="work in a copy of the whole project (git clone)")  # fmt: skip
    beside = run.folder.root.resolve().parent  # where runs of a grid lie, and their table
    values = parameters_of(run) | {"grid_dir": str(beside) if (beside / TABLE).is_file() else ""}
    if has_begun(run.folder):  # its folder says the rest: where it was moved away, none is begun
        values |= {"preset": "", "data_root": "", "overrides": {}}
    newest = (run.record.last_selection or 0) if has_begun(run.folder) else 0
    outdated = []
    for source in sources:
        copy = run.folder.path(f"{PLACE}/{source.name}")
        if copy.exists() and not renew:
            outdated += [copy.name] if _version_in(copy) != _version_of(source) else []
            continue
        if copy.exists():
            say(f"{copy.name}: what was there is now {_set_aside(copy).name}")
        # What 06 shows of a cycle is what came before the newest one.
        of_cycle = {} if source.name.startswith("06") else {"cycle": newest}
        notebook = nbformat.read(source, nbformat.NO_CONVERT)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = filled(cell.source, values | of_cycle)
        notebook.metadata[VERSION] = _version_of(source)
        run.folder.save_text(f"{PLACE}/{source.name}", nbformat.writes(notebook))
    if outdated:
        say(f"of another version of the project: {', '.join(outdated)}; cells may fail. --renew "
            "makes new copies and keeps these under other names")  # fmt: skip
    return run.folder.path(f"{PLACE}/{sources[0].name}")


def _version_of(source: Path) -> str:
    """The notebook's content as a digest."""
    return hashlib.sha256(source.read_bytes()).hexdigest()


def _version_in(copy: Path) -> str:
    """Which version of its source a copy is of; "" for a file that does not say."""
    with suppress(ValueError, OSError, LookupError, TypeError, AttributeError):
        return str(json.loads(copy.read_text("utf-8"))["metadata"].get(VERSION, ""))
    return ""


def _set_aside(copy: Path) -> Path:
    """Gives a copy the first free name beside its own."""
    names = (copy.with_stem(f"{copy.stem}-before-{number}") for number in count(1))
    return copy.rename(next(name for name in names if not name.exists()))


def filled(text: str, values: Mapping[str, Any]) -> str:
    """A cell of parameters with these values in place of what it has."""
    lines = []
    for line in text.splitlines():
        found = re.fullmatch(r"((\w+): \w+ = )[^#]*?(\s*#.*)?", line)
        if found and found[2] in values:
            line = f"{found[1]}{values[found[2]]!r}{found[3] or ''}"
        lines.append(line)
    return "\n".join(lines)


def keeping_views() -> dict[str, str]:
    """The environment in which JupyterLab saves the state of views with a notebook, so that they
    live when it is opened again, unless the user's own settings say otherwise. The folder
    `labconfig` has the default of that setting."""
    paths = [str(HERE), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def start_jupyter(notebook: Path, options: Sequence[str]) -> None:
    """Opens the notebook in JupyterLab, on this machine alone unless the options say otherwise. The
    server takes the place of this process, so that what ends one ends it."""
    root = project_folder().resolve()
    if not notebook.resolve().is_relative_to(root):
        root = notebook.resolve().parents[1]
    place = notebook.resolve().relative_to(root).as_posix()
    say(f"opening {notebook}: Ctrl-C ends the notebook server")
    command = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--ServerApp.root_dir={root}",
               f"--LabApp.default_url=/lab/tree/{place}", *options]  # fmt: skip
    sys.stdout.flush()
    os.execve(sys.executable, command, os.environ | keeping_views())
