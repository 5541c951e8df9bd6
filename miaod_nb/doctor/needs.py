"""What a run will need of memory and disk, estimated, against what is free."""

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from miaod_nb.bench.steps import Shape, labeled_batch
from miaod_nb.config import Config
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector.model import DetectionModel
from miaod_nb.doctor.finding import Finding, Severity
from miaod_nb.learning.stages import LabelSet, Method

MIB = 2**20
SIDE = 160  # of the picture on which a step is tried; what a step keeps grows with the pixels
OPTIMIZER_COPIES = {"sgd": 1, "adamw": 2}  # of each trained weight: momentum; two moments
SHARED = Path("/dev/shm")  # where workers of torch put batches
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class Needs(NamedTuple):
    """In bytes. memory: of a training step; disk: of the run folder, weights and states; cache: of
    the decoded images, in the folder for temporary files."""

    memory: int
    disk: int
    cache: int


def needs_of(
    config: Config, model: DetectionModel, pool: Sequence[ImageRecord], cycles: int
) -> Needs:
    """What so many cycles on these images need. An estimate: what a real step on one small picture
    keeps for its gradients, times the pixels of a batch; weights, gradients and the optimizer's
    copies are counted. Measured on a CPU a step took 10 % less."""
    size = InputSize.of(config)
    side = (size.shortest, size.longest) if size.stretch else (SIDE, SIDE)
    kept = _kept_by_a_step(config, model, Shape(1, *side))
    full = _input_pixels(config) * config.batch_size
    trained = _bytes(p for p in model.parameters() if p.requires_grad)
    weights, copies = _bytes(model.state_dict().values()), OPTIMIZER_COPIES[config.optimizer]
    averages = weights * (config.weight_averaging > 0)
    pixels = sum(3 * one.width * one.height for one in pool)
    return Needs(
        memory=kept * full // (side[0] * side[1]) + weights + averages + trained * (1 + copies),
        # The state is written beside the one that it replaces.
        disk=cycles * weights + 2 * (weights + averages + trained * copies),
        cache=min(config.cache_mb * MIB, pixels),
    )


def need_findings(
    needs: Needs, config: Config, device: torch.device, folder: Path
) -> list[Finding]:
    """What is not there of that. folder: of the run."""
    free = free_memory(device)
    shortages = [
        (Severity.STOPS, needs.memory, free, f"memory of a training step ({device.type})",
         "lower batch_size or image_size (in a new run), or end other programs"),
        (Severity.STOPS, needs.disk, _free_disk(folder), f"disk for weights and states in {folder}",
         "free some space, or begin the run on another disk"),
        (Severity.HURTS, needs.cache, _free_disk(Path(tempfile.gettempdir())),
         f"disk for decoded images in {tempfile.gettempdir()}",
         "set TMPDIR to another disk, or lower cache_mb: else images are decoded in every epoch"),
    ]  # fmt: skip
    if config.workers and SHARED.is_dir():
        batches = 2 * config.workers * config.batch_size * 12 * _input_pixels(config)
        shortages.append(
            (Severity.STOPS, batches, _free_disk(SHARED),
             f"shared memory for {config.workers} workers in {SHARED}",
             "set workers=0, or give the container more (docker run --shm-size=2g)")
        )  # fmt: skip
    return [
        Finding(severity, f"{what}: about {in_words(need)} needed (estimated), "
                f"{in_words(there)} free", 1, remedy)
        for severity, need, there, what, remedy in shortages
        if there is not None and need > there
    ]  # fmt: skip


def need_lines(needs: Needs, device: torch.device, folder: Path) -> dict[str, str]:
    """The same for people, also where all is there."""
    free, disk = free_memory(device), _free_disk(folder)
    return {
        "memory": f"a training step needs about {in_words(needs.memory)} (estimated); "
        f"{in_words(free)} are free ({device.type})",
        "disk": f"weights and states need about {in_words(needs.disk)} (estimated), decoded images "
        f"up to {in_words(needs.cache)} more; {in_words(disk)} are free",
    }


def in_words(size: int | None) -> str:
    """Bytes for people."""
    if size is None:
        return "an unknown amount"
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / MIB:.0f} MiB"


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on the device, or for this process; None where nobody tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    limits = (path.read_text().strip() for path in map(Path, LIMITS) if path.is_file())
    return min([free, *(int(limit) for limit in limits if limit.isdigit())])


def _free_disk(folder: Path) -> int:
    """Bytes that are free in the folder, or where it would be made."""
    nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    return shutil.disk_usage(nearest).free


def _input_pixels(config: Config) -> int:
    size = InputSize.of(config)
    return size.padded(size.longest) * size.padded(size.shortest)


def _kept_by_a_step(config: Config, model: DetectionModel, shape: Shape) -> int:
    """Bytes that a label-set step keeps for its gradients, the weights aside."""
    own = {one.untyped_storage().data_ptr() for one in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    stage = LabelSet(Method.of(config))
    model.train_only(stage.trained_parts(model.parts))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        _terms = stage.loss_terms(model.train(), labeled_batch(shape, model.num_classes))
        return sum(kept.values())


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(one.numel() * one.element_size() for one in tensors)
