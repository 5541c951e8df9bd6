"""A pass over images: by shards, whole or in pieces, alone or together, with equal results."""

import os
import signal
import tarfile
from typing import Any

import numpy as np
import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.errors import Stopped
from miaod_nb.passes import image_pass, kept_detections
from miaod_nb.passes.image_pass import compute_rows, load_results, save_results
from miaod_nb.passes.inference import detect_images
from miaod_nb.passes.kept_detections import (
    detect_for_cycle,
    forget_unfinished,
    load_detections,
    save_detections,
)
from miaod_nb.processes import ALONE, Processes
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.session import Session
from tests.conftest import PROJECT
from tests.experiment.helpers import SETTINGS
from tests.tiny import lively_detector

CONFIG = make_config("tiny", SETTINGS | {"score_threshold": 0.01, "inference_batch_size": 2})
FIELDS = ("boxes", "scores", "labels")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(image_pass, "SHARD_IMAGES", 5)


@pytest.fixture
def records(data_root):
    return scan_list(open_source(data_root), "trainval", FaultCounts())


@pytest.fixture(scope="module")
def model():
    return lively_detector().eval()


@pytest.fixture
def looked_at(monkeypatch) -> list[str]:
    """Ids of the images that the detector looked at, in order."""
    ids: list[str] = []
    original = kept_detections.detect_batch

    def noted(model: Any, batch: Any, settings: Any) -> Any:
        ids.extend(batch.ids)
        return original(model, batch, settings)

    monkeypatch.setattr(kept_detections, "detect_batch", noted)
    return ids


def session_in(folder, processes: Processes = ALONE, save_every: float = 60) -> Session:
    return Session(RunFolder(folder), save_every, processes=processes)


def assert_equal(found, expected, rtol: float = 0) -> None:
    assert list(found) == list(expected)
    for image_id, one in found.items():
        for field in FIELDS:
            np.testing.assert_allclose(
                getattr(one, field), getattr(expected[image_id], field), rtol=rtol, atol=rtol
            )


# ------------------------------------------------------------------------------------- the shards


def test_batches_lie_within_shards(model, records):
    """Of two orientations, whose images never share a batch."""
    batches = []

    def compute(batch):
        batches.append(batch.ids)
        return {"side": torch.tensor([float(size[0]) for size in batch.original_sizes])}

    rows = dict(compute_rows(model, records, compute, CONFIG))
    assert {i: float(row["side"]) for i, row in rows.items()} == {
        record.id: record.height for record in records
    }
    shard_of = {record.id: place // 5 for place, record in enumerate(records)}
    assert all(len({shard_of[image_id] for image_id in ids}) == 1 for ids in batches)
    assert [shard_of[ids[0]] for ids in batches] == sorted(shard_of[ids[0]] for ids in batches)


def test_columns_may_differ_in_length_between_images(model, records):
    def compute(batch):
        return {"places": [torch.arange(int(image_id)) for image_id in batch.ids]}

    rows = dict(compute_rows(model, records, compute, CONFIG))
    assert {int(i): len(row["places"]) for i, row in rows.items()} == {
        n: n for n in range(1, len(records) + 1)
    }


def test_rows_come_back_from_a_file(tmp_path):
    row = {
        "score": np.float32(0.25), "per_class": np.arange(3, dtype=np.float16),
        "none": np.zeros((0, 4), np.float32), "labels": np.array([7, 1]),
    }  # fmt: skip
    save_results(RunFolder(tmp_path), "some.pt", {"a": row})
    (found,) = load_results(RunFolder(tmp_path), "some.pt").values()
    assert found.keys() == row.keys()
    for name, value in row.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape
        np.testing.assert_array_equal(found[name], value)
    assert load_results(RunFolder(tmp_path), "other.pt") == {}


# --------------------------------------------------------------------- detections of a cycle


@pytest.mark.parametrize("stop_at", [1, 3, 6, 10])
def test_a_stopped_evaluation_goes_on_where_it_was(
    model, records, tmp_path, monkeypatch, looked_at, stop_at
):
    expected = detect_images(model, records, CONFIG, "at once")
    noted, session = kept_detections.detect_batch, session_in(tmp_path)

    def wished(*arguments: Any) -> Any:
        found = noted(*arguments)
        if len(looked_at) >= stop_at and not stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGINT)
        return found

    stopped: list[bool] = []
    monkeypatch.setattr(kept_detections, "detect_batch", wished)
    with pytest.raises(Stopped), session.held():
        detect_for_cycle(model, records, CONFIG, session, 0)
    assert len(looked_at) < len(records)
    found = detect_for_cycle(model, records, CONFIG, session_in(tmp_path), 0)
    assert len(looked_at) == len(set(looked_at)) == len(records)
    assert_equal(found, expected)
    forget_unfinished(RunFolder(tmp_path), 0)
    assert not list(tmp_path.rglob("*.pt"))


def test_another_number_of_processes_goes_on(model, records, tmp_path, looked_at):
    """What two processes found is taken over by three, and by one alone."""
    expected = detect_images(model, records, CONFIG, "at once")
    detect_for_cycle(model, records, CONFIG, session_in(tmp_path, Processes(1, 2)), 0)
    assert sorted(looked_at) == [record.id for record in records[1::2]]
    three = session_in(tmp_path, Processes(2, 3))
    assert detect_for_cycle(model, records, CONFIG, three, 0) == {}
    assert set(looked_at) == {record.id for record in [*records[1::2], *records[2::3]]}
    found = detect_for_cycle(model, records, CONFIG, session_in(tmp_path), 0)
    assert_equal(found, expected, rtol=1e-4)


def test_an_evaluation_that_an_earlier_version_began_goes_on(model, records, tmp_path, looked_at):
    expected = detect_images(model, records, CONFIG, "at once")
    done = {
        image_id: {field: getattr(expected[image_id], field) for field in FIELDS}
        for image_id in [record.id for record in records[:7]]
    }
    folder = RunFolder(tmp_path)
    save_results(folder, "cycle0/detections_partial.pt", done)
    found = detect_for_cycle(model, records, CONFIG, session_in(tmp_path), 0)
    assert not set(looked_at) & {record.id for record in records[:5]}
    assert_equal(found, expected)
    forget_unfinished(folder, 0)
    assert not list(tmp_path.rglob("*.pt"))


def test_kept_detections_come_back_by_id(model, records, tmp_path):
    folder, found = RunFolder(tmp_path), detect_images(model, records, CONFIG, "at once")
    assert load_detections(folder, 0, ["000001"]) is None
    save_detections(folder, 0, found)
    ids = [record.id for record in reversed(records)]
    again = load_detections(folder, 0, ids)
    assert_equal(again, {image_id: found[image_id] for image_id in ids})
    assert {one.labels.dtype for one in again.values()} == {np.dtype(np.int64)}
    assert load_detections(folder, 0, ["none of these"]) is None


def test_detections_that_an_earlier_version_kept_are_read(tmp_path):
    with tarfile.open(PROJECT / "tests/fixtures/run-before.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    file = np.load(tmp_path / "before/cycle0/detections.npz")
    found = load_detections(RunFolder(tmp_path / "before"), 0, file["ids"].tolist())
    assert [len(one) for one in found.values()] == file["counts"].tolist()
    for field in FIELDS:
        joined = np.concatenate([getattr(one, field) for one in found.values()])
        np.testing.assert_array_equal(joined, file[field])


def test_detections_of_an_image_do_not_depend_on_the_others(model, records, monkeypatch):
    together = detect_images(model, records, CONFIG, "together")
    for record in records:
        (alone,) = detect_images(model, [record], CONFIG, "alone").values()
        assert len(alone) == len(together[record.id]) > 0
        np.testing.assert_allclose(alone.scores, together[record.id].scores, rtol=1e-4)
