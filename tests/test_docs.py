"""The examples of docs/extending.md run as they stand there."""

import re

import numpy as np
import pytest

from miaod_nb.detector import DETECTORS
from miaod_nb.selection.strategies import STRATEGIES
from tests.conftest import PROJECT

PAGE = (PROJECT / "docs/extending.md").read_text()
STRATEGY, DETECTOR = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def executed(block: str) -> dict:
    names: dict = {}
    exec(compile(block, "docs/extending.md", "exec"), names)
    return names


@pytest.fixture
def registries(tmp_path, monkeypatch):
    """The registries may be changed, and runs land in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    for registry in (STRATEGIES, DETECTORS):
        for name in {"margin", "shared"}:
            monkeypatch.setitem(registry, name, None)  # taken back after the test
            del registry[name]


def test_strategy(registries):
    run = executed(STRATEGY)["run"]
    assert run.metrics()["strategy"].tolist() == ["margin"] * 2
    scores = run.folder.load_parquet("cycle0/scores.parquet").set_index("index")["score"]
    chosen = run.selection(0)
    assert scores[chosen].min() >= scores.drop(chosen).max()
    assert np.ptp(scores) > 0


def test_detector(registries):
    run = executed(DETECTOR)["run"]
    head = run.load_model(0).head
    assert head.classifier_1.convs is head.classifier_2.convs
    assert head.classifier_1.output is not head.classifier_2.output
    assert len(run.metrics()) == 2


def test_examples_are_short_and_the_first_stands_in_the_readme():
    assert max(len(block.split("\n\n")) for block in (STRATEGY, DETECTOR)) > 1
    assert all(
        sum(bool(line.strip()) for line in b.splitlines()) <= 26 for b in (STRATEGY, DETECTOR)
    )
    assert STRATEGY in (PROJECT / "README.md").read_text()
