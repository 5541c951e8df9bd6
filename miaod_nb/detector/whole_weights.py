"""A detector that begins with the weights of another: what fits is taken, and said."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from miaod_nb.config import Config
from miaod_nb.config.files import content_hash, weights_file
from miaod_nb.detector.model import DetectionModel
from miaod_nb.detector.retinanet import RetinaNet
from miaod_nb.detector.start import Start
from miaod_nb.detector.torchvision_weights import is_torchvisions, torchvision_start
from miaod_nb.errors import CheckpointError

_CLASS_OUTPUT = r"head\.(classifier_1|classifier_2|mil_classifier)\.(output|\d+)\.(weight|bias)"
_ANCHORS = ("anchor_scale", "scales_per_octave", "anchor_ratios")


def begin_with_weights(model: DetectionModel, config: Config, classes: Sequence[str]) -> str:
    """Loads the file that the setting `weights` names into a new detector for `classes`.

    All arrays are taken; of the classifiers' last layers the outputs of classes of equal names, in
    their new places, while those of other classes stay as they were drawn. Says in words what was
    taken and what begins anew. Raises CheckpointError for a file that cannot be read or is of
    another architecture, with the first misfit, and ConfigError for one that is not there.
    """
    path = weights_file(config.weights)
    start = _read(path, model)
    _refuse_other_settings(start, config, path)
    _refuse_misfits(start, model, path)
    arrays = model.state_dict()
    for key in start.arrays.keys() & arrays.keys():
        if re.fullmatch(_CLASS_OUTPUT, key):
            arrays[key] = _outputs(arrays[key], start.arrays[key], start, model, classes)
        else:
            arrays[key] = start.arrays[key]
    model.load_state_dict(arrays)
    return _said(start, classes, path)


def _read(path: Path, model: DetectionModel) -> Start:
    digest = content_hash(path, "weights")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged or foreign file
        raise _unusable(path, "is damaged, or holds more than plain arrays") from error
    if not isinstance(content, dict):
        raise _unusable(path, "holds no arrays by name")
    kinds = {"model": dict, "classes": list, "settings": dict}
    is_ours = all(isinstance(content.get(name), kind) for name, kind in kinds.items())
    state = content["model"] if is_ours else content
    arrays = {str(k): v for k, v in state.items() if isinstance(v, Tensor)}
    if broken := [key for key, array in arrays.items() if not array.isfinite().all()]:
        raise _unusable(path, f"has values that are no finite numbers, first in {broken[0]}")
    if is_ours:
        return _our_start(arrays, content["classes"], content["settings"], model)
    if is_torchvisions(arrays):
        return torchvision_start(arrays, digest)
    raise _unusable(path, "is neither of a run nor a RetinaNet of torchvision")


def _our_start(
    arrays: Mapping[str, Tensor], classes: Sequence[str], settings: Mapping[str, Any],
    model: DetectionModel,
) -> Start:  # fmt: skip
    """All that a detector of ours has."""
    needed = ("backbone", *_ANCHORS) if isinstance(model, RetinaNet) else ("backbone",)
    return Start(
        "a detector of ours", arrays, {name: i for i, name in enumerate(classes)},
        len(classes) + model.has_background, {name: settings.get(name) for name in needed}, {},
    )  # fmt: skip


def _refuse_other_settings(start: Start, config: Config, path: Path) -> None:
    ours = config.model_dump(mode="json")
    for name, value in start.settings.items():
        if ours[name] != value:
            raise CheckpointError(
                f"the weights are of another detector: {name} is {value} there, {ours[name]} here",
                where=f"weights = {path}",
                remedy=f"set {name} as there, or choose another file",
            )


def _refuse_misfits(start: Start, model: DetectionModel, path: Path) -> None:
    """Raises CheckpointError for the first array that is missing, left over or of another shape."""
    expected = {key: tuple(array.shape) for key, array in model.state_dict().items()
                if not key.startswith(tuple(start.anew))}  # fmt: skip
    found = {key: tuple(array.shape) for key, array in start.arrays.items()}
    for key in [*expected, *found]:
        if key.endswith("num_batches_tracked"):  # never used, and missing in some files
            continue
        here, there = expected.get(key), found.get(key)
        fits = here == there
        if here and there and re.fullmatch(_CLASS_OUTPUT, key):
            fits = _a_class(here, model.num_outputs) == _a_class(there, start.outputs)
        if not fits:
            raise CheckpointError(
                f"the weights are of another detector: {key} is {there or 'missing'} there, "
                f"{here or 'not at all'} here",
                where=f"weights = {path}",
                remedy="use the settings of the detector that the weights are of",
            )


def _a_class(shape: tuple[int, ...], outputs: int) -> tuple[float, ...]:
    """The shape of one class's part of a last layer."""
    return (shape[0] / outputs, *shape[1:])


def _outputs(
    drawn: Tensor, given: Tensor, start: Start, model: DetectionModel, classes: Sequence[str]
) -> Tensor:
    """A last layer as it was drawn, with the outputs of the classes that are known there."""
    pairs = [(here, start.places[name]) for here, name in enumerate(classes)
             if name in start.places]  # fmt: skip
    if model.has_background:  # the last in both
        pairs.append((model.num_classes, start.outputs - 1))
    made = drawn.clone()
    by_class = made.unflatten(0, (-1, model.num_outputs))  # (anchors a cell, outputs, ...)
    for here, there in pairs:
        by_class[:, here] = given.unflatten(0, (-1, start.outputs))[:, there].to(made.device)
    return made


def _said(start: Start, classes: Sequence[str], path: Path) -> str:
    kept = [name for name in classes if name in start.places]
    anew = list(dict.fromkeys(start.anew.values()))
    if other := [name for name in classes if name not in start.places]:
        anew.append(f"outputs of {', '.join(other)}")
    return (
        f"the detector begins with {path} ({start.name}); outputs kept for "
        f"{', '.join(kept) or 'no class'}; made anew: {'; '.join(anew) or 'nothing'}"
    )


def _unusable(path: Path, fault: str) -> CheckpointError:
    return CheckpointError(
        f"the weight file {fault}",
        where=f"weights = {path}",
        remedy="give weights.pt of a run, or a state_dict of torchvision's retinanet_resnet50_fpn; "
        "a checkpoint of the authors' code becomes one of ours by `miaod convert`",
    )
