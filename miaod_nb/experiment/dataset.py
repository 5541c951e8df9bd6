"""The data of an experiment: which images, which classes, and which labels may be read when."""

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from miaod_nb.boxes import Objects, count_labels
from miaod_nb.config import Config, count_of
from miaod_nb.data.labels import Oracle
from miaod_nb.data.pool import (
    Indices,
    next_sets,
    remaining_pool,
    scored_part,
)
from miaod_nb.data.records import FaultCounts, ImageRecord, Range
from miaod_nb.data.sources import Source
from miaod_nb.errors import DataError
from miaod_nb.experiment.imported import LABELS, ImportedSets
from miaod_nb.runs.pool_file import pool_table
from miaod_nb.runs.schema import CycleLabels

NOT_CERTAIN = (
    "; a COCO file cannot tell images without objects from unlabeled ones: if all of these are "
    "labeled and show none, give one of them an annotation with the bbox [0, 0, 0, 0]"
)


@dataclass(frozen=True)
class CycleSets:
    """Indices into the pool's records, sorted, at the beginning of a cycle.

    labeled (X_L) and unlabeled_sample (the authors' X_U): int64. trained: the labeled ones
    without those held out for evaluation.
    """

    labeled: Indices
    unlabeled_sample: Indices
    trained: Indices


@dataclass(frozen=True)
class Dataset:
    """What an experiment is about; made by `prepare`.

    source: the data set, which stands for the pool. classes: those that the run begins with;
    others may join with later labels (`RunState.classes_of`). pool: every usable image of the train
    list.
    budget: how many images a cycle asks for; None: as many as its boxes or minutes are enough for.
    test, test_objects: what is evaluated on, and its labels by id. held_out: pool indices that are
    evaluated on because there is no test list.
    joined: how many images joined the pool after it began, by the first cycle that they take part
    in; they stand behind the others, and so they do in all_indices, the pool as it was shuffled.
    missing: ids of images that the run began with, or that joined, and that are gone.
    faults: of the pool's images; test_faults: of the test images and their labels.
    given: the sets of the first cycle, or, if they were imported, of several; all later ones follow
    from selections. imported: those of them that were not drawn.
    """

    config: Config
    source: Source
    classes: tuple[str, ...]
    pool: Sequence[ImageRecord]
    budget: int | None
    all_indices: Indices
    joined: Mapping[int, int]
    missing: Sequence[str]
    given: Sequence[CycleSets]
    imported: Sequence[ImportedSets]
    held_out: Indices
    test: Sequence[ImageRecord]
    test_objects: Mapping[str, Objects]
    oracle: Oracle
    faults: FaultCounts
    test_faults: FaultCounts
    records: Mapping[str, ImageRecord] = field(repr=False)

    @property
    def first(self) -> CycleSets:
        """The sets of cycle 0."""
        return self.given[0]

    @property
    def begins_with_labels(self) -> bool:
        """Whether the first labeled images are those that had labels before the run began."""
        return bool(self.imported) and self.imported[0].origin == LABELS

    @property
    def chosen_first(self) -> Mapping[str, str]:
        """Ids of the first labeled images that initial_strategy chose, most wanted first, and why
        each; {} where chance drew them or all had labels."""
        return self.imported[0].chosen if self.imported else {}

    @property
    def gray(self) -> Range | None:
        """Which values of deep gray images are black and white; None: there are no such images."""
        return self.pool[0].gray

    @property
    def identity(self) -> dict[str, Any]:
        """What the fingerprint says of the data: ids, sizes in pixels, classes and the range of
        deep gray, not paths, and nothing of what joined later."""
        special = {
            "imported": [sets.digest for sets in self.imported],
            "gray": list(self.gray or ()),
        }
        return {
            "pool": [f"{r.id} {r.width}x{r.height}" for r in self.pool[: self.num_images(0)]],
            "test": [f"{r.id} {r.width}x{r.height}" for r in self.test],
            "classes": list(self.classes),
        } | {key: value for key, value in special.items() if value}

    @property
    def evaluated_on(self) -> str:
        """What metrics are measured on, in words."""
        if len(self.held_out):
            number = f"{len(self.test_objects)} of the first labeled images"
            return f"holdout ({number}, never trained on)"
        return f"{self.config.test_list} list ({len(self.test_objects)} images)"

    def ids(self, indices: Indices) -> list[str]:
        """Ids of pool images."""
        return [self.pool[i].id for i in indices]

    def num_images(self, cycle: int) -> int:
        """How many images the pool has in a cycle."""
        return len(self.pool) - sum(n for joined, n in self.joined.items() if joined > cycle)

    def table(self, data_root: Path) -> pd.DataFrame:
        """The images as the run folder notes them; data_root: where they lie."""
        joined = {0: self.num_images(0)} | dict(self.joined)
        cycles = np.repeat(list(joined), list(joined.values()))
        return pool_table(self.pool, cycles.tolist(), self.test, data_root)

    def sets(self, selections: Sequence[Sequence[int]]) -> CycleSets:
        """The sets after these selections, each the pool indices chosen in a cycle, most wanted
        first."""
        known = min(len(selections), len(self.given) - 1)
        sets = self.given[known]
        for cycle, selected in enumerate(selections[known:], start=known + 1):
            ascending = np.array(list(reversed(selected)), dtype=np.int64)
            labeled, sample = next_sets(
                self.all_indices[: self.num_images(cycle)], sets.labeled, ascending,
                self.config.seed, top_up=self.config.first_unlabeled == "end",
            )  # fmt: skip
            sets = CycleSets(labeled, sample, np.setdiff1d(labeled, self.held_out))
        return sets

    def unlabeled(self, sets: CycleSets, cycle: int) -> Indices:
        """Pool indices that the cycle may choose from: all that are not labeled."""
        return remaining_pool(self.all_indices[: self.num_images(cycle)], sets.labeled)

    def scored(self, sets: CycleSets, cycle: int) -> Indices:
        """Pool indices that the cycle scores: all that are not labeled, or a random part."""
        count = num_scored(self.config, self.num_images(cycle))
        return scored_part(self.unlabeled(sets, cycle), count, self.config.seed, cycle)

    def labeled_objects(
        self, sets: CycleSets, classes: Sequence[str], waiting: Container[str] = ()
    ) -> tuple[dict[str, Objects], FaultCounts]:
        """Objects of the images to train on, by id, and the faults in their labels. Images
        without a usable annotation are left out and counted. waiting: ids of images that are left
        out even if they were labeled by now. Raises DataError if none is labeled.
        """
        faults = FaultCounts()
        ids = [i for i in self.ids(sets.trained) if i not in waiting]
        found = self.oracle.read(ids, classes, faults)
        self._refuse_unlabeled(sets, found, faults)
        return found, faults

    def newly_labeled_objects(
        self, sets: CycleSets, classes: Sequence[str]
    ) -> tuple[dict[str, Objects], FaultCounts, tuple[str, ...]]:
        """As `labeled_objects`, at the beginning of a cycle, and the classes of the cycle: those so
        far, and, unless `classes` of the settings names all, those that are new in the labels."""
        if self.config.classes is not None:
            return *self.labeled_objects(sets, classes), tuple(classes)
        faults = FaultCounts()
        found, grown = self.oracle.read_growing(self.ids(sets.trained), classes, faults)
        self._refuse_unlabeled(sets, found, faults)
        return found, faults, grown

    def _refuse_unlabeled(
        self, sets: CycleSets, found: Mapping[str, Objects], faults: FaultCounts
    ) -> None:
        missing = self.what_is_missing(found)
        if missing is not None:
            raise DataError(
                f"none of the {len(sets.trained)} labeled images has a usable annotation "
                f"({'; '.join(faults.lines())})",
                where=self.oracle.labels_at(self.pool[sets.trained[0]].id),
                remedy="add annotations, or give `initial` more images" + missing,
            )

    def describe_labels(
        self, sets: CycleSets, objects: Mapping[str, Objects], classes: Sequence[str]
    ) -> CycleLabels:
        """What is known of the labels of a cycle. objects: those it trains on; classes: the
        cycle's, all of which the counts name."""
        held_out = [i for i in self.ids(self.held_out) if i in self.test_objects]
        known = dict(objects) | {i: self.test_objects[i] for i in held_out}
        found = known.values()
        return {
            "images": len(objects),
            "sha256": digest_of(objects),
            "labeled": len(known),
            "empty": sum(not len(one.labels) for one in found),
            "asked": [i for i in self.ids(sets.labeled) if i not in known],
            "boxes": _by_class((one.labels for one in found), classes),
            "ignored": _by_class((one.labels[one.ignored] for one in found), classes),
        }

    def what_is_missing(self, ids: Iterable[str]) -> str | None:
        """What these images, which have usable annotations, lack to be labeled, as the end of a
        remedy; None if one of them was labeled for certain: a COCO file says that of images with
        an annotation alone."""
        ids = list(ids)
        if self.oracle.any_certain(ids):
            return None
        return NOT_CERTAIN if ids else ""


def _by_class(labels: Iterable[np.ndarray], classes: Sequence[str]) -> dict[str, int]:
    """How many objects there are of each class."""
    return dict(zip(classes, count_labels(labels, len(classes)).tolist(), strict=True))


def digest_of(objects: Mapping[str, Objects]) -> str:
    """SHA-256 (hex) of the labels of these images, to notice that they were changed."""
    digest = hashlib.sha256()
    for image_id, found in sorted(objects.items()):
        digest.update(image_id.encode())
        for array in (found.boxes, found.labels, found.ignored):
            digest.update(array.tobytes())
    return digest.hexdigest()


def num_scored(config: Config, num_images: int) -> int:
    """How many images of a data set of `num_images` a cycle scores at most."""
    return num_images if config.score_fraction == 1 else count_of(config.score_fraction, num_images)
