"""Measuring a call: time beside another one's, operations, memory, and what the device can do."""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from miaod_nb.bench.steps import Call, Step
from miaod_nb.progress import progress

ROUNDS = (5, 30)  # fewest and most
SECONDS = 0.5  # that the rounds of a step should take at least
MATRIX_SIDE = {"cpu": 2048, "cuda": 8192}
MATRIX_ROUNDS = 5
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}

Clock = Callable[[], float]  # seconds


@dataclass(frozen=True)
class Measured:
    """Of a step: images a call handles, seconds of each round, floating-point operations of a call,
    and the most memory (MiB) that it needs beside weights and batches; None on a CPU, which tells
    a process's peak alone."""

    images: int
    seconds: tuple[float, ...]
    flops: int
    memory_mb: float | None

    @property
    def median(self) -> float:
        """Seconds of a call."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Row:
    """A step of ours and of the peer, if there is one. peak: the device's FLOP/s."""

    name: str
    own: Measured
    peer: Measured | None
    peak: float

    @property
    def flops_ratio(self) -> float | None:
        """Our operations over the peer's."""
        return self.own.flops / self.peer.flops if self.peer else None

    @property
    def wall_ratio(self) -> float | None:
        """Our median time over the peer's."""
        return self.own.median / self.peer.median if self.peer else None

    @property
    def share_of_peak(self) -> float:
        """Operations a second over what the device's matrix product reaches."""
        return self.own.flops / self.own.median / self.peak


def measure_step(step: Step, peer: Step | None, device: torch.device, peak: float) -> Row:
    """Measures both, in turn, after a count of the operations that is the first warm-up."""
    steps = {"own": step} | ({"peer": peer} if peer else {})
    calls = {who: one.ready() for who, one in steps.items()}
    flops = {who: count_flops(call) for who, call in calls.items()}
    memory = {who: peak_memory_mb(call, device) for who, call in calls.items()}
    clock = device_clock(device)
    warm = sum(sum(times) for times in interleaved(calls, range(1), clock).values())
    rounds = progress(range(num_rounds(warm)), f"measuring {step.name}")
    seconds = interleaved(calls, rounds, clock)
    found = {
        who: Measured(one.images, tuple(seconds[who]), flops[who], memory[who])
        for who, one in steps.items()
    }
    return Row(step.name, found["own"], found.get("peer"), peak)


def interleaved(
    calls: Mapping[str, Call], rounds: Iterable[object], clock: Clock
) -> dict[str, list[float]]:
    """Seconds of every call in every round, A B A B ...: what slows the machine down for a while
    meets all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in rounds:
        for name, call in calls.items():
            start = clock()
            call()
            seconds[name].append(clock() - start)
    return seconds


def num_rounds(seconds: float) -> int:
    """How often to measure what takes so long."""
    fewest, most = ROUNDS
    return min(max(math.ceil(SECONDS / max(seconds, 1e-9)), fewest), most)


def device_clock(device: torch.device) -> Clock:
    """A clock that first waits until the device has done all that it was given."""

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    return now


def count_flops(call: Call) -> int:
    """Floating-point operations of matrix products and convolutions, forward and backward."""
    mapping = {torch.ops.aten.convolution_backward: _convolution_backward_flops}
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        call()
    return counter.get_total_flops()


def _convolution_backward_flops(
    gradient: Any, images: Any, weight: Any, *options: Any, out_shape: Any = None
) -> int:
    """As many as forward for each gradient that is wanted, of the images and of the weights.

    torch's own count takes the weights' gradient of a depthwise convolution for that of a full one.
    """
    transposed, (wants_images, wants_weight, _) = options[4], options[7]
    forward = conv_flop_count(images, weight, gradient, transposed)
    return forward * (wants_images + wants_weight)


def peak_memory_mb(call: Call, device: torch.device) -> float | None:
    """The most memory (MiB) that the call needs beyond what was taken before; None on a CPU."""
    if device.type != "cuda":
        return None
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    call()
    return (torch.cuda.max_memory_allocated(device) - before) / 2**20


def matrix_peak(device: torch.device, precision: str = "fp32") -> float:
    """FLOP/s of a large matrix product in this precision, the best of several."""
    side = MATRIX_SIDE[device.type]
    matrix = torch.ones(side, side, dtype=DTYPES[precision], device=device)
    calls: dict[str, Call] = {"product": lambda: matrix @ matrix}
    rounds = progress(range(MATRIX_ROUNDS), "measuring the device's peak")
    return 2 * side**3 / min(interleaved(calls, rounds, device_clock(device))["product"])
