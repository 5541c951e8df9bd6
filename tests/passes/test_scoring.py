"""The score table is made in shards: none is made twice, and they change nothing in the scores."""

import json
import os
import re
import signal
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.errors import RunFolderError, Stopped, TrainingError
from miaod_nb.passes import score_shards, scoring
from miaod_nb.passes.score_shards import ScoreShards
from miaod_nb.passes.scoring import PoolScoring
from miaod_nb.processes import Processes
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.session import Session
from miaod_nb.selection.strategies import MiAod
from tests.conftest import PROJECT
from tests.experiment.helpers import SETTINGS
from tests.tiny import lively_detector

INDICES = np.array([3, 1, 7, 0, 11, 9, 2, 5, 4, 10, 8])  # of 12; in shards of 4: 4, 4 and 3
CLASSES = ("square", "disc")
PLACE = "cycle0/scores.parquet"
FULL_SHARD = score_shards.SHARD_IMAGES  # that of a run; the tests have shorter ones


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(score_shards, "SHARD_IMAGES", 4)


@pytest.fixture
def scored(monkeypatch) -> list[str]:
    """Ids of the images that the detector looked at, in order."""
    ids: list[str] = []
    original = scoring.scores_of

    def noted(model: Any, batch: Any, strategy: Any) -> Any:
        ids.extend(batch.ids)
        return original(model, batch, strategy)

    monkeypatch.setattr(scoring, "scores_of", noted)
    return ids


@pytest.fixture
def prepared(data_root) -> Callable[..., PoolScoring]:
    """`prepared(run_dir, **settings)`: the scoring of 11 images of a pool."""
    model = lively_detector().eval()

    def prepare(run_dir: Path, indices: np.ndarray = INDICES, **settings: Any) -> PoolScoring:
        config = make_config("tiny", SETTINGS | settings)
        folder = RunFolder(run_dir)
        pool = scan_list(open_source(data_root), "trainval", FaultCounts())
        shards = ScoreShards(folder, 0, indices, pool)
        session = Session(folder, config.save_every)
        return PoolScoring(model, MiAod.of(config), CLASSES, config, session, shards)

    return prepare


def table_of(run_dir: Path) -> pd.DataFrame:
    return pd.read_parquet(run_dir / PLACE)


def shards_of(run_dir: Path) -> dict[str, tuple[int, int]]:
    """What tells a file that was written again from one that was not."""
    paths = sorted((run_dir / PLACE).iterdir())
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def others_in(run_dir: Path) -> list[Path]:
    return [path for path in (run_dir / "cycle0").iterdir() if path.name != "scores.parquet"]


# -------------------------------------------------------------------------------------- the table


def test_shards_are_one_table_in_the_order_of_the_indices(prepared, tmp_path):
    scoring_of_all = prepared(tmp_path)
    scoring_of_all.run()
    names = ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert list(shards_of(tmp_path)) == names
    sizes = [len(pd.read_parquet(tmp_path / PLACE / name)) for name in names]
    assert sizes == [4, 4, 3]
    table = table_of(tmp_path)
    assert list(table) == ["id", "index", "score", "class square", "class disc"]
    assert table["index"].tolist() == INDICES.tolist()
    assert table["id"].tolist() == [f"{index + 1:06d}" for index in INDICES]
    assert np.ptp(table["score"]) > 0
    pd.testing.assert_frame_equal(RunFolder(tmp_path).load_parquet(PLACE), table)
    scores = scoring_of_all.shards.load_scores()
    assert scores.dtype == np.float32 and scores.tolist() == table["score"].tolist()
    assert others_in(tmp_path) == []


@pytest.mark.parametrize("resize", ["fit", "stretch"])
def test_sharding_and_batches_change_no_selection(prepared, tmp_path, monkeypatch, resize):
    """Of two orientations, and of one size: then whole batches make equal shards bit for bit."""
    tables = {}
    for shard, batch in [(100, 2), (4, 2), (2, 2), (3, 8), (100, 1)]:
        monkeypatch.setattr(score_shards, "SHARD_IMAGES", shard)
        run_dir = tmp_path / f"{shard}-{batch}"
        prepared(run_dir, inference_batch_size=batch, resize=resize).run()
        tables[shard, batch] = table_of(run_dir)
    reference = tables[100, 2]
    for table in tables.values():
        pd.testing.assert_frame_equal(table, reference, rtol=1e-4)
        assert (np.argsort(table["score"]) == np.argsort(reference["score"])).all()
    if resize == "stretch":
        for whole in ((4, 2), (2, 2)):
            pd.testing.assert_frame_equal(tables[whole], reference, check_exact=True)


def test_pandas_reads_the_table_of_a_run(reference, monkeypatch, tmp_path, capsys):
    """As docs/large-pools.md has it, with the run's name and the length of its shards."""
    page = (PROJECT / "docs/large-pools.md").read_text()
    assert f"of {FULL_SHARD} images each" in page
    assert f"at most {scoring.LOADED_SHARDS} shards" in page
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/mine").symlink_to(reference)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/large-pools.md", "exec"), names)
    assert list(names["scores"]) == ["id", "score"] and len(names["scores"]) == 8
    best = json.loads((reference / "cycle0/selection.json").read_text())["selected"][0]["id"]
    assert best in capsys.readouterr().out.splitlines()[1]


def test_processes_share_the_shards(prepared, tmp_path, scored):
    prepared(tmp_path / "one").run()
    scored.clear()
    prepared(tmp_path / "two").run(Processes(1, 2))
    assert list(shards_of(tmp_path / "two")) == ["part-00001.parquet"] and len(scored) == 4
    prepared(tmp_path / "two").run(Processes(0, 2))
    assert len(scored) == 11
    pd.testing.assert_frame_equal(table_of(tmp_path / "two"), table_of(tmp_path / "one"))


def test_results_of_finished_shards_are_forgotten(prepared, tmp_path, monkeypatch):
    """Of 11 images at most a shard's are in memory, and a batch's."""
    compute, save = scoring.scores_of, ScoreShards.save
    results: list[weakref.ref] = []
    alive: list[int] = []

    def noted(model: Any, batch: Any, strategy: Any) -> Any:
        found = compute(model, batch, strategy)
        results.extend(weakref.ref(one["score"]) for one in found)
        return found

    def counted(*arguments: Any) -> None:
        alive.append(sum(result() is not None for result in results))
        save(*arguments)

    monkeypatch.setattr(scoring, "scores_of", noted)
    monkeypatch.setattr(ScoreShards, "save", counted)
    prepared(tmp_path).run()
    assert len(alive) == 3 and alive[0] == 4
    assert max(alive) <= 4 + 2


def test_an_empty_pool_has_an_empty_table(prepared, tmp_path):
    scoring_of_none = prepared(tmp_path, np.array([], dtype=np.int64))
    scoring_of_none.run()
    assert len(table_of(tmp_path)) == 0
    assert len(scoring_of_none.shards.load_scores()) == 0


def test_the_bar_counts_images(prepared, tmp_path, monkeypatch):
    bars = []

    def noted(items: Iterable[str], description: str, total: int, done: int) -> Iterator[str]:
        ids = list(items)
        bars.append((description, total, done, len(ids), len(set(ids))))
        return iter(ids)

    monkeypatch.setattr(scoring, "progress", noted)
    prepared(tmp_path).run()
    (tmp_path / PLACE / "part-00001.parquet").unlink()
    prepared(tmp_path).run()
    assert bars == [("cycle 0 score", 11, 0, 11, 11), ("cycle 0 score", 11, 7, 4, 4)]


# ------------------------------------------------------------------------------- what was cut off


def test_a_killed_scoring_goes_on_at_the_first_missing_shard(
    prepared, tmp_path, monkeypatch, scored
):
    """Those before it are left as they are, and one behind it too; nothing is made twice."""
    prepared(tmp_path / "at_once").run()
    prepared(tmp_path / "run").run()
    (tmp_path / "run" / PLACE / "part-00001.parquet").unlink()
    before = shards_of(tmp_path / "run")
    scored.clear()
    prepared(tmp_path / "run").run()
    assert sorted(scored) == sorted(f"{index + 1:06d}" for index in INDICES[4:8])
    after = shards_of(tmp_path / "run")
    assert {name: after[name] for name in before} == before
    pd.testing.assert_frame_equal(
        table_of(tmp_path / "run"), table_of(tmp_path / "at_once"), check_exact=True
    )
    prepared(tmp_path / "run").run()  # nothing is left to do
    assert shards_of(tmp_path / "run") == after and len(scored) == 4


@pytest.mark.parametrize("stop_at", [1, 2, 3, 5])
def test_a_wish_to_stop_loses_no_image(prepared, tmp_path, monkeypatch, scored, stop_at):
    """In a shard too: what is done of it is kept beside the shards until it is whole."""
    prepared(tmp_path / "at_once", inference_batch_size=1).run()
    scored.clear()
    noted = scoring.scores_of

    def wished(model: Any, batch: Any, strategy: Any) -> Any:
        found = noted(model, batch, strategy)
        if len(scored) == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        return found

    monkeypatch.setattr(scoring, "scores_of", wished)
    first = prepared(tmp_path / "run", inference_batch_size=1)
    with pytest.raises(Stopped), first.session.held():
        first.run()
    assert len(scored) == stop_at
    prepared(tmp_path / "run", inference_batch_size=1).run()
    assert len(scored) == len(set(scored)) == 11
    assert [path.name for path in others_in(tmp_path / "run")] == []
    pd.testing.assert_frame_equal(
        table_of(tmp_path / "run"), table_of(tmp_path / "at_once"), check_exact=True
    )


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def exchange(path: Path) -> None:
    path.write_bytes((path.parent / "part-00000.parquet").read_bytes())


def forget(path: Path) -> None:
    pd.read_parquet(path).drop(columns="score").to_parquet(path, index=False)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut, "broken or holds something else"),
        (exchange, "it holds the scores of other images"),
        (forget, "broken or holds something else"),
        (lambda path: path.write_bytes(b""), "broken or holds something else"),
    ],
)
def test_a_damaged_shard_is_made_anew_and_said(prepared, tmp_path, capsys, harm, said):
    prepared(tmp_path).run()
    expected, path = table_of(tmp_path), tmp_path / PLACE / "part-00001.parquet"
    harm(path)
    before = shards_of(tmp_path)
    prepared(tmp_path).run()
    out = capsys.readouterr().out
    assert f"{path} is made anew" in out and said in out
    pd.testing.assert_frame_equal(table_of(tmp_path), expected, check_exact=True)
    after = shards_of(tmp_path)
    assert [name for name in after if after[name] != before[name]] == [path.name]


def test_shards_of_another_size_do_not_stay(prepared, tmp_path, monkeypatch, capsys):
    prepared(tmp_path).run()
    expected = table_of(tmp_path)
    monkeypatch.setattr(score_shards, "SHARD_IMAGES", 8)
    prepared(tmp_path).run()
    assert list(shards_of(tmp_path)) == ["part-00000.parquet", "part-00001.parquet"]
    assert capsys.readouterr().out.count("is made anew") == 2
    pd.testing.assert_frame_equal(table_of(tmp_path), expected, rtol=1e-4)


def test_a_single_file_of_an_earlier_version_is_read_and_replaced(prepared, tmp_path):
    prepared(tmp_path / "new").run()
    old = RunFolder(tmp_path / "old")
    old.save_parquet(PLACE, table_of(tmp_path / "new"))
    scores = [prepared(tmp_path / name).shards.load_scores() for name in ("old", "new")]
    assert (scores[0] == scores[1]).all()
    prepared(tmp_path / "old").run()
    assert list(shards_of(tmp_path / "old")) == list(shards_of(tmp_path / "new"))


# ---------------------------------------------------------------------------------------- refused


def test_a_score_that_is_no_number_names_its_image(prepared, tmp_path, monkeypatch):
    original = scoring.scores_of

    def diverged(model: Any, batch: Any, strategy: Any) -> Any:
        found = original(model, batch, strategy)
        if "000010" in batch.ids:
            found[batch.ids.index("000010")]["score"] = torch.tensor(float("inf"))
        return found

    monkeypatch.setattr(scoring, "scores_of", diverged)
    with pytest.raises(TrainingError, match="not a finite number") as error:
        prepared(tmp_path).run()
    assert error.value.where == "000010"  # index 9, in the second shard
    assert list(shards_of(tmp_path)) == ["part-00000.parquet"]


def test_scores_of_other_images_choose_nothing(prepared, tmp_path):
    prepared(tmp_path).run()
    with pytest.raises(RunFolderError, match="not the scores of the 10 images"):
        prepared(tmp_path, INDICES[:10]).shards.load_scores()
    (tmp_path / PLACE / "part-00000.parquet").unlink()
    with pytest.raises(RunFolderError, match="not the scores of the 11 images"):
        prepared(tmp_path).shards.load_scores()
    for path in (tmp_path / PLACE).iterdir():
        path.unlink()
    with pytest.raises(RunFolderError, match="missing"):
        prepared(tmp_path).shards.load_scores()
