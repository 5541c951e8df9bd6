"""The score table is made in shards: none is made twice, and they change nothing in the scores."""

import json
import os
import re
import signal
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from miaod_nb.config import Config, make_config
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import RunFolderError, Stopped, TrainingError
from miaod_nb.passes import image_pass, scoring
from miaod_nb.passes.image_pass import Compute
from miaod_nb.passes.observing import observe
from miaod_nb.passes.scoring import ScoreShards, score_pool
from miaod_nb.processes import ALONE, Processes
from miaod_nb.runs.card import Card
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.session import Session
from miaod_nb.selection.mi_aod import MiAod
from tests.conftest import PROJECT
from tests.experiment.helpers import SETTINGS
from tests.tiny import lively_detector, noise, unlabeled

INDICES = np.array([3, 1, 7, 0, 11, 9, 2, 5, 4, 10, 8])  # of 12; in shards of 4: 4, 4 and 3
CLASSES = ("square", "disc")
PLACE = "cycle0/scores.parquet"
FULL_SHARD = scoring.SHARD_IMAGES  # that of a run; the tests have shorter ones


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(scoring, "SHARD_IMAGES", 4)


@dataclass
class Scoring:
    """A detector and a strategy at work on a pool."""

    model: DetectionModel
    compute: Compute
    config: Config
    session: Session
    shards: ScoreShards

    def run(self) -> None:
        score_pool(self.model, self.compute, self.config, self.session, self.shards)


@pytest.fixture
def scored() -> list[str]:
    """Ids of the images that the detector looked at, in order."""
    return []


@pytest.fixture
def prepared(data_root, scored) -> Callable[..., Scoring]:
    """`prepared(run_dir, **settings)`: the scoring of 11 images of a pool.

    more: adds to what the strategy says of a batch. columns: what is kept of it.
    """
    model = lively_detector().eval()

    def prepare(
        run_dir: Path, indices: np.ndarray = INDICES, processes: Processes = ALONE,
        more: Callable[[Any, Any], Any] = lambda batch, found: found,
        columns: Sequence[str] = MiAod.card.columns, **settings: Any,
    ) -> Scoring:  # fmt: skip
        config = make_config("tiny", SETTINGS | settings)
        folder, strategy = RunFolder(run_dir), MiAod(config)
        pool = scan_list(open_source(data_root), "trainval", FaultCounts())
        shards = ScoreShards(folder, 0, "scores", indices, pool, CLASSES, columns)
        session = Session(folder, config.save_every, processes=processes)

        def compute(batch: Any) -> Any:
            scored.extend(batch.ids)
            return more(batch, observe(model, batch, strategy))

        return Scoring(model, compute, config, session, shards)

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
    scores = scoring_of_all.shards.load("score")
    assert scores.dtype == np.float32 and scores.tolist() == table["score"].tolist()
    assert others_in(tmp_path) == []


@pytest.mark.parametrize("resize", ["fit", "stretch"])
def test_sharding_and_batches_change_no_selection(prepared, tmp_path, monkeypatch, resize):
    """Of two orientations, and of one size: then whole batches make equal shards bit for bit."""
    tables = {}
    for shard, batch in [(100, 2), (4, 2), (2, 2), (3, 8), (100, 1)]:
        monkeypatch.setattr(scoring, "SHARD_IMAGES", shard)
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
    assert f"at most {image_pass.LOADED_SHARDS} shards" in page
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/mine").symlink_to(reference)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/large-pools.md", "exec"), names)
    assert list(names["scores"]) == ["id", "score"] and len(names["scores"]) == 8
    best = json.loads((reference / "cycle0/selection.json").read_text())["selected"][0]["id"]
    assert best in capsys.readouterr().out.splitlines()[1]


def test_a_strategy_keeps_what_it_says_of_an_image(prepared, tmp_path, scored):
    """Numbers and vectors under their names, also those of a shard that was cut off; without a
    score too."""

    def more(batch: Any, found: Any) -> Any:
        numbers = torch.tensor([float(image_id) for image_id in batch.ids])
        if len(scored) == 5 and not (tmp_path / "done").exists():
            (tmp_path / "done").touch()
            os.kill(os.getpid(), signal.SIGINT)
        return {"feature": torch.stack([numbers, numbers + 0.5], dim=1), "number": numbers}

    of_features = prepared(
        tmp_path, more=more, columns=("feature", "number"), inference_batch_size=1
    )
    with pytest.raises(Stopped), of_features.session.held():
        of_features.run()
    of_features.run()
    assert len(scored) == 11
    table, numbers = table_of(tmp_path), INDICES + 1
    assert list(table) == ["id", "index", "feature", "number"]
    assert table["feature"].map(list).tolist() == [[n, n + 0.5] for n in numbers]
    kept = {name: of_features.shards.load(name) for name in ("number", "feature")}
    assert kept["feature"].shape == (11, 2) and kept["feature"].dtype == np.float32
    assert kept["number"].tolist() == numbers.tolist()


def test_parts_of_the_classes_come_back(prepared, tmp_path):
    of_all = prepared(tmp_path)
    of_all.run()
    expected = table_of(tmp_path)[["class square", "class disc"]].to_numpy(np.float32)
    np.testing.assert_array_equal(of_all.shards.load("per_class"), expected)


def test_processes_share_the_shards(prepared, tmp_path, scored):
    prepared(tmp_path / "one").run()
    scored.clear()
    prepared(tmp_path / "two", processes=Processes(1, 2)).run()
    assert list(shards_of(tmp_path / "two")) == ["part-00001.parquet"] and len(scored) == 4
    prepared(tmp_path / "two", processes=Processes(0, 2)).run()
    assert len(scored) == 11
    pd.testing.assert_frame_equal(table_of(tmp_path / "two"), table_of(tmp_path / "one"))


def test_results_of_finished_shards_are_forgotten(prepared, tmp_path, monkeypatch):
    """Of 11 images at most a shard's are in memory, and a batch's."""
    save, results, alive = ScoreShards.save, [], []

    def noted(batch: Any, found: Any) -> Any:
        features = [torch.zeros(3) for _ in batch.ids]
        results.extend(weakref.ref(one.untyped_storage()) for one in features)
        return found | {"feature": features}

    def counted(*arguments: Any) -> None:
        alive.append(sum(result() is not None for result in results))
        save(*arguments)

    monkeypatch.setattr(ScoreShards, "save", counted)
    prepared(tmp_path, more=noted).run()
    assert len(alive) == 3 and alive[0] == 4
    assert max(alive) <= 4 + 2


def test_an_empty_pool_has_an_empty_table(prepared, tmp_path):
    scoring_of_none = prepared(tmp_path, np.array([], dtype=np.int64))
    scoring_of_none.run()
    assert len(table_of(tmp_path)) == 0
    assert len(scoring_of_none.shards.load("score")) == 0


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

    def wished(batch: Any, found: Any) -> Any:
        if len(scored) == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        return found

    first = prepared(tmp_path / "run", more=wished, inference_batch_size=1)
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
    monkeypatch.setattr(scoring, "SHARD_IMAGES", 8)
    prepared(tmp_path).run()
    assert list(shards_of(tmp_path)) == ["part-00000.parquet", "part-00001.parquet"]
    assert capsys.readouterr().out.count("is made anew") == 2
    pd.testing.assert_frame_equal(table_of(tmp_path), expected, rtol=1e-4)


def test_a_single_file_of_an_earlier_version_is_read_and_replaced(prepared, tmp_path):
    prepared(tmp_path / "new").run()
    old = RunFolder(tmp_path / "old")
    old.save_parquet(PLACE, table_of(tmp_path / "new"))
    scores = [prepared(tmp_path / name).shards.load("score") for name in ("old", "new")]
    assert (scores[0] == scores[1]).all()
    prepared(tmp_path / "old").run()
    assert list(shards_of(tmp_path / "old")) == list(shards_of(tmp_path / "new"))


# ---------------------------------------------------------------------------------------- refused


def test_a_score_that_is_no_number_names_its_image(prepared, tmp_path, monkeypatch):
    original = MiAod.observe

    def diverged(strategy: MiAod, model: DetectionModel, batch: Any) -> Any:
        found = original(strategy, model, batch)
        if "000010" in batch.ids:
            found["score"][batch.ids.index("000010")] = float("inf")
        return found

    monkeypatch.setattr(MiAod, "observe", diverged)
    fault = r"the score of an image is not a finite number \(strategy 'mi_aod'\)"
    with pytest.raises(TrainingError, match=fault) as error:
        prepared(tmp_path).run()
    assert error.value.where == "000010"  # index 9, in the second shard
    assert list(shards_of(tmp_path)) == ["part-00000.parquet"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda found: found.pop("score"), "it gives per_class"),
        (lambda found: found.update(more=found["score"]), "it gives score, per_class, more"),
        (lambda found: found.update(score=found["score"][:-1]), r"score has the shape \[1\]"),
        (
            lambda found: found.update(per_class=found["per_class"][:, :1]),
            r"per_class has the shape \[2, 1\], expected \[2, 2\]",
        ),
    ],
)
def test_what_a_strategy_sees_is_what_its_card_promises(monkeypatch, change, fault):
    original = MiAod.observe

    def changed(strategy: MiAod, model: DetectionModel, batch: Any) -> Any:
        found = original(strategy, model, batch)
        change(found)
        return found

    monkeypatch.setattr(MiAod, "observe", changed)
    strategy = MiAod(make_config("tiny"))
    with pytest.raises(TrainingError, match=f"'mi_aod' does not see .*{fault}") as error:
        observe(lively_detector().eval(), unlabeled(noise()), strategy)
    assert error.value.where == "miaod_nb.selection.mi_aod.MiAod.observe"


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (None, "it gives NoneType, no dict"), ({"score": [0.0, 0.0]}, "score is list, no tensor"),
        ({"score": np.zeros(2)}, "score is ndarray, no tensor"),
        ({"score": torch.zeros(2, 1)}, r"score has the shape \[2, 1\], expected \[2\]"),
        ({"score": torch.zeros(2, dtype=torch.complex64)}, "no dense tensor of real numbers"),
        ({"score": torch.zeros(2, device="meta")}, "no dense tensor of real numbers"),
        ({1: torch.zeros(2)}, "it gives 1"), (KeyError("x"), "fails: KeyError: 'x'"),
    ],
)  # fmt: skip
def test_what_no_table_could_hold_names_the_strategy(found, fault):
    class Own:
        card = Card("own", "own", "w", "r", columns=("score",), ranks_by="score")

        def observe(self, *_: Any) -> Any:
            if isinstance(found, Exception):
                raise found
            return found

    with pytest.raises(TrainingError, match=f"the strategy 'own' .*{fault}") as error:
        observe(lively_detector().eval(), unlabeled(noise()), Own())
    assert "Own" in str(error.value.where) and "docs" not in str(error.value.where)


def test_numbers_of_any_kind_are_kept_as_float32():
    class Own:
        card = Card("own", "own", "w", "r", columns=("a", "b"))

        def observe(self, *_: Any) -> Any:
            return {"a": torch.ones(2, dtype=torch.bfloat16), "b": torch.tensor([[1], [0]]) > 0}

    found = observe(lively_detector().eval(), unlabeled(noise()), Own())
    assert {values.dtype for values in found.values()} == {torch.float32}
    assert found["b"].tolist() == [[1.0], [0.0]]


def test_scores_of_other_images_choose_nothing(prepared, tmp_path):
    prepared(tmp_path).run()
    with pytest.raises(RunFolderError, match="not the scores of the 10 images"):
        prepared(tmp_path, INDICES[:10]).shards.load("score")
    (tmp_path / PLACE / "part-00000.parquet").unlink()
    with pytest.raises(RunFolderError, match="not the scores of the 11 images"):
        prepared(tmp_path).shards.load("score")
    for path in (tmp_path / PLACE).iterdir():
        path.unlink()
    with pytest.raises(RunFolderError, match="missing"):
        prepared(tmp_path).shards.load("score")
