"""The table of checked images in the run folder: it saves time and is nothing to rely on."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from miaod_nb.config import make_config
from miaod_nb.data import sources
from miaod_nb.experiment import Run
from tests.experiment.helpers import SETTINGS, miaod, results, run_arguments


@pytest.fixture
def decoded(monkeypatch) -> list[Path]:
    paths: list[Path] = []
    original = sources.check_image

    def noted(path: Path) -> tuple[int, int] | str:
        paths.append(path)
        return original(path)

    monkeypatch.setattr(sources, "check_image", noted)
    return paths


def begin(data_root: Path, run_dir: Path | None, **settings: object) -> Run:
    run = Run(make_config("tiny", SETTINGS | settings), data_root, run_dir)
    with run.hold():
        return run


def test_a_start_decodes_what_no_start_before_did(data_root, tmp_path, decoded):
    first = begin(data_root, tmp_path / "run")
    assert len(decoded) == 16
    table = pd.read_parquet(tmp_path / "run/images.parquet")
    assert len(table) == 16
    written = (tmp_path / "run/images.parquet").stat().st_mtime_ns
    again = begin(data_root, tmp_path / "run")
    assert len(decoded) == 16
    assert (tmp_path / "run/images.parquet").stat().st_mtime_ns == written
    assert again.dataset.identity == first.dataset.identity
    assert list(again.dataset.pool) == list(first.dataset.pool)
    assert again.fingerprint == first.fingerprint


def test_runs_beside_it_know_too(data_root, tmp_path, decoded):
    """Controls, and another seed; each then has a table of its own."""
    first = begin(data_root, tmp_path / "run")
    for run in (first.control("random"), begin(data_root, tmp_path / "other", seed=3)):
        with run.hold():
            assert (run.folder.root / "images.parquet").is_file()
    assert len(decoded) == 16
    shutil.rmtree(tmp_path / "run")
    begin(data_root, tmp_path / "third", seed=4)
    assert len(decoded) == 16
    begin(data_root, tmp_path / "far/away")
    assert len(decoded) == 32


def test_a_run_in_its_default_folder_is_known(data_root, tmp_path, decoded, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = begin(data_root, None)
    assert run.folder.path("images.parquet").is_file() and len(decoded) == 16
    begin(data_root, None)
    assert len(decoded) == 16


@pytest.mark.parametrize(
    "spoil",
    [lambda path: path.write_bytes(path.read_bytes()[:50]), lambda path: path.unlink(),
     lambda path: pd.DataFrame({"a": [1]}).to_parquet(path)],
)  # fmt: skip
def test_a_damaged_table_is_made_anew_in_silence(data_root, reference, tmp_path, decoded, spoil):
    copy = shutil.copytree(reference, tmp_path / "far/run")
    spoil(copy / "images.parquet")
    outcome = miaod(*run_arguments(data_root, copy))
    assert outcome.code == 0 and "images.parquet" not in outcome.out + outcome.err
    assert len(decoded) == 16
    assert results(copy) == results(reference)
    tables = [pd.read_parquet(folder / "images.parquet") for folder in (copy, reference)]
    pd.testing.assert_frame_equal(*tables)
