"""Sets of images that a run takes over instead of drawing them: by id, kept in its folder."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from miaod_nb.config import Config, count_of
from miaod_nb.data.pool import Indices, initial_sets, labeled_sets
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.errors import DataError
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.identity import has_begun
from miaod_nb.runs.record import IMPORTED
from miaod_nb.runs.schema import Imported, read_document

LABELS = "labels"  # the origin of sets of images that were labeled before the run began


@dataclass(frozen=True)
class ImportedSets:
    """The labeled images of a cycle and its unlabeled sample, by id. origin: "labels" for what was
    labeled before the run began."""

    labeled: tuple[str, ...]
    unlabeled_sample: tuple[str, ...]
    origin: str = ""

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
    cycles = [{"labeled": one.labeled, "unlabeled_sample": one.unlabeled_sample}
              for one in imported]  # fmt: skip
    origin = imported[0].origin
    folder.save_json(IMPORTED, {"cycles": cycles} | ({"origin": origin} if origin else {}))


def load_imported(folder: RunFolder) -> tuple[ImportedSets, ...]:
    """The sets that the run folder takes over; () if it draws its own, or asks anew what is
    labeled, because nothing was done yet."""
    if not folder.exists(IMPORTED):
        return ()
    found: Imported = read_document(folder, IMPORTED, Imported)
    origin = found.get("origin", "")
    if origin == LABELS and not has_begun(folder):
        return ()
    return tuple(
        ImportedSets(tuple(sets["labeled"]), tuple(sets["unlabeled_sample"]), origin)
        for sets in found["cycles"]
    )


def first_sets(
    config: Config, pool: Sequence[ImageRecord], labeled_ids: Collection[str]
) -> tuple[ImportedSets, ...]:
    """The first sets as far as labels decide them: () where they are to be drawn. Raises DataError
    where first_labels=labeled and there are none."""
    labeled = np.flatnonzero([record.id in labeled_ids for record in pool])
    if config.first_labels == "labeled" and not len(labeled):
        raise DataError("no image has labels to begin with", where="first_labels = labeled",
                        remedy="label some, or set first_labels=drawn")  # fmt: skip
    is_part = 0 < 2 * len(labeled) < len(pool)
    if config.first_labels == "drawn" or (config.first_labels == "auto" and not is_part):
        return ()
    count = count_of(config.initial, len(pool))
    drawn = initial_sets(len(pool), count, config.split_seed)[1] if count else labeled[:0]
    if config.first_labels == "auto" and set(labeled) <= set(drawn):
        return ()  # people label what was drawn
    first, sample = (
        tuple(pool[i].id for i in indices)
        for indices in labeled_sets(len(pool), labeled, config.split_seed)
    )
    return (ImportedSets(first, sample, LABELS),)
