"""What a cycle's detector finds in the evaluated images, on the way and at the end, and in images
that people label: kept so that nobody needs to detect again.

A box takes 22 bytes; to find those of a large test list again takes hours.
"""

from collections.abc import Container, Mapping, Sequence

import numpy as np

from miaod_nb.boxes import Detections
from miaod_nb.config import Config
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector.detections import DetectionSettings
from miaod_nb.detector.folding import fold
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import RunFolderError
from miaod_nb.passes.image_pass import (
    Results,
    Shard,
    complete_shards,
    load_results,
    save_results,
    split,
)
from miaod_nb.passes.inference import detect_batch
from miaod_nb.progress import progress
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.session import Session

FIELDS = {"boxes": np.float32, "scores": np.float32, "labels": np.int16}


def detect_for_cycle(
    model: DetectionModel, records: Sequence[ImageRecord], config: Config, session: Session,
    cycle: int,
) -> dict[str, Detections]:  # fmt: skip
    """What the detector finds in each image, by id and in their order; a pass that was cut off goes
    on. Stops as `Session.saved` does.

    Of several processes each has a part of the images, and the first alone gets what all found.
    Results lie in the run folder until `forget_unfinished`.
    """
    processes, folder = session.processes, RunFolder(session.folder.root)
    known, own = _load_all(folder, cycle), processes.share(records)
    place = f"cycle{cycle}/detections_partial_{processes.index}of{processes.count}"
    shards = [
        Shard.begun(part, f"{place}-{number:05d}.pt", known)
        for number, part in enumerate(split(own))
    ]
    merged, settings = fold(model), DetectionSettings.of(config)
    done = complete_shards(
        merged, shards, lambda batch: detect_batch(merged, batch, settings), config, session,
        lambda shard: save_results(folder, shard.file, shard.results),
    )  # fmt: skip
    for _ in progress(done, f"cycle {cycle} evaluate", len(own)):
        pass
    processes.wait()
    found = _load_all(folder, cycle) if processes.is_first else {}
    return {record.id: Detections(**found[record.id]) for record in records if found}


def forget_unfinished(folder: RunFolder, cycle: int) -> None:
    """Removes what `detect_for_cycle` keeps on the way, of all processes."""
    for file in _unfinished(folder, cycle):
        folder.delete(file)


def save_detections(folder: RunFolder, cycle: int, found: Mapping[str, Detections]) -> None:
    """Writes the detections of all evaluated images."""
    _save(folder, _evaluated(cycle), found)


def load_detections(
    folder: RunFolder, cycle: int, ids: Sequence[str]
) -> dict[str, Detections] | None:
    """The detections of these evaluated images; None if the file is missing, is damaged or lacks
    an image."""
    found = _load(folder, _evaluated(cycle))
    if not all(image_id in found for image_id in ids):
        return None
    return {image_id: found[image_id] for image_id in ids}


def keep_detections(folder: RunFolder, cycle: int, found: Mapping[str, Detections]) -> None:
    """Adds the detections of images that people label."""
    if found:
        _save(folder, _asked_for(cycle), {**_load(folder, _asked_for(cycle)), **found})


def kept_detections(
    folder: RunFolder, cycle: int, evaluated: Container[str]
) -> dict[str, Detections]:
    """All that is kept of what the cycle's detector finds, by image id. evaluated: ids that mean
    evaluated images, which may be called as others of the pool are."""
    of_evaluated = _load(folder, _evaluated(cycle)).items()
    kept = {image_id: one for image_id, one in of_evaluated if image_id in evaluated}
    return kept | _load(folder, _asked_for(cycle))


def _save(folder: RunFolder, file: str, found: Mapping[str, Detections]) -> None:
    arrays = {
        name: np.concatenate([getattr(one, name).astype(kind) for one in found.values()])
        for name, kind in FIELDS.items()
    }
    counts = [len(one) for one in found.values()]
    folder.save_npz(file, ids=np.array(list(found)), counts=np.array(counts), **arrays)


def _load(folder: RunFolder, name: str) -> dict[str, Detections]:
    """The detections of a file by image id; {} if it is missing or damaged."""
    try:
        file = folder.load_npz(name)
        ends = np.cumsum(file["counts"])[:-1]
        boxes, scores, labels = (np.split(file[field], ends) for field in FIELDS)
        parts = zip(boxes, scores, [one.astype(np.int64) for one in labels], strict=True)
        rows = zip(file["ids"].tolist(), parts, strict=True)
        return {image_id: Detections(*part) for image_id, part in rows}
    except (RunFolderError, ValueError, KeyError):
        return {}


def _evaluated(cycle: int) -> str:
    return f"cycle{cycle}/detections.npz"


def _asked_for(cycle: int) -> str:
    return f"cycle{cycle}/detections_asked.npz"


def _unfinished(folder: RunFolder, cycle: int) -> list[str]:
    """The files of all processes, also where more or fewer of them worked before."""
    found = sorted(folder.path(f"cycle{cycle}").glob("detections_partial*.pt"))
    return [f"cycle{cycle}/{path.name}" for path in found]


def _load_all(folder: RunFolder, cycle: int) -> Results:
    results: Results = {}
    for file in _unfinished(folder, cycle):
        results |= load_results(folder, file)
    return results
