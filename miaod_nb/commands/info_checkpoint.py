"""What `miaod info` says of a weight file, ours or the authors'."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from miaod_nb.authors.checkpoint import read_checkpoint
from miaod_nb.authors.reference import as_reference
from miaod_nb.commands.info_run import line_of, pairs
from miaod_nb.config import changes
from miaod_nb.trained.weight_files import is_ours, our_weights

_NOT_PARAMETERS = ("running_mean", "running_var", "num_batches_tracked")  # of BatchNorms


def describe_checkpoint(path: Path) -> list[str]:
    """Architecture, classes, size and settings of a weight file. Raises CheckpointError."""
    content = read_checkpoint(path)
    if is_ours(content):
        config, arrays, _ = our_weights(content, path)
        classes, settings = config.classes, {"preset": config.preset} | changes(config)
        settings.pop("classes", None)
        origin = "weights of miaod"
        architecture = f"{config.detector} on {config.backbone}"
    else:
        found = as_reference(content, path)
        arrays, classes, settings = found.arrays, found.classes, dict(found.settings)
        origin = "checkpoint of the authors' code"
        architecture = f"{settings['detector']} on {settings['backbone']}"
        classes = classes or tuple(["(not named)"] * found.num_classes)
    return [
        f"{path}: {origin}",
        f"  detector    {architecture}, {_num_parameters(arrays):,} parameters",
        *line_of("classes", f"{len(classes or ())}: {', '.join(dict.fromkeys(classes or ()))}"),
        *line_of("settings", pairs(settings)),
    ]


def _num_parameters(arrays: Mapping[str, Tensor]) -> int:
    return sum(a.numel() for key, a in arrays.items() if not key.endswith(_NOT_PARAMETERS))
