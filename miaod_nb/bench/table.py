"""What was measured, as lines for people and as JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from miaod_nb.bench.cost import CycleCost, Protocol
from miaod_nb.bench.loading import LoaderRate
from miaod_nb.bench.measure import Row
from miaod_nb.bench.steps import Shape
from miaod_nb.config import Config, changes


@dataclass(frozen=True)
class BenchResult:
    """Everything that a run of the bench found.

    rows: the four steps. together: several images scored at once. peak: FLOP/s. size_factor: pixels
    of a typical image of the preset over those of a measured one. costs: of each cycle, where the
    preset says how many images there are.
    """

    config: Config
    environment: Mapping[str, Any]
    shape: Shape
    peer: str | None
    peak: float
    rows: Sequence[Row]
    together: Row
    parts: Mapping[str, float]
    loader: Sequence[LoaderRate]
    size_factor: float
    protocol: Protocol | None
    costs: Sequence[CycleCost]

    @property
    def demand(self) -> float:
        """Images a second that label-set training takes, at the preset's own image size."""
        own = self.rows[0].own
        return own.images / own.median / self.size_factor


def row_values(row: Row) -> dict[str, Any]:
    """What there is to say of a step, JSON-ready."""
    own, peer = row.own, row.peer
    return {
        "name": row.name,
        "images": own.images,
        "rounds": len(own.seconds),
        "milliseconds": 1e3 * own.median,
        "milliseconds_min": 1e3 * min(own.seconds),
        "milliseconds_max": 1e3 * max(own.seconds),
        "images_per_s": own.images / own.median,
        "memory_mb": own.memory_mb,
        "gflops": own.flops / 1e9,
        "share_of_peak": row.share_of_peak,
        "peer_milliseconds": 1e3 * peer.median if peer else None,
        "peer_memory_mb": peer.memory_mb if peer else None,
        "peer_gflops": peer.flops / 1e9 if peer else None,
        "flops_ratio": row.flops_ratio,
        "wall_ratio": row.wall_ratio,
    }


def as_json(result: BenchResult) -> dict[str, Any]:
    """The whole result, JSON-ready."""
    return {
        "preset": result.config.preset,
        "settings": changes(result.config),
        "environment": dict(result.environment),
        "shape": [result.shape.images, 3, result.shape.height, result.shape.width],
        "peer": result.peer,
        "matrix_peak_gflops_per_s": result.peak / 1e9,
        "steps": [row_values(row) for row in result.rows],
        "scoring_together": row_values(result.together),
        "label_set_parts_ms": {name: 1e3 * value for name, value in result.parts.items()},
        "loader_images_per_s": [asdict(rate) for rate in result.loader],
        "label_set_images_per_s": result.demand,
        "cycles": [asdict(cost) for cost in result.costs],
    }


def lines(result: BenchResult) -> list[str]:
    """The whole result as it is printed."""
    blocks = [_conditions(result), _steps(result), _parts(result), _loader(result), _cost(result)]
    return [line for block in blocks if block for line in (*block, "")][:-1]


def _conditions(result: BenchResult) -> list[str]:
    env, shape = result.environment, result.shape
    return [
        f"{env['device']}, {env['processor']}, {env['threads']} threads on {env['cores']} cores, "
        f"OMP_WAIT_POLICY {env['omp_wait_policy']}, torch {env['torch']}",
        f"preset {result.config.preset}, training {shape}, scoring {shape._replace(images=1)}, "
        f"{env['precision']}; a matrix product reaches {result.peak / 1e9:.0f} GFLOP/s",
        f"against {result.peer or 'nothing'}",
    ]


def _steps(result: BenchResult) -> list[str]:
    table = pd.DataFrame([row_values(row) for row in (*result.rows, result.together)])
    table["% of peak"] = 100 * table["share_of_peak"]
    names = {
        "name": "step", "milliseconds": "ms", "images_per_s": "images/s", "memory_mb": "MiB",
        "gflops": "GFLOP", "% of peak": "% of peak", "peer_milliseconds": "peer ms",
        "flops_ratio": "FLOPs ratio", "wall_ratio": "wall ratio",
    }  # fmt: skip
    shown = table[list(names)].rename(columns=names).dropna(axis=1, how="all")
    decimals = {"ms": 1, "images/s": 2, "MiB": 0, "GFLOP": 1, "% of peak": 1, "peer ms": 1}
    formats = {c: f"{{:.{decimals.get(c, 3)}f}}".format for c in shown if c != "step"}
    text = shown.to_string(index=False, formatters=formats, na_rep="")
    own = result.rows[0].own
    notes = [f"Medians of {len(own.seconds)} or more calls, after a warm-up."]
    if result.peer:
        notes += [
            "Calls of both take turns, so that other work on the machine meets both: compare "
            "ratios, not milliseconds.",
            "Beside other work set OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0, or threads=1.",
        ]
    if own.memory_mb is None:
        notes.append("Memory is measured on CUDA alone: a CPU tells no step's share.")
    return [*text.splitlines(), *notes]


def _parts(result: BenchResult) -> list[str]:
    parts = (f"{name} {1e3 * value:.1f}" for name, value in result.parts.items())
    return ["Parts of a label-set step (ms, by the profiler):", "  " + ", ".join(parts)]


def _loader(result: BenchResult) -> list[str]:
    found = [
        f"  {rate.workers} workers: {rate.first:.1f}, then {rate.second:.1f} over the same files"
        for rate in result.loader
    ]
    size = "x".join(map(str, result.config.image_size))
    fastest = max(rate.second for rate in result.loader)
    waits = "waits for images" if fastest < result.demand else "does not wait for images"
    last = f"  training takes {result.demand:.1f}: the detector {waits}"
    if not result.config.workers and fastest >= result.demand:
        last += ", but loads them itself (workers=0)"
    return [f"Loader at {size} (images/s):", *found, last]


def _cost(result: BenchResult) -> list[str]:
    if not result.protocol:
        return []
    rows = [
        {"cycle": cycle, "labeled": cost.labeled, "training passes": cost.training_passes,
         "scoring and test passes": cost.inference_passes, "time": duration(cost.seconds)}
        for cycle, cost in enumerate(result.costs)
    ]  # fmt: skip
    total = sum(cost.seconds for cost in result.costs)
    protocol = result.protocol
    return [
        f"Predicted for {protocol.pool} pool and {protocol.test} test images at "
        f"{'x'.join(map(str, result.config.image_size))}, on this device alone:",
        *pd.DataFrame(rows).to_string(index=False).splitlines(),
        f"all cycles: {sum(cost.training_passes for cost in result.costs)} training passes, "
        f"{sum(cost.inference_passes for cost in result.costs)} others, {duration(total)}",
    ]


def duration(seconds: float) -> str:
    """A time in the unit that people would choose."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} seconds"
