"""The whole loop on a folder of photos: begun, trained, exported, labeled, imported, and trained
again; its commands, and what it came to."""

import json
import shutil
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.conftest import write_voc
from tests.experiment.helpers import SETTINGS, results

RECIPE = SETTINGS | {
    "budget": 4, "label_set_epochs": 1, "min_epoch_steps": 1, "save_every": 0.001, "holdout": 0.4,
}  # fmt: skip
SETS = [part for key, value in RECIPE.items() for part in ("--set", f"{key}={value}")]
RUN = "runs/mine"
COMMANDS = {
    "new": ["new", "--images", "photos", "--labels", "labels", "--name", "mine", "--preset", "tiny",
            *SETS],
    "run": ["run", "--run-dir", RUN, "--set", "cycles=1"],
    "export": ["export", RUN, "--to", "label-studio", "--score", "0"],
    "import": ["import", RUN, "back.json"],
    "next": ["run", "--run-dir", RUN, "--set", "cycles=2"],
}  # fmt: skip


def begin(folder: Path) -> Path:
    """The folder with twelve photos, five of which have labels."""
    voc = write_voc(folder.with_name("voc"), 12, 0)
    shutil.copytree(voc / "JPEGImages", folder / "photos")
    (folder / "labels").mkdir()
    for path in sorted((voc / "Annotations").iterdir())[:5]:
        shutil.copy(path, folder / "labels")
    return folder


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


def outcome_of(run: Path) -> dict[str, Any]:
    """What a loop came to; an export that ended without its user's knowledge is told twice."""
    found = results(run)
    del found["data.json"]  # where the photos lie
    if "ledger.jsonl" in found:
        found["ledger.jsonl"] = [event for event, _ in groupby(found["ledger.jsonl"])]
    return found
