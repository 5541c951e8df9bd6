"""Work on many images that is cut off and goes on, and that several processes share."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from miaod_nb.config import Config
from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector.model import DetectionModel
from miaod_nb.passes.inference import Results, batch_results, saved_results
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.session import Session


def over_images(
    model: DetectionModel, records: Sequence[ImageRecord],
    compute: Callable[[UnlabeledBatch], list[dict[str, Tensor]]], config: Config,
    session: Session, partial: str, description: str,
) -> Results:  # fmt: skip
    """What `compute` says of every image, by id, on the CPU; in a process other than the first, of
    some images only.

    Results so far are kept in the file `partial` of the run folder, and in one beside it for each
    further process, so that work that was cut off goes on; the caller deletes them (`delete_parts`)
    when the final result is saved.
    """
    processes = session.processes
    folder = RunFolder(session.folder.root)  # every process writes its own part
    own_file = _part(partial, processes.index)
    results = _merged(folder, partial)
    own_images = processes.share(records)
    for found in batch_results(model, own_images, compute, config, description, set(results)):
        results |= found
        if session.save_due:
            folder.save_tensors(own_file, {"results": results})
            session.saved()
    if processes.count > 1:
        folder.save_tensors(own_file, {"results": results})
        processes.wait()
        results = _merged(folder, partial) if processes.is_first else results
    return results


def delete_parts(folder: RunFolder, partial: str) -> None:
    """Removes what `over_images` has kept in all processes."""
    for file in _parts(folder, partial):
        folder.delete(file)


def _part(partial: str, index: int) -> str:
    """The file of a process's results: detections_partial.pt, detections_partial_1.pt, ..."""
    path = Path(partial)
    return str(path.with_stem(f"{path.stem}_{index}")) if index else partial


def _parts(folder: RunFolder, partial: str) -> list[str]:
    path = folder.path(partial)
    found = sorted(path.parent.glob(f"{path.stem}*{path.suffix}"))
    return [str(Path(partial).with_name(file.name)) for file in found]


def _merged(folder: RunFolder, partial: str) -> Results:
    results: Results = {}
    for file in _parts(folder, partial):
        results |= saved_results(folder, file)
    return results
