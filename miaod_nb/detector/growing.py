"""A detector that goes on from an earlier one, which may know fewer classes."""

import torch
from torch import Tensor

from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import ConfigError


def go_on_from(model: DetectionModel, before: DetectionModel) -> None:
    """Gives the model all weights of another one of the same settings, and what that knows of the
    quality of classes.

    Classes that the model has besides stand behind the others; their outputs stay as they are.
    Raises ConfigError for a detector with weights in which classes cannot be told.
    """
    weights = model.state_dict()
    for name, old in before.state_dict().items():
        if old.shape == weights[name].shape:
            weights[name] = old
            continue
        # Outputs of anchors in a row, each with all classes (and the background, last).
        cells, rest = divmod(len(weights[name]), model.num_outputs)
        if rest or old.shape != (cells * before.num_outputs, *weights[name].shape[1:]):
            raise _cannot_grow(name)
        weights[name] = _grown(weights[name], old, cells, before.num_classes)
    model.load_state_dict(weights)
    model.class_quality = model.class_quality.clone()
    model.class_quality[:, : before.num_classes] = before.class_quality


def _grown(fresh: Tensor, old: Tensor, cells: int, num_classes: int) -> Tensor:
    """The outputs of `fresh` with those of `old` for the first classes and the background."""
    by_cell, known = (one.unflatten(0, (cells, -1)) for one in (fresh, old))
    new = by_cell[:, num_classes : num_classes + by_cell.shape[1] - known.shape[1]]
    return torch.cat([known[:, :num_classes], new, known[:, num_classes:]], dim=1).flatten(0, 1)


def _cannot_grow(name: str) -> ConfigError:
    return ConfigError(
        f"the detector has weights in which new classes have no place of their own: {name}",
        where="start_from = previous",
        remedy="set start_from=pretrained, or name all classes from the beginning (classes=...)",
    )
