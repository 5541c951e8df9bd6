"""Copies of the notebooks in a run folder, and the server that shows them."""

import subprocess
from pathlib import Path

import nbformat
import pytest

from miaod_nb.commands import copying
from miaod_nb.commands.copying import filled
from miaod_nb.commands.executing import SOURCES
from miaod_nb.errors import RunFolderError
from miaod_nb.experiment import open_run
from tests.experiment.helpers import miaod

NAMES = sorted(path.name for path in SOURCES.glob("0*.ipynb"))


@pytest.fixture
def started(monkeypatch) -> list[list[str]]:
    """The commands by which servers would have been started."""
    commands: list[list[str]] = []

    def noted(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess:
        assert "JUPYTER_CONFIG_PATH" in env
        commands.append(command)
        return subprocess.CompletedProcess(command, "--fail" in command)

    monkeypatch.setattr(copying.subprocess, "run", noted)
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


def test_a_misspelled_run_and_a_server_that_fails_are_sentences(workplace, started):
    outcome = miaod("lab", "runs/mien")
    assert outcome.code == 1 and "did you mean runs/mine?" in outcome.err
    assert started == [] and not (workplace / "runs/mien").exists()
    outcome = miaod("lab", "runs/mine", "--", "--fail")
    assert outcome.code == 1 and "the notebook server ended with an error" in outcome.err


def test_a_cell_of_parameters_is_filled_line_by_line():
    text = 'preset: str = ""  # "a" or b\ncycle: int = 0  # which\noverrides: dict = {}\nx = 1'
    found = filled(text, {"preset": "it's # mine", "overrides": {"seed": 1}})
    assert found.splitlines() == [
        'preset: str = "it\'s # mine"  # "a" or b', "cycle: int = 0  # which",
        "overrides: dict = {'seed': 1}", "x = 1",
    ]  # fmt: skip
    assert filled(found, {}) == found
