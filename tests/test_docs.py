"""The examples of docs/extending.md run as they stand there (the layout: test_errands.py)."""

import re

import numpy as np
import pytest
import torch

from miaod_nb.detector import DETECTORS
from miaod_nb.detector.head import Predictions
from miaod_nb.selection.registry import STRATEGIES
from tests.conftest import PROJECT
from tests.tiny import lively_detector, noise, unlabeled

PAGE = (PROJECT / "docs/extending.md").read_text()
STRATEGY, DETECTOR, LAYOUT = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def executed(block: str) -> dict:
    names: dict = {}
    exec(compile(block, "docs/extending.md", "exec"), names)
    return names


@pytest.fixture
def registries(tmp_path, monkeypatch):
    """The registries may be changed, and runs land in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    for registry in (STRATEGIES, DETECTORS):
        for name in {"two_things", "shared"}:
            monkeypatch.setitem(registry, name, None)  # taken back after the test
            del registry[name]


def test_strategy(registries):
    names = executed(STRATEGY)
    run = names["run"]
    assert run.metrics()["strategy"].tolist() == ["two_things"] * 2
    scores = run.folder.load_parquet("cycle0/scores.parquet").set_index("index")["score"]
    chosen = run.selection(0)
    assert scores[chosen].min() >= scores.drop(chosen).max()
    assert np.ptp(scores) > 0

    strategy = names["TwoThings"]()
    probs = torch.tensor([[[0.9, 0.1, 0.0], [0.5, 0.1, 0.6]], [[0.1, 0.2, 0.0], [0.0, 0.0, 0.8]]])
    by_hand = torch.tensor([0.5 * (1 - 0.1), 0.1 * (1 - 0.1)])
    said = strategy.observe(lambda *_: Predictions(None, probs.logit()), unlabeled(noise()))
    torch.testing.assert_close(said["score"], by_hand)
    torch.testing.assert_close(said["per_class"], probs.amax(dim=1))

    model, images = lively_detector(), noise()
    with torch.inference_mode():
        together = strategy.observe(model, unlabeled(images))["score"]
        alone = [strategy.observe(model, unlabeled(image[None]))["score"] for image in images]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_detector(registries):
    run = executed(DETECTOR)["run"]
    head = run.load_model(0).head
    assert head.classifier_1.convs is head.classifier_2.convs
    assert head.classifier_1.output is not head.classifier_2.output
    assert len(run.metrics()) == 2


def test_examples_are_short_and_the_first_stands_in_the_readme():
    assert all(
        sum(bool(line.strip()) for line in b.splitlines()) <= 26 for b in (STRATEGY, DETECTOR)
    )
    assert STRATEGY in (PROJECT / "README.md").read_text()
