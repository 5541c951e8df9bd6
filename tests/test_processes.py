"""What processes exchange, and that the parts of a batch say together what the whole one says."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Barrier
from typing import Any

import pytest
import torch
from torch import Tensor

from miaod_nb import cli
from miaod_nb.config import make_config
from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.detector import build_detector
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import ConfigError
from miaod_nb.learning.stages import LabelSet, Maximize, Method, Minimize, Stage
from miaod_nb.processes import (
    ALONE,
    Processes,
    _refuse_missing_gpu,
    current_processes,
    launched,
)
from miaod_nb.progress import progress, say
from miaod_nb.runs.files import ReadOnlyRunFolder, RunFolder
from tests.experiment.helpers import miaod
from tests.tiny import labeled, lively_detector, noise, unlabeled


@dataclass(frozen=True)
class _Table:
    """Where threads lay down what they say."""

    meeting: Barrier = field(default_factory=lambda: Barrier(2))
    values: list[Any] = field(default_factory=lambda: [None, None])


@dataclass(frozen=True)
class TwoThreads(Processes):
    """Two threads that exchange values as two processes do."""

    count: int = 2
    table: _Table = field(default_factory=_Table)

    def _said(self, value: Tensor) -> Tensor:
        self.table.values[self.index] = value.detach()
        self.table.meeting.wait()
        found = torch.stack(self.table.values)
        self.table.meeting.wait()
        return found

    def mean(self, value: Tensor) -> Tensor:
        return self._said(value).float().mean(dim=0)

    def all(self, flag: Tensor) -> Tensor:
        return self._said(flag).all(dim=0)


def part_of(batch: Any, processes: Processes) -> Any:
    """A process's images of a batch, with their targets."""
    share = {name: processes.share(getattr(batch, name)) for name in vars(batch)}
    return replace(batch, **share)


def outcome(
    stage: Stage, model: DetectionModel, batch: LabeledBatch | UnlabeledBatch
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Loss terms, and the gradient of every parameter that has one."""
    model.train_only(stage.trained_parts(model.parts))
    terms = stage.loss_terms(model, batch)
    trained = [p for p in model.parameters() if p.requires_grad]
    found = torch.autograd.grad(torch.stack(list(terms.values())).sum(), trained, allow_unused=True)
    return terms, [gradient for gradient in found if gradient is not None]


def mean_outcome(
    stage: Stage, models: Sequence[DetectionModel], batch: LabeledBatch | UnlabeledBatch
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """What two threads with half the batch and a model each find, averaged."""
    table = _Table()

    def work(index: int) -> tuple[dict[str, Tensor], list[Tensor]]:
        own = TwoThreads(index, table=table)
        return outcome(replace(stage, processes=own), models[index], part_of(batch, own))

    with ThreadPoolExecutor(2) as threads:
        (terms_0, gradients_0), (terms_1, gradients_1) = threads.map(work, range(2))
    terms = {name: (terms_0[name] + terms_1[name]) / 2 for name in terms_0}
    return terms, [(a + b) / 2 for a, b in zip(gradients_0, gradients_1, strict=True)]


def ssd() -> DetectionModel:
    config = make_config(
        "tiny", {"detector": "ssd300", "backbone_weights": "none", "backbone_channels": 4}
    )
    return build_detector(config, 2)


# Positives and objects are unequally shared: what one half alone would be divided by is wrong.
OBJECTS = (
    [((8, 8, 40, 40), 0), ((30, 20, 60, 50), 1)], [], [((4, 4, 60, 60), 1)],
    [((2, 2, 14, 14), 0)],
)  # fmt: skip
CASES = [
    (LabelSet, labeled, lively_detector, 64), (Minimize, labeled, lively_detector, 64),
    (Minimize, unlabeled, lively_detector, 64), (Maximize, labeled, lively_detector, 64),
    (Maximize, unlabeled, lively_detector, 64), (LabelSet, labeled, ssd, 300),
    (Minimize, unlabeled, ssd, 300),
]  # fmt: skip


@pytest.mark.parametrize(("stage_type", "kind", "make_model", "side"), CASES)
def test_parts_say_together_what_the_whole_batch_says(stage_type, kind, make_model, side):
    images = noise(4, side, side)
    batch = labeled(images, OBJECTS) if kind is labeled else unlabeled(images)
    stage = stage_type(Method())
    whole_model, models = make_model(), [make_model() for _ in range(2)]
    terms, gradients = outcome(stage, whole_model, batch)
    found, found_gradients = mean_outcome(stage, models, batch)
    for model in models:
        torch.testing.assert_close(model.class_quality, whole_model.class_quality)
    assert found.keys() == terms.keys()
    for name, value in terms.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-7)
    scale = max(gradient.abs().max() for gradient in gradients)
    for ours, whole in zip(found_gradients, gradients, strict=True):
        torch.testing.assert_close(ours, whole, rtol=1e-3, atol=float(1e-5 * scale))


@pytest.mark.parametrize("with_labels", ["first", "second", "both"])
def test_images_without_pseudo_label_in_one_part_silence_all(with_labels):
    """A lively detector sees something everywhere, one that is made blind nowhere."""
    blind = {"first": 1, "second": 0, "both": None}[with_labels]
    models = [lively_detector() for _ in range(2)]
    if blind is not None:
        for name in ("classifier_1", "classifier_2"):
            models[blind].part(name).output.bias.data.fill_(-100.0)
    table = _Table()

    def work(index: int) -> Tensor:
        own = TwoThreads(index, table=table)
        stage = Minimize(Method(), processes=own)
        batch = part_of(unlabeled(noise(4)), own)
        return stage.loss_terms(models[index], batch)["image_classification"]

    with ThreadPoolExecutor(2) as threads:
        found = [float(value.detach()) for value in threads.map(work, range(2))]
    assert all(value > 0 for value in found) if blind is None else found == [0.0, 0.0]


# ------------------------------------------------------------------------------ one process alone


def test_a_process_alone_changes_nothing():
    value, flag, items = torch.tensor(3), torch.tensor(False), [1, 2, 3]
    assert ALONE.mean(value) is value and ALONE.all(flag) is flag and ALONE.share(items) is items
    assert ALONE.largest([4, 5]) == (4, 5) and ALONE.any(True) and not ALONE.any(False)
    with ALONE.first_goes_ahead():
        ALONE.wait()


def test_shares_are_all_items_once():
    shares = [Processes(index, 3).share(range(8)) for index in range(3)]
    assert sorted(item for share in shares for item in share) == list(range(8))
    assert sorted(map(len, shares)) == [2, 3, 3]


def test_no_launcher_means_alone(monkeypatch):
    monkeypatch.setenv("RANK", "3")  # of something else
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert launched() == (0, 1)
    assert current_processes("cuda:1") is ALONE


# ------------------------------------------------------------------------------- what is refused


@pytest.fixture
def second_of_three(monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "3", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cli, "SECONDS_FOR_THE_FIRST", 0.0)


def test_without_accelerate(second_of_three, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ConfigError, match=r"pip install 'miaod_nb\[ddp\]'"):
        current_processes("cpu")


def test_one_device_for_all(second_of_three):
    with pytest.raises(ConfigError, match="device=auto"):
        current_processes("cuda:1")


def test_a_batch_that_cannot_be_shared(second_of_three, tmp_path):
    """Refused before the processes meet, and before anything is written."""
    run = tmp_path / "run"
    outcome = miaod("run", "--preset", "tiny", "--data-root", tmp_path, "--run-dir", run,
                    "--set", "batch_size=4")  # fmt: skip
    assert outcome.code == 1 and not run.exists() and outcome.out == ""
    assert outcome.err.startswith("process 1 of 3:\nerror: 3 processes cannot have equal parts")
    assert "batch_size = 4" in outcome.err and "(1, 2, 4)" in outcome.err
    assert "multiple of 3" in outcome.err


def test_other_verbs_are_the_work_of_one(second_of_three):
    outcome = miaod("info", ".")
    assert outcome.code == 1 and "`miaod info` is the work of one process" in outcome.err


# --------------------------------------------------------------------- only the first one speaks


def test_the_others_are_silent(second_of_three, capsys, monkeypatch):
    say("a line")
    assert list(progress([1, 2], "work")) == [1, 2]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("RANK", "0")
    say("a line")
    assert capsys.readouterr().out == "a line\n"


def test_the_others_write_nothing(tmp_path):
    writer, other = RunFolder(tmp_path / "run"), ReadOnlyRunFolder(tmp_path / "run")
    other.save_json("a.json", 1)
    other.append_log({"cycle": 0})
    other.mark_done(0, "split")
    with other.lock():
        assert not (tmp_path / "run").exists()
        writer.save_json("a.json", 2)
        with writer.lock():
            other.save_json("a.json", 3)
            other.delete("a.json")
    writer.append_log({"cycle": 0})
    other.rewind_log(lambda record: False)
    assert other.load_json("a.json") == 2 and len(other.read_log()) == 1


def test_a_process_without_a_gpu_is_refused(second_of_three):
    with pytest.raises(ConfigError, match="process 2 of this machine has no GPU"):
        _refuse_missing_gpu(1)
    _refuse_missing_gpu(2)
