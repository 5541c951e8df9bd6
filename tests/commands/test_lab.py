"""Copies of the notebooks in a run folder, and the server that shows them."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

from miaod_nb.commands import copying
from miaod_nb.commands.copying import filled
from miaod_nb.commands.executing import OF_A_GRID, SOURCES
from miaod_nb.errors import RunFolderError
from miaod_nb.experiment import open_run
from tests.experiment.helpers import SHELL_COMMAND, miaod

NAMES = sorted(path.name for path in SOURCES.glob("0*.ipynb"))


@pytest.fixture
def started(monkeypatch) -> list[list[str]]:
    """The commands by which servers would have been started."""
    commands: list[list[str]] = []

    def noted(program: str, command: list[str], environment: dict[str, str]) -> None:
        assert program == sys.executable and "JUPYTER_CONFIG_PATH" in environment
        commands.append(command)

    monkeypatch.setattr(copying.os, "execve", noted)
    return commands


def test_copies_know_their_run_and_stay_as_people_leave_them(workplace, started):
    before = {path.name: path.read_bytes() for path in SOURCES.glob("*.ipynb")}
    outcome = miaod("lab", "runs/mine", "--", "--port", "9000", "--allow-root")
    assert outcome.code == 0, outcome.err
    copies = workplace / "runs/mine/lab"
    assert sorted(path.name for path in copies.iterdir()) == NAMES
    for name in NAMES:
        cells = nbformat.read(copies / name, 4).cells
        (cell,) = [c for c in cells if "parameters" in c.metadata.get("tags", ())]
        values: dict = {}
        exec(cell.source, values)
        if name.startswith(OF_A_GRID):
            assert values["grid_dir"] == ""  # the run is of no grid
            continue
        assert Path(values["run_dir"]) == (workplace / "runs/mine").resolve()
        assert values["overrides"] == {} and values["preset"] == values["data_root"] == ""
        assert values["cycle"] == 0 and "# where results go" in cell.source
    assert {path.name: path.read_bytes() for path in SOURCES.glob("*.ipynb")} == before
    (command,) = started
    assert command[-3:] == ["--port", "9000", "--allow-root"] and "--ip=127.0.0.1" in command
    assert f"--ServerApp.root_dir={workplace.resolve()}" in command
    assert "--LabApp.default_url=/lab/tree/runs/mine/lab/01_data.ipynb" in command

    assert "of another version" not in miaod("lab", "runs/mine").out
    (copies / NAMES[0]).write_text('{"metadata": null}')
    assert miaod("lab", "runs/mine").code == 0
    (copies / NAMES[0]).write_text("mine")
    outcome = miaod("lab", "runs/mine")
    assert f"of another version of the project: {NAMES[0]}; cells may fail" in outcome.out
    assert (copies / NAMES[0]).read_text() == "mine"
    for number in (1, 2):
        assert miaod("lab", "runs/mine", "--renew").code == 0
        kept = copies / f"01_data-before-{number}.ipynb"
        assert (kept.read_text() == "mine") == (number == 1)
    assert "of another version" not in miaod("lab", "runs/mine").out
    assert sorted(path.name for path in copies.glob("0?_*[a-z].ipynb")) == NAMES


def test_the_copy_of_a_run_of_a_grid_knows_the_grid(workplace, started):
    (workplace / "runs/table.csv").write_text("recipe\n")  # as `miaod grid` leaves it
    assert miaod("lab", "runs/mine").code == 0
    (copy,) = (workplace / "runs/mine/lab").glob(f"{OF_A_GRID}*.ipynb")
    (cell,) = [
        c for c in nbformat.read(copy, 4).cells if "parameters" in c.metadata.get("tags", ())
    ]
    values: dict = {}
    exec(cell.source, values)
    assert Path(values["grid_dir"]) == (workplace / "runs").resolve()


def test_copies_of_a_run_that_is_not_begun_begin_it(workplace, started):
    settings = ("--preset", "tiny", "--data-root", "VOC2007", "--set", "budget=2")
    assert miaod("lab", "runs/new", *settings).code == 0
    cells = nbformat.read(workplace / "runs/new/lab/01_data.ipynb", 4).cells
    values: dict = {}
    exec(next(c.source for c in cells if "parameters" in c.metadata.get("tags", ())), values)
    assert values["preset"] == "tiny" and values["overrides"] == {"budget": 2}


def test_a_copy_of_a_run_that_was_moved_begins_none(workplace, started, monkeypatch):
    assert miaod("lab", "runs/mine").code == 0
    (workplace / "runs/mine").rename(workplace / "runs/mine-2")
    cells = nbformat.read(workplace / "runs/mine-2/lab/01_data.ipynb", 4).cells
    values: dict = {}
    exec(next(c.source for c in cells if "parameters" in c.metadata.get("tags", ())), values)
    given = {name: values[name] for name in ("preset", "data_root", "run_dir", "overrides")}
    with pytest.raises(RunFolderError, match="there is no run") as error:
        open_run(**given)
    assert "did you mean" in error.value.remedy
    monkeypatch.chdir(workplace / "runs/mine-2/lab")  # where its kernel starts
    with pytest.raises(RunFolderError) as error:
        open_run(**given)
    assert f"did you mean {workplace / 'runs/mine-2'}," in error.value.remedy
    assert not (workplace / "runs/mine").exists()


def test_a_misspelled_run_is_a_sentence(workplace, started):
    outcome = miaod("lab", "runs/mien")
    assert outcome.code == 1 and "did you mean runs/mine?" in outcome.err
    assert started == [] and not (workplace / "runs/mien").exists()


@pytest.mark.slow
def test_what_ends_the_command_ends_the_server(workplace):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*SHELL_COMMAND, "lab", "runs/mine", "--", "--no-browser", "--allow-root",
               f"--port={port}", "--IdentityProvider.token=t"]  # fmt: skip
    with (workplace / "said.txt").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
    address, end = f"http://127.0.0.1:{port}/api/status?token=t", time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            break
        except OSError:
            assert child.poll() is None and time.monotonic() < end, (
                workplace / "said.txt"
            ).read_text()
            time.sleep(0.2)
    child.send_signal(signal.SIGTERM)
    child.wait(30)
    with pytest.raises(OSError):
        urllib.request.urlopen(address, timeout=5)


def test_a_cell_of_parameters_is_filled_line_by_line():
    text = 'preset: str = ""  # "a" or b\ncycle: int = 0  # which\noverrides: dict = {}\nx = 1'
    found = filled(text, {"preset": "it's # mine", "overrides": {"seed": 1}})
    assert found.splitlines() == [
        'preset: str = "it\'s # mine"  # "a" or b', "cycle: int = 0  # which",
        "overrides: dict = {'seed': 1}", "x = 1",
    ]  # fmt: skip
    assert filled(found, {}) == found
