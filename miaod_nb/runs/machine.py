"""The machine that a run works on: device, threads, memory, and what results owe to them."""

import ctypes
import importlib.metadata
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from miaod_nb.config import Config
from miaod_nb.errors import ConfigError, TrainingError, is_lack_of_memory
from miaod_nb.processes import ALONE, Processes

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h
THREADS_AT_START = torch.get_num_threads()  # one a core, unless the environment says otherwise


@contextmanager
def memory_explained() -> Iterator[None]:
    """Turns a lack of memory, of the device or for the workers, into an error for the user."""
    try:
        yield
    except RuntimeError as error:
        if not is_lack_of_memory(error):
            raise
        raise TrainingError(
            f"there is not enough memory: {str(error).splitlines()[0]}",
            where="batch_size, image_size, workers",
            remedy="run the same command again after other programs ended, or use a smaller "
            "batch_size or image_size (a new run_dir), or workers=0",
        ) from error


def resolve_device(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA when there is one. Raises ConfigError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"the device '{name}' is not there ({torch.cuda.device_count()} CUDA devices found)",
            where="device",
            remedy="set device=auto or device=cpu",
        )
    return device


def prepare_torch(config: Config, device: torch.device) -> None:
    """Makes torch's results reproducible on the device, with the configured number of threads."""
    torch.set_num_threads(config.threads or THREADS_AT_START)
    backends: Any = torch.backends  # its types lack the setting
    backends.fp32_precision = "tf32" if config.precision == "tf32" else "ieee"
    if device.type == "cuda":
        torch.use_deterministic_algorithms(True, warn_only=True)
    else:
        _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Makes glibc, where that is the C library, use freed memory again instead of giving it back.

    Every large tensor would else get fresh pages from the system, which costs more than many an
    operation on it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def describe_environment(device: torch.device, processes: Processes = ALONE) -> dict[str, Any]:
    """What results depend on in their last digits: versions, device, threads, and how many
    processes there are, if several."""
    packages = ("miaod_nb", "torch", "torchvision", "timm", "numpy")
    versions = {name: importlib.metadata.version(name) for name in packages}
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    several = {"processes": processes.count} if processes.count > 1 else {}
    return versions | {
        "python": platform.python_version(),
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
        **several,
    }


def memory_mb(device: torch.device) -> float:
    """Peak memory so far in MiB: of the device, or of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # from KiB
