"""What a strategy sees in images of which a detector of another program says something."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch

from miaod_nb.boxes import Detections
from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector.model import DetectionModel
from miaod_nb.passes.image_features import image_features
from miaod_nb.passes.observing import observe
from miaod_nb.progress import progress
from miaod_nb.selection.outputs import ForeignDetector, NeedsOurDetector, Outputs
from miaod_nb.selection.protocol import Strategy

AT_ONCE = 1000  # images
NOTHING = Detections(
    np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
)  # fmt: skip


def needs_our_detector(strategy: Strategy) -> bool:
    """Whether the strategy asks a detector for more than boxes, scores and what images look like,
    as it shows at an image without boxes."""
    return _asks(strategy)[0]


def needs_pixels(strategy: Strategy) -> bool:
    """Whether the strategy asks what images look like, as it shows in the same way."""
    return _asks(strategy)[1]


def see(
    strategy: Strategy, records: Sequence[ImageRecord], told: Sequence[Outputs], num_classes: int,
    kept_in: Path | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """The columns of the strategy, float32, (N, ...) each; {} for one that looks at nothing.

    told: what the detector says of each image, one at least. kept_in: as `image_features`. Raises
    DataError for an image that cannot be decoded, if pixels are needed.
    """
    if not strategy.card.columns:
        return {}
    looks = np.zeros((len(records), 1), np.float32)  # which nobody asks for
    if needs_pixels(strategy):
        looks = image_features(records, kept_in)
    parts = []
    for start in progress(range(0, len(records), AT_ONCE), "scoring"):
        own = slice(start, start + AT_ONCE)
        detector = ForeignDetector(told[own], num_classes, partial(np.asarray, looks[own]))
        parts.append(_see(strategy, detector, [record.id for record in records[own]]))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _asks(strategy: Strategy) -> tuple[bool, bool]:
    """Whether it asks for a detector of ours, and whether for what images look like."""
    asked = []

    def looks() -> np.ndarray:
        asked.append(True)
        return np.zeros((1, 1), np.float32)

    try:
        if strategy.card.columns:
            _see(strategy, ForeignDetector([Outputs(NOTHING, 1)], 1, looks), ["a"])
    except NeedsOurDetector:
        return True, bool(asked)
    return False, bool(asked)


def _see(
    strategy: Strategy, detector: ForeignDetector, ids: Sequence[str]
) -> dict[str, np.ndarray]:
    count = len(ids)
    sizes = ((1, 1),) * count  # of the one cell that stands for an image
    batch = UnlabeledBatch(tuple(ids), torch.zeros(count, 0), sizes, sizes, sizes)
    found = observe(cast(DetectionModel, detector), batch, strategy)
    return {name: values.numpy() for name, values in found.items()}
