"""What the machine has: libraries that work together, a GPU or not, threads, instructions."""

import importlib.metadata
import os
import platform
import re
from pathlib import Path

import torch
import torchvision

from miaod_nb.config import Config
from miaod_nb.config.files import weights_file
from miaod_nb.detector.backbones import BACKBONES
from miaod_nb.doctor.finding import Finding, Severity
from miaod_nb.runs.machine import THREADS_AT_START

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of work in so many
GPU = Path("/dev/nvidia0")
CPU_FLAGS = Path("/proc/cpuinfo")
BF16 = {"avx512_bf16", "amx_bf16", "bf16"}  # as Linux calls the instructions, on x86 and on ARM


def machine_findings(config: Config, device: torch.device) -> list[Finding]:
    """What of the machine stops or slows a run of these settings on the device."""
    on_device = _cpu(config) if device.type == "cpu" else []
    return [*_libraries(device), *_gpu(device), *on_device, *_weights(config)]


def machine_lines(config: Config, device: torch.device) -> dict[str, str]:
    """What the machine has, for people."""
    names = ("miaod_nb", "torch", "torchvision", "timm", "numpy")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU is used"
    return {
        "versions": f"Python {platform.python_version()}, {versions}",
        "device": f"{device.type} ({gpu}); torch is built for "
        + (f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPUs alone"),
        "processor": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()} "
        f"instructions, {config.threads or THREADS_AT_START} threads on {cores()} cores",
    }


def cores() -> int:
    """How many processor cores this process may use at a time; a container has few of many."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = QUOTA.read_text().split() if QUOTA.is_file() else ["max"]
    share = max(round(int(quota[0]) / int(quota[1])), 1) if quota[0].isdigit() else count
    return min(count or 1, share or 1)


def _libraries(device: torch.device) -> list[Finding]:
    """A finding if what every run calls of torch and torchvision does not work on the device."""
    try:
        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=device)
        torchvision.ops.nms(boxes, boxes[:, 2], 0.5)
        torch.conv2d(boxes.reshape(1, 1, 2, 2), boxes.reshape(1, 1, 2, 2))
    except RuntimeError as error:  # also what an operator lacks on a device
        versions = f"torch {torch.__version__} and torchvision {torchvision.__version__}"
        said = str(error).splitlines()[0]
        return [Finding(
            Severity.STOPS, f"{versions} do not work together on {device}: {said}", 1,
            "install both anew, of one release and for one device (pytorch.org/get-started)",
        )]  # fmt: skip
    return []


def _gpu(device: torch.device) -> list[Finding]:
    if device.type == "cuda" or not GPU.exists():
        return []
    why = "its driver does not answer" if torch.version.cuda else "torch is the build for CPUs"
    if torch.cuda.is_available():
        return [Finding(Severity.NOTE, "GPU that the settings leave unused", 1,
                        "set device=auto")]  # fmt: skip
    return [Finding(
        Severity.HURTS, f"GPU that cannot be used: {why}", 1,
        "install torch and torchvision for your CUDA, or the driver (nvidia-smi must list the GPU)",
    )]  # fmt: skip


def _cpu(config: Config) -> list[Finding]:
    threads, there = config.threads or THREADS_AT_START, cores()
    found = []
    if threads > there:
        found.append(Finding(
            Severity.HURTS, f"more threads ({threads}) than cores to use ({there}): they wait for "
            "each other", 1, f"set threads={there}",
        ))  # fmt: skip
    if not config.threads and 2 * threads <= there:
        found.append(Finding(
            Severity.NOTE, f"only {threads} of {there} cores are used: OMP_NUM_THREADS says so", 1,
            "unset OMP_NUM_THREADS, unless other work goes on",
        ))  # fmt: skip
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "NO AVX"):
        found.append(Finding(
            Severity.HURTS, "processor without AVX2 instructions: training is several times slower",
            1, "use another machine, or a preset of fewer pixels",
        ))  # fmt: skip
    if config.precision == "bf16" and CPU_FLAGS.is_file():
        flags = re.findall(r"\w+", CPU_FLAGS.read_text())
        if not BF16 & {*flags}:
            found.append(Finding(
                Severity.HURTS, "precision=bf16 on a processor without bf16 instructions: it is "
                "emulated, slower than fp32", 1, "set precision=fp32",
            ))  # fmt: skip
    return found


def _weights(config: Config) -> list[Finding]:
    """A finding if the weights that the detector begins with are not here."""
    if config.weights:
        missing = Finding(
            Severity.STOPS, f"weights={config.weights} that is not there", 1,
            "give the path of a file, or of the folder of a run's cycle",
        )  # fmt: skip
        return [] if weights_file(config.weights).is_file() else [missing]
    name, given = config.backbone, config.backbone_weights
    if given == "none" or (given == "imagenet" and name == "efficientnet_lite0"):
        return []  # those of Lite0 come with the installation
    if given != "imagenet":
        what = f"backbone_weights={given} that is not there"
        missing = Finding(Severity.STOPS, what, 1, "give the path of a file, imagenet, or none")
        return [] if Path(given).is_file() else [missing]
    if name not in (*BACKBONES, "vgg16"):
        return [Finding(
            Severity.NOTE, f"ImageNet weights of {name}, which timm fetches at the first training "
            "unless it did before", 1, "give this machine a network then, or set "
            "backbone_weights=<file>",
        )]  # fmt: skip
    kind = "IMAGENET1K_FEATURES" if name == "vgg16" else "IMAGENET1K_V1"
    url = torchvision.models.get_model_weights(name)[kind].url
    if (Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name).is_file():
        return []
    return [Finding(
        Severity.NOTE, f"ImageNet weights of {name} that are not here: the first training fetches "
        "them", 1, f"give this machine a network then, or the file beforehand: {url}",
    )]  # fmt: skip
