"""Every strategy, and what settings add to one, leads a run to its end: killed while it looks and
while it chooses, and continued, it chooses as if nobody had disturbed it."""

import signal
from pathlib import Path

import pytest

from miaod_nb.selection.registry import BUILT_IN
from tests.experiment.helpers import Fate, results, run_arguments, run_child

LOOKS = "miaod_nb.experiment.selecting.observe"
CHOOSES = "miaod_nb.selection.choosing.choose_batch"
WAYS: dict[str, dict[str, object]] = {name: {"strategy": name} for name in BUILT_IN} | {
    "mix": {"strategy": "mix", "mix": "50% typicality, 50% entropy"},
    "no look-alikes": {"strategy": "mi_aod", "max_similarity": 0.95},
    "classes": {"strategy": "random", "class_target": "even"},
    "boxes": {"strategy": "entropy", "budget": "4 boxes"},
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_killed_and_continued_equals_undisturbed(data_root, tmp_path: Path, way: str):
    settings = {"save_every": 0.001, "repeats": 1, **WAYS[way]}
    alone, killed = (
        run_arguments(data_root, tmp_path / name, **settings) for name in ("alone", "killed")
    )
    assert run_child(alone, tmp_path / "alone.txt") == 0, (tmp_path / "alone.txt").read_text()
    name = str(WAYS[way]["strategy"])
    looks, chooses = way not in ("random", "full"), name != "full"
    fates = [Fate(LOOKS, 2)] * looks + [Fate(CHOOSES)] * chooses
    for number, fate in enumerate(fates):
        code = run_child(killed, tmp_path / f"{number}.txt", fate)
        assert code == -signal.SIGKILL, (tmp_path / f"{number}.txt").read_text()
    assert run_child(killed, tmp_path / "last.txt") == 0, (tmp_path / "last.txt").read_text()
    found = results(tmp_path / "killed")
    assert found == results(tmp_path / "alone")
    if chooses:
        rows = found["cycle0/selection.json"]["selected"]
        assert len({row["id"] for row in rows}) == len(rows) > 0
        assert len(rows) == 2 or way == "boxes"
        assert all(row["reason"] for row in rows)
