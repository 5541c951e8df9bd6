"""Where the time of a training step goes: data, backbone, towers, loss, backward, optimizer."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function

from miaod_nb.bench.steps import Shape, labeled_batch
from miaod_nb.config import Config
from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.detector.model import DetectionModel
from miaod_nb.learning.stages import LabelSet, Method, Terms
from miaod_nb.learning.train import make_optimizer, optimization_step

ROUNDS = 3  # after one that is not looked at
_METHODS = {"features": "backbone", "predict": "towers"}  # of the model, and the part they are


@dataclass(frozen=True)
class _RecordedLabelSet(LabelSet):
    """A label-set stage whose forward pass the profiler can tell apart."""

    def loss_terms(self, model: DetectionModel, batch: LabeledBatch | UnlabeledBatch) -> Terms:
        with record_function("forward"):
            return super().loss_terms(model, batch)


def part_seconds(config: Config, model: DetectionModel, shape: Shape) -> dict[str, float]:
    """Seconds of each part of a label-set step, optimizer included, mean over a few steps.

    On CUDA it is the time of the device; the part "idle" is what it waits for the host.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler would tell of its own stages
    on_cuda = model.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * on_cuda]
    steps = _training_steps(config, model, shape)
    with _recorded(model):
        next(steps)
        with profile(activities=activities) as profiler:
            for _ in range(ROUNDS):
                next(steps)
    return shares(profiler.key_averages(), on_cuda)


def shares(events: Iterable[Any], on_cuda: bool) -> dict[str, float]:
    """Seconds of each part in one of the ROUNDS steps that the profiler's events are of."""
    # On CUDA a range stands there twice: as the host saw it, with its kernels, and on the device.
    of_host = [event for event in events if event.device_type == DeviceType.CPU]
    attribute = "device_time_total" if on_cuda else "cpu_time_total"

    def seconds(name: str, attribute: str = attribute) -> float:
        micro = sum(getattr(e, attribute) for e in of_host if e.key.startswith(name))
        return micro / 1e6 / ROUNDS

    wall = seconds("step", "cpu_time_total")
    busy = seconds("", "self_device_time_total") if on_cuda else wall
    data, forward, optimizer = (seconds(n) for n in ("data", "forward", "Optimizer.step"))
    backbone, towers = seconds("backbone"), seconds("towers")
    parts = {
        "data": data,
        "backbone": backbone,
        "towers": towers,
        "loss": forward - backbone - towers,
        # What is left: a thread of its own starts the kernels of the backward pass.
        "backward": busy - data - forward - optimizer,
        "optimizer": optimizer,
    }
    return parts | ({"idle": max(wall - busy, 0.0)} if on_cuda else {})


def _training_steps(config: Config, model: DetectionModel, shape: Shape) -> Iterator[None]:
    """Label-set steps as they are trained, at a learning rate of 0."""
    stage = _RecordedLabelSet(Method.of(config))
    batch = labeled_batch(shape, model.num_classes)
    model.train()
    model.train_only(stage.trained_parts(model.parts))
    optimizer = make_optimizer(
        model, config.optimizer, learning_rate=0.0, weight_decay=config.weight_decay,
        momentum=config.momentum,
    )  # fmt: skip
    while True:
        with record_function("step"):
            with record_function("data"):
                on_device = batch.to(model.device)
            optimization_step(model, stage, on_device, optimizer, config.clip_norm)
            if model.device.type == "cuda":
                torch.cuda.synchronize(model.device)
        yield


@contextmanager
def _recorded(model: DetectionModel) -> Iterator[None]:
    """Lets the profiler tell the parts of the model's forward pass apart."""
    for method, part in _METHODS.items():
        setattr(model, method, record_function(part)(getattr(model, method)))
    try:
        yield
    finally:
        for method in _METHODS:
            delattr(model, method)
