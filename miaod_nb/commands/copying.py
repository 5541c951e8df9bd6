"""Copies of the project's notebooks in a run folder, for people who work in them."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from miaod_nb.commands.executing import SOURCES, parameters_of
from miaod_nb.errors import ConfigError
from miaod_nb.experiment.run import Run
from miaod_nb.progress import say
from miaod_nb.runs.identity import project_folder

PLACE = "lab"  # the folder of the copies: `miaod notebooks` writes into its own


def copy_notebooks(run: Run, renew: bool) -> Path:
    """Copies the notebooks into the run folder, the run's parameters filled in; gives the first.

    A copy that is there is kept, whoever made it, unless `renew` is set.
    """
    copies = []
    for source in sorted(SOURCES.glob("0*.ipynb")):
        copy = run.folder.path(f"{PLACE}/{source.name}")
        copies.append(copy)
        if copy.exists() and not renew:
            continue
        notebook = nbformat.read(source, nbformat.NO_CONVERT)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = filled(cell.source, parameters_of(run))
        run.folder.save_text(f"{PLACE}/{source.name}", nbformat.writes(notebook))
    if not copies:
        raise ConfigError("the notebooks are not there", where=SOURCES,
                          remedy="work in a copy of the whole project (git clone)")  # fmt: skip
    return copies[0]


def filled(text: str, values: Mapping[str, Any]) -> str:
    """A cell of parameters with these values in place of what it has."""
    lines = []
    for line in text.splitlines():
        found = re.fullmatch(r"((\w+): \w+ = )[^#]*?(\s*#.*)?", line)
        if found and found[2] in values:
            line = f"{found[1]}{values[found[2]]!r}{found[3] or ''}"
        lines.append(line)
    return "\n".join(lines)


def start_jupyter(notebook: Path, options: Sequence[str]) -> None:
    """Opens the notebook in JupyterLab, on this machine alone unless the options say otherwise."""
    root = project_folder().resolve()
    if not notebook.resolve().is_relative_to(root):
        root = notebook.resolve().parents[1]
    place = notebook.resolve().relative_to(root).as_posix()
    say(f"opening {notebook}: Ctrl-C ends the notebook server")
    command = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--ServerApp.root_dir={root}",
               f"--LabApp.default_url=/lab/tree/{place}", *options]  # fmt: skip
    if subprocess.run(command).returncode:
        raise ConfigError(
            "the notebook server ended with an error", where="jupyter lab",
            remedy="see above what it says; options for it stand after --",
        )  # fmt: skip
