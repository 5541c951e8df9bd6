"""The commands that the pages for users of the authors' code name are commands of ours."""

import re
import shlex
from collections.abc import Iterator

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from miaod_nb.cli import app
from miaod_nb.config import make_config, parse_settings
from tests.conftest import PROJECT

PAGES = ("from-the-authors-code.md", "answers.md", "settings.md")
COMMANDS = get_command(app)


def commands_of(page: str) -> Iterator[str]:
    """The whole `miaod` commands of a page, without what the shell makes of their output."""
    text = (PROJECT / "docs" / page).read_text()
    for code in re.findall(r"`([^`\n]+)`", text) + re.findall(r"^(miaod .*)$", text, re.MULTILINE):
        found = re.match(r"(?:nohup )?miaod ([a-z]+ [^>#&]+)", code)
        if found and "..." not in code:
            yield found[1].strip()


NAMED = sorted({command for page in PAGES for command in commands_of(page)})


def test_many_commands_are_named():
    assert len(NAMED) > 20
    verbs = {command.split()[0] for command in NAMED}
    assert verbs == {"run", "notebooks", "curves", "info", "evaluate", "predict", "convert"}


@pytest.mark.parametrize("command", NAMED)
def test_a_named_command_can_be_given(command):
    verb, *arguments = shlex.split(command)
    assert isinstance(COMMANDS, TyperGroup)
    given = COMMANDS.commands[verb].make_context(verb, arguments).params
    if given.get("preset"):
        make_config(given["preset"], parse_settings(given["settings"]))
