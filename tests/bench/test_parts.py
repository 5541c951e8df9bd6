"""The parts of a training step add up to it, and the model is left as it was."""

from types import SimpleNamespace

import pytest
import torch
from torch.autograd import DeviceType

from miaod_nb.bench.parts import ROUNDS, part_seconds, shares
from miaod_nb.bench.steps import Shape
from miaod_nb.config import make_config
from tests.tiny import tiny_detector

PARTS = ["data", "backbone", "towers", "loss", "backward", "optimizer"]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_every_part_takes_time(optimizer):
    model = tiny_detector(2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    parts = part_seconds(make_config("tiny", {"optimizer": optimizer}), model, Shape(2, 64, 96))
    assert list(parts) == PARTS
    assert all(0 < seconds < 10 for seconds in parts.values()), parts
    assert not {"features", "predict"} & vars(model).keys()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def event(key: str, host: float, device: float, kernels: float = 0.0, where: str = "CPU"):
    """Milliseconds a step: of the range on the host, on the device, and of its own kernels."""
    factor = 1e3 * ROUNDS
    return SimpleNamespace(
        key=key, device_type=getattr(DeviceType, where), cpu_time_total=host * factor,
        device_time_total=device * factor, self_device_time_total=kernels * factor,
    )  # fmt: skip


EVENTS = [
    event("step", host=100, device=50), event("data", host=5, device=2),
    event("forward", host=40, device=20), event("backbone", host=20, device=8),
    event("towers", host=10, device=7), event("Optimizer.step#SGD.step", host=6, device=4),
    event("aten::convolution", host=60, device=60, kernels=60),
]  # fmt: skip


def test_host_times_by_hand():
    assert shares(EVENTS, on_cuda=False) == pytest.approx({
        "data": 5e-3, "backbone": 20e-3, "towers": 10e-3, "loss": 10e-3, "backward": 49e-3,
        "optimizer": 6e-3,
    })  # fmt: skip


def test_device_times_by_hand():
    on_device = [event("step", 0, 99, 99, "CUDA"), event("towers", 0, 99, 99, "CUDA")]
    assert shares(EVENTS + on_device, on_cuda=True) == pytest.approx({
        "data": 2e-3, "backbone": 8e-3, "towers": 7e-3, "loss": 5e-3, "backward": 34e-3,
        "optimizer": 4e-3, "idle": 40e-3,
    })  # fmt: skip
