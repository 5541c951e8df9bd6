"""The whole loop, from a folder of photos to the cycle that learns from what people drew, killed
again and again: each time the same command goes on, and all ends as if nothing had happened."""

import random
import shutil
import signal
from pathlib import Path

import pytest

from tests.experiment.disk import Moment, draw, read_everything, run_until
from tests.experiment.loop import COMMANDS, RUN, begin, give_back, outcome_of

pytestmark = pytest.mark.slow

KILLS = {"new": 1, "run": 3, "export": 2, "import": 2, "next": 2}  # in each campaign
FROM_THE_START = ("new", "export")  # begin anew after a kill; the others go on where they were


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, dict[str, int]]:
    """The folder of a loop that nothing disturbed, and how often each command asked the disk for a
    change."""
    folder = begin(tmp_path_factory.mktemp("undisturbed") / "folder")
    shutil.copytree(folder, folder.with_name("begun"))
    calls = {}
    for name, command in COMMANDS.items():
        if name == "import":
            give_back(folder)
        code, calls[name], said = run_until(command, folder, Moment())
        assert code == 0, said
    return folder, calls


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment(undisturbed, tmp_path, seed):
    """Ten times each, which is forty in all."""
    reference, calls = undisturbed
    generator = random.Random(seed)
    folder = shutil.copytree(reference.with_name("begun"), tmp_path / "folder")
    shutil.copy(reference / "back.json", folder)
    for name, command in COMMANDS.items():
        for _ in range(KILLS[name]):
            parts = 1 if name in FROM_THE_START else KILLS[name]
            moment = draw(generator, calls[name] // parts)
            code, _, said = run_until(command, folder, moment)
            assert code == -signal.SIGKILL, (name, moment, said)
            read_everything(folder / RUN)
        code, _, said = run_until(command, folder, Moment())
        assert code == 0 or (name == "new" and "there is a run already" in said), said
        read_everything(folder / RUN)
    assert outcome_of(folder / RUN) == outcome_of(reference / RUN)
