"""What is looked at: the images of a run or a data set, and the labels of them that are known."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from miaod_nb.boxes import Objects
from miaod_nb.config import Config, make_config
from miaod_nb.data.checked import CheckedImages
from miaod_nb.data.labels import AnswersFirst, Oracle, as_counted, to_objects
from miaod_nb.data.records import FaultCounts, ImageRecord, Range, RawObject
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.errors import MiaodError, RunFolderError
from miaod_nb.experiment.beginning import lists_of
from miaod_nb.experiment.opening import open_run
from miaod_nb.experiment.preparing import Sources
from miaod_nb.experiment.run import Run
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.identity import has_begun, refuse_another
from miaod_nb.runs.known_images import known_images
from miaod_nb.runs.label_store import LabelStore
from miaod_nb.runs.record import RunRecord


class ManyExamples(FaultCounts):
    """Faults with more examples than a line has room for: a page shows them."""

    MAX_EXAMPLES = 200


@dataclass(frozen=True)
class Images:
    """The usable images of the pool and of the test list, where they lie, and what is special about
    them."""

    config: Config
    data_root: Path
    sources: Sources
    pool: Sequence[ImageRecord]
    test: Sequence[ImageRecord]
    faults: FaultCounts


@dataclass(frozen=True)
class Labeled:
    """An image whose labels may be read. raw: as its file has them; objects: those that count."""

    record: ImageRecord
    raw: Sequence[RawObject]
    objects: Objects
    is_tested: bool


@dataclass(frozen=True)
class Labels:
    """What is known of labels. images: None where none may be read. faults: in what was read."""

    images: Sequence[Labeled] | None
    classes: tuple[str, ...]
    faults: FaultCounts


@dataclass(frozen=True)
class Examined:
    """A run, or a data set as `miaod new` would begin one on it.

    held_out: ids of pool images that are measured on. run: None for a data set, and for a run that
    cannot be opened. refusal: why it cannot be trained as it is.
    """

    images: Images
    labels: Labels
    held_out: Container[str] = ()
    run: Run | None = None
    refusal: MiaodError | None = None


def examine_data(data_root: Path, train_list: str, audit: bool) -> Examined:
    """A data set. train_list: "" for the one that `miaod new` would take. audit: whether the labels
    of all images of both lists may be read. Raises ConfigError and DataError."""
    given = {"train_list": train_list} if train_list else {}
    lists = lists_of(open_source(data_root), given) | given
    images = _scanned(make_config("voc", lists), data_root, CheckedImages(data_root), None)
    if not audit:
        return Examined(images, Labels(None, (), FaultCounts()))
    pool, test = images.sources
    readers = [(Oracle(pool, images.pool), None, ()), (Oracle(test, images.test), None, None)]
    declared = tuple(dict.fromkeys([*pool.classes(), *test.classes()]))
    return Examined(images, _read(readers, declared))


def examine_run(root: Path) -> Examined:
    """The run in a folder, and the labels that it knows: those of its labeled images, of the images
    that people answered for, and of the test list. Raises MiaodErrors where its images cannot be
    listed at all."""
    record = RunRecord.open(root)
    if record.data_root is None:
        raise RunFolderError("the run does not say where its images lie", where=root,
                             remedy=f"miaod run --run-dir {root} --data-root DATA")  # fmt: skip
    run, refusal = _opened(root)
    checked = CheckedImages(record.data_root, run.checked.table if run else known_images(root))
    gray = run.dataset.gray if run else None
    images = _scanned(record.config, record.data_root, checked, gray)
    if run is None:
        return Examined(images, Labels(None, record.classes, FaultCounts()), refusal=refusal)
    dataset, answers, begun = run.dataset, LabelStore(RunFolder(root)), has_begun(run.folder)
    labeled = record.labeled(record.cycles - 1) if begun else dataset.ids(dataset.first.labeled)
    held_out = dataset.ids(dataset.held_out)
    of_pool, of_test = (as_counted(one, run.config.voc_pixels_from) for one in images.sources)
    pool = Oracle(AnswersFirst(answers, of_pool), images.pool)
    known = [one for one in dict.fromkeys([*labeled, *answers.answers()]) if one in pool.records]
    readers = [(pool, known, held_out), (Oracle(of_test, images.test), None, None)]
    labels = _read(readers, record.classes if begun else dataset.classes)
    return Examined(images, labels, frozenset(held_out), run, refusal)


def _opened(root: Path) -> tuple[Run | None, MiaodError | None]:
    """The run with its data read, and why it cannot be trained. One that lacks labels alone, or
    whose images are others now, can be opened all the same."""
    refusal: MiaodError | None = None
    for needs_labels in (True, False):
        try:
            run = open_run(run_dir=root, needs_labels=needs_labels)
            data = run.dataset
        except MiaodError as error:
            refusal = refusal or error
            continue
        try:
            refuse_another(run.folder, run.config, run.card, data.identity, data.missing)
        except MiaodError as error:
            refusal = refusal or error
        return run, refusal
    return None, refusal


def _scanned(config: Config, data_root: Path, checked: CheckedImages, gray: Range | None) -> Images:
    """The images of both lists. Raises DataError."""
    sources, faults = Sources.open(data_root), ManyExamples()
    drop_empty = config.empty_images == "drop" and sources.pool.annotated() is not None
    pool = scan_list(
        sources.pool, config.train_list, faults, drop_empty=drop_empty, checked=checked, gray=gray
    )
    test = scan_list(
        sources.test, config.test_list, faults, required=False, checked=checked, gray=pool[0].gray
    )
    return Images(config, data_root, sources, pool, test, faults)


def _read(
    readers: Iterable[tuple[Oracle, Sequence[str] | None, Container[str] | None]],
    classes: Sequence[str],
) -> Labels:
    """The labels of images: of each oracle, the ids to read (None: all) and those of them that are
    measured on (None: all). classes: where there are none, those that labels name."""
    faults, found = ManyExamples(), []
    for oracle, ids, tested in readers:
        for record, raw in oracle.read_raw(list(oracle.records) if ids is None else ids, faults):
            found.append((record, raw, tested is None or record.id in tested))
    names = tuple(classes) or tuple(sorted({item.name for _, raw, _ in found for item in raw}))
    images = [
        Labeled(record, raw, to_objects(raw, names, record, faults), is_tested)
        for record, raw, is_tested in found
    ]
    return Labels(images, names, faults)
