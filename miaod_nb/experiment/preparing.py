"""Reads the data of an experiment: its images, the first sets, the classes and the test labels."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from miaod_nb.boxes import Objects
from miaod_nb.config import Budget, Config, count_of, make_config
from miaod_nb.data.checked import CheckedImages
from miaod_nb.data.labels import (
    AnswersFirst,
    Oracle,
    as_counted,
    count_spellings,
    refuse_misspelled_classes,
    refuse_unfit_classes,
)
from miaod_nb.data.pool import Indices, initial_sets, resolve_count
from miaod_nb.data.records import FaultCounts, ImageRecord, LabelReader, Range
from miaod_nb.data.sources import Source, open_source, other_lists, scan_list
from miaod_nb.errors import ConfigError, DataError
from miaod_nb.experiment.dataset import CycleSets, Dataset, num_scored
from miaod_nb.experiment.imported import ImportedSets, first_sets
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.identity import has_begun
from miaod_nb.runs.pool_file import read_pool
from miaod_nb.runs.record import RunRecord, is_run

FirstSets = Callable[[Config, Sequence[ImageRecord], Collection[str]], tuple[ImportedSets, ...]]


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
    indices, the first cycle that it takes part in. sizes: (width, height) of those that joined
    later. next_cycle: the first one not begun. classes: those that the run began with; all_classes:
    and those that joined since. gray: the range of deep gray that it began with."""

    joined: Mapping[str, int]
    sizes: Mapping[str, tuple[int, int]]
    next_cycle: int
    classes: tuple[str, ...]
    all_classes: tuple[str, ...]
    gray: Range | None

    @classmethod
    def of(
        cls, folder: RunFolder,
        otherwise: tuple[pd.DataFrame, tuple[str, ...], Range | None] | None,
    ) -> "Known | None":  # fmt: skip
        """The pool of a run; otherwise: table, classes and gray of a folder that has none yet."""
        kept = read_pool(folder) if has_begun(folder) and is_run(folder.root) else None
        if kept is not None:
            record = RunRecord.open(folder.root)
            table, classes, all_classes = kept, record.first_classes, record.classes
            gray = record.gray
        elif otherwise is not None:
            (table, classes, gray), all_classes = otherwise, otherwise[1]
        else:
            return None
        pool = table[table["list"] == "pool"]
        next_cycle = next(c for c in count() if "split" not in folder.done_steps(c))
        later = pool[pool["joined"] > 0]
        sizes = zip(later["width"].tolist(), later["height"].tolist(), strict=True)
        joined = dict(zip(pool["id"], pool["joined"].tolist(), strict=True))
        return cls(
            joined,
            dict(zip(later["id"], sizes, strict=True)),
            next_cycle,
            classes,
            all_classes,
            gray,
        )

    def arrange(
        self, found: list[ImageRecord]
    ) -> tuple[list[ImageRecord], dict[int, int], list[str]]:
        """The images in the order of the indices, new ones last, how many of them joined in which
        cycle, and ids of those that are missing. Where some are, none can join; where all are, it
        is another data set. Raises DataError for one that joined and has another size now: the
        identity of a run tells that of the first images alone."""
        records = {record.id: record for record in found}
        for image_id, size in self.sizes.items():
            now = records.get(image_id)
            if now and (now.width, now.height) != size:
                raise DataError(
                    f"the image '{image_id}' was {size[0]}x{size[1]} when it joined this run, and "
                    f"is {now.width}x{now.height} now",
                    where=now.image_path,
                    remedy="put the first one back, or give the new one another name",
                )
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
    answers: LabelReader | None = None, known: Known | None = None, needs_labels: bool = True,
    begin: FirstSets = first_sets,
) -> Dataset:  # fmt: skip
    """Reads the image lists, the labels of the test images and those of the first labeled images.

    labels_all: every pool image is labeled from the start (full supervision). imported: the sets
    of the first cycles, where they are not to be drawn. checked: see `scan_list`. answers: labels
    of pool images that hold before those of the data set. known: the pool as the run has it; other
    images join it. needs_labels=False: where no label is to be found there are no classes, for who
    brings the first images out to be labeled. begin: how the first sets are had. Raises ConfigError
    and DataError for what cannot work.
    """
    faults, test_faults = FaultCounts(), FaultCounts()
    _refuse_to_drop(config, sources.pool)
    drop_empty = config.empty_images == "drop"
    pool = scan_list(
        sources.pool, config.train_list, faults, drop_empty=drop_empty, checked=checked,
        gray=known.gray if known else None,
    )  # fmt: skip
    pool, joined, missing = known.arrange(pool) if known else (pool, {}, [])
    if not known:
        _refuse_misspelled_test_list(config, sources.test)
    # Full supervision has all labels, but holds out the images that other runs do.
    is_drawn = labels_all and config.initial_strategy == "random"
    if not (imported or known or is_drawn):
        imported = begin(config, pool, sources.pool.labeled_ids())
    taken_over = [sets.indices(pool, faults) for sets in imported]
    first = _draw(config, len(pool) - sum(joined.values()), taken_over, labels_all)
    test = scan_list(
        sources.test, config.test_list, test_faults, required=False, checked=checked,
        gray=pool[0].gray,
    )  # fmt: skip
    _refuse_overlap(config, pool, test)
    _count_copies(pool, test, test_faults)
    of_pool, of_test = (as_counted(one, config.voc_pixels_from) for one in sources)
    reader = AnswersFirst(answers, of_pool) if answers else of_pool
    oracle, held_out = Oracle(reader, pool), first.held_out[:0] if test else first.held_out
    test_oracle = Oracle(of_test, test) if test else oracle
    test = test or [pool[i] for i in held_out]
    first_ids = [pool[i].id for i in first.sets[0][0]]
    if known and config.classes is None:  # new ones join with the labels of a later cycle
        classes, all_classes = known.classes, known.all_classes
    else:
        classes = all_classes = _classes(
            config, sources, oracle, first_ids, test_oracle, [r.id for r in test], needs_labels
        )
        refuse_unfit_classes(classes, oracle.labels_at(first_ids[0]))
    count_spellings(classes, faults)
    given = [CycleSets(one, other, np.setdiff1d(one, held_out)) for one, other in first.sets]
    return Dataset(
        config=config, source=sources.pool, classes=classes, pool=pool, budget=first.budget,
        all_indices=np.append(first.all_indices, np.arange(len(first.all_indices), len(pool))),
        joined=joined, missing=missing, given=given,
        imported=() if labels_all else tuple(imported), held_out=held_out,
        test=test,
        test_objects=_test_objects(
            test_oracle, test, all_classes, test_faults, needs_labels, len(held_out) > 0
        ),
        oracle=oracle, faults=faults, test_faults=test_faults, records=oracle.records,
    )  # fmt: skip


class _First(NamedTuple):
    """What is drawn at the beginning. sets: labeled images and unlabeled sample of the first cycle,
    of several if they are imported. held_out: to evaluate on, should there be no test list."""

    all_indices: Indices
    sets: Sequence[tuple[Indices, Indices]]
    held_out: Indices
    budget: int | None


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


def _budget(config: Config, num_images: int, num_initial: int) -> int | None:
    """How many images a cycle selects; None where that depends on what they cost. Raises
    ConfigError if there are not so many."""
    wished = Budget.of(config.budget)
    if not wished.in_images:
        return None
    budget = resolve_count(wished.amount, num_images, "budget")
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
            remedy="set empty_images=keep, or leave these images out",
        )


def _refuse_misspelled_test_list(config: Config, source: Source) -> None:
    """Raises DataError for a list that somebody named and that is not there; that of the preset may
    be absent."""
    place = source.list_file(config.test_list)
    if config.test_list != make_config(config.preset).test_list and not place.exists():
        names = [name for name in source.list_names() if name != config.train_list]
        raise DataError(
            f"there is no image list '{config.test_list}'",
            where=f"test_list = {config.test_list}: {place}",
            remedy=other_lists(source, config.test_list, config.train_list) if names
            else "leave test_list out: some of the first labeled images are held out to measure on",
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


def _count_copies(
    pool: Sequence[ImageRecord], test: Sequence[ImageRecord], faults: FaultCounts
) -> None:
    """Counts test images that the pool has, too, under another name."""
    digests = {record.digest for record in pool}
    for record in test:
        if record.digest in digests:
            faults.add("file that is byte for byte an image of the pool", record.id)


def _classes(
    config: Config, sources: Sources, oracle: Oracle, first_ids: Sequence[str],
    test_oracle: Oracle, test_ids: Sequence[str], needs_labels: bool,
) -> tuple[str, ...]:  # fmt: skip
    """The configured class names, or those that the data set declares (COCO, YOLO), or else those
    in the labels of the first and the test images, which are read."""
    of_labels = FaultCounts()
    seen = {
        *test_oracle.class_names(test_ids, of_labels), *oracle.class_names(first_ids, of_labels)
    }  # fmt: skip
    labels_at = oracle.labels_at(first_ids[0])
    declared = list(dict.fromkeys([*sources.pool.classes(), *sources.test.classes()]))
    if not seen and not needs_labels:
        return config.classes or tuple(declared)
    if not seen:
        more = f", ... ({len(first_ids)} in all)" * (len(first_ids) > 10)
        raise DataError(
            f"there is no label to begin with: none of the {len(first_ids)} images drawn first, "
            "and no test image, has an annotation that names a class "
            f"({'; '.join(of_labels.lines()) or 'all are empty'})",
            where=labels_at,
            remedy=f"label the images drawn first: {', '.join(first_ids[:10])}{more}; `miaod "
            "export RUN --to TOOL` writes them for a label tool (`miaod new` makes the run)",
        )
    known = declared or sorted(seen)
    if config.classes is None:
        return tuple(known)
    refuse_misspelled_classes(config.classes, known, labels_at)
    return config.classes


def _test_objects(
    oracle: Oracle, test: Sequence[ImageRecord], classes: Sequence[str], faults: FaultCounts,
    needed: bool, is_held_out: bool,
) -> dict[str, Objects]:  # fmt: skip
    """The labels of the images to evaluate on. needed: raises DataError if no object counts."""
    found = oracle.read([record.id for record in test], classes, faults)
    if needed and test and all(objects.ignored.all() for objects in found.values()):
        raise DataError(
            f"none of the {len(test)} images to evaluate on has a labeled object that counts "
            f"({'; '.join(faults.lines()) or 'all are marked difficult or crowd'})",
            where=oracle.labels_at(test[0].id),
            remedy="give `initial` more images, or set holdout=0" if is_held_out
            else "add their annotations, or set test_list to a list that has some",
        )  # fmt: skip
    return found
