"""Sets of images that a run takes over instead of drawing them: by id, kept in its folder."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from miaod_nb.data.pool import Indices
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.errors import DataError
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.record import IMPORTED
from miaod_nb.runs.schema import Imported, read_document


@dataclass(frozen=True)
class ImportedSets:
    """The labeled images of a cycle and its unlabeled sample, by id."""

    labeled: tuple[str, ...]
    unlabeled_sample: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of both sets."""
        text = "\n".join([*self.labeled, "", *self.unlabeled_sample])
        return hashlib.sha256(text.encode()).hexdigest()

    def indices(self, pool: Sequence[ImageRecord], faults: FaultCounts) -> tuple[Indices, Indices]:
        """Both sets as sorted indices into the pool. Raises DataError for an image that is not
        there; faults: why images were left out of the pool."""
        places = {record.id: place for place, record in enumerate(pool)}
        absent = [i for i in (*self.labeled, *self.unlabeled_sample) if i not in places]
        if absent:
            raise DataError(
                f"{len(absent)} images of the imported sets cannot be used, first {absent[0]}"
                + (f" ({'; '.join(faults.lines())})" if faults.lines() else ""),
                where="data_root",
                remedy="restore these images, or give the data_root that has them",
            )
        of_labeled, of_sample = (
            np.array(sorted(places[image_id] for image_id in ids), dtype=np.int64)
            for ids in (self.labeled, self.unlabeled_sample)
        )
        return of_labeled, of_sample


def save_imported(folder: RunFolder, imported: Sequence[ImportedSets]) -> None:
    """Notes the sets in the run folder, a pair for each of its first cycles."""
    folder.save_json(IMPORTED, {"cycles": [asdict(sets) for sets in imported]})


def load_imported(folder: RunFolder) -> tuple[ImportedSets, ...]:
    """The sets that the run folder takes over; () if it drew its own."""
    if not folder.exists(IMPORTED):
        return ()
    found: Imported = read_document(folder, IMPORTED, Imported)
    return tuple(
        ImportedSets(tuple(sets["labeled"]), tuple(sets["unlabeled_sample"]))
        for sets in found["cycles"]
    )
