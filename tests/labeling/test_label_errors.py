"""The script that measures the list of doubtful labels: what it plants, and a detector that sees
everything."""

import importlib
import sys

import numpy as np
import pytest

from miaod_nb.boxes import Detections, Objects, pairwise_iou
from miaod_nb.data.labels import Oracle
from miaod_nb.data.records import FaultCounts
from miaod_nb.experiment import open_run
from miaod_nb.experiment.dataset import digest_of
from miaod_nb.runs.label_store import LabelStore
from tests.conftest import PROJECT
from tests.experiment.helpers import SETTINGS
from tests.labeling.conftest import QUICK

sys.path.insert(0, str(PROJECT / "docs"))
label_errors = importlib.import_module("label_errors")  # no package: a script
KINDS, plant = label_errors.KINDS, label_errors.plant

NUM_CLASSES = 3


@pytest.fixture(scope="module")
def labels():
    """100 images of 200 x 200 with two objects each that are apart."""
    rng = np.random.default_rng(0)
    found = {}
    for number in range(100):
        corners = rng.uniform([[10, 10], [110, 110]], [[40, 40], [140, 140]])
        boxes = np.hstack([corners, corners + rng.uniform(20, 40, (2, 2))]).astype(np.float32)
        found[str(number)] = Objects(boxes, rng.integers(0, NUM_CLASSES, 2), np.zeros(2, bool))
    return found


@pytest.fixture(scope="module")
def planted(labels):
    return plant(labels, dict.fromkeys(labels, (200, 200)), NUM_CLASSES, seed=0)


def test_as_many_errors_of_each_kind_are_planted_as_are_told(labels, planted):
    given, errors = planted
    assert [sum(one.kind == kind for one in errors) for kind in KINDS] == [10] * 4
    assert sum(map(len, given.values())) == sum(map(len, labels.values()))  # 10 gone, 10 added
    for one in errors:
        true = pairwise_iou(one.box[None], labels[one.image].boxes).max()
        if one.kind == "removed":
            assert one.label is None and true == 1
            assert pairwise_iou(one.box[None], given[one.image].boxes).max(initial=0) < 0.5
            continue
        box = given[one.image].boxes[one.label]
        overlap = float(pairwise_iou(one.box[None], box[None])[0, 0])
        assert (true < 0.1) == (one.kind == "spurious")
        assert overlap < 0.5 if one.kind == "moved" else overlap == 1
        assert box.min() >= 0 and box.max() <= 200


def test_the_seed_alone_decides_what_is_planted(labels, planted):
    def boxes(seed):
        given, _ = plant(labels, dict.fromkeys(labels, (200, 200)), NUM_CLASSES, seed)
        return [one.boxes.tolist() for one in given.values()]

    assert boxes(0) == [one.boxes.tolist() for one in planted[0].values()] != boxes(1)


def test_a_detector_that_sees_everything_finds_every_error_first(labels, planted):
    given, errors = planted
    found = {
        i: Detections(one.boxes, np.full(len(one), 0.9, np.float32), one.labels)
        for i, one in labels.items()
    }
    assert label_errors.ranked(labels, found, NUM_CLASSES) == []
    rows = label_errors.ranked(given, found, NUM_CLASSES)
    hits = [label_errors.error_of(i, doubt, errors, found) for i, doubt in rows]
    assert set(hits) == set(range(len(errors)))  # and every row points at one


@pytest.fixture
def few(monkeypatch):
    """Many errors in few images, planted twice."""
    monkeypatch.setattr(label_errors, "SEEDS", range(2))
    monkeypatch.setattr(label_errors, "SHARE", 0.25)


def rows_of(text):
    """The cells of the table's rows."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[1:]]


def test_the_table_has_every_cycle_of_a_run(reference, few, capsys):
    label_errors.main([str(reference)])
    rows = rows_of(capsys.readouterr().out)
    cycles = open_run(run_dir=reference).record.trained
    assert [row[0] for row in rows] == [str(c) for c in cycles for _ in range(4)]
    assert all(float(row[3]) >= float(row[4].split()[0]) for row in rows if len(row) == 10)


def test_a_detector_is_trained_on_planted_errors(data_root, few, tmp_path, monkeypatch, capsys):
    def tiny(preset, run_dir, overrides):
        few_images = SETTINGS | QUICK | {"initial": 8}
        return open_run("tiny", data_root=data_root, run_dir=run_dir,
                        overrides=overrides | few_images)  # fmt: skip

    monkeypatch.setattr(label_errors, "open_run", tiny)
    label_errors.main(["--trained", str(tmp_path / "run")])
    assert [row[0] for row in rows_of(capsys.readouterr().out)] == ["0"] * 3
    run = open_run(run_dir=tmp_path / "run")
    ids = run.record.labeled(0)
    assert run.record.labels(0)["images"] == len(ids) == 8
    trained, true = (
        Oracle(reader, run.dataset.pool).read(ids, run.dataset.classes, FaultCounts())
        for reader in (LabelStore(run.folder), run.dataset.source)
    )
    assert run.record.labels(0)["sha256"] == digest_of(trained) != digest_of(true)
