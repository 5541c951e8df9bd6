"""What a cycle's detector found in the evaluated images, kept so that nobody needs to detect again.

A box takes 22 bytes; to find those of a large test list again takes hours.
"""

from collections.abc import Sequence

import numpy as np
import torch

from miaod_nb.errors import RunFolderError
from miaod_nb.passes.inference import Results
from miaod_nb.runs.files import RunFolder

FIELDS = {"boxes": np.float32, "scores": np.float32, "labels": np.int16}


def file_of(cycle: int) -> str:
    """Where the detections of a cycle lie in a run folder."""
    return f"cycle{cycle}/detections.npz"


def save_detections(folder: RunFolder, cycle: int, results: Results) -> None:
    """Writes the detections of all evaluated images."""
    arrays = {
        name: np.concatenate([result[name].numpy().astype(kind) for result in results.values()])
        for name, kind in FIELDS.items()
    }
    counts = [len(result["scores"]) for result in results.values()]
    folder.save_npz(file_of(cycle), ids=np.array(list(results)), counts=np.array(counts), **arrays)


def load_detections(folder: RunFolder, cycle: int, ids: Sequence[str]) -> Results:
    """The detections of these images; {} if the file is missing, is damaged or lacks an image."""
    try:
        file = folder.load_npz(file_of(cycle))
        ends = np.cumsum(file["counts"])[:-1]
        parts = [np.split(file[name], ends) for name in FIELDS]
        found = dict(zip(file["ids"].tolist(), zip(*parts, strict=True), strict=True))
        return {i: _tensors(*found[i]) for i in ids}
    except (RunFolderError, ValueError, KeyError):
        return {}


def keep_detections(folder: RunFolder, cycle: int, results: Results) -> None:
    """Writes the detections where that is possible: a folder that cannot be written is read on."""
    try:
        save_detections(folder, cycle, results)
    except RunFolderError:
        return


def _tensors(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> dict[str, torch.Tensor]:
    return {
        "boxes": torch.from_numpy(boxes),
        "scores": torch.from_numpy(scores),
        "labels": torch.from_numpy(labels.astype(np.int64)),
    }
