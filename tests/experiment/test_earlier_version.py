"""A run folder that the version before wrote opens, continues, is reviewed and reported."""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from miaod_nb.toy.toy import make_toy
from tests.experiment.helpers import miaod

FIXTURE = Path(__file__).parents[1] / "fixtures/run-before.tar.gz"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data that the run was made with: those of the preset `tiny`."""
    folder = tmp_path_factory.mktemp("data") / "tiny"
    return make_toy(folder, num_pool=48, num_test=16, size=64)


@pytest.fixture
def before(images: Path, tmp_path: Path) -> Path:
    """The run folder: cycles 0 and 1 are done, an image of the first batch was skipped."""
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(tmp_path, filter="data")
    path = tmp_path / "before/config.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"data_root": str(images)}))
    return tmp_path / "before"


def test_it_is_described(before: Path) -> None:
    outcome = miaod("info", before)
    assert outcome.code == 0, outcome.err
    assert "cycle 1     finished" in outcome.out and "48 pool images" in outcome.out


def test_it_goes_on_where_it_stood(before: Path) -> None:
    earlier = {f: (before / f).read_bytes() for f in ("cycle1/selection.json", "X_L_1.npy")}
    chosen = json.loads(earlier["cycle1/selection.json"])["selected"]
    fingerprint = (before / "fingerprint.txt").read_text()
    outcome = miaod("run", "--run-dir", before, "--set", "cycles=3")
    assert outcome.code == 0, outcome.err
    assert "cycle 1" not in outcome.out and "warning: device" not in outcome.out
    assert {f: (before / f).read_bytes() for f in earlier} == earlier
    assert (before / "fingerprint.txt").read_text() == fingerprint
    new = np.setdiff1d(np.load(before / "X_L_2.npy"), np.load(before / "X_L_1.npy"))
    assert set(new) == {row["index"] for row in chosen}
    selection = json.loads((before / "cycle2/selection.json").read_text())
    assert len(selection["selected"]) == 2 and selection["set_aside"] == {"skipped": 1}


def test_its_newest_batch_is_reviewed(before: Path, tmp_path: Path) -> None:
    rows = json.loads((before / "cycle1/selection.json").read_text())["selected"]
    skipped, kept = (row["id"] for row in rows)
    decisions = tmp_path / "decisions.jsonl"
    decisions.write_text(json.dumps({"id": skipped, "action": "skip"}) + "\n")
    outcome = miaod("review", before, "--decisions", decisions)
    assert outcome.code == 0, outcome.err
    now = [
        row["id"] for row in json.loads((before / "cycle1/selection.json").read_text())["selected"]
    ]
    assert kept in now and skipped not in now and len(now) == 2


def test_it_is_reported_and_compared(before: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(before, tmp_path / "copy")
    outcome = miaod("report", before, copy, "--out", tmp_path / "report")
    assert outcome.code == 0, outcome.err
    assert "What was chosen" in (tmp_path / "report/report.html").read_text()
    outcome = miaod("curves", before, copy, "--out", tmp_path / "curves")
    assert outcome.code == 0, outcome.err
