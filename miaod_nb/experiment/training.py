"""The training steps of a cycle: batches in a reproducible order, and a state that survives."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from miaod_nb.boxes import Objects
from miaod_nb.config import Config
from miaod_nb.data.batches import BatchLoader, read_image, training_loader
from miaod_nb.data.plans import pair_plans, training_plan
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector import build_detector
from miaod_nb.detector.growing import go_on_from
from miaod_nb.detector.model import DetectionModel
from miaod_nb.detector.whole_weights import begin_with_weights
from miaod_nb.errors import CheckpointError, RunFolderError, TrainingError
from miaod_nb.learning.moving_average import averaged_detector, moving_average
from miaod_nb.learning.stages import Method
from miaod_nb.learning.train import (
    Batches,
    StagePlan,
    learning_rates,
    make_optimizer,
    train_stage,
)
from miaod_nb.progress import progress, say, say_detail
from miaod_nb.runs.machine import memory_mb
from miaod_nb.runs.session import Session
from miaod_nb.runs.steps import shown


@dataclass(frozen=True)
class TrainingSet:
    """What a cycle trains on. objects: of the labeled images by id; unlabeled_ids: the sample of
    the pool; records: of all of them by id; load: how an image is had. before: gives the detector
    of the cycle before, if this one begins with that."""

    cycle: int
    classes: Sequence[str]
    objects: Mapping[str, Objects]
    unlabeled_ids: Sequence[str]
    records: Mapping[str, ImageRecord]
    load: Callable[[ImageRecord], Tensor] = read_image
    before: Callable[[], DetectionModel] | None = None


class StageTraining:
    """One stage of one cycle, to be trained from wherever its saved state stands."""

    def __init__(
        self, config: Config, session: Session, device: torch.device,
        stages: Sequence[StagePlan], index: int, data: TrainingSet,
    ) -> None:  # fmt: skip
        self.config, self.session, self.device = config, session, device
        self.stages, self.index, self.data = stages, index, data
        self.plan = stages[index]
        self.state_path = f"cycle{data.cycle}/state.pt"
        self.steps_per_epoch = len(self.epoch_plans(index, 0)[0])

    def run(self) -> tuple[DetectionModel, DetectionModel]:
        """Trains the stage to its end and saves the state. Returns the model, and what is the
        cycle's detector if this was its last stage: the model, or its moving average."""
        state = self._saved_state()
        model, average = self._detectors(state)
        optimizer, first_step = self._start(model, state)
        self.session.folder.rewind_log(self._precedes(first_step))
        if not first_step:
            self._log_beginning(model)
        lengths = [len(self.epoch_plans(i, 0)[0]) for i in range(len(self.stages))]
        rates = learning_rates(self.config, self.stages, self.index, lengths)
        recorder = _Recorder(self, model, average, optimizer, first_step)
        description = f"cycle {self.data.cycle} {self.plan.name.replace('_', '-')}"
        if first_step:
            say(f"{description}: goes on after step {first_step} of {len(rates)}")
        batches = self._batches(first_step, model)
        train_stage(
            model, self.plan.stage, optimizer,
            progress(batches, description, len(rates), first_step), rates[first_step:], recorder,
            self.config.clip_norm,
        )  # fmt: skip
        recorder.save()
        return model, model if average is None else averaged_detector(average, model)

    def epoch_plans(self, index: int, epoch: int) -> list[list[list[str]]]:
        """The plan of an epoch's labeled batches and, in a stage that uses them, that of its
        unlabeled ones, equally long."""
        labeled = self._plan(list(self.data.objects), index, epoch, kind=0)
        if not self.stages[index].stage.uses_unlabeled:
            return [labeled]
        return list(pair_plans(labeled, self._plan(self.data.unlabeled_ids, index, epoch, kind=1)))

    def _plan(self, ids: Sequence[str], index: int, epoch: int, kind: int) -> list[list[str]]:
        rng = np.random.default_rng([self.config.seed, self.data.cycle, index, epoch, kind])
        landscape = [self.data.records[i].width > self.data.records[i].height for i in ids]
        return training_plan(
            ids, landscape, self.config.batch_size, rng,
            passes=self.config.repeats, min_steps=self.config.min_epoch_steps,
        )  # fmt: skip

    def _batches(self, first_step: int, model: DetectionModel) -> Iterator[Batches]:
        """The batches of every step that is left."""
        epochs = range(first_step // self.steps_per_epoch, self.plan.epochs)
        if not epochs:
            return
        of_kinds = zip(*(self._loaders(epoch, first_step, model) for epoch in epochs), strict=True)
        pinned = self.device.type == "cuda"
        yield from zip(*(BatchLoader.chained(one, pinned) for one in of_kinds), strict=True)

    def _loaders(self, epoch: int, first_step: int, model: DetectionModel) -> list[BatchLoader]:
        """The loader of an epoch's labeled batches and, where they are used, of unlabeled ones."""
        targets = (self.data.objects, None)  # the second plan is of unlabeled images
        plans = self.epoch_plans(self.index, epoch)
        return [
            training_loader(
                plan, self.data.records, objects, input_size=InputSize.of(self.config),
                augmentation=self.config.augmentation, seed=self.config.seed,
                epoch=(self.data.cycle, self.index, epoch, kind), mean=model.pixel_mean,
                std=model.pixel_std, workers=self.config.workers,
                start=max(first_step - epoch * self.steps_per_epoch, 0), load=self.data.load,
                processes=self.session.processes,
            )
            for kind, (plan, objects) in enumerate(zip(plans, targets, strict=False))
        ]  # fmt: skip

    def _saved_state(self) -> Mapping[str, Any] | None:
        """The last state that was saved in this cycle; None if it begins now."""
        folder = self.session.folder
        if folder.exists(self.state_path):
            return folder.load_tensors(self.state_path, self.device)
        if self.index > 0:
            raise RunFolderError(
                f"the state after {self.stages[self.index - 1].name} is missing",
                where=folder.path(self.state_path),
                remedy=f"delete {folder.path(f'cycle{self.data.cycle}')} to train the cycle again",
            )
        return None

    def _detectors(
        self, state: Mapping[str, Any] | None
    ) -> tuple[DetectionModel, AveragedModel | None]:
        """The detector to train, as the state has it or as the cycle begins with it, and the moving
        average of its weights if there is one."""
        has_all = state is not None or self.data.before is not None or self.config.weights
        config = without_pretrained(self.config) if has_all else self.config
        model = build_detector(config, len(self.data.classes)).to(self.device)
        if state is not None:
            load_checkpoint(model, state, self.session.folder.path(self.state_path))
        elif self.data.before is not None:
            go_on_from(model, self.data.before())
        elif self.config.weights:
            self._tell_once(begin_with_weights(model, self.config, self.data.classes))
        if not self.config.weight_averaging:
            return model, None
        average = moving_average(model, self.config.weight_averaging)
        if state is not None:
            average.load_state_dict(state["average"])
        return model, average

    def _start(
        self, model: DetectionModel, state: Mapping[str, Any] | None
    ) -> tuple[torch.optim.Optimizer, int]:
        """The optimizer as the state has it, and how many steps of this stage are done."""
        model.train()
        model.train_only(self.plan.stage.trained_parts(model.parts))
        optimizer = make_optimizer(
            model, self.config.optimizer, learning_rate=self.config.learning_rate,
            weight_decay=self.config.weight_decay, momentum=self.config.momentum,
            backbone_lr_factor=self.config.backbone_lr_factor,
        )  # fmt: skip
        if state is None or state["stage"] != self.index:  # the stage before ended there
            return optimizer, 0
        optimizer.load_state_dict(state["optimizer"])
        return optimizer, state["step"]

    def _log_beginning(self, model: DetectionModel) -> None:
        """Notes what follows from settings that leave it open."""
        cycle, facts = self.data.cycle, dict[str, Any]()
        if self.index == 0 and self.data.before is not None:
            facts["starts_from"] = f"cycle {cycle - 1}"
        if self.plan.stage.uses_unlabeled and self.config.discrepancy_weight == "auto":
            weight = Method.of(self.config).weight(model, self.config.batch_size)
            facts["discrepancy_weight"] = weight
            say(f"  {shown(self.plan.name)}: discrepancy_weight=auto is {weight:.4g}")
        if facts:
            self.session.log(
                cycle, f"begin of {self.plan.name}", stage=self.plan.name, step=0, **facts
            )

    def _tell_once(self, taken: str) -> None:
        """Says and logs what the first training of the run begins with."""
        if not any(record.get("event") == "weights" for record in self.session.folder.read_log()):
            say(taken)
            self.session.log(self.data.cycle, "weights", taken=taken)

    def _precedes(self, first_step: int) -> Any:
        """Keeps log records that this stage will not write again."""
        here = (self.data.cycle, self.plan.name)
        # The record of the stage's end has no step.
        return lambda r: (
            (r.get("cycle"), r.get("stage")) != here or r.get("step", math.inf) <= first_step
        )


class _Recorder:
    """Watches the steps of a stage: logs them, saves the state, refuses to go on with NaN."""

    def __init__(
        self, training: StageTraining, model: DetectionModel, average: AveragedModel | None,
        optimizer: torch.optim.Optimizer, first_step: int,
    ) -> None:  # fmt: skip
        self.training, self.model, self.optimizer = training, model, optimizer
        self.average = average
        self.step, self.images, self.logged_at = first_step, 0, time.monotonic()
        self.terms: dict[str, Tensor] = {}

    def __call__(self, terms: dict[str, Tensor], rate: float, images: int) -> None:
        self.step += 1
        self.images += images
        self.terms = terms
        if self.average is not None:
            self.average.update_parameters(self.model)
        training = self.training
        at_end = self.step == training.plan.epochs * training.steps_per_epoch
        if self.step % training.config.log_every == 0 or at_end:  # every stage logs something
            self._log(rate)
        if self.training.session.any_save_due():
            self.save()

    def save(self) -> None:
        """Saves model, average, optimizer and position. Raises TrainingError for weights that
        diverged."""
        self._finite_terms()
        average = {} if self.average is None else {"average": self.average.state_dict()}
        self.training.session.folder.save_tensors(
            self.training.state_path,
            {
                "model": self.model.state_dict(),
                "class_quality": self.model.class_quality,
                "optimizer": self.optimizer.state_dict(),
                "stage": self.training.index,
                "step": self.step,
                **average,
            },
        )
        self.training.session.all_saved()

    def _finite_terms(self) -> dict[str, float]:
        """The terms of the last step, of the whole batch."""
        if not self.terms:
            return {}
        whole = self.training.session.processes.mean(torch.stack(list(self.terms.values())))
        values = dict(zip(self.terms, whole.tolist(), strict=True))
        for name, value in values.items():
            if not np.isfinite(value):
                cycle, stage = self.training.data.cycle, self.training.plan.name
                raise TrainingError(
                    f"the loss term '{name}' is {value}",
                    where=f"cycle {cycle}, {stage}, step {self.step}",
                    remedy="the training diverged: lower learning_rate or set clip_norm, and use "
                    "a new run_dir",
                )
        return values

    def _log(self, rate: float) -> None:
        training, terms = self.training, self._finite_terms()
        speed = self.images / max(time.monotonic() - self.logged_at, 1e-9)
        self.logged_at, self.images = time.monotonic(), 0
        training.session.log(
            training.data.cycle, "step", stage=training.plan.name,
            epoch=(self.step - 1) // training.steps_per_epoch, step=self.step, terms=terms,
            learning_rate=rate, images_per_s=round(speed, 2),
            memory_mb=round(memory_mb(training.device), 1),
        )  # fmt: skip
        total = training.plan.epochs * training.steps_per_epoch
        shown = "  ".join(f"{name} {value:.4f}" for name, value in terms.items())
        say_detail(f"  {training.plan.name} {self.step}/{total}  {shown}  lr {rate:.2e}  "
                   f"{speed:.1f} images/s")  # fmt: skip


def without_pretrained(config: Config) -> Config:
    """The same detector without its pretrained weights, to be filled from a checkpoint."""
    return config.model_copy(update={"backbone_weights": "none", "weights": ""})


def load_checkpoint(model: DetectionModel, checkpoint: Mapping[str, Any], path: object) -> None:
    """Loads a detector as a run saves it: the weights, and what is known of the quality of each
    class, which files of earlier versions lack. Raises CheckpointError."""
    load_weights(model, checkpoint.get("model", {}), path)
    model.class_quality = checkpoint.get("class_quality", model.class_quality)


def load_weights(model: DetectionModel, state: Mapping[str, Tensor], path: object) -> None:
    """Loads all of `state`. Raises CheckpointError for other classes or another architecture."""
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    for key in [*expected, *found]:
        if expected.get(key) != found.get(key):
            raise CheckpointError(
                f"the weights are of another detector: {key} is {found.get(key, 'missing')}, "
                f"expected {expected.get(key, 'not at all')}",
                where=path,
                remedy="use the settings and the classes that the weights were trained with",
            )
    model.load_state_dict(dict(state))
