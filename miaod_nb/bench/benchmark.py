"""The whole bench: the device's peak, the four steps, their parts, the loader, the prediction."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from miaod_nb.bench import peer as torchvision_peer
from miaod_nb.bench.cost import (
    PICTURE,
    PROTOCOLS,
    CycleCost,
    Speeds,
    labeled_images,
    predict,
    size_factor,
)
from miaod_nb.bench.loading import LoaderRate, loader_rates
from miaod_nb.bench.measure import Row, matrix_peak, measure_step
from miaod_nb.bench.parts import part_seconds
from miaod_nb.bench.steps import (
    MANY,
    Shape,
    Step,
    num_classes_of,
    own_steps,
    scoring_step,
    shape_of,
)
from miaod_nb.bench.table import BenchResult
from miaod_nb.config import Config
from miaod_nb.detector import build_detector
from miaod_nb.detector.folding import fold
from miaod_nb.errors import ConfigError
from miaod_nb.experiment.state import check_names
from miaod_nb.experiment.training import without_pretrained
from miaod_nb.runs.machine import (
    describe_environment,
    memory_explained,
    prepare_torch,
    resolve_device,
)

PEERS = ("torchvision", "none")


def run_bench(config: Config, against: str = "torchvision") -> BenchResult:
    """Measures the configuration's detector, with random weights, on its device.

    Raises ConfigError for what cannot be measured, TrainingError when memory is lacking.
    """
    if against not in PEERS:
        raise ConfigError(
            f"there is no peer '{against}'", where="--against",
            remedy="choose one of: " + ", ".join(PEERS),
        )  # fmt: skip
    check_names(config)
    device = resolve_device(config.device)
    if protocol := PROTOCOLS.get(config.preset):
        labeled_images(config, protocol.pool)  # refuses what cannot be predicted, before minutes
    prepare_torch(config, device)
    with memory_explained():
        return _measured(config, device, against == "torchvision")


def _measured(config: Config, device: torch.device, with_peer: bool) -> BenchResult:
    precision, classes = config.precision, num_classes_of(config)
    shape = shape_of(config, device)
    peak = matrix_peak(device, precision)
    model = build_detector(without_pretrained(config), classes).to(device)
    scorer = fold(model)
    peers = _peers(classes, shape, device) if with_peer else {}
    rows = [
        measure_step(step, peers.get(step.name), device, peak)
        for step in own_steps(config, model, scorer, shape)
    ]
    many = config.inference_batch_size if config.inference_batch_size > 1 else MANY
    step = scoring_step(f"scoring, {many} at once", config, scorer, shape._replace(images=many))
    together = measure_step(step, None, device, peak)
    parts = part_seconds(config, model, shape)
    protocol = PROTOCOLS.get(config.preset)
    picture = protocol.picture if protocol else PICTURE
    loader = loader_rates(config, model, picture)
    factor = size_factor(config, picture, shape)
    speeds = speeds_of(config, rows, together, parts["optimizer"], loader, factor)
    costs: Sequence[CycleCost] = predict(config, protocol, speeds) if protocol else ()
    return BenchResult(
        config=config, environment=environment(device, precision), shape=shape,
        peer=torchvision_peer.NAME if with_peer else None, peak=peak, rows=rows, together=together,
        parts=parts, loader=loader, size_factor=factor, protocol=protocol, costs=costs,
    )  # fmt: skip


def _peers(num_classes: int, shape: Shape, device: torch.device) -> Mapping[str, Step]:
    model = torchvision_peer.build_peer(num_classes, shape).to(device)
    return torchvision_peer.peer_steps(model, num_classes, shape)


def speeds_of(
    config: Config, rows: Sequence[Row], together: Row, optimizer: float,
    loader: Sequence[LoaderRate], factor: float,
) -> Speeds:  # fmt: skip
    """What the prediction needs of the measurements. factor: of the size, as `size_factor` says."""
    seconds = {row.name: row.own.median / row.own.images for row in rows}
    if config.inference_batch_size > 1:
        seconds["scoring"] = together.own.median / together.own.images
    loading = next(rate for rate in loader if rate.workers == config.workers)
    return Speeds(
        {name: factor * value for name, value in seconds.items()},
        optimizer, 1 / loading.second, config.workers,
    )  # fmt: skip


def environment(device: torch.device, precision: str) -> dict[str, Any]:
    """What the numbers depend on."""
    return describe_environment(device) | {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "not set"),
        "precision": precision,
    }


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The CPU's name, as far as the system tells it."""
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
