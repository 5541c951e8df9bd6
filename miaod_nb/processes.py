"""The processes that share the work of one run, on one machine or several; usually one alone.

A launcher (`torchrun`, `accelerate launch`) starts them; accelerate connects them and gives each
its device. Values on a device are exchanged there, those of the host over a group of its own, so
that nobody waits for a GPU.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from miaod_nb.errors import ConfigError

if TYPE_CHECKING:  # nothing is imported where one process works alone
    import torch
    from torch import Tensor

LONGEST_WAIT = timedelta(days=1)  # for the first process: it downloads data and computes metrics

Item = TypeVar("Item")


@dataclass(frozen=True)
class Processes:
    """The processes of a run as one of them, number `index` of `count`, sees them.

    This class is a process alone: what all say is what it says.
    """

    index: int = 0
    count: int = 1
    device: "torch.device | None" = None  # of this process, where the processes decide that

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run folder and speaks to the user."""
        return self.index == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process's part of the items, as large as the others' where their number allows."""
        return items if self.count == 1 else items[self.index :: self.count]

    def mean(self, value: "Tensor") -> "Tensor":
        """Mean of a tensor over the processes, without gradient."""
        return value

    def all(self, flag: "Tensor") -> "Tensor":
        """Whether a boolean tensor is true in every process."""
        return flag

    def largest(self, values: Sequence[int]) -> tuple[int, ...]:
        """The largest of each of these numbers over the processes."""
        return tuple(values)

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        return flag

    def wait(self) -> None:
        """Waits until every process is here."""

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """What stands inside is done by the first process, then by the others."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()


ALONE = Processes()


@dataclass(frozen=True)
class JoinedProcesses(Processes):
    """Processes that are connected. host: their group on the CPU."""

    host: Any = None

    def mean(self, value: "Tensor") -> "Tensor":
        import torch.distributed as dist

        total = value.detach().clone() if value.is_floating_point() else value.float()
        dist.all_reduce(total)
        return total / self.count

    def all(self, flag: "Tensor") -> "Tensor":
        import torch.distributed as dist

        everywhere = flag.int()
        dist.all_reduce(everywhere, dist.ReduceOp.MIN)
        return everywhere.bool()

    def largest(self, values: Sequence[int]) -> tuple[int, ...]:
        import torch
        import torch.distributed as dist

        found = torch.tensor(values, dtype=torch.int64)
        dist.all_reduce(found, dist.ReduceOp.MAX, group=self.host)
        return tuple(found.tolist())

    def any(self, flag: bool) -> bool:
        return bool(self.largest([flag])[0])

    def wait(self) -> None:
        self.largest([0])


def launched() -> tuple[int, int]:
    """The index of this process and the number of all, as a launcher says them."""
    count = int(os.environ.get("WORLD_SIZE", 1))
    return (int(os.environ.get("RANK", 0)) if count > 1 else 0), count


def current_processes(device: str) -> Processes:
    """The processes that a launcher started, connected; ALONE without one.

    device: the setting of that name. Raises ConfigError.
    """
    _, count = launched()
    if count == 1:
        return ALONE
    if ":" in device:
        raise ConfigError(
            f"{count} processes cannot share one device",
            where=f"device = {device}",
            remedy="set device=auto or device=cuda: each process takes a GPU of its own",
        )
    return _join(device, count)


@lru_cache(maxsize=1)  # a process joins the others once
def _join(device: str, count: int) -> Processes:
    try:
        from accelerate import PartialState
    except ImportError:
        raise ConfigError(
            f"{count} processes were launched, and accelerate, which connects them, is not "
            "installed",
            where=f"WORLD_SIZE = {count}",
            remedy="pip install 'miaod_nb[ddp]', or start a single process",
        ) from None
    import torch
    import torch.distributed as dist

    on_cpu = device == "cpu" or not torch.cuda.is_available()
    if not on_cpu:
        _refuse_missing_gpu(torch.cuda.device_count())
    state = PartialState(cpu=on_cpu)
    if state.num_processes != count:
        raise ConfigError(
            f"{state.num_processes} of the {count} processes are connected",
            where=f"WORLD_SIZE = {count}, LOCAL_RANK = {os.environ.get('LOCAL_RANK')}",
            remedy="start them by torchrun or accelerate launch",
        )
    own = torch.device("cpu") if on_cpu else state.device
    host = dist.new_group(backend="gloo", timeout=LONGEST_WAIT)
    return JoinedProcesses(state.process_index, count, own, host)


def _refuse_missing_gpu(num_gpus: int) -> None:
    place = int(os.environ.get("LOCAL_RANK", 0))
    if place >= num_gpus:
        raise ConfigError(
            f"process {place + 1} of this machine has no GPU of its own: there are {num_gpus}",
            where="the number of processes of the launcher",
            remedy=f"start at most {num_gpus} on this machine, or set device=cpu",
        )


def is_lost_connection(error: RuntimeError) -> bool:
    """Whether an error says that another process has ended or cannot be reached."""
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()
