"""What images look like to a network that knows ImageNet, one vector each: before any detector was
trained, and beside detectors of other programs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from miaod_nb.data.batches import inference_loader
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector.backbones import EfficientNetLite0, build_backbone
from miaod_nb.errors import RunFolderError
from miaod_nb.progress import progress, say
from miaod_nb.runs.files import RunFolder
from miaod_nb.selection.features import level_means

SIDE, STRIDE = 224, 32  # pixels that an image is scaled to fit; of the last level
PART = f"lite0-{SIDE}-"  # how the names of files with such features begin
SECONDS_BETWEEN_PARTS = 60.0

Features = dict[str, np.ndarray]  # by content of the image


def image_features(
    records: Sequence[ImageRecord], kept_in: Path | None = None,
    device: torch.device | str = "cpu",
) -> np.ndarray:  # fmt: skip
    """Features of each image, float32 (N, 320): the mean of the last level (stride 32) of
    EfficientNet-Lite0 with its ImageNet weights, which come with the installation. Equal images
    have equal ones, and none depends on which others there are: each is computed by itself.

    From a cosine of 0.9 on images look alike (docs/strategies.md, The first batch). records: as
    `scan_list` and `check_images` give them. kept_in: a folder that keeps features by the content
    of the image, also of a call that was cut off; there they are not computed again. Raises
    DataError naming an image that cannot be read any more.
    """
    wanted = {_content(record): record for record in records}
    known = _load(kept_in) if kept_in else {}
    missing = [replace(record, id=key) for key, record in wanted.items() if key not in known]
    if missing:
        known |= _compute(missing, len(wanted), kept_in, device)
    rows = [known[_content(record)] for record in records]
    size = EfficientNetLite0.out_channels[-1]
    return np.array(rows, np.float32).reshape(len(records), size)


@torch.inference_mode()
def _compute(
    records: Sequence[ImageRecord], total: int, kept_in: Path | None, device: torch.device | str
) -> Features:
    """The features of these images by id; total: of images, those known before among them."""
    network = build_backbone("efficientnet_lite0").eval().to(device)
    loader = inference_loader(
        [[place] for place in range(len(records))], records, input_size=InputSize(SIDE, SIDE),
        mean=network.pixel_mean, std=network.pixel_std,
    )  # fmt: skip
    found: Features = {}
    saved, saved_at = 0, time.monotonic()

    def save() -> None:
        if kept_in and saved < len(found):
            _save(kept_in, dict(islice(found.items(), saved, None)))

    try:
        for batch in progress(loader, f"features of {total} images", total, total - len(records)):
            last = network(batch.images.to(device))[-1]
            means = level_means(last, STRIDE, batch.image_sizes)
            found[batch.ids[0]] = means[0].cpu().numpy()
            if time.monotonic() - saved_at > SECONDS_BETWEEN_PARTS:
                save()
                saved, saved_at = len(found), time.monotonic()
    finally:  # also when the user interrupts
        save()
    return found


def _content(record: ImageRecord) -> str:
    """What tells an image from others: its bytes, and what is black and white in deep gray."""
    assert record.digest, "an image that nobody has opened yet"
    return " ".join([f"{record.digest % 2**64:016x}", *map(str, record.gray or ())])


def _load(place: Path) -> Features:
    """The features in a folder; files that cannot be read count as not there."""
    folder = RunFolder(place)
    found: Features = {}
    for path in sorted(place.glob(f"{PART}*.parquet")):
        try:
            table = folder.load_parquet(path.name, ["image", "feature"])
        except RunFolderError as error:
            say(f"  {path} is made anew: {error.what}")
        else:
            found.update(zip(table["image"], table["feature"], strict=True))
    return found


def _save(place: Path, features: Mapping[str, np.ndarray]) -> None:
    """Writes features into a file called after the first image, which no other file has."""
    table = pd.DataFrame({"image": list(features), "feature": list(features.values())})
    first = next(iter(features)).replace(" ", "_")
    RunFolder(place).save_parquet(f"{PART}{first}.parquet", table)
