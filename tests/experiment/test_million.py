"""A pool of a million images: memory stays flat, and a killed scoring goes on where it was.

All but two shards of the score table are there before; the images of these two are decoded and
scored, in a process that is killed in the second of them and in one that goes on.
"""

import json
import os
import resource
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd
import pytest

from miaod_nb.config import make_config
from miaod_nb.data.pool import initial_sets, remaining_pool
from miaod_nb.data.records import ImageRecord
from miaod_nb.experiment import Run
from miaod_nb.experiment.dataset import CycleSets
from miaod_nb.experiment.steps import score, select_images
from miaod_nb.passes.image_pass import SHARD_IMAGES
from miaod_nb.selection.mi_aod import MiAod
from tests.experiment.helpers import CHILDREN, SETTINGS
from tests.tiny import lively_detector

NUM_LABELED, BUDGET, BATCH = 1000, 2000, 16
MOST_MB = 150  # that a million images may take more than two thousand


@dataclass(frozen=True)
class LazyPool(Sequence[ImageRecord]):
    """Records that are made when they are asked for; all of them share a few files."""

    records: Sequence[ImageRecord]
    num_images: int

    def __len__(self) -> int:
        return self.num_images

    @overload
    def __getitem__(self, index: int) -> ImageRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ImageRecord]: ...
    def __getitem__(self, index: Any) -> Any:
        one = self.records[index % len(self.records)]
        return replace(one, id=f"{index:07d}")


def experiment(data_root: Path, run_dir: Path, num_images: int) -> Run:
    """An experiment whose pool is a lazy one; its detector has been trained, so to say."""
    settings = SETTINGS | {"inference_batch_size": BATCH, "save_every": 0.001}
    run = Run(make_config("tiny", settings), data_root, run_dir)
    with run.hold():
        pass  # the run has begun; now its pool becomes a large one
    all_indices, labeled, sample = initial_sets(num_images, NUM_LABELED, seed=0)
    run.dataset = replace(
        run.dataset, pool=LazyPool(run.dataset.pool, num_images), all_indices=all_indices,
        given=[CycleSets(labeled, sample, labeled)], budget=BUDGET,
    )  # fmt: skip
    run.folder.save_tensors(
        "cycle0/weights.pt",
        {"model": lively_detector().state_dict(), "classes": list(run.dataset.classes)},
    )
    return run


def live(data_root: Path, run_dir: Path, num_images: int, result: Path, kill_at: int) -> None:
    """Scores and selects in a process of its own, which is killed before batch `kill_at`."""
    original, images = MiAod.observe, []

    def counted(strategy: Any, model: Any, batch: Any) -> Any:
        images.append(len(batch))
        if len(images) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(strategy, model, batch)

    MiAod.observe = counted
    run = experiment(data_root, run_dir, num_images)
    with run.session.held():
        score(run, 0)
        select_images(run, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result.write_text(json.dumps({"scored": sum(images), "peak_mb": peak}))


def in_child(*arguments: Any) -> int | None:
    child = CHILDREN.Process(target=live, args=arguments)
    child.start()
    child.join(300)
    return child.exitcode


def write_shards(folder: Path, indices: np.ndarray, left_out: Sequence[int]) -> None:
    """Scores under 0, a few of them over 1: those of the detector lie between."""
    folder.mkdir(parents=True)
    scores = np.random.default_rng(0).uniform(-1, 0, len(indices))
    scores[::3001] += 3
    ids = np.char.mod("%07d", indices)
    table = pd.DataFrame({"id": ids, "index": indices, "score": scores})
    table = table.assign(**{f"class {name}": scores / 2 for name in ("disc", "square")})
    for number, start in enumerate(range(0, len(table), SHARD_IMAGES)):
        if number not in left_out:
            part = table[start : start + SHARD_IMAGES]
            part.to_parquet(folder / f"part-{number:05d}.parquet", index=False)


@pytest.mark.slow
def test_a_million_images(data_root, tmp_path):
    indices = remaining_pool(*initial_sets(10**6, NUM_LABELED, seed=0)[:2])
    last = (len(indices) - 1) // SHARD_IMAGES
    in_last = len(indices) - last * SHARD_IMAGES
    assert in_last == 600
    folder = tmp_path / "run/cycle0/scores.parquet"
    experiment(data_root, tmp_path / "run", 10**6)
    write_shards(folder, indices, (500, last))
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    result = tmp_path / "result.json"

    kill_at = SHARD_IMAGES // BATCH + 16
    assert in_child(data_root, tmp_path / "run", 10**6, result, kill_at) == -signal.SIGKILL
    assert (folder / "part-00500.parquet").exists()
    assert not (folder / f"part-{last:05d}.parquet").exists()
    assert in_child(data_root, tmp_path / "run", 10**6, result, 0) == 0
    million = json.loads(result.read_text())
    assert million["scored"] == in_last - 15 * BATCH
    assert {path: path.stat().st_mtime_ns for path in before} == before

    table = pd.read_parquet(folder)
    assert (table["index"] == indices).all()
    best = np.argsort(table["score"].to_numpy(np.float32), kind="stable")[-BUDGET:][::-1]
    selection = json.loads((tmp_path / "run/cycle0/selection.json").read_text())["selected"]
    assert [one["index"] for one in selection] == indices[best].tolist()
    assert [one["id"] for one in selection] == table["id"].iloc[best].tolist()
    assert (table["score"].iloc[best] > 1).sum() == len(indices[::3001])
    assert ((table["score"] >= 0) & (table["score"] <= 1)).sum() == SHARD_IMAGES + in_last

    assert in_child(data_root, tmp_path / "small", 2 * NUM_LABELED, result, 0) == 0
    small = json.loads(result.read_text())
    assert small["scored"] == NUM_LABELED
    assert million["peak_mb"] - small["peak_mb"] < MOST_MB, (million, small)
