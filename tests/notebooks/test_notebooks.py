"""The notebooks: committed clean, pleasant to read, and they run."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

import nbformat
import papermill
import pytest
from nbformat.sign import NotebookNotary
from papermill.exceptions import PapermillExecutionError

from miaod_nb.authors.work_folder_export import export_run
from miaod_nb.runs.files import RunFolder
from tests.compare.grids import made_up_grid
from tests.conftest import PROJECT
from tests.experiment.helpers import miaod

FOLDER = PROJECT / "notebooks"
NAMES = (  # about one run
    "01_data", "02_initial_training", "03_instance_uncertainty", "04_reweighting", "05_selection",
    "06_map_per_cycle",
)  # fmt: skip
OF_A_GRID = "07_does_it_pay"
PARAMETERS = {"preset": "str", "data_root": "str", "run_dir": "str", "cycle": "int",
              "overrides": "dict"}  # fmt: skip
GRID_PARAMETERS = {"grid_dir": "str", "selection": "str", "by": "str"}
MORE_PARAMETERS = {
    "05_selection": {"strategy": "str"},
    "06_map_per_cycle": {"work_folder": "str"},
}


def cells_of(name: str, kind: str = "") -> list[nbformat.NotebookNode]:
    cells = nbformat.read(FOLDER / f"{name}.ipynb", 4).cells
    return [cell for cell in cells if not kind or cell.cell_type == kind]


def lines_of(cell: nbformat.NotebookNode) -> list[str]:
    return [line for line in cell.source.splitlines() if line.strip()]


def test_all_are_there():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted([*NAMES, OF_A_GRID])


@pytest.mark.parametrize("name", [*NAMES, OF_A_GRID])
class TestCommitted:
    def test_is_free_of_outputs(self, name):
        notebook = json.loads((FOLDER / f"{name}.ipynb").read_text())
        assert notebook["metadata"]["kernelspec"]["name"] == "python3"
        assert not {"papermill", "widgets", "miaod_source"} & notebook["metadata"].keys()
        for cell in notebook["cells"]:
            assert not cell.get("outputs") and cell.get("execution_count") is None
            assert "execution" not in cell["metadata"]
        nbformat.validate(notebook)

    def test_begins_with_question_parameters_and_imports(self, name):
        first, second, third, fourth = cells_of(name)[:4]
        assert first.source.startswith(f"# {int(name[:2])} · ") and "?" in first.source
        assert "You will see" in first.source and "CPU" in first.source
        assert second.metadata["tags"] == ["parameters"]
        assert "import miaod_nb" in third.source and fourth.cell_type == "markdown"

    def test_declares_the_parameters_typed_and_explained(self, name):
        declared = papermill.inspect_notebook(str(FOLDER / f"{name}.ipynb"))
        expected = PARAMETERS | MORE_PARAMETERS.get(name, {})
        expected = GRID_PARAMETERS if name == OF_A_GRID else expected
        assert {key: one["inferred_type_name"] for key, one in declared.items()} == expected
        assert all(one["help"] for one in declared.values())

    def test_reads_like_an_essay(self, name):
        code = cells_of(name, "code")
        share = 1 - len(code) / len(cells_of(name))
        lengths = [len(lines_of(cell)) for cell in code]
        assert 0.45 <= share <= 0.6, f"{share:.0%} of the cells are Markdown"
        assert median(lengths) <= 6 and max(lengths) <= 20
        words = [len(cell.source.split()) for cell in cells_of(name, "markdown")]
        assert 30 <= median(words) <= 90 and max(words) <= 160
        assert max(len(line) for cell in cells_of(name) for line in lines_of(cell)) <= 110

    def test_defines_no_long_function(self, name):
        for cell in cells_of(name, "code"):
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.FunctionDef):
                    assert node.end_lineno - node.lineno < 10, node.name


# ------------------------------------------------------------------------------------- they run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to work in, with the run folder `runs/whole` that `miaod run` left."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        outcome = miaod("run", "--preset", "tiny", "--run-dir", "runs/whole")
        assert outcome.code == 0, outcome
    return folder


@pytest.mark.slow
def test_in_order_and_again(home, tmp_path, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))  # where signatures are kept
    outcome = miaod("notebooks", "--preset", "tiny", "--run-dir", "runs/parts")
    assert outcome.code == 0, outcome
    run = home / "runs/parts"
    assert (run / "notebooks.html").stat().st_size > 100_000
    for name in NAMES:
        assert f"{name} " in outcome.out
        copy = nbformat.read(run / f"notebooks/{name}.ipynb", 4)
        assert NotebookNotary().check_signature(copy)  # trusted: views are shown again
        for cell in copy.cells:
            for output in cell.get("outputs", []):
                assert output.get("name") != "stderr", f"{name}: {output}"
                assert "object at 0x" not in str(output.get("data", {}).get("text/plain"))
        assert (run / f"notebooks/{name}.ipynb").stat().st_size < 5e6
    assert (home / "runs/parts-random/metrics.csv").is_file()
    for path in ("cycle1/selection.json", "metrics.csv"):  # notebooks walk the steps of `miaod run`
        assert (run / path).read_text() == (home / "runs/whole" / path).read_text()

    assert not (run / f"notebooks/{OF_A_GRID}.ipynb").exists()  # it is about no single run

    again = miaod("notebooks", "--run-dir", "runs/parts")
    assert again.code == 0 and again.out.count("done before") == len(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_alone_on_a_folder_that_others_left(name, home, tmp_path):
    run = shutil.copytree(home / "runs/whole", tmp_path / "whole")
    parameters = {"run_dir": str(run), "cycle": 1}
    if "work_folder" in MORE_PARAMETERS.get(name, {}):
        export_run(RunFolder(run), tmp_path / "MI-AOD")
        parameters["work_folder"] = str(tmp_path / "MI-AOD")
    papermill.execute_notebook(
        str(FOLDER / f"{name}.ipynb"), str(tmp_path / "out.ipynb"), parameters,
        progress_bar=False, cwd=str(tmp_path),
    )  # fmt: skip
    if "work_folder" in parameters:
        assert "MI-AOD, authors' code" in (tmp_path / "out.ipynb").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rundir": "runs/whole"}, "this notebook has no parameter 'rundir'"),
        ({"run_dir": 202611}, "run_dir = 202611 is not allowed: it is int, not str"),
        ({"run_dir": "runs/hole"}, "did you mean runs/whole?"),
        ({"run_dir": "runs/whole", "overrides": '{"seed": 5}'}, "seed: 0 there, 5 now"),
    ],
)
def test_papermill_alone_is_refused_before_anything_is_shown(name, given, words, home, tmp_path):
    out = tmp_path / "out.ipynb"
    with pytest.raises(PapermillExecutionError) as error:
        papermill.execute_notebook(
            str(FOLDER / f"{name}.ipynb"), str(out), given, progress_bar=False, cwd=str(home)
        )
    assert words in error.value.evalue
    shown = [o for c in nbformat.read(out, 4).cells for o in c.get("outputs", ())
             if o.output_type in ("display_data", "execute_result")]  # fmt: skip
    assert shown == []
    assert sorted(path.name for path in home.iterdir()) == ["data", "runs"]


@pytest.mark.slow
def test_a_kernel_that_dies_is_one_sentence(home, tmp_path, monkeypatch):
    plugin = tmp_path / "deadly.py"
    plugin.write_text(
        "import os, signal, sys\n"
        "if 'ipykernel' in sys.modules:\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    monkeypatch.chdir(home)
    run = str(shutil.copytree(home / "runs/whole", tmp_path / "whole"))
    monkeypatch.setenv("MIAOD_PLUGINS", str(plugin))
    command = ["-m", "miaod_nb", "notebooks", "01", "--run-dir", run]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "01_data: its kernel ended without a word" in done.stderr
    assert "run the same command again to go on" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["coreset", "entropy"])
def test_selection_is_told_of_every_strategy_that_looks_at_images(strategy, home, monkeypatch):
    """One that compares images gives no scores to draw."""
    monkeypatch.chdir(home)
    given = ["--preset", "tiny", "--run-dir", f"runs/{strategy}", "--set", f"strategy={strategy}"]
    assert miaod("run", *given, "--set", "cycles=1").code == 0
    outcome = miaod("notebooks", "05", *given)
    assert outcome.code == 0, outcome.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["03", "--preset", "tiny"], "split of cycle 0 is missing"),
        (["01", "--preset", "tiny", "-p", "cycle=1"], "cycle 1 has not got this far"),
        (["01", "--preset", "tiny", "-p", "cycle=one"], "cycle = 'one' is not allowed"),
        (["01", "--run-dir", "runs/whole", "--set", "seed=5"], "seed: 0 there, 5 now"),
        (["01", "--run-dir", "runs/whole", "--set", "sed=5"], "did you mean 'seed'?"),
        (["01", "--preset", "tiny", "--data-root", "nowhere"], "there is no such data folder"),
        (["01", "--preset", "tiny", "-p", "sed=5"], "no notebook declares the parameter 'sed'"),
        (["01", "07", "--preset", "tiny"], "07 is about a grid of runs, the others are about one"),
        (["07", "--preset", "tiny"], "07 is about a grid, and none is named"),
        (["07", "--preset", "tiny", "-p", "grid_dir=runs/whole"], "there is no table of a grid"),
        (["04", "--run-dir", "runs/control", "--preset", "tiny", "--set", "strategy=random"],
         "the strategy 'random' with 1 rounds does without"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_exit_code_one(arguments, words, home, tmp_path, monkeypatch):
    monkeypatch.chdir(home)
    if "--run-dir" not in arguments:
        arguments = [*arguments, "--run-dir", str(tmp_path / "new")]
    outcome = miaod("notebooks", *arguments)
    assert outcome.code == 1, outcome
    assert outcome.err.startswith("error: ") and words in outcome.err
    assert "Traceback" not in outcome.out + outcome.err


# ------------------------------------------------------------------------------------ of a grid


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a grid with three seeds and resamples."""
    folder = tmp_path_factory.mktemp("grids") / "mine"
    folder.mkdir()
    gains = {"entropy": -0.08, "mi_aod": 0.08}
    table, resampled = made_up_grid(0.08, gains, cycles=4, deviation=0.005, resamples=20)
    table.to_csv(folder / "table.csv", index=False)
    resampled.to_parquet(folder / "resampled.parquet")
    return folder


def outputs_of(path: Path) -> str:
    """What the cells of an executed notebook show, pictures left out."""
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    shown = [output for cell in cells for output in cell.outputs]
    assert not [output for output in shown if output.get("name") == "stderr"]
    return "\n".join(o.get("text", "") or o["data"].get("text/markdown", "")
                     + o["data"].get("text/html", "") for o in shown)  # fmt: skip


@pytest.mark.slow
def test_a_grid_is_answered_in_its_own_folder_and_again(grid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    outcome = miaod("notebooks", "07", "-p", f"grid_dir={grid}")
    assert outcome.code == 0, outcome
    assert (grid / "notebooks.html").is_file()
    said = outputs_of(grid / f"notebooks/{OF_A_GRID}.ipynb")
    assert "**MI-AOD's training pays by images and by boxes:** +0.0" in said
    assert "**Choosing by MI-AOD pays by images" in said
    assert "12 comparisons; above random " in said and "below random entropy" in said
    assert "20 resamples" in said and "not reached" in said
    assert "**random (label-set)**: The next 60 images would probably bring" in said
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []
    again = miaod("notebooks", "07", "-p", f"grid_dir={grid}")
    assert again.code == 0 and "done before" in again.out


@pytest.mark.slow
def test_a_table_alone_and_another_choice_by_boxes(grid, tmp_path):
    shutil.copy(grid / "table.csv", tmp_path)
    given = {"grid_dir": str(tmp_path), "selection": "entropy", "by": "boxes"}
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        str(FOLDER / f"{OF_A_GRID}.ipynb"), str(out), given, progress_bar=False, cwd=str(tmp_path)
    )
    said = outputs_of(out)
    assert "over the seeds alone" in said and "Choosing by entropy costs by boxes" in said


@pytest.mark.slow
def test_what_a_grid_cannot_answer_is_refused_before_anything_is_shown(grid, tmp_path):
    out, given = tmp_path / "out.ipynb", {"grid_dir": str(grid), "selection": "badge"}
    with pytest.raises(PapermillExecutionError) as error:
        papermill.execute_notebook(
            str(FOLDER / f"{OF_A_GRID}.ipynb"), str(out), given, progress_bar=False,
            cwd=str(tmp_path),
        )  # fmt: skip
    assert "the grid has no selection 'badge' beside random" in error.value.evalue
    assert not [o for c in nbformat.read(out, 4).cells for o in c.get("outputs", ())
                if o.output_type in ("display_data", "execute_result")]  # fmt: skip
