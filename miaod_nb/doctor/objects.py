"""Labeled objects that the detector will hardly learn: anchors do not reach them, odd shapes."""

import copy
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import box_iou

from miaod_nb.config import Config
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector import build_detector
from miaod_nb.detector.model import DetectionModel
from miaod_nb.doctor.examined import Examined, Labeled
from miaod_nb.doctor.finding import Example, Finding, Severity, size_text
from miaod_nb.experiment.training import without_pretrained
from miaod_nb.progress import progress

THIN = 10  # times that one side of a box is longer than the other; more is a slip of the mouse
MANY = 0.1  # share of the objects from which it hurts that anchors do not reach them


def bare_detector(config: Config, num_classes: int) -> DetectionModel:
    """The configured detector without pretrained weights, not compiled. Raises ConfigError."""
    bare = without_pretrained(config).model_copy(update={"compile": False})
    return build_detector(bare, num_classes)


def object_findings(examined: Examined, model: DetectionModel) -> list[Finding]:
    """Objects that no anchor of the detector overlaps enough at the run's image size, and very thin
    ones."""
    labeled = [one for one in examined.labels.images or () if len(one.objects)]
    return [*_out_of_reach(labeled, examined.images.config, model), *_thin(labeled)]


def _out_of_reach(
    labeled: Sequence[Labeled], config: Config, model: DetectionModel
) -> list[Finding]:
    """Findings of objects below the overlap from which every anchor answers for an object: each has
    its best anchor alone, and is learned from little."""
    reach, small = Reach(config, model), np.zeros(0)
    examples: dict[str, list[Example]] = {"smaller": [], "larger": [], "another": []}
    for one in progress(labeled, "matching anchors"):
        missed = reach.missed(one)
        small = np.append(small, reach.sides(one)[missed["smaller"]])
        for case, places in missed.items():
            examples[case] += _examples(one, places)
    at = f"at image_size={size_text(config)}: none overlaps it by {model.matching.positive_iou:g}"
    factor = reach.smallest / np.median(small) if len(small) else 1
    words = {
        "smaller": (
            f"object too small for the anchors {at}, the smallest has {reach.smallest:.0f} px",
            f"raise image_size, or lower anchor_scale: {factor:.2g} times, and half of them are as "
            "large as the smallest anchor",
        ),
        "larger": (
            f"object too large for the anchors {at}, the largest has {reach.largest:.0f} px",
            "raise num_levels or anchor_scale, or lower image_size",
        ),
        "another": (
            f"object of a shape or at a place that no anchor has {at}",
            "add to anchor_ratios (height / width), or raise scales_per_octave",
        ),
    }
    total = sum(int((~one.objects.ignored).sum()) for one in labeled)
    return [_finding(*words[case], found, total) for case, found in examples.items() if found]


def _finding(what: str, remedy: str, examples: Sequence[Example], total: int) -> Finding:
    count = sum(len(one.boxes) for one in examples)
    severity = Severity.HURTS if count >= MANY * total else Severity.NOTE
    share = f" ({100 * count / total:.1f} % of the {total} objects)"
    return Finding(severity, what + share, count, remedy, examples)


def _examples(one: Labeled, places: np.ndarray) -> list[Example]:
    """The image with its objects at these places; [] if there are none."""
    boxes = [tuple(box) for box in one.objects.boxes[places].tolist()]
    return [Example(one.record.id, one.record, boxes=boxes)] if boxes else []


class Reach:
    """Which objects the anchors of a detector reach. smallest, largest: anchor, the root of its
    area in pixels of the input."""

    def __init__(self, config: Config, model: DetectionModel) -> None:
        self._size, self._model = InputSize.of(config), model
        self._shapes = copy.deepcopy(model).to("meta")  # tells sizes of features, computes nothing
        bases = model.grid([(1, 1)] * len(model.strides)).boxes
        areas = (bases[:, 2:] - bases[:, :2]).prod(dim=1).sqrt()
        self.smallest, self.largest = float(areas.min()), float(areas.max())
        self._anchors = lru_cache(maxsize=8)(self._anchors_of)  # images of one size have the same

    def missed(self, one: Labeled) -> dict[str, np.ndarray]:
        """Places of the image's objects that no anchor overlaps enough: those smaller than every
        anchor, those larger, and others."""
        width, height = self._size.fitted(one.record.width, one.record.height)
        anchors = self._anchors(self._size.padded(height), self._size.padded(width))
        best = box_iou(self._boxes(one), anchors).amax(dim=1).numpy()
        side = self.sides(one)
        is_missed = (best < self._model.matching.positive_iou) & ~one.objects.ignored
        small, large = side < self.smallest, side > self.largest
        return {
            "smaller": np.flatnonzero(is_missed & small),
            "larger": np.flatnonzero(is_missed & large),
            "another": np.flatnonzero(is_missed & ~small & ~large),
        }

    def sides(self, one: Labeled) -> np.ndarray:
        """Of the image's objects at the input size: the root of the area, in pixels."""
        boxes = self._boxes(one)
        return (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt().numpy()

    def _boxes(self, one: Labeled) -> Tensor:
        width, height = self._size.fitted(one.record.width, one.record.height)
        scale = torch.tensor([width / one.record.width, height / one.record.height] * 2)
        return torch.from_numpy(one.objects.boxes) * scale

    def _anchors_of(self, height: int, width: int) -> Tensor:
        images = torch.zeros(1, 3, height, width, device="meta")
        features = self._shapes.features(images)
        return self._model.grid([(f.shape[-2], f.shape[-1]) for f in features]).boxes


def _thin(labeled: Sequence[Labeled]) -> list[Finding]:
    examples: list[Example] = []
    for one in labeled:
        sides = one.objects.boxes[:, 2:] - one.objects.boxes[:, :2]
        examples += _examples(one, np.flatnonzero(sides.max(axis=1) >= THIN * sides.min(axis=1)))
    count = sum(len(one.boxes) for one in examples)
    what = f"box {THIN} times longer than wide, or more"
    remedy = "look at them: often a slip of the mouse, else objects that anchors fit badly"
    return [Finding(Severity.NOTE, what, count, remedy, examples)] if count else []
