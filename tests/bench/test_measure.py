"""Times are medians of calls in turn, and operations are counted."""

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from miaod_nb.bench import measure
from miaod_nb.bench.measure import (
    Measured,
    Row,
    count_flops,
    interleaved,
    matrix_peak,
    measure_step,
    num_rounds,
    peak_memory_mb,
)
from miaod_nb.bench.steps import Step

CPU = torch.device("cpu")


class Clock:
    """Stands still but for what the calls take."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_calls_take_turns():
    clock, order = Clock(), []
    durations = {"own": iter([1.0, 5.0, 2.0]), "peer": iter([3.0, 3.5, 4.0])}

    def call(name: str) -> None:
        order.append(name)
        clock.now += next(durations[name])

    calls = {name: lambda name=name: call(name) for name in durations}
    found = interleaved(calls, range(3), clock)
    assert order == ["own", "peer"] * 3
    assert found == {"own": [1.0, 5.0, 2.0], "peer": [3.0, 3.5, 4.0]}


@pytest.mark.parametrize(
    ("seconds", "rounds"), [(5.0, 5), (0.1, 5), (0.05, 10), (0.02, 25), (0.0, 30)]
)
def test_short_steps_are_measured_oftener(seconds, rounds):
    assert num_rounds(seconds) == rounds


def test_row_compares_medians():
    own = Measured(2, (9.0, 2.0, 3.0), 600, None)
    peer = Measured(2, (4.0, 1.0, 6.0), 400, None)
    row = Row("label-set", own, peer, peak=1000.0)
    assert own.median == 3.0 and peer.median == 4.0
    assert row.wall_ratio == 0.75 and row.flops_ratio == 1.5
    assert row.share_of_peak == pytest.approx(600 / 3 / 1000)
    alone = Row("label-set", own, None, peak=1000.0)
    assert alone.wall_ratio is None and alone.flops_ratio is None


def test_operations_of_forward_and_backward_are_counted():
    a, b = torch.ones(3, 5), torch.ones(5, 7, requires_grad=True)
    assert count_flops(lambda: a @ b) == 2 * 3 * 5 * 7
    assert count_flops(lambda: (a @ b).sum().backward()) == 2 * 2 * 3 * 5 * 7
    assert count_flops(torch.inference_mode()(lambda: a @ b)) == 2 * 3 * 5 * 7


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("trains_images", [False, True])
def test_operations_of_grouped_convolutions_are_counted(groups, trains_images):
    layer = torch.nn.Conv2d(4, 8, 3, padding=1, groups=groups)
    images = torch.ones(2, 4, 5, 6, requires_grad=trains_images)
    forward = 2 * (2 * 5 * 6 * 8) * (4 // groups) * 3 * 3  # a product and a sum each
    assert count_flops(lambda: layer(images)) == forward
    assert count_flops(lambda: layer(images).sum().backward()) == forward * (2 + trains_images)


def test_operations_are_those_of_torch_where_it_counts_right():
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.ConvTranspose2d(8, 5, 2, stride=2)
    )

    def call() -> None:
        layers(torch.ones(2, 3, 11, 13)).sum().backward()

    with FlopCounterMode(display=False) as counter:
        call()
    assert count_flops(call) == counter.get_total_flops()


def test_a_step_is_made_ready_once_and_called_in_turn_with_the_peer(monkeypatch):
    monkeypatch.setattr(measure, "ROUNDS", (3, 3))
    order = []

    def step(name: str) -> Step:
        def ready():
            order.append(f"ready {name}")
            return lambda: order.append(name)

        return Step(name, 2, ready)

    row = measure_step(step("own"), step("peer"), CPU, peak=1e9)
    assert order == ["ready own", "ready peer", *["own", "peer"] * (1 + 1 + 3)]
    assert row.name == "own" and row.peer is not None
    assert len(row.own.seconds) == len(row.peer.seconds) == 3
    assert row.own.memory_mb is None and peak_memory_mb(lambda: None, CPU) is None


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_peak_of_the_device_is_a_speed(monkeypatch, precision):
    monkeypatch.setattr(measure, "MATRIX_SIDE", {"cpu": 64})
    assert 0 < matrix_peak(CPU, precision) < math.inf
