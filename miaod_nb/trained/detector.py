"""A trained detector as its user holds it: loaded from a run, a file of ours or of the authors'."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch

from miaod_nb.authors.checkpoint import read_checkpoint
from miaod_nb.authors.reference import to_reference_arrays
from miaod_nb.boxes import Detections
from miaod_nb.config import Config
from miaod_nb.data.files import records_of_files
from miaod_nb.data.records import ImageRecord, Range
from miaod_nb.detector import build_detector
from miaod_nb.detector.folding import fold
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import CheckpointError, ConfigError, DataError
from miaod_nb.experiment.training import load_weights, without_pretrained
from miaod_nb.passes.image_pass import compute_rows
from miaod_nb.passes.inference import detect_with_uncertainty
from miaod_nb.progress import progress
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.machine import resolve_device
from miaod_nb.trained.weight_files import (
    Weights,
    is_ours,
    our_weights,
    their_weights,
    weights_of_run,
)


@dataclass(frozen=True)
class ImageResult:
    """What a detector finds in one image, best box first; uncertainty: as MI-AOD has it."""

    record: ImageRecord
    detections: Detections
    uncertainty: float


class Detector:
    """A detector ready for use: its `model`, `classes` and `config`.

    gray: which values of deep gray images are black and white for it, if it was trained on some.

    Made by `load`, or by `from_reference` for a checkpoint of the authors' code.
    """

    def __init__(
        self, model: DetectionModel, classes: Sequence[str], config: Config,
        gray: Range | None = None,
    ) -> None:  # fmt: skip
        self.model, self.classes, self.config = model.eval(), tuple(classes), config
        self.gray = gray

    @classmethod
    def load(
        cls, path: str | Path, cycle: int | None = None, device: str = "auto",
        overrides: Mapping[str, Any] | None = None,
    ) -> Self:  # fmt: skip
        """The detector of a run folder (of its newest finished cycle, or of `cycle`), of a
        `weights.pt`, or of a checkpoint of the authors' code.

        overrides: settings of inference, such as {"score_threshold": 0.01}. Raises
        CheckpointError, ConfigError and RunFolderError.
        """
        path = Path(path)
        if path.is_dir():
            path = weights_of_run(path, cycle)
        elif cycle is not None:
            raise ConfigError(f"a single file has no cycle {cycle}", where=path,
                              remedy="leave `cycle` out, or give the run folder")  # fmt: skip
        content = read_checkpoint(path)
        weights = (our_weights if is_ours(content) else their_weights)(content, path, overrides)
        return cls._build(weights, path, device)

    @classmethod
    def from_reference(
        cls, path: str | Path, classes: Sequence[str] | None = None,
        overrides: Mapping[str, Any] | None = None, preset: str = "", device: str = "auto",
    ) -> Self:  # fmt: skip
        """The detector of a checkpoint of the authors' code: RetinaNet or SSD300.

        classes: names for its outputs; None: as the file has them. The architecture comes from
        the file, other settings from the preset and the overrides; preset "" is coco for a file
        with 80 classes, else voc0712. Raises CheckpointError and ConfigError.
        """
        named = dict(overrides or {}) | ({} if classes is None else {"classes": tuple(classes)})
        weights = their_weights(read_checkpoint(Path(path)), Path(path), named, preset)
        return cls._build(weights, Path(path), device)

    @classmethod
    def _build(cls, weights: Weights, path: Path, device: str) -> Self:
        broken = [key for key, array in weights.arrays.items() if not array.isfinite().all()]
        if broken:
            raise CheckpointError(
                f"{len(broken)} arrays hold values that are no finite numbers, first {broken[0]}",
                where=path,
                remedy="the training diverged: use the weights of an earlier cycle",
            )
        classes = weights.config.classes or ()
        model = build_detector(without_pretrained(weights.config), len(classes))
        load_weights(model, weights.arrays, path)
        return cls(model.to(resolve_device(device)), classes, weights.config, weights.gray)

    def save(self, path: str | Path) -> None:
        """Writes the detector as one file, which `load` reads. Raises RunFolderError."""
        _save(path, {
            "model": self.model.state_dict(),
            "classes": list(self.classes),
            "settings": self.config.model_dump(mode="json"),
            "gray": self.gray,
        })  # fmt: skip

    def save_reference(self, path: str | Path) -> None:
        """Writes a checkpoint that the authors' code reads. Raises CheckpointError for a detector
        that it does not have, and RunFolderError."""
        arrays = to_reference_arrays(self.model.state_dict())
        plain = {key: array.cpu().contiguous() for key, array in arrays.items()}
        _save(path, {"meta": {"CLASSES": self.classes}, "state_dict": plain})

    def look_at(self, records: Sequence[ImageRecord]) -> Iterator[ImageResult]:
        """What is found in each image, as it is found; images of one size come together."""
        # Numbers, because images of different data sets may have one id.
        numbered = [replace(record, id=str(n)) for n, record in enumerate(records)]
        model = fold(self.model)
        compute = partial(detect_with_uncertainty, model, config=self.config)
        rows = compute_rows(model, numbered, compute, self.config)
        for number, row in progress(rows, "predict", len(numbered)):
            uncertainty = float(row.pop("uncertainty"))
            yield ImageResult(records[int(number)], Detections(**row), uncertainty)

    def predict(self, images: Sequence[str | Path | ImageRecord]) -> list[ImageResult]:
        """What is found in these images, in their order.

        Raises DataError naming the files that are no usable images.
        """
        files = {str(i): Path(i) for i in images if not isinstance(i, ImageRecord)}
        made, left_out = records_of_files(files.items(), self.gray)
        if left_out:
            name, reason = next(iter(left_out.items()))
            raise DataError(f"{len(left_out)} files cannot be used, first: {reason}", where=name,
                            remedy="leave them out, or restore them")  # fmt: skip
        by_name = {record.id: record for record in made}
        records = [i if isinstance(i, ImageRecord) else by_name[str(i)] for i in images]
        each_once = list(dict.fromkeys(records))
        found = {result.record: result for result in self.look_at(each_once)}
        return [found[record] for record in records]


def _save(path: str | Path, content: dict[str, Any]) -> None:
    path = Path(path)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    RunFolder(path.parent).save_bytes(path.name, buffer.getbuffer())
