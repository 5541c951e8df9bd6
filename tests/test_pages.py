"""The commands that the pages for users of the authors' code name are commands of ours."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.core import TyperGroup
from typer.main import get_command

from miaod_nb.cli import app
from miaod_nb.config import make_config, parse_settings
from miaod_nb.selection.decisions import read_decisions
from tests.conftest import PROJECT
from tests.experiment.helpers import miaod

PAGES = (
    "from-the-authors-code.md", "answers.md", "settings.md", "large-pools.md", "cost.md",
    "many-processes.md", "review.md", "doctor.md", "rank.md",
    "grid.md",
)  # fmt: skip
COMMANDS = get_command(app)


def commands_of(page: str) -> Iterator[str]:
    """The whole `miaod` commands of a page, without what the shell makes of their output."""
    text = (PROJECT / "docs" / page).read_text().replace("-m miaod_nb ", "\nmiaod ")  # launched
    for code in re.findall(r"`([^`\n]+)`", text) + re.findall(r"^(miaod .*)$", text, re.MULTILINE):
        found = re.match(r"(?:nohup )?miaod ([a-z]+ [^>#&]+)", code)
        if found and "..." not in code:
            yield found[1].strip()


NAMED = sorted({command for page in PAGES for command in commands_of(page)})


def test_many_commands_are_named():
    assert len(NAMED) > 20
    verbs = {command.split()[0] for command in NAMED}
    assert verbs == {"run", "notebooks", "curves", "info", "evaluate", "predict", "convert",
                     "bench", "review", "doctor", "rank", "grid"}  # fmt: skip


@pytest.mark.parametrize("command", NAMED)
def test_a_named_command_can_be_given(command):
    verb, *arguments = shlex.split(command)
    assert isinstance(COMMANDS, TyperGroup)
    given = COMMANDS.commands[verb].make_context(verb, arguments).params
    if given.get("preset"):
        make_config(given["preset"], parse_settings(given["settings"]))


def test_the_decisions_that_a_page_shows_can_be_read(tmp_path):
    (block,) = re.findall(r"```json\n(.*?)```", (PROJECT / "docs/review.md").read_text(), re.DOTALL)
    (tmp_path / "decided.jsonl").write_text(block)
    about = {"fingerprint": "0", "cycle": 0, "time": 0.0}
    decisions = read_decisions(tmp_path / "decided.jsonl", defaults=about)
    assert [one.action for one in decisions] == ["skip", "defer", "note"]


def test_a_run_begins_with_the_images_that_are_labeled(make_voc, tmp_path, monkeypatch):
    """As docs/answers.md says it."""
    monkeypatch.chdir(tmp_path)
    make_voc(tmp_path / "mine")
    for number in (1, 2, 4, 6, 7, 9, 10):
        (tmp_path / f"mine/Annotations/{number:06d}.xml").unlink()
    text = (PROJECT / "docs/answers.md").read_text()
    about = text[text.index("### Some images are labeled already") :]
    command = re.findall(r"```bash\n(.*?)\n```", about, re.DOTALL)[0]
    command = command.replace("--preset voc", "--preset tiny --set budget=2 --set initial=2")
    outcome = miaod(*command.split()[1:])
    assert outcome.code == 0 and "begins with the 5 of 12 images" in outcome.out, outcome
    assert np.load("runs/mine/X_L_0.npy").tolist() == [2, 4, 7, 10, 11]
    chosen = json.loads(Path("runs/mine/cycle0/selection.json").read_text())["selected"]
    assert len(chosen) == 2
    assert not {one["index"] for one in chosen} & {2, 4, 7, 10, 11}
