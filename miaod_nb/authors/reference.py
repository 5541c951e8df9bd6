"""Checkpoints of the authors' code: their arrays under our names, and ours under theirs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.models.resnet import Bottleneck

from miaod_nb.authors.checkpoint import named_arrays, read_checkpoint
from miaod_nb.config import Config, make_config
from miaod_nb.detector import build_detector
from miaod_nb.detector.backbones import RESNETS
from miaod_nb.errors import CheckpointError

_TOWERS = {"1": "classifier_1", "2": "classifier_2", "mil": "mil_classifier", "r": "regressor"}
_MOST = 9  # levels of a pyramid, convolutions of a tower or levels of SSD, and some to spare
_SHOWN = 10  # names in an error
_COUNTER = "num_batches_tracked"  # of a BatchNorm: never used, and some checkpoints lack them

# Block counts of the four stages, and whether blocks are bottlenecks (three convolutions).
_RESNETS = {(tuple(depths), block is Bottleneck): name for name, (block, depths) in RESNETS.items()}


def _prefixes() -> dict[str, str]:
    """How the authors' names begin, and ours for the same array; what is not here is equal."""
    pairs = {}
    for i in range(_MOST):
        pairs[f"neck.lateral_convs.{i}.conv."] = f"fpn.inner_blocks.{i}.0."
        extra = f"fpn.extra_blocks.convs.{i - 3}."
        pairs[f"neck.fpn_convs.{i}.conv."] = f"fpn.layer_blocks.{i}.0." if i < 3 else extra
        for theirs, ours in _TOWERS.items():
            pairs[f"bbox_head.f_{theirs}_convs.{i}.conv."] = f"head.{ours}.convs.{2 * i}."
            for kind in ("weight", "bias"):  # SSD has one convolution a level
                pairs[f"bbox_head.f_{theirs}_convs.{i}.{kind}"] = f"head.{ours}.{i}.{kind}"
    for theirs, ours in _TOWERS.items():
        pairs[f"bbox_head.f_{theirs}_retina."] = f"head.{ours}.output."
    return pairs


_OUR_PREFIX = _prefixes()
_THEIR_PREFIX = {ours: theirs for theirs, ours in _OUR_PREFIX.items()}


def our_key(key: str) -> str:
    """Our name for an array of the authors' detectors; a name that neither has stays."""
    return _renamed(key, _OUR_PREFIX)


def authors_key(key: str) -> str:
    """The authors' name for an array of our detectors: the inverse of `our_key`."""
    return _renamed(key, _THEIR_PREFIX)


def _renamed(key: str, prefixes: Mapping[str, str]) -> str:
    for old, new in prefixes.items():
        if key.startswith(old):
            return new + key.removeprefix(old)
    return key


@dataclass(frozen=True)
class ReferenceCheckpoint:
    """A detector of the authors' code.

    arrays: all of the detector's, by our names. classes: as the file names them, if it does.
    settings: what its arrays say of the architecture, as overrides of a configuration.
    """

    arrays: dict[str, Tensor]
    classes: tuple[str, ...] | None
    num_classes: int
    settings: dict[str, Any]


def read_reference(path: Path) -> ReferenceCheckpoint:
    """The detector in a checkpoint of the authors' code: RetinaNet on a ResNet, or SSD300.

    Raises CheckpointError for a file that cannot be read or holds anything else, naming what is
    missing and what is left over.
    """
    return as_reference(read_checkpoint(Path(path)), Path(path))


def as_reference(content: Mapping[Any, Any], path: Path) -> ReferenceCheckpoint:
    """As `read_reference`, of a content that was read before."""
    theirs = _their_arrays(content)
    shapes = _Shapes({key: tuple(array.shape) for key, array in theirs.items()}, path)
    settings, num_classes = _ssd(shapes) if shapes.is_ssd else _retinanet(shapes)
    config = make_config("voc0712", settings | {"backbone_weights": "none", "classes": None})
    expected = _expected_shapes(config, num_classes)
    for key in expected:
        if key.endswith(_COUNTER):
            theirs.setdefault(key, torch.zeros((), dtype=torch.int64))
    _refuse_differences(expected, {k: tuple(v.shape) for k, v in theirs.items()}, path)
    arrays = {our_key(key): array for key, array in theirs.items()}
    return ReferenceCheckpoint(arrays, _classes(content), num_classes, settings)


def to_reference_arrays(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The arrays of one of our detectors under the authors' names, to be their `state_dict`.

    Raises CheckpointError for arrays that their detectors do not have.
    """
    named = {authors_key(key): array for key, array in arrays.items()}
    known = re.compile(
        r"backbone\.(conv1|bn1|layer[1-4]|features|extra|l2_norm)\.|neck\.|bbox_head\.f_"
    )
    foreign = [key for key in named if not known.match(key)]
    if foreign:
        raise CheckpointError(
            "the authors' code has no such detector; it has no place for " + _listed(foreign),
            where="backbone, detector",
            remedy="export a RetinaNet on a ResNet (backbone=resnet50), or an SSD300",
        )
    return named


def _their_arrays(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    state = content.get("state_dict", content)
    arrays = named_arrays(state) if isinstance(state, Mapping) else {}
    return {key.removeprefix("module."): array for key, array in arrays.items()}


def _classes(content: Mapping[Any, Any]) -> tuple[str, ...] | None:
    meta = content.get("meta")
    names = meta.get("CLASSES") if isinstance(meta, Mapping) else None
    if isinstance(names, str):  # one class without the comma that makes a tuple
        return (names,)
    return tuple(map(str, names)) if isinstance(names, list | tuple) and names else None


# ------------------------------------------------------------------- what the shapes say


class _Shapes:
    """The shapes of a file's arrays. A question that they do not answer raises CheckpointError."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], path: Path) -> None:
        self.shapes, self.path = shapes, path
        if not any(key.startswith("bbox_head.f_1_") for key in shapes):
            raise self.refusal(
                "the file holds no detector of the authors' code: there is no classifier "
                f"bbox_head.f_1_..., but {_listed(list(shapes)) if shapes else 'no array at all'}"
            )

    @property
    def is_ssd(self) -> bool:
        return not self.count(r"neck\.lateral_convs\.(\d+)\.")

    def outputs(self, layer: str) -> int:
        """Output channels of a convolution."""
        if not self.shapes.get(f"{layer}.weight"):
            raise self.refusal(f"the checkpoint lacks {layer}.weight")
        return self.shapes[f"{layer}.weight"][0]

    def count(self, pattern: str) -> int:
        """How many different numbers stand at the group's place in the names."""
        matches = (re.match(pattern, key) for key in self.shapes)
        return len({match[1] for match in matches if match})

    def anchors_per_cell(self, regressor: str) -> int:
        """Anchors a cell, of which each has four outputs of the regressor."""
        outputs = self.outputs(regressor)
        if outputs == 0 or outputs % 4:
            raise self.refusal(f"{regressor} has {outputs} outputs, not four for each anchor")
        return outputs // 4

    def classes(self, classifier: str, per_cell: int) -> int:
        """Classes, of which each has one output of the classifier for every anchor of a cell."""
        outputs = self.outputs(classifier)
        if outputs == 0 or outputs % per_cell:
            raise self.refusal(f"{classifier} has {outputs} outputs, which is no multiple of the "
                               f"{per_cell} anchors a cell")  # fmt: skip
        return outputs // per_cell

    def refusal(self, what: str) -> CheckpointError:
        return CheckpointError(
            what,
            where=self.path,
            remedy="give a checkpoint of the authors' code (their epoch_N.pth or latest.pth), "
            "or one of miaod (cycleN/weights.pt of a run folder)",
        )


def _retinanet(shapes: _Shapes) -> tuple[dict[str, Any], int]:
    """The settings and the number of classes of a RetinaNet."""
    depths = tuple(shapes.count(rf"backbone\.layer{i}\.(\d+)\.") for i in (1, 2, 3, 4))
    is_bottleneck = shapes.count(r"backbone\.layer1\.(\d+)\.conv3\.") > 0
    backbone = _RESNETS.get((depths, is_bottleneck))
    if backbone is None:
        kind = "bottleneck" if is_bottleneck else "basic"
        raise shapes.refusal(f"a ResNet with stages of {depths} {kind} blocks is not among "
                             f"{', '.join(_RESNETS.values())}")  # fmt: skip
    per_cell = shapes.anchors_per_cell("bbox_head.f_r_retina")
    if per_cell % 3:
        raise shapes.refusal(f"{per_cell} anchors a cell are no multiple of the three ratios")
    settings: dict[str, Any] = {
        "detector": "retinanet",
        "backbone": backbone,
        "backbone_channels": shapes.outputs("backbone.conv1"),
        "fpn_channels": shapes.outputs("neck.fpn_convs.0.conv"),
        "num_levels": shapes.count(r"neck\.fpn_convs\.(\d+)\."),
        "tower_convs": shapes.count(r"bbox_head\.f_1_convs\.(\d+)\."),
        "scales_per_octave": per_cell // 3,  # the file does not say which sizes and ratios
    }
    if settings["tower_convs"]:
        settings["tower_channels"] = shapes.outputs("bbox_head.f_1_convs.0.conv")
    return settings, shapes.classes("bbox_head.f_1_retina", per_cell)


def _ssd(shapes: _Shapes) -> tuple[dict[str, Any], int]:
    """The settings of an SSD300 and its number of classes, the background left out."""
    per_cell = shapes.anchors_per_cell("bbox_head.f_r_convs.0")
    settings = {
        "detector": "ssd300",
        "backbone": "vgg16",
        "backbone_channels": shapes.outputs("backbone.features.0"),
    }
    return settings, shapes.classes("bbox_head.f_1_convs.0", per_cell) - 1


def _expected_shapes(config: Config, num_classes: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the detector's arrays, by the authors' names."""
    with torch.device("meta"):  # shapes without memory
        arrays = build_detector(config, num_classes).state_dict()
    return {authors_key(key): tuple(array.shape) for key, array in arrays.items()}


def _refuse_differences(
    expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]], path: Path
) -> None:
    """Raises CheckpointError that lists what is missing, left over, or of another shape."""
    kinds = {
        "missing": [key for key in expected if key not in found],
        "left over": [key for key in found if key not in expected],
        "of another shape": [
            f"{key} {found[key]} instead of {shape}"
            for key, shape in expected.items()
            if found.get(key, shape) != shape
        ],
    }
    if any(kinds.values()):
        faults = "; ".join(f"{kind}: {_listed(keys)}" for kind, keys in kinds.items() if keys)
        raise CheckpointError(
            f"the checkpoint does not hold exactly one detector of the authors' code; {faults}",
            where=path,
            remedy="give an unchanged checkpoint of the authors' RetinaNet or SSD300",
        )


def _listed(names: Iterable[str]) -> str:
    """The first names, and how many there are."""
    names = list(names)
    more = ", ..." if len(names) > _SHOWN else ""
    return f"{len(names)} ({', '.join(names[:_SHOWN])}{more})"
