"""One training loop for every stage: optimizer, learning rate, steps."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from miaod_nb.config import Config
from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.detector.model import DetectionModel
from miaod_nb.learning.averaging import averaged
from miaod_nb.learning.stages import (
    LabelSet,
    Maximize,
    Method,
    Minimize,
    Stage,
    Terms,
    fill_zero_gradients,
)
from miaod_nb.processes import ALONE, Processes
from miaod_nb.runs.steps import stage_names

STAGES = (LabelSet, Minimize, Maximize)
WARMUP_START = 0.001  # of the learning rate, at the first step of a warm-up
Batches = Sequence[LabeledBatch | UnlabeledBatch]  # one step: (labeled,) or (labeled, unlabeled)


@dataclass(frozen=True)
class StagePlan:
    """A stage's place in the cycle. drop_after: epochs before the rate drops to a tenth."""

    name: str
    stage: Stage
    epochs: int
    drop_after: int | None = None


def cycle_stages(
    config: Config, adversarial: bool, processes: Processes = ALONE, goes_on: bool = False
) -> list[StagePlan]:
    """The stages of one cycle in order; without unlabeled images a single label-set stage with as
    many passes over the labeled images as all stages together. goes_on: whether the cycle begins
    with the detector of the one before."""
    method = Method.of(config)
    of_label_set = (goes_on and config.later_epochs) or config.label_set_epochs
    dropped = max(of_label_set - config.drop_epoch, 0)  # epochs at the lower rate
    names = stage_names(config, adversarial)
    kinds: list[Stage] = [kind(method, processes=processes) for kind in STAGES]
    plans = []
    for name in names:
        stage = next(kind for kind in kinds if name.startswith(kind.name))
        is_label_set = isinstance(stage, LabelSet)
        epochs = of_label_set if is_label_set else config.adversarial_epochs
        plans.append(StagePlan(name, stage, epochs))
    last = plans.pop()
    if not adversarial:
        per_round = 2 * config.adversarial_epochs + of_label_set
        last = replace(last, epochs=last.epochs + config.rounds * per_round)
    return [*plans, replace(last, drop_after=last.epochs - dropped)]


def learning_rates(
    config: Config, plans: Sequence[StagePlan], index: int, steps_per_epoch: Sequence[int]
) -> list[float]:
    """The learning rate of every step of stage `index`.

    steps_per_epoch: of each stage of the cycle. Warm-up starts anew in every stage; a cosine
    spans the cycle; the step schedule drops where the plan says.
    """
    lengths = [plan.epochs * steps for plan, steps in zip(plans, steps_per_epoch, strict=True)]
    before, total = sum(lengths[:index]), sum(lengths)
    drop_after = plans[index].drop_after
    rates = []
    for step in range(lengths[index]):
        rate = config.learning_rate
        if config.schedule == "cosine":
            rate *= 0.5 * (1 + math.cos(math.pi * (before + step) / total))
        elif drop_after is not None and step // steps_per_epoch[index] >= drop_after:
            rate *= 0.1
        if step < config.warmup_steps:
            rate *= WARMUP_START + (1 - WARMUP_START) * step / config.warmup_steps
        rates.append(rate)
    return rates


def make_optimizer(
    model: DetectionModel,
    name: str,
    *,
    learning_rate: float,
    weight_decay: float,
    momentum: float = 0.9,
    backbone_lr_factor: float = 1.0,
) -> torch.optim.Optimizer:
    """A new optimizer over the parameters that train now; the backbone has its own rate."""
    backbone = [p for p in model.backbone.parameters() if p.requires_grad]
    known = set(backbone)
    others = [p for p in model.parameters() if p.requires_grad and p not in known]
    groups: list[dict[str, Any]] = [
        {"params": parameters, "lr": learning_rate * factor, "lr_factor": factor}
        for parameters, factor in ((backbone, backbone_lr_factor), (others, 1.0))
        if parameters
    ]
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=momentum, weight_decay=weight_decay)
    return torch.optim.AdamW(groups, weight_decay=weight_decay, fused=True)


def optimization_step(
    model: DetectionModel,
    stage: Stage,
    batch: LabeledBatch | UnlabeledBatch,
    optimizer: torch.optim.Optimizer,
    clip_norm: float = 0.0,
) -> Terms:
    """One optimizer step on one batch; returns the loss terms, detached, still on the device."""
    terms = stage.loss_terms(model, batch)
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(terms.values())).sum().backward()
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    if model.fills_zero_gradients:
        fill_zero_gradients(trained)
    if clip_norm > 0:
        torch.nn.utils.clip_grad_norm_(trained, clip_norm)
    optimizer.step()
    return {name: value.detach() for name, value in terms.items()}


def train_stage(
    model: DetectionModel,
    stage: Stage,
    optimizer: torch.optim.Optimizer,
    steps: Iterable[Batches],
    rates: Iterable[float],
    on_step: Callable[[dict[str, Tensor], float, int], None],
    clip_norm: float = 0.0,
) -> None:
    """Trains over `steps`, each a labeled batch or a (labeled, unlabeled) pair, which makes two
    optimizer steps. After each, `on_step` gets the terms ("unlabeled_" before those of the
    unlabeled batch), the learning rate and the number of images. Of several processes each brings
    its part of the batches; all make the same step, that of the whole batch."""
    stage = averaged(stage)
    for batches, rate in zip(steps, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_factor"]
        terms: dict[str, Tensor] = {}
        for batch in batches:
            prefix = "unlabeled_" if isinstance(batch, UnlabeledBatch) else ""
            batch = batch.padded_to(*stage.processes.largest(batch.images.shape[-2:]))
            found = optimization_step(model, stage, batch.to(model.device), optimizer, clip_norm)
            terms |= {prefix + name: value for name, value in found.items()}
        images = stage.processes.count * sum(len(batch) for batch in batches)
        on_step(terms, rate, images)
