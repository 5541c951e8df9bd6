"""What images look like to a network that knows ImageNet, one vector each: before any detector was
trained, and beside detectors of other programs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
# The cosine from which two images look alike. Of 12 photos saved anew (JPEG 75, half the size, in
# other light, mirrored) all are that near, of 1697 photos no two others; so are the 48 toy scenes
# that were taken twice, and 40 more of 79,800 pairs. What is enlarged has less in common with its
# copies: toy images (128 px) of half the size are missed.
ALIKE = 0.9

Features = dict[str, np.ndarray]  # by content of the image


@torch.inference_mode()
def image_features(
    records: Sequence[ImageRecord], kept_in: Path | None = None,
    device: torch.device | str = "cpu",
) -> np.ndarray:  # fmt: skip
    """Features of each image, float32 (N, 320): the mean of the last level (stride 32) of
    EfficientNet-Lite0 with its ImageNet weights, which come with the installation. Equal images
    have equal ones, and none depends on which others there are: each is computed by itself.

    records: as `scan_list` and `check_images` give them. kept_in: a folder that keeps features by
    the content of the image, also of a call that was cut off; there they are not computed again.
    Raises DataError naming an image that cannot be read any more.
    """
    wanted = {_content(record): record for record in records}
    known = _load(kept_in) if kept_in else {}
    missing = [replace(record, id=key) for key, record in wanted.items() if key not in known]
    if missing:
        network = build_backbone("efficientnet_lite0").eval().to(device)
        loader = inference_loader(
            [[place] for place in range(len(missing))], missing, input_size=InputSize(SIDE, SIDE),
            mean=network.pixel_mean, std=network.pixel_std,
        )  # fmt: skip
        new: Features = {}
        saved_at, done = time.monotonic(), len(wanted) - len(missing)
        try:
            for batch in progress(loader, f"features of {len(wanted)} images", len(wanted), done):
                last = network(batch.images.to(device))[-1]
                (key,) = batch.ids
                new[key] = level_means(last, STRIDE, batch.image_sizes)[0].cpu().numpy()
                if kept_in and time.monotonic() - saved_at > SECONDS_BETWEEN_PARTS:
                    _save(kept_in, new)
                    known |= new
                    new, saved_at = {}, time.monotonic()
        finally:  # also when the user interrupts
            if kept_in and new:
                _save(kept_in, new)
        known |= new
    size = EfficientNetLite0.out_channels[-1]
    rows = [known[_content(record)] for record in records]
    return np.array(rows, np.float32).reshape(len(records), size)


def _content(record: ImageRecord) -> str:
    """What tells an image from others: its bytes, and what is black and white in deep gray."""
    assert record.digest, "an image that nobody has opened yet"
    return " ".join([f"{record.digest:x}", *map(str, record.gray or ())])


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
