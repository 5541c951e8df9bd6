"""The data of an experiment: which images, which classes, and which labels may be read when."""

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from miaod_nb.boxes import Objects
from miaod_nb.config import Config, count_of
from miaod_nb.data.checked import CheckedImages
from miaod_nb.data.labels import AnswersFirst, Oracle, refuse_absent_classes
from miaod_nb.data.pool import (
    Indices,
    initial_sets,
    next_sets,
    remaining_pool,
    resolve_count,
    scored_part,
)
from miaod_nb.data.records import FaultCounts, ImageRecord, LabelReader
from miaod_nb.data.sources import Source, open_source, scan_list
from miaod_nb.errors import ConfigError, DataError
from miaod_nb.experiment.imported import ImportedSets
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

    source: the data set, which stands for the pool. pool: every usable image of the train list.
    test, test_objects: what is evaluated on, and its labels by id. held_out: pool indices that are
    evaluated on because there is no test list.
    joined: how many images joined the pool after it began, by the first cycle that they take part
    in; they stand behind the others, and so they do in all_indices, the pool as it was shuffled.
    missing: ids of images that the run began with, or that joined, and that are gone.
    faults: of the pool's images; test_faults: of the test images and their labels.
    given: the sets of the first cycle, or, if they were imported, of several; all later ones follow
    from selections. imported: digests of imported ones.
    """

    config: Config
    source: Source
    classes: tuple[str, ...]
    pool: Sequence[ImageRecord]
    budget: int
    all_indices: Indices
    joined: Mapping[int, int]
    missing: Sequence[str]
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
        """What the fingerprint says of the data: ids, sizes in pixels and classes, not paths, and
        nothing of what joined later."""
        return {
            "pool": [f"{r.id} {r.width}x{r.height}" for r in self.pool[: self.num_images(0)]],
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
        self, sets: CycleSets, waiting: Container[str] = ()
    ) -> tuple[dict[str, Objects], FaultCounts]:
        """Objects of the images to train on, by id, and the faults in their labels. Images
        without a usable annotation are left out and counted. waiting: ids of images that are left
        out even if they were labeled by now. Raises DataError if none is labeled.
        """
        faults = FaultCounts()
        found = self.oracle.read(
            [i for i in self.ids(sets.trained) if i not in waiting], self.classes, faults,
            refuse_unknown=self.config.classes is None,
        )  # fmt: skip
        missing = self.what_is_missing(found)
        if missing is not None:
            raise DataError(
                f"none of the {len(sets.trained)} labeled images has a usable annotation "
                f"({'; '.join(faults.lines())})",
                where=self.oracle.labels_at(self.pool[sets.trained[0]].id),
                remedy="add annotations, or give `initial` more images" + missing,
            )
        return found, faults

    def describe_labels(self, sets: CycleSets, objects: Mapping[str, Objects]) -> CycleLabels:
        """What is known of the labels of a cycle. objects: those it trains on."""
        held_out = [i for i in self.ids(self.held_out) if i in self.test_objects]
        known = dict(objects) | {i: self.test_objects[i] for i in held_out}
        boxes = np.zeros(len(self.classes), dtype=np.int64)
        for found in known.values():
            np.add.at(boxes, found.labels[~found.ignored], 1)
        return {
            "images": len(objects),
            "sha256": digest_of(objects),
            "labeled": len(known),
            "empty": sum(not len(found.labels) for found in known.values()),
            "asked": [i for i in self.ids(sets.labeled) if i not in known],
            "boxes": dict(zip(self.classes, boxes.tolist(), strict=True)),
        }

    def what_is_missing(self, ids: Iterable[str]) -> str | None:
        """What these images, which have usable annotations, lack to be labeled, as the end of a
        remedy; None if one of them was labeled for certain: a COCO file says that of images with
        an annotation alone."""
        ids = list(ids)
        if self.oracle.any_certain(ids):
            return None
        return NOT_CERTAIN if ids else ""


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


class Sources(NamedTuple):
    """The data set twice, as each stands for the images of one list."""

    pool: Source
    test: Source

    @classmethod
    def open(cls, data_root: Path) -> "Sources":
        """Raises DataError for a folder that holds no data set."""
        return cls(open_source(data_root), open_source(data_root))


class Known(NamedTuple):
    """What a run folder says of its pool. joined: of every image, by id in the order of the
    indices, the first cycle that it takes part in. next_cycle: the first one not begun."""

    joined: Mapping[str, int]
    next_cycle: int

    def arrange(
        self, found: list[ImageRecord]
    ) -> tuple[list[ImageRecord], dict[int, int], list[str]]:
        """The images in the order of the indices, new ones last, how many of them joined in which
        cycle, and ids of those that are missing. Where some are, none can join; where all are, it
        is another data set."""
        records = {record.id: record for record in found}
        missing = [image_id for image_id in self.joined if image_id not in records]
        if missing:
            return found, {}, missing if len(missing) < len(self.joined) else []
        cycles = dict(self.joined)
        for image_id in records:
            cycles.setdefault(image_id, max(self.next_cycle, 1))
        counts = Counter(cycle for cycle in cycles.values() if cycle > 0)
        return [records[image_id] for image_id in cycles], dict(counts), []


def prepare(
    config: Config, sources: Sources, labels_all: bool = False,
    imported: Sequence[ImportedSets] = (), checked: CheckedImages | None = None,
    answers: LabelReader | None = None, known: Known | None = None,
) -> Dataset:  # fmt: skip
    """Reads the image lists, the labels of the test images and those of the first labeled images.

    labels_all: every pool image is labeled from the start (full supervision). imported: the sets
    of the first cycles, where they are not to be drawn. checked: see `scan_list`. answers: labels
    of pool images that hold before those of the data set. known: the pool as the run has it; other
    images join it. Raises ConfigError and DataError for what cannot work.
    """
    faults, test_faults = FaultCounts(), FaultCounts()
    _refuse_to_drop(config, sources.pool)
    drop_empty = config.empty_images == "drop"
    pool = scan_list(
        sources.pool, config.train_list, faults, drop_empty=drop_empty, checked=checked
    )
    pool, joined, missing = known.arrange(pool) if known else (pool, {}, [])
    taken_over = [sets.indices(pool, faults) for sets in imported]
    first = _draw(config, len(pool) - sum(joined.values()), taken_over, labels_all)
    test = scan_list(sources.test, config.test_list, test_faults, required=False, checked=checked)
    _refuse_overlap(config, pool, test)
    reader = AnswersFirst(answers, sources.pool) if answers else sources.pool
    oracle, held_out = Oracle(reader, pool), first.held_out[:0] if test else first.held_out
    test_oracle = Oracle(sources.test, test) if test else oracle
    test = test or [pool[i] for i in held_out]
    first_ids = [pool[i].id for i in first.sets[0][0]]
    classes = _classes(config, sources, oracle, first_ids, test_oracle, [r.id for r in test])
    given = [CycleSets(one, other, np.setdiff1d(one, held_out)) for one, other in first.sets]
    return Dataset(
        config=config, source=sources.pool, classes=classes, pool=pool, budget=first.budget,
        all_indices=np.append(first.all_indices, np.arange(len(first.all_indices), len(pool))),
        joined=joined, missing=missing, given=given,
        imported=[] if labels_all else [sets.digest for sets in imported], held_out=held_out,
        test=test, test_objects=_test_objects(test_oracle, test, classes, test_faults),
        oracle=oracle, faults=faults, test_faults=test_faults, records=oracle.records,
    )  # fmt: skip


class _First(NamedTuple):
    """What is drawn at the beginning. sets: labeled images and unlabeled sample of the first cycle,
    of several if they are imported. held_out: to evaluate on, should there be no test list."""

    all_indices: Indices
    sets: Sequence[tuple[Indices, Indices]]
    held_out: Indices
    budget: int


def _draw(
    config: Config, num_images: int, imported: Sequence[tuple[Indices, Indices]], labels_all: bool
) -> _First:
    """Draws the first sets. imported: those that stand for them. Raises ConfigError."""
    num_initial = (
        len(imported[0][0]) if imported else resolve_count(config.initial, num_images, "initial")
    )
    budget = 0 if labels_all else _budget(config, num_images, num_initial)
    all_indices, labeled, sample = initial_sets(
        num_images, num_images if labels_all else num_initial, config.split_seed,
        config.first_unlabeled,
    )  # fmt: skip
    begins_with = imported[0][0] if imported else labeled
    # The same images for every strategy, also for full supervision.
    order = all_indices[np.isin(all_indices, begins_with)]
    held_out = np.sort(order[: count_of(config.holdout, num_initial)])
    drawn = imported if imported and not labels_all else [(labeled, sample)]
    return _First(all_indices, drawn, held_out, budget)


def _budget(config: Config, num_images: int, num_initial: int) -> int:
    """How many images a cycle selects. Raises ConfigError if there are not so many."""
    budget = resolve_count(config.budget, num_images, "budget")
    if budget > num_images - num_initial:
        raise ConfigError(
            f"the budget of {budget} images is larger than the pool: of {num_images} usable images "
            f"{num_initial} are labeled from the start",
            where="budget, initial",
            remedy="lower budget or initial",
        )
    if budget > num_scored(config, num_images):
        raise ConfigError(
            f"of {num_images} images {num_scored(config, num_images)} are scored in a cycle, fewer "
            f"than the budget of {budget}",
            where=f"score_fraction = {config.score_fraction:g}",
            remedy="raise score_fraction or lower budget",
        )
    return budget


def _refuse_to_drop(config: Config, source: Source) -> None:
    if config.empty_images == "drop" and source.annotated() is None:
        raise ConfigError(
            f"images without objects cannot be left out of a data set in {source.layout} layout: "
            "their annotations would have to be opened, which the pool's must not be",
            where="empty_images = drop",
            remedy="set empty_images=keep, or leave these images out of the list",
        )


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
    config: Config, sources: Sources, oracle: Oracle, first_ids: Sequence[str],
    test_oracle: Oracle, test_ids: Sequence[str],
) -> tuple[str, ...]:  # fmt: skip
    """The configured class names, or those that the data set declares (COCO), or else those in the
    labels of the first and the test images, which are read."""
    seen = set(test_oracle.class_names(test_ids)) | set(oracle.class_names(first_ids))
    labels_at = oracle.labels_at(first_ids[0])
    if not seen:
        raise DataError(
            f"there is no label to begin with: none of the {len(first_ids)} images drawn first, "
            "and no test image, has an annotation that names a class",
            where=labels_at,
            remedy="label the images drawn first (VOC XML in the Annotations folder, or "
            "annotations in the COCO file), or choose another split_seed or initial; they are: "
            f"{', '.join(first_ids)}",
        )
    declared = list(dict.fromkeys([*sources.pool.classes(), *sources.test.classes()]))
    known = declared or sorted(seen)
    if config.classes is None:
        return tuple(known)
    refuse_absent_classes(config.classes, known, labels_at)
    return config.classes


def _test_objects(
    oracle: Oracle, test: Sequence[ImageRecord], classes: Sequence[str], faults: FaultCounts
) -> dict[str, Objects]:
    """The labels of the images to evaluate on. Raises DataError if no object counts."""
    found = oracle.read([record.id for record in test], classes, faults)
    if test and all(objects.ignored.all() for objects in found.values()):
        raise DataError(
            f"none of the {len(test)} images to evaluate on has a labeled object that counts "
            f"({'; '.join(faults.lines()) or 'all are marked difficult or crowd'})",
            where=oracle.labels_at(test[0].id),
            remedy="add their annotations, or set test_list to a list that has some (without a "
            "test list: give `initial` more images, or set holdout=0)",
        )
    return found
