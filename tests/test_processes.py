"""Several processes: their parts, what one alone does, and what is refused."""

import sys
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from miaod_nb import processes
from miaod_nb.errors import ConfigError
from miaod_nb.learning.stages import Maximize, Method, Minimize
from miaod_nb.processes import ALONE, Processes, current_processes
from miaod_nb.progress import say
from tests.tiny import lively_detector, noise, unlabeled


@pytest.fixture
def launched(monkeypatch):
    """As process 1 of 2 on a machine."""
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)


def test_one_process_needs_no_other(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setitem(sys.modules, "accelerate", None)  # would fail
    alone = current_processes("auto")
    assert alone is ALONE and alone.is_first
    value = torch.tensor(3.0)
    assert alone.mean(value) is value and alone.all(value) is value
    assert alone.largest((3, 4)) == (3, 4) and alone.share([1, 2, 3]) == [1, 2, 3]
    assert not alone.any(False) and alone.any(True)


def test_parts_are_the_whole():
    items = list(range(8))
    parts = [Processes(index, 4).share(items) for index in range(4)]
    assert sorted(sum(parts, [])) == items and {len(part) for part in parts} == {2}


def test_only_the_first_speaks(launched, capsys):
    say("hello")
    assert capsys.readouterr().out == ""


def test_accelerate_is_needed(launched, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    processes._join.cache_clear()
    with pytest.raises(ConfigError, match="accelerate, which connects them") as caught:
        current_processes("cpu")
    assert "miaod_nb[ddp]" in str(caught.value)


def test_a_device_cannot_be_shared(launched):
    with pytest.raises(ConfigError, match="cannot share one device"):
        current_processes("cuda:0")


def test_a_process_without_a_gpu_is_refused(launched):
    with pytest.raises(ConfigError, match="process 2 of this machine has no GPU"):
        processes._refuse_missing_gpu(1)
    processes._refuse_missing_gpu(2)


@dataclass(frozen=True)
class Told(Processes):
    """Two processes, of which the other one's images have pseudo labels or not."""

    count: int = 2
    labeled_there: bool = True

    def all(self, flag: Tensor) -> Tensor:
        return flag & self.labeled_there


@pytest.mark.parametrize("labeled_there", [True, False])
def test_an_image_without_pseudo_label_silences_all_processes(labeled_there):
    model, batch = lively_detector(), unlabeled(noise())
    alone = Minimize(Method()).loss_terms(model, batch)
    assert alone["image_classification"] > 0  # so here every image has one
    told = Told(labeled_there=labeled_there)
    terms = Minimize(Method(), processes=told).loss_terms(model, batch)
    expected = alone["image_classification"] if labeled_there else torch.tensor(0.0)
    torch.testing.assert_close(terms["image_classification"], expected)


@pytest.mark.parametrize(("stage", "term"), [(Minimize, "discrepancy"), (Maximize, "agreement")])
def test_sums_over_the_batch_are_sums_over_all_processes(stage, term):
    """The mean over processes of what each says is the sum over all images."""
    model, images = lively_detector(), noise(4)
    whole = stage(Method()).loss_terms(model, unlabeled(images))[term]
    halves = [
        stage(Method(), processes=Told()).loss_terms(model, unlabeled(part))[term]
        for part in images.split(2)
    ]
    torch.testing.assert_close(sum(halves) / 2, whole)
