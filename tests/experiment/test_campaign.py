"""The whole loop, from a folder of photos to the cycle that learns from what people drew, killed
again and again: each time the same command goes on, and all ends as if nothing had happened."""

import json
import random
import shutil
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import write_voc
from tests.experiment.disk import Moment, draw, read_everything, run_until
from tests.experiment.helpers import SETTINGS, results

pytestmark = pytest.mark.slow

RECIPE = SETTINGS | {
    "initial": None, "budget": 4, "label_set_epochs": 1, "min_epoch_steps": 1, "cache_mb": 0,
    "save_every": 0.001, "holdout": 0.4,
}  # fmt: skip
RUN = "runs/mine"
COMMANDS = {
    "new": ["new", "--images", "photos", "--labels", "labels", "--name", "mine", "--preset", "tiny",
            *(part for key, value in RECIPE.items() if value is not None
              for part in ("--set", f"{key}={value}"))],
    "run": ["run", "--run-dir", RUN, "--set", "cycles=1"],
    "export": ["export", RUN, "--to", "label-studio", "--score", "0"],
    "import": ["import", RUN, "back.json"],
    "next": ["run", "--run-dir", RUN, "--set", "cycles=2"],
}  # fmt: skip
KILLS = {"new": 1, "run": 3, "export": 2, "import": 2, "next": 2}  # in each campaign
FROM_THE_START = ("new", "export")  # begin anew after a kill; the others go on where they were


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    """A folder with photos, five of which have labels."""
    folder = tmp_path_factory.mktemp("campaign") / "begun"
    voc = write_voc(folder.with_name("voc"), 12, 0)
    shutil.copytree(voc / "JPEGImages", folder / "photos")
    (folder / "labels").mkdir()
    for path in sorted((voc / "Annotations").iterdir())[:5]:
        shutil.copy(path, folder / "labels")
    return folder


@pytest.fixture(scope="module")
def undisturbed(begun) -> tuple[Path, dict[str, int]]:
    """The folder of a loop that nothing disturbed, and how often each command wrote."""
    folder = shutil.copytree(begun, begun.with_name("undisturbed"))
    calls = {}
    for name, command in COMMANDS.items():
        if name == "import":
            give_back(folder)
        code, calls[name], said = run_until(command, folder, Moment())
        assert code == 0, said
    return folder, calls


def give_back(folder: Path) -> None:
    """What comes back of the four images: a box moved, nothing there, skipped; one does not."""
    tasks = json.loads((folder / RUN / "labels/cycle0-label-studio/tasks.json").read_text())
    assert len(tasks) == 4
    moved, empty, skipped, _ = tasks
    (suggestion,) = moved["predictions"]
    region = suggestion["result"][0]
    region["value"] |= {"x": 10, "y": 20, "width": 50, "height": 25}
    moved["annotations"] = [{"result": [region], "lead_time": 9.5}]
    empty["annotations"] = [{"result": []}]
    skipped["annotations"] = [{"result": [region], "was_cancelled": True}]
    (folder / "back.json").write_text(json.dumps(tasks[:3]))


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment(begun, undisturbed, tmp_path, seed):
    """Ten times each, which is forty in all."""
    reference, calls = undisturbed
    folder, generator = shutil.copytree(begun, tmp_path / "folder"), random.Random(seed)
    shutil.copy(reference / "back.json", folder)
    for name, command in COMMANDS.items():
        for _ in range(KILLS[name]):
            parts = 1 if name in FROM_THE_START else KILLS[name]
            moment = draw(generator, calls[name] // parts)
            code, _, said = run_until(command, folder, moment)
            assert code == -9, (name, moment, said)
            read_everything(folder / RUN)
        code, _, said = run_until(command, folder, Moment())
        assert code == 0 or (name == "new" and "there is a run already" in said), said
        read_everything(folder / RUN)
    assert outcome_of(folder / RUN) == outcome_of(reference / RUN)


def outcome_of(run: Path) -> dict[str, Any]:
    """What a loop came to; an export that ended without its user's knowledge is told twice."""
    found = results(run)
    del found["data.json"]  # where the photos lie
    found["ledger.jsonl"] = [event for event, _ in groupby(found["ledger.jsonl"])]
    return found
