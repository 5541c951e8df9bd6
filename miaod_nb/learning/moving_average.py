"""The moving average of a detector's weights over the steps of a cycle."""

from typing import Any

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from miaod_nb.detector.model import DetectionModel


def moving_average(model: DetectionModel, decay: float) -> AveragedModel:
    """A copy of the model that `update_parameters(model)` moves toward it after every step.

    The first step's weights begin the average. Of every later one, t steps after the first, it
    keeps the share min(decay, (1 + t) / (10 + t)) of itself: so early weights do not linger in a
    short training. Buffers are those of the model; BatchNorm statistics never change in training.
    """

    def update(averaged: Any, current: Any, num_averaged: Any) -> None:
        step = int(average.n_averaged)  # on the CPU: nobody waits for the device
        ramped = min(decay, (1 + step) / (10 + step))
        get_ema_multi_avg_fn(ramped)(averaged, current, num_averaged)

    average = AveragedModel(model, multi_avg_fn=update)
    return average


def averaged_detector(average: AveragedModel, model: DetectionModel) -> DetectionModel:
    """The detector with the averaged weights, and with what the model knows of the quality of
    classes."""
    detector = average.module
    assert isinstance(detector, DetectionModel)
    detector.class_quality = model.class_quality
    return detector
