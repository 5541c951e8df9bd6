"""Executing notebooks: parameters are checked, errors are one sentence, what is done is kept."""

import errno
import os
import time
from pathlib import Path

import nbformat
import pytest

from miaod_nb.commands import executing as module
from miaod_nb.commands.executing import NotebookError, are_of_a_grid, execute_all
from miaod_nb.errors import ConfigError, RunFolderError, Stopped
from miaod_nb.runs.files import RunFolder

v4 = nbformat.v4
PARAMETERS = "cycle: int = 0\nrun_dir: str = ''"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a notebook of these code cells among the project's sources."""
    (tmp_path / "sources").mkdir()
    monkeypatch.setattr(module, "SOURCES", tmp_path / "sources")

    def put(name: str, *cells: str, parameters: str = PARAMETERS) -> Path:
        first = v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        notebook = v4.new_notebook(cells=[first, *map(v4.new_code_cell, cells)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        notebook.metadata["language_info"] = {"name": "python"}
        path = tmp_path / "sources" / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path

    return put


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_parameters_arrive_and_what_is_done_is_kept(write, folder, tmp_path, capsys):
    target = tmp_path / "calls.txt"
    write("01_a", f"open({str(target)!r}, 'a').write(f'{{cycle}} ')")
    write("02_b", "1 + 1", parameters="cycle: int = 5")
    execute_all([], {"cycle": 3, "run_dir": "x"}, folder)
    assert target.read_text() == "3 "
    said = capsys.readouterr().out
    assert "01_a" in said and " s\n" in said and "notebooks.html" in said
    assert folder.exists("notebooks/02_b.ipynb") and folder.exists("notebooks.html")

    execute_all([], {"cycle": 3, "run_dir": "x"}, folder)
    assert target.read_text() == "3 " and "01_a: done before" in capsys.readouterr().out
    execute_all(["01"], {"cycle": 4}, folder)
    assert target.read_text() == "3 4 "
    write("01_a", f"open({str(target)!r}, 'a').write('changed')")
    execute_all(["01"], {"cycle": 4}, folder)
    assert target.read_text() == "3 4 changed"


def test_the_notebook_about_a_grid_is_executed_only_where_it_is_named(write, folder):
    write("01_a", "1")
    write("07_b", "1")
    execute_all([], {}, folder)
    assert not folder.exists("notebooks/07_b.ipynb")
    execute_all(["0"], {}, folder)
    assert not folder.exists("notebooks/07_b.ipynb")
    execute_all(["07"], {}, folder)
    assert folder.exists("notebooks/07_b.ipynb")
    with pytest.raises(ConfigError, match="07 is about a grid of runs, the others are about one"):
        are_of_a_grid(["01", "07"])


def test_notebooks_share_a_kernel_but_no_names(write, folder):
    write("01_a", "import os\nnumber = 1\nprint(os.getpid())")
    write("02_b", "print('number' in globals(), 'os' in globals(), 'cycle' in globals())",
          "import os\nos.getpid()", parameters="run_dir: str = ''")  # fmt: skip
    execute_all([], {"cycle": 3}, folder)
    first, second = (
        nbformat.read(folder.path(f"notebooks/{name}.ipynb"), 4).cells for name in ("01_a", "02_b")
    )
    assert second[-2].outputs[0].text == "False False False\n"
    assert first[-1].outputs[0].text.strip() == second[-1].outputs[0].data["text/plain"]
    assert [cell.execution_count for cell in second] == list(range(1, len(second) + 1))


def test_figures_become_files(write, folder):
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    write("01_a", plot, "'no figure'", plot)
    execute_all([], {}, folder)
    figures = sorted(folder.path("figures").iterdir())
    assert [path.name for path in figures] == ["01_a-1.png", "01_a-2.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in figures)
    write("01_a", plot)
    execute_all([], {}, folder)
    assert [path.name for path in folder.path("figures").iterdir()] == ["01_a-1.png"]


def test_the_page_is_made_anew_though_the_clock_was_set_back(write, folder):
    write("01_a", "1 + 1")
    execute_all([], {"cycle": 1}, folder)
    later = time.time() + 3600
    os.utime(folder.path("notebooks.html"), (later, later))
    write("01_a", "'another ' + 'text'")
    execute_all([], {"cycle": 1}, folder)
    assert "another text" in folder.load_text("notebooks.html")


def test_a_copy_that_was_cut_off_is_made_again(write, folder, capsys):
    write("01_a", "1 + 1")
    execute_all([], {"cycle": 1}, folder)
    copy = folder.path("notebooks/01_a.ipynb")
    copy.write_bytes(copy.read_bytes()[:200])
    execute_all([], {"cycle": 1}, folder)
    assert "done before" not in capsys.readouterr().out
    assert nbformat.read(copy, 4).cells[-1].outputs[0].data["text/plain"] == "2"


def test_a_disk_that_is_full_is_one_sentence(write, folder, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    write("01_a", "1")
    monkeypatch.setattr(module.papermill, "execute_notebook", full)
    with pytest.raises(RunFolderError, match="no space left: the notebook cannot be written"):
        execute_all([], {}, folder)


def test_undeclared_parameters_and_unknown_names_are_refused(write, folder):
    write("01_a", "1")
    with pytest.raises(ConfigError, match="no notebook declares the parameter 'sed'"):
        execute_all([], {"sed": 1}, folder)
    with pytest.raises(ConfigError, match="no notebook '07'"):
        execute_all(["07"], {}, folder)
    assert not folder.root.exists()


def test_missing_notebooks_are_named(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SOURCES", tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="the notebooks are not there"):
        execute_all([], {}, folder)


def test_an_error_of_ours_is_one_sentence_in_notebook_and_command(write, folder):
    write("01_a", "from miaod_nb.errors import DataError\n"
                  "raise DataError('no image', where='here', remedy='add one')")  # fmt: skip
    with pytest.raises(NotebookError, match="01_a: no image\n  where: here\n  what to do: add one"):
        execute_all([], {}, folder)
    (output,) = nbformat.read(folder.path("notebooks/01_a.ipynb"), 4).cells[-1].outputs
    assert output.traceback == ["error: no image", "  where: here", "  what to do: add one"]
    assert not folder.exists("notebooks.html")


def test_any_other_error_names_the_notebook(write, folder):
    write("01_a", "1 / 0")
    with pytest.raises(NotebookError, match="01_a stopped: ZeroDivisionError"):
        execute_all([], {}, folder)


def test_interrupt_stops_and_says_how_to_go_on(write, folder):
    write("01_a", "import os, signal\nos.kill(os.getppid(), signal.SIGINT)\n"
                  "import time; time.sleep(300)")  # fmt: skip
    with pytest.raises(Stopped, match="run the same command again"):
        execute_all([], {}, folder)


def test_bars_of_cells_are_shown(write, folder, capsys, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0)
    write("01_a", "import time\nfrom miaod_nb.progress import progress, say_detail\n"
                  "for i in progress(range(3), 'counting'): time.sleep(0.4)\n"
                  "say_detail('left out')")  # fmt: skip
    execute_all([], {}, folder)
    assert "counting:" in capsys.readouterr().err
    (output,) = nbformat.read(folder.path("notebooks/01_a.ipynb"), 4).cells[-1].outputs
    assert output.data["text/plain"].startswith("counting: 100%")  # one bar, and no other line
