"""A newcomer's errands: a strategy, a layout and a reader of labels in one file of their own, which
the command, the board, the report and another process find without any other change."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from miaod_nb.plugins import PLUGINS
from miaod_nb.runs.record import RunRecord
from tests.experiment.helpers import SETTINGS, miaod
from tests.test_docs import LAYOUT

PLUGIN = (
    '''
import numpy as np

from miaod_nb.runs.card import Card
from miaod_nb.selection.features import level_means
from miaod_nb.selection.protocol import Choice
from miaod_nb.selection.registry import STRATEGIES


class Spread:
    """Images far from each other: compares images, so it has no score."""

    card = Card(name="spread", label="spread out", words="those far from each other",
                reason="far from the others", columns=("feature",))

    def observe(self, model, batch):
        level = model.features(batch.images)[-1]
        return {"feature": level_means(level, model.strides[-1], batch.image_sizes)}

    def choose(self, pool, budget, rng):
        features = pool.columns["feature"]
        distances = np.linalg.norm(features - features.mean(axis=0), axis=1)
        return Choice([pool.ids[int(place)] for place in np.argsort(-distances)[:budget]])


STRATEGIES["spread"] = lambda config: Spread()
'''
    + LAYOUT
)


@pytest.fixture
def sheets(tmp_path: Path, make_voc) -> Path:
    """The images of a small VOC folder with their labels in one table."""
    voc, root = make_voc(tmp_path / "VOC2007"), tmp_path / "sheets"
    root.mkdir()
    rows = []
    for path in sorted((voc / "JPEGImages").glob("*.jpg")):
        path.rename(root / path.name)
        text = (voc / "Annotations" / f"{path.stem}.xml").read_text()
        objects = ElementTree.fromstring(text).findall("object")
        for found in objects:
            x1, y1, x2, y2 = (int(side.text) for side in found.find("bndbox"))
            name = found.findtext("name")
            rows.append({"image": path.stem, "class": name, "x1": x1 - 1, "y1": y1 - 1, "x2": x2,
                         "y2": y2})  # fmt: skip
        if not objects:
            rows.append({"image": path.stem, "class": ""})
    pd.DataFrame(rows).to_csv(root / "labels.csv", index=False)
    for name in ("trainval", "test"):
        (voc / f"ImageSets/Main/{name}.txt").rename(root / f"{name}.txt")
    return root


@pytest.mark.slow
def test_one_file_adds_a_strategy_a_layout_and_a_reader_of_labels(sheets, tmp_path, monkeypatch):
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN)
    monkeypatch.setenv(PLUGINS, str(plugin))
    run, command = tmp_path / "run", [sys.executable, "-m", "miaod_nb"]
    settings = SETTINGS | {"strategy": "spread", "cycles": 1, "rounds": 0}
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    start = [*command, "run", "--preset", "tiny", "--data-root", str(sheets), "--run-dir", str(run)]
    subprocess.run([*start, *given], check=True, capture_output=True)  # a process of its own

    record = RunRecord.open(run)
    first = record.selected(0)
    assert len(first) == 2 and record.labels(0)["labeled"] == 4
    assert json.loads((run / "cycle0/selection.json").read_text())["card"]["label"] == "spread out"
    outcome = miaod("run", "--run-dir", run, "--set", "cycles=2")  # and this one goes on
    assert outcome.code == 0, outcome.err
    assert set(first) <= set(RunRecord.open(run).labeled(1))
    assert miaod("info", sheets).code == miaod("info", run).code == 0
    outcome = miaod("report", run)
    assert outcome.code == 0, outcome.err
    page = (run / "report.md").read_text()
    assert "spread out" in page and "far from the others" in page
    code = (
        "from miaod_nb import open_run\nfrom miaod_nb.views import board\n"
        f"view = board(open_run(run_dir={str(run)!r}))\nassert view.message == '', view.message\n"
        "assert {card['reason'] for card in view.cards} == {'far from the others'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_whoever_reads_the_run_needs_no_file_of_its_author(sheets, tmp_path, monkeypatch):
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN)
    settings = SETTINGS | {"strategy": "spread", "cycles": 1, "rounds": 0}
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    run = tmp_path / "run"
    start = [sys.executable, "-m", "miaod_nb", "run", "--preset", "tiny", "--data-root",
             str(sheets), "--run-dir", str(run)]  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setenv(PLUGINS, str(plugin))
        subprocess.run([*start, *given], check=True, capture_output=True)
    for verb in ("info", "review"):
        done = subprocess.run([sys.executable, "-m", "miaod_nb", verb, str(run)],
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr
    done = subprocess.run([sys.executable, "-m", "miaod_nb", "run", "--run-dir", str(run), "--set",
                           "cycles=2"], capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 1 and PLUGINS in done.stderr and "'spread'" in done.stderr
