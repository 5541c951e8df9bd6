"""Sets of images that are labeled or chosen before a run draws any: by id, kept in its folder."""

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from miaod_nb.config import Config, count_of
from miaod_nb.data.pool import Indices, initial_sets, labeled_sets, resolve_count
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.errors import DataError
from miaod_nb.experiment.first_choice import choose_first
from miaod_nb.passes.image_features import image_features
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.identity import has_begun
from miaod_nb.runs.record import IMPORTED
from miaod_nb.runs.schema import Imported, read_document

FeaturesOf = Callable[[Sequence[ImageRecord]], np.ndarray]

LABELS = "labels"  # the origin of sets of images that were labeled before the run began


@dataclass(frozen=True)
class ImportedSets:
    """The labeled images of a cycle and its unlabeled sample, by id.

    origin: "labels" for what was labeled before the run began; the initial_strategy where that
    chose some. reasons: why each of the last labeled ones was chosen, most wanted first. question:
    a digest of what the choice was made of.
    """

    labeled: tuple[str, ...]
    unlabeled_sample: tuple[str, ...]
    origin: str = ""
    reasons: tuple[str, ...] = ()
    question: str = ""

    @property
    def chosen(self) -> dict[str, str]:
        """Ids of the labeled images that were chosen, most wanted first, and why each."""
        last = self.labeled[len(self.labeled) - len(self.reasons) :]
        return dict(zip(last, self.reasons, strict=True))

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
              | ({"reasons": one.reasons} if one.reasons else {})
              for one in imported]  # fmt: skip
    about = {"origin": imported[0].origin, "question": imported[0].question}
    folder.save_json(IMPORTED, {"cycles": cycles} | {k: v for k, v in about.items() if v})


def noted_sets(folder: RunFolder) -> tuple[ImportedSets, ...]:
    """The sets that the run folder notes; () if it draws its own."""
    if not folder.exists(IMPORTED):
        return ()
    found: Imported = read_document(folder, IMPORTED, Imported)
    return tuple(
        ImportedSets(
            tuple(sets["labeled"]), tuple(sets["unlabeled_sample"]), found.get("origin", ""),
            tuple(sets.get("reasons", ())), found.get("question", ""),
        )
        for sets in found["cycles"]
    )  # fmt: skip


def load_imported(folder: RunFolder) -> tuple[ImportedSets, ...]:
    """The sets that the run folder takes over; () if it draws its own, or asks anew what is
    labeled and what to choose, because nothing was done yet."""
    noted = noted_sets(folder)
    binds = noted and (has_begun(folder) or not noted[0].origin)
    return noted if binds else ()


def first_sets(
    config: Config, pool: Sequence[ImageRecord], labeled_ids: Collection[str],
    features_of: FeaturesOf = image_features, noted: Sequence[ImportedSets] = (),
) -> tuple[ImportedSets, ...]:  # fmt: skip
    """The first sets as far as labels or features decide them: () where they are to be drawn.

    features_of: features of images, (N, F), asked for if initial_strategy goes by them. noted: the
    sets of a call before, by which people may be labeling: they hold as long as that call chose
    among the same images in the same way, and labels that came since are of them. Raises DataError
    where first_labels=labeled and there are none.
    """
    labeled = np.flatnonzero([record.id in labeled_ids for record in pool])
    if config.first_labels == "labeled" and not len(labeled):
        raise DataError("no image has labels to begin with", where="first_labels = labeled",
                        remedy="label some, or set first_labels=drawn")  # fmt: skip
    is_part = 0 < 2 * len(labeled) < len(pool)
    if config.first_labels == "drawn" or (config.first_labels == "auto" and not is_part):
        labeled = labeled[:0]
    if config.initial_strategy != "random" and config.first_labels != "labeled":
        return _chosen_sets(config, pool, labeled, features_of, noted)
    if not len(labeled):
        return ()
    count = count_of(config.initial, len(pool))
    drawn = initial_sets(len(pool), count, config.split_seed)[1] if count else labeled[:0]
    if config.first_labels == "auto" and set(labeled) <= set(drawn):
        return ()  # people label what was drawn
    return (_named_sets(config, pool, labeled, LABELS),)


def _chosen_sets(
    config: Config, pool: Sequence[ImageRecord], labeled: Indices, features_of: FeaturesOf,
    noted: Sequence[ImportedSets],
) -> tuple[ImportedSets, ...]:  # fmt: skip
    """The images that have labels, and as many others that initial_strategy chooses as `initial`
    asks for besides."""
    count = resolve_count(config.initial, len(pool), "initial")
    asked = [config.initial_strategy, count, config.split_seed, [(r.id, r.digest) for r in pool]]
    question = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    is_answer = bool(noted) and noted[0].question == question
    if is_answer and {pool[index].id for index in labeled} <= set(noted[0].labeled):
        return tuple(noted[:1])
    if len(labeled) >= count:
        return (_named_sets(config, pool, labeled, LABELS),)
    ids = [record.id for record in pool]
    chosen, reasons = choose_first(
        config.initial_strategy, features_of(pool), ids, labeled, count - len(labeled),
        config.split_seed,
    )  # fmt: skip
    indices = np.append(labeled, chosen)
    return (_named_sets(config, pool, indices, config.initial_strategy, tuple(reasons), question),)


def _named_sets(
    config: Config, pool: Sequence[ImageRecord], labeled: Indices, origin: str,
    reasons: tuple[str, ...] = (), question: str = "",
) -> ImportedSets:  # fmt: skip
    """These labeled images, in this order, and an unlabeled sample of the others."""
    _, sample = labeled_sets(len(pool), labeled, config.split_seed)
    first, others = (tuple(pool[index].id for index in one) for one in (labeled, sample))
    return ImportedSets(first, others, origin, reasons, question)
