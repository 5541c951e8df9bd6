"""Executes the project's notebooks into a run folder and shows how far they are."""

import base64
import hashlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.sign import NotebookNotary
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from miaod_nb.commands.essay import report_page
from miaod_nb.compare.grid_results import read_grid
from miaod_nb.config import changes
from miaod_nb.errors import ConfigError, MiaodError, RunFolderError, Stopped, disk_fault
from miaod_nb.experiment.run import Run
from miaod_nb.progress import CELL_BAR, SECONDS_BETWEEN_LINES, say
from miaod_nb.runs.files import RunFolder

SOURCES = Path(__file__).resolve().parents[2] / "notebooks"
OF_A_GRID = "07"  # the notebook about a grid of runs: executed where it is named, alone
ENGINE = "miaod"
PATIENCE = 300  # seconds for a kernel to start and to send its last news, on a busy machine
EMPTY_NAMESPACE = "get_ipython().reset()"


class NotebookError(MiaodError):
    """A cell of a notebook could not be executed."""


def parameters_of(run: Run) -> dict[str, Any]:
    """What notebooks are given to open a run again."""
    return {
        "preset": run.config.preset,
        "data_root": str(run.data_root.resolve()),
        "run_dir": str(run.folder.root.resolve()),
        "overrides": changes(run.config),
    }


def execute_all(names: Sequence[str], parameters: Mapping[str, Any], folder: RunFolder) -> None:
    """Executes the notebooks that are not up to date, in order, then writes `notebooks.html`.

    names: beginnings of file names such as "03"; none: all that are about one run. parameters:
    given to each notebook that declares them. Executed copies lie in `notebooks/` of the run
    folder, their pictures in `figures/`. Raises ConfigError for a name or a parameter that no
    notebook has, RunFolderError for a disk that is full or closed, and NotebookError or Stopped.
    """
    sources = _chosen(names)
    declared = {source: set(papermill.inspect_notebook(str(source))) for source in sources}
    _refuse_undeclared(parameters, declared)
    copies = [folder.path(f"notebooks/{source.name}") for source in sources]
    with _shared_kernel() as kernel:
        is_new = [
            _execute(source, folder, {k: v for k, v in parameters.items() if k in known}, kernel)
            for source, known in declared.items()
        ]
    page = folder.path("notebooks.html")
    everything = sorted(folder.path("notebooks").glob("0*.ipynb"))
    # Times tell of an earlier call that was cut off; a clock may have been set back since.
    newest = max(copy.stat().st_mtime for copy in everything)
    if any(is_new) or not page.exists() or newest > page.stat().st_mtime:
        title = folder.root.name
        folder.save_text("notebooks.html", report_page([_read(c) for c in everything], title))
    for copy in copies:
        say(f"{copy.stem:<28} {_read(copy).metadata.papermill.duration:6.1f} s")
    if folder.exists("report.html"):  # of the last notebook
        say(f"open {folder.path('report.html')} to see and show what came out")
    say(f"open {page} to read how, {folder.path('notebooks')} to work with them")


def _chosen(names: Sequence[str]) -> list[Path]:
    sources = sorted(SOURCES.glob("0*.ipynb"))
    if not sources:
        raise ConfigError("the notebooks are not there", where=SOURCES,
                          remedy="work in a copy of the whole project (git clone)")  # fmt: skip
    for name in names:
        if not any(source.name.startswith(name) for source in sources):
            raise ConfigError(f"there is no notebook '{name}'", where="names", remedy="choose of: "
                              + ", ".join(source.stem for source in sources))  # fmt: skip
    wanted = [s for s in sources if not names or s.name.startswith(tuple(names))]
    return [s for s in wanted if s.name.startswith(OF_A_GRID) == are_of_a_grid(names)]


def are_of_a_grid(names: Sequence[str]) -> bool:
    """Whether the names are of the notebook about a grid. Raises ConfigError where they are also of
    others: these are about one run, and are executed into its folder."""
    of_a_grid = [name for name in names if name.startswith(OF_A_GRID)]
    if of_a_grid and len(of_a_grid) < len(names):
        raise ConfigError(f"{of_a_grid[0]} is about a grid of runs, the others are about one run",
                          where="names", remedy="execute them one after the other")  # fmt: skip
    return bool(of_a_grid)


def execute_of_a_grid(names: Sequence[str], parameters: Mapping[str, Any]) -> None:
    """Executes the notebook about a grid into the grid's folder, which the parameter `grid_dir`
    names. Raises as `execute_all` does, and DataError where no grid is there."""
    if not parameters.get("grid_dir"):
        raise ConfigError(f"{names[0]} is about a grid, and none is named", where="grid_dir",
                          remedy="add --parameter grid_dir=FOLDER")  # fmt: skip
    folder = read_grid(str(parameters["grid_dir"])).folder
    execute_all(names, {**parameters, "grid_dir": str(folder.resolve())}, RunFolder(folder))


def _refuse_undeclared(parameters: Mapping[str, Any], declared: Mapping[Path, set[str]]) -> None:
    known = set().union(*declared.values())
    for name in parameters:
        if name not in known:
            raise ConfigError(f"no notebook declares the parameter '{name}'", where=name,
                              remedy="choose of: " + ", ".join(sorted(known)))  # fmt: skip


@contextmanager
def _shared_kernel() -> Iterator[AsyncKernelManager]:
    """One kernel for several notebooks, started by the first that runs: importing torch and others
    takes seconds. Each notebook begins with an empty namespace."""
    kernel = AsyncKernelManager()
    try:
        yield kernel
    finally:
        if kernel.has_kernel:
            run_sync(kernel.shutdown_kernel)(now=True)


def _execute(
    source: Path, folder: RunFolder, parameters: Mapping[str, Any], kernel: AsyncKernelManager
) -> bool:
    """Executes a notebook into its copy; False where the copy is up to date."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    copy = folder.path(f"notebooks/{source.name}")
    if _is_up_to_date(copy, digest, parameters):
        say(f"{source.stem}: done before")
        return False
    say(f"{source.stem}: running ...")
    papermill_engines.register(ENGINE, _LiveEngine)
    logging.getLogger("papermill").setLevel(logging.ERROR)  # its news come from here
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        executed = papermill.execute_notebook(
            str(source), str(copy), dict(parameters), engine_name=ENGINE, progress_bar=False,
            kernel=kernel,
        )  # fmt: skip
    except PapermillExecutionError as error:
        raise _explained(error, copy) from None
    except DeadKernelError:
        raise NotebookError(
            f"{copy.stem}: its kernel ended without a word, most often for want of memory",
            where=copy,
            remedy="run the same command again to go on; if it ends again, end other programs, or "
            "use a smaller batch_size or image_size (a new run_dir), or workers=0",
        ) from None
    except OSError as error:
        what, remedy = disk_fault(error)
        raise RunFolderError(
            f"{what}: the notebook cannot be written",
            where=copy,
            remedy=f"{remedy} and run the same command again",
        ) from error
    _save_figures(executed, source.stem, folder)
    executed.metadata["miaod_source"] = digest  # last: a copy that has it is whole
    text = nbformat.writes(executed)
    folder.save_text(f"notebooks/{source.name}", text)
    # Signed, so that a notebook server shows the views in what this user has made.
    NotebookNotary().sign(nbformat.reads(text, nbformat.NO_CONVERT))
    return True


def _save_figures(executed: NotebookNode, name: str, folder: RunFolder) -> None:
    """Writes the figures of a notebook as `figures/<notebook>-<number>.png`."""
    for old in folder.path("figures").glob(f"{name}-*.png"):
        old.unlink()
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    figures = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    for number, figure in enumerate(figures, start=1):
        folder.save_bytes(f"figures/{name}-{number}.png", base64.b64decode(figure))


def _is_up_to_date(copy: Path, digest: str, parameters: Mapping[str, Any]) -> bool:
    try:
        metadata = _read(copy).metadata
    except (OSError, ValueError):  # missing, or cut off while it was written
        return False
    same_source = metadata.get("miaod_source") == digest
    return same_source and metadata.papermill.parameters == json.loads(json.dumps(parameters))


def _read(path: Path) -> NotebookNode:
    """The notebook in a file."""
    return nbformat.read(path, nbformat.NO_CONVERT)


def _explained(error: PapermillExecutionError, copy: Path) -> MiaodError:
    if error.ename in (Stopped.__name__, KeyboardInterrupt.__name__):
        return Stopped("stopped as you asked; everything up to here is saved", where=copy,
                       remedy="run the same command again to go on")  # fmt: skip
    if error.ename in {kind.__name__ for kind in MiaodError.__subclasses__()}:
        return NotebookError(f"{copy.stem}: {error.evalue}")  # says where and what to do itself
    return NotebookError(
        f"{copy.stem} stopped: {error.ename}: {error.evalue}",
        where=copy,
        remedy="open the notebook there: the cell shows the cause",
    )


class _LiveClient(PapermillNotebookClient):
    """Shows the bars of the cells on the terminal, and hands Ctrl-C to the kernel, where a
    training step ends and is saved."""

    def papermill_execute_cells(self) -> None:
        self._shown_at = time.monotonic()
        self.wait_for_reply(self.kc.execute(EMPTY_NAMESPACE, silent=True))
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._interrupt_kernel) for number in numbers}
        try:
            super().papermill_execute_cells()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            if sys.stderr.isatty():
                print("\r" + " " * 79, end="\r", file=sys.stderr, flush=True)

    def _interrupt_kernel(self, number: int, frame: object) -> None:
        os.kill(self.km.provisioner.pid, signal.SIGINT)

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        display_id = (msg["content"].get("transient") or {}).get("display_id", "")
        if display_id.startswith(CELL_BAR):
            self._show(msg["content"]["data"]["text/plain"])
        return super().process_message(msg, cell, cell_index)

    def _show(self, bar: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{bar:<79}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._shown_at >= SECONDS_BETWEEN_LINES:
            print(bar, file=sys.stderr, flush=True)
            self._shown_at = time.monotonic()


class _LiveEngine(Engine):
    """Papermill's own engine with a client that shows progress."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, kernel: AsyncKernelManager, **options: Any
    ) -> Any:
        quiet = ["--log-level=ERROR"]  # the kernel's remarks on its own start are not for users
        client = _LiveClient(
            nb_man,
            km=kernel,
            timeout=None,
            startup_timeout=PATIENCE,
            iopub_timeout=PATIENCE,
            extra_arguments=quiet,
        )
        return client.execute()
