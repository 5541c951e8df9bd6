"""The help of the `miaod` command and every example in it; nothing heavy is imported for it."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from miaod_nb.bench import choosing
from miaod_nb.cli import app
from miaod_nb.commands import copying
from miaod_nb.config import PRESETS
from miaod_nb.experiment import grid_runs
from miaod_nb.labeling.export import TOOLS
from miaod_nb.labeling.ingest import FORMATS
from tests.experiment.helpers import SETTINGS, SHELL_COMMAND, Forked, miaod

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
EXAMPLES = {
    name: re.findall(r"^  (miaod .+)$", command.epilog, re.MULTILINE)
    for name, command in COMMANDS.items()
}
ALL_EXAMPLES = [
    pytest.param(example, marks=[pytest.mark.slow] * (name == "notebooks"), id=example)
    for name, examples in EXAMPLES.items()
    for example in examples
]


def imported_by(*arguments: object) -> set[str]:
    """Which of the heavy libraries the command imports."""
    code = (
        "import sys\nfrom miaod_nb.cli import main\n"
        "try: main()\nexcept SystemExit as end: print('\\nended', end.code, *sys.modules)"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    child = subprocess.run(command, capture_output=True, text=True)
    *_, said = child.stdout.splitlines()
    word, code, *modules = said.split()
    assert (word, code) == ("ended", "0"), child
    return {"torch", "pandas", "numpy", "matplotlib", "papermill"} & set(modules)


@pytest.mark.parametrize("verb", ["", *COMMANDS])
def test_help_does_not_wait_for_what_is_heavy(verb):
    assert imported_by(*filter(None, [verb]), "--help") == set()


@pytest.mark.parametrize("verb", ["info", "review"])
def test_reading_a_run_imports_no_torch(workplace, verb):
    assert imported_by(verb, "runs/mine") == {"pandas", "numpy"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["run", "--sed", "1"], "No such option"), (["rum"], "No such command"),
     (["info"], "Missing argument")],
)  # fmt: skip
def test_wrong_usage(arguments, words):
    outcome = miaod(*arguments)
    assert outcome.code == 2 and words in outcome.err


def test_error_in_a_shell():
    child = subprocess.run([*SHELL_COMMAND, "info", "nowhere"], capture_output=True, text=True)
    assert child.returncode == 1 and child.stdout == ""
    assert child.stderr.startswith("error: there is no such file or folder\n  where: nowhere\n")


def test_help_names_every_preset():
    assert all(preset in miaod("run", "--help").out for preset in PRESETS)


def test_help_names_every_label_tool():
    words = " ".join(miaod("export", "--help").out.split())
    assert f"Label tool: {', '.join(TOOLS)}." in words
    words = " ".join(miaod("import", "--help").out.split())
    assert f"{', '.join(FORMATS)}; left out: recognized." in words


@pytest.mark.parametrize("verb", ["", *COMMANDS])
def test_help_fits_a_terminal(verb, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    outcome = miaod(*filter(None, [verb]), "--help")
    assert outcome.code == 0 and outcome.err == ""
    assert max(map(len, outcome.out.splitlines())) <= 80
    examples = EXAMPLES[verb] if verb else EXAMPLES["run"][:2]
    assert examples and all(f"    {example}\n" in outcome.out for example in examples)
    if not verb:
        listed = outcome.out.partition("Commands:\n")[2].splitlines()
        assert [line.split()[0] for line in listed] == list(COMMANDS)
        assert all(line.endswith(".") and not line.endswith("...") for line in listed)


def made_small(example: str) -> list[str]:
    """The example with the smallest preset in place of a larger one, and few images labeled."""
    words = shlex.split(example)[1:]
    small = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    if words == ["lab"] or words[0] in ("run", "notebooks") and "--run-dir" not in words:
        words += ["--preset", "tiny", "--set", "cycles=1", *small]
    words = ["disc=0.2" if word == "crab=0.2" else word for word in words]
    words = ["cycle=0" if word == "cycle=1" else word for word in words]  # the only one
    if words[0] == "new":
        words = ["budget=1" if word == "budget=100" else word for word in words]
        words += ["--preset", "tiny", "--set", "first_labels=labeled"]
    if "work_dirs/MI-AOD" in words and words[0] == "convert":
        words += ["--preset", "tiny", "--set", "threads=1", "--set", "device=cpu"]
    if words[0] == "bench" and "--choosing" not in words:
        words = [{"cuda": "cpu"}.get(word, word) for word in words]
        words += ["--preset", "tiny", "--against", "none", "--set", "threads=1"]
    if "voc" in words:
        words[words.index("voc")] = "tiny"
        words[words.index("runs/mine")] = "runs/new"
        words += ["--set", "cycles=1", *small]
    return words


@pytest.mark.parametrize("example", ALL_EXAMPLES)
def test_example_runs(workplace, example, monkeypatch):
    monkeypatch.setattr(copying, "start_jupyter", lambda first, options: print(first, *options))
    monkeypatch.setattr(choosing, "IMAGES", 300)
    monkeypatch.setattr(choosing, "CHOSEN", 30)
    monkeypatch.setattr(grid_runs, "start_process", Forked)
    if "results/predictions.json" in example:
        assert miaod("evaluate", "runs/mine", "--out", "results").code == 0
    if "--undo" in example:
        assert miaod("import", "runs/mine", "project-1.json").code == 0
    if example.startswith("miaod new"):
        shutil.copytree("VOC2007/JPEGImages", "photos", dirs_exist_ok=True)
        labels = Path("labels" if "--labels" in example else "photos")
        labels.mkdir(exist_ok=True)
        for number in range(1, 6):
            shutil.copy(f"VOC2007/Annotations/{number:06d}.xml", labels)
    outcome = miaod(*made_small(example))
    assert outcome.code == 0, outcome.err
    assert outcome.out
    for option in ("--out ", "--json "):
        if option in example:
            assert Path(example.partition(option)[2].split()[0]).exists()
