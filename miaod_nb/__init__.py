"""MI-AOD on today's PyTorch: decide which images to label next for an object detector."""

import importlib
import os
from typing import Any

# Both must be set before torch starts: reproducible matrix products on CUDA, and waiting threads
# that leave the processor to others.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

_HOME = {
    "Config": "config", "make_config": "config", "PRESETS": "config", "MiaodError": "errors",
    "Run": "experiment.run", "open_run": "experiment.opening", "run": "experiment.opening",
    "check_parameters": "experiment.parameters",
    "Detector": "trained.detector", "rank": "ranking",
    "build_detector": "detector", "Predictions": "detector.head", "detect": "detector.detections",
    "instance_uncertainty": "selection.uncertainty", "image_uncertainty": "selection.uncertainty",
    "evaluate": "evaluation",
}  # fmt: skip
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Imports a room when it is first used, so that `miaod --help` does not wait for torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'miaod_nb' has no attribute '{name}'")
    return getattr(importlib.import_module(f"miaod_nb.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
