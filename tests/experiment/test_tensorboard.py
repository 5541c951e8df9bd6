"""TensorBoard shows the terms that the log has."""

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.experiment.helpers import log_of, miaod, run_arguments


def test_every_logged_term_is_written(data_root, tmp_path):
    settings = {"strategy": "random", "cycles": 1, "tensorboard": "true"}
    assert miaod(*run_arguments(data_root, tmp_path / "run", **settings)).code == 0
    events = EventAccumulator(str(tmp_path / "run/tensorboard"))
    events.Reload()
    written = [event.value for event in events.Scalars("cycle0 label_set/box")]
    logged = [record["terms"]["box"] for record in log_of(tmp_path / "run", "step")]
    assert written == pytest.approx(logged, rel=1e-6) and logged


def test_missing_package_is_said(data_root, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    outcome = miaod(*run_arguments(data_root, tmp_path / "run", tensorboard="true"))
    assert outcome.code == 1
    assert "TensorBoard is not installed" in outcome.err and "tensorboard=false" in outcome.err
    assert not (tmp_path / "run").exists()
