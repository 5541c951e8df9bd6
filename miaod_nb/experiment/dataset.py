"""The data of an experiment: which images, which classes, and which labels may be read when."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from miaod_nb.boxes import Objects
from miaod_nb.config import Config, count_of
from miaod_nb.data.checked import CheckedImages
from miaod_nb.data.labels import Oracle, refuse_absent_classes
from miaod_nb.data.layouts.coco import declared_classes, lacks_annotations
from miaod_nb.data.pool import (
    Indices,
    initial_sets,
    next_sets,
    remaining_pool,
    resolve_count,
    scored_part,
)
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.data.sources import scan_list
from miaod_nb.errors import ConfigError, DataError
from miaod_nb.experiment.imported import ImportedSets


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

    pool: every usable image of the train list. test, test_objects: what is evaluated on, and its
    labels by id. held_out: pool indices that are evaluated on because there is no test list.
    faults: of the pool's images; test_faults: of the test images and their labels.
    given: the sets of the first cycle, or, if they were imported, of several; all later ones follow
    from selections. imported: digests of imported ones.
    """

    config: Config
    classes: tuple[str, ...]
    pool: Sequence[ImageRecord]
    budget: int
    all_indices: Indices
    given: Sequence[CycleSets]
    imported: Sequence[str]
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
    def identity(self) -> dict[str, Any]:
        """What the fingerprint says of the data: ids, sizes in pixels and classes, not paths."""
        return {
            "pool": [f"{r.id} {r.width}x{r.height}" for r in self.pool],
            "test": [f"{r.id} {r.width}x{r.height}" for r in self.test],
            "classes": list(self.classes),
        } | ({"imported": list(self.imported)} if self.imported else {})

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

    def sets(self, selections: Sequence[Sequence[int]]) -> CycleSets:
        """The sets after these selections, each the pool indices chosen in a cycle, most wanted
        first."""
        known = min(len(selections), len(self.given) - 1)
        sets = self.given[known]
        for selected in selections[known:]:
            ascending = np.array(list(reversed(selected)), dtype=np.int64)
            labeled, sample = next_sets(
                self.all_indices, sets.labeled, ascending, self.config.seed,
                top_up=self.config.first_unlabeled == "end",
            )  # fmt: skip
            sets = CycleSets(labeled, sample, np.setdiff1d(labeled, self.held_out))
        return sets

    def scored(self, sets: CycleSets, cycle: int) -> Indices:
        """Pool indices that the cycle scores: all that are not labeled, or a random part."""
        pool = remaining_pool(self.all_indices, sets.labeled)
        return scored_part(pool, num_scored(self.config, len(self.pool)), self.config.seed, cycle)

    def labeled_objects(self, sets: CycleSets) -> tuple[dict[str, Objects], FaultCounts]:
        """Objects of the images to train on, by id, and the faults in their labels. Images
        without a usable annotation are left out and counted. Raises DataError if none is labeled.
        """
        faults = FaultCounts()
        found = self.oracle.read(
            self.ids(sets.trained), self.classes, faults,
            refuse_unknown=self.config.classes is None,
        )  # fmt: skip
        if not self.any_labeled(found):
            raise DataError(
                f"none of the {len(sets.trained)} labeled images has a usable annotation "
                f"({'; '.join(faults.lines())})",
                where=self.pool[0].labels_at,
                remedy="add annotations, or give `initial` more images" + self.empty_hint,
            )
        return found, faults

    def any_labeled(self, ids: Iterable[str]) -> bool:
        """Whether one of these images, which have usable annotations, was labeled for certain: a
        COCO file says that of images with an annotation alone."""
        return any(not lacks_annotations(self.records[image_id]) for image_id in ids)

    @property
    def empty_hint(self) -> str:
        """The end of a remedy: how a COCO file says that images were labeled and show nothing."""
        if self.pool[0].coco_id is None:
            return ""
        return (
            "; a COCO file cannot tell images without objects from unlabeled ones: if all of these "
            "are labeled and show none, give one of them an annotation with the bbox [0, 0, 0, 0]"
        )


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


def prepare(
    config: Config, data_root: Path, labels_all: bool = False,
    imported: Sequence[ImportedSets] = (), checked: CheckedImages | None = None,
) -> Dataset:  # fmt: skip
    """Reads the image lists, the labels of the test images and those of the first labeled images.

    labels_all: every pool image is labeled from the start (full supervision). imported: the sets
    of the first cycles, where they are not to be drawn. checked: see `scan_list`. Raises
    ConfigError and DataError for what cannot work.
    """
    faults, test_faults = FaultCounts(), FaultCounts()
    drop_empty = config.empty_images == "drop"
    pool = scan_list(data_root, config.train_list, faults, drop_empty=drop_empty, checked=checked)
    taken_over = [sets.indices(pool, faults) for sets in imported]
    num_initial = (
        len(imported[0].labeled) if imported
        else resolve_count(config.initial, len(pool), "initial")
    )  # fmt: skip
    budget = 0 if labels_all else resolve_count(config.budget, len(pool), "budget")
    if budget > len(pool) - num_initial:
        raise ConfigError(
            f"the budget of {budget} images is larger than the pool: of {len(pool)} usable images "
            f"{num_initial} are labeled from the start",
            where="budget, initial",
            remedy="lower budget or initial",
        )
    if budget > num_scored(config, len(pool)):
        raise ConfigError(
            f"of {len(pool)} images {num_scored(config, len(pool))} are scored in a cycle, fewer "
            f"than the budget of {budget}",
            where=f"score_fraction = {config.score_fraction:g}",
            remedy="raise score_fraction or lower budget",
        )
    num_labeled = len(pool) if labels_all else num_initial
    all_indices, labeled, sample = initial_sets(
        len(pool), num_labeled, config.split_seed, config.first_unlabeled
    )
    first_labeled = all_indices[np.isin(all_indices, taken_over[0][0] if imported else labeled)]
    if labels_all or not imported:
        imported, taken_over = (), [(labeled, sample)]
    labeled = taken_over[0][0]

    test = scan_list(data_root, config.test_list, test_faults, required=False, checked=checked)
    _refuse_overlap(config, pool, test)
    held_out = np.array([], dtype=np.int64)
    if not test:  # the same images for every strategy, also for full supervision
        held_out = np.sort(first_labeled[: count_of(config.holdout, num_initial)])
        test = [pool[i] for i in held_out]
    test_oracle, oracle = Oracle(test), Oracle(pool)
    seen = set(test_oracle.class_names(record.id for record in test))
    seen |= set(oracle.class_names(pool[i].id for i in labeled))
    declared = declared_classes([*pool, *test])
    classes = _classes(config, seen, declared, pool[0].labels_at, [pool[i].id for i in labeled])
    test_objects = test_oracle.read([record.id for record in test], classes, test_faults)
    if test and all(objects.ignored.all() for objects in test_objects.values()):
        raise DataError(
            f"none of the {len(test)} images to evaluate on has a labeled object that counts "
            f"({'; '.join(test_faults.lines()) or 'all are marked difficult or crowd'})",
            where=test[0].labels_at,
            remedy="add their annotations, or set test_list to a list that has some (without a "
            "test list: give `initial` more images, or set holdout=0)",
        )
    given = [CycleSets(one, other, np.setdiff1d(one, held_out)) for one, other in taken_over]
    return Dataset(
        config=config, classes=classes, pool=pool, budget=budget, all_indices=all_indices,
        given=given, imported=[sets.digest for sets in imported], held_out=held_out, test=test,
        test_objects=test_objects, oracle=oracle, faults=faults, test_faults=test_faults,
        records={record.id: record for record in pool},
    )  # fmt: skip


def _refuse_overlap(
    config: Config, pool: Sequence[ImageRecord], test: Sequence[ImageRecord]
) -> None:
    """Raises DataError for images that would be trained on and evaluated on."""
    paths = {record.image_path for record in pool}
    both = [record.id for record in test if record.image_path in paths]
    if both:
        raise DataError(
            f"{len(both)} images stand in both lists, '{config.train_list}' and "
            f"'{config.test_list}', first {both[0]}: metrics would be measured on training images",
            where="train_list, test_list",
            remedy="choose lists without common images, for example train_list=train test_list=val",
        )


def _classes(
    config: Config, seen: set[str], declared: Sequence[str], labels_at: Path,
    first_ids: Sequence[str],
) -> tuple[str, ...]:  # fmt: skip
    """The configured class names, or those that the data set declares (COCO), or else those in the
    labels read so far."""
    if not seen:
        raise DataError(
            f"there is no label to begin with: none of the {len(first_ids)} images drawn first, "
            "and no test image, has an annotation that names a class",
            where=labels_at,
            remedy="label the images drawn first (VOC XML in the Annotations folder, or "
            "annotations in the COCO file), or choose another split_seed or initial; they are: "
            f"{', '.join(first_ids)}",
        )
    known = declared or sorted(seen)
    if config.classes is None:
        return tuple(known)
    refuse_absent_classes(config.classes, known, labels_at)
    return config.classes
