"""What a run works with, and what it has found so far."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from miaod_nb.config import Config, fingerprint
from miaod_nb.data.cache import ImageCache
from miaod_nb.data.checked import CheckedImages
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector import build_detector, detector_maker
from miaod_nb.detector.backbones import refuse_unfit_backbone
from miaod_nb.detector.model import DetectionModel
from miaod_nb.detector.whole_weights import begin_with_weights
from miaod_nb.errors import CheckpointError, ConfigError, RunFolderError
from miaod_nb.experiment.dataset import CycleSets, Dataset
from miaod_nb.experiment.imported import ImportedSets, first_sets, load_imported, noted_sets
from miaod_nb.experiment.preparing import Known, Sources, prepare
from miaod_nb.experiment.training import load_checkpoint, without_pretrained
from miaod_nb.learning.train import StagePlan, cycle_stages
from miaod_nb.passes.image_features import image_features
from miaod_nb.plugins import place_of
from miaod_nb.processes import current_processes, launched
from miaod_nb.runs.card import Card
from miaod_nb.runs.code import code_digest
from miaod_nb.runs.files import ReadOnlyRunFolder, RunFolder
from miaod_nb.runs.identity import default_run_dir, has_begun, project_folder, refuse_another
from miaod_nb.runs.known_images import known_images
from miaod_nb.runs.label_store import LabelStore
from miaod_nb.runs.machine import resolve_device
from miaod_nb.runs.record import RunRecord, is_run, refuse_cycle
from miaod_nb.runs.schema import CycleLabels, Metrics, read_document
from miaod_nb.runs.session import Session
from miaod_nb.runs.steps import goes_on
from miaod_nb.runs.to_label import to_label
from miaod_nb.selection.class_coverage import refuse_unknown_classes
from miaod_nb.selection.protocol import Strategy
from miaod_nb.selection.registry import (
    BUILT_IN,
    build_strategy,
    card_of_run,
    refuse_unknown,
    settled,
)

FEATURES = "image-features"  # the folder beside run folders that keeps features of images


class RunState:
    """A run as its steps have it: what is done (config, dataset, strategy, stages), where (folder,
    session, device), and what is there already.

    A run that was begun is opened without reading its data or knowing its strategy: both are asked
    for when a step needs them. A new one reads the image lists, the test labels and the first
    labels at once, so that what cannot work is refused before anything is written.
    imported: the sets of the first cycles where they are not drawn; left out: those that the run
    folder has taken over. like: a run on the same data, whose pool a new one has too. needs_labels:
    False for who brings the first images out to be labeled, or their labels in. Raises ConfigError,
    DataError and RunFolderError.
    """

    def __init__(
        self, config: Config, data_root: Path, run_dir: Path | None = None,
        imported: Sequence[ImportedSets] = (), like: "RunState | None" = None,
        needs_labels: bool = True,
    ) -> None:  # fmt: skip
        self.data_root, self._like = Path(data_root), like
        self._needs_labels = needs_labels
        begun = RunRecord.open(run_dir) if run_dir is not None and is_run(run_dir) else None
        _check_shares(config)
        alone = resolve_device(config.device)
        self.processes = current_processes(config.device)
        self.device = self.processes.device or alone
        self.card = self._card_of(config, begun)
        self.config = settled(config, self.card)
        self._imported = tuple(imported)
        self.checked = CheckedImages(self.data_root, known_images(run_dir))
        folder_type = RunFolder if self.processes.is_first else ReadOnlyRunFolder
        if begun:  # other settings: before a number of the run is shown
            refuse_another(begun.folder, self.config, self.card)
        else:
            check_names(self.config)
        if run_dir is None:  # it follows from the data, which then follow from what stands there
            found = self._prepare(None)
            run_dir = default_run_dir(self.config, fingerprint(self.config, found.identity))
            if not run_dir.is_dir():
                self.dataset = found
        self.folder = folder_type(run_dir)
        self._imported = self._imported or load_imported(self.folder)
        self.session = Session(self.folder, config.save_every, config.tensorboard, self.processes)
        self._images, self._images_of = ImageCache((), 0), -1
        self._record: RunRecord | None = None
        if begun is None:
            refuse_unknown_classes(self.config, self.dataset.classes)

    @staticmethod
    def _card_of(config: Config, begun: RunRecord | None) -> Card:
        is_own = begun is not None and begun.config.strategy == config.strategy
        return card_of_run(begun) if begun and is_own else build_strategy(config).card

    @cached_property
    def dataset(self) -> Dataset:
        """Images, classes and labels; read when they are first asked for."""
        return self._prepare(RunFolder(self.folder.root))

    def _prepare(self, folder: RunFolder | None) -> Dataset:
        """The data as a run in that folder has them."""
        like = self._like.dataset if self._like else None
        before = (like.table(self.data_root), like.classes, like.gray) if like else None
        begin = partial(
            first_sets, features_of=partial(self._features_of, folder),
            noted=noted_sets(folder) if folder else (),
        )  # fmt: skip
        return prepare(
            self.config, self.sources, self.card.labels_all, self._imported, self.checked,
            LabelStore(folder) if folder else None, Known.of(folder, before) if folder else None,
            self._needs_labels, begin,
        )  # fmt: skip

    def _features_of(self, folder: RunFolder | None, records: Sequence[ImageRecord]) -> np.ndarray:
        """What images look like, (N, F); kept beside the run folder, for all runs there."""
        runs = folder.root.parent if folder else project_folder() / "runs"
        with self.processes.first_goes_ahead():
            return image_features(records, runs / FEATURES, self.device)

    @property
    def imported(self) -> Sequence[ImportedSets]:
        """The sets of the first cycles that were not drawn."""
        is_read = "dataset" in vars(self)
        return self._imported or (self.dataset.imported if is_read else ())

    @cached_property
    def sources(self) -> Sources:
        """The data set; a run on the same lists has it open already."""
        if self._like and _lists(self._like.config) == _lists(self.config):
            return self._like.sources
        return Sources.open(self.data_root)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all that decides the results."""
        return fingerprint(self.config, self.dataset.identity)

    @cached_property
    def strategy(self) -> Strategy:
        """How the run chooses images. Raises ConfigError if this process does not know it, and for
        one of one's own that is another one than the run began with."""
        strategy = build_strategy(self.config)
        if self.config.strategy not in BUILT_IN and strategy.card.behavior != self.card.behavior:
            raise ConfigError(
                f"the strategy '{self.config.strategy}' is another one than this run began with: "
                f"{strategy.card.behavior} now, {self.card.behavior} then",
                where=place_of(strategy),
                remedy="give a changed rule a new name, or choose a new run_dir",
            )
        return strategy

    @property
    def trains_adversarially(self) -> bool:
        """Whether images without labels are trained on too."""
        return self.card.training_of(self.config.training) == "mi_aod"

    @property
    def stages(self) -> list[StagePlan]:
        """The training stages of the first cycle; those of later ones have the same names."""
        return self.stages_of(0)

    def stages_of(self, cycle: int) -> list[StagePlan]:
        """The training stages of a cycle in order."""
        return cycle_stages(
            self.config, self.trains_adversarially, self.processes, self.goes_on(cycle)
        )

    def goes_on(self, cycle: int) -> bool:
        """Whether the training of a cycle begins with the detector of the cycle before."""
        return goes_on(self.config, cycle, self.first_cycle)

    def keep_images(self, cycle: int, ids: Sequence[str]) -> ImageCache:
        """The images that a cycle trains on, kept from stage to stage."""
        if self._images_of != cycle:
            records = [self.dataset.records[image_id] for image_id in ids]
            self._images, self._images_of = ImageCache(records, self.config.cache_mb), cycle
        return self._images

    @property
    def code(self) -> str:
        """What code trains here, as a digest."""
        return code_digest(detector_maker(self.config.detector))

    @property
    def record(self) -> RunRecord:
        """What the run folder says, for whoever reads it. Raises RunFolderError before the run was
        begun."""
        root = self.folder.root
        if self._record is None and not is_run(root):
            raise RunFolderError("this run has not begun: there is nothing to read yet",
                                 where=root, remedy=f"miaod run --run-dir {root}")  # fmt: skip
        self._record = self._record or RunRecord.open(root)
        return self._record

    def image(self, image_id: str) -> ImageRecord | None:
        """An image of the pool or the test list, whose file may be gone; None for another id. Opens
        the data of runs of earlier versions alone, which did not note where images lie."""
        if self.record.has_places:
            return self.record.image(image_id, self.data_root)
        return self.dataset.records.get(image_id)

    # ------------------------------------------------------------------------- results so far

    @property
    def first_cycle(self) -> int:
        """The first cycle that this run trains: those before it were imported."""
        return max(len(self.imported) - 1, 0)

    def sets(self, cycle: int) -> CycleSets:
        """Which images are labeled in a cycle; needs the selections of the cycles before."""
        return self.dataset.sets([self.selection(before) for before in range(cycle)])

    def selection(self, cycle: int) -> list[int]:
        """Pool indices that a finished cycle chose, most wanted first."""
        return [row["index"] for row in self.record.selection(cycle)["selected"]]

    def classes_of(self, cycle: int) -> tuple[str, ...]:
        """Names of the classes that a cycle knows, in the order of the labels; those so far for one
        that has not begun."""
        return self.record.classes_of(cycle) if has_begun(self.folder) else self.dataset.classes

    def labels(self, cycle: int) -> CycleLabels:
        """What is known of the labels of a cycle: as it noted that, or, in a run of an earlier
        version, by opening them."""
        if self.record.labels_noted(cycle) and "ignored" in (noted := self.record.labels(cycle)):
            return noted
        sets, classes = self.sets(cycle), self.classes_of(cycle)
        objects, _ = self.dataset.labeled_objects(sets, classes)
        return self.dataset.describe_labels(sets, objects, classes)

    def to_label(self) -> list[str]:
        """Ids of the images that the newest cycle chose and that have no labels yet, most wanted
        first; [] for an experiment on a labeled data set."""
        return to_label(self.record, self.dataset.source)

    def load_model(self, cycle: int) -> DetectionModel:
        """The detector that a finished cycle trained, ready for inference."""
        self.refuse_imported(cycle)
        relative = f"cycle{cycle}/weights.pt"
        path = self.folder.path(relative)
        checkpoint = self.folder.load_tensors(relative, self.device)
        classes = checkpoint.get("classes") if isinstance(checkpoint, dict) else None
        expected = list(self.classes_of(cycle))
        if classes != expected:
            raise CheckpointError(
                f"the weights are of other classes: {classes}, expected {expected}",
                where=path,
                remedy="restore the file, or choose another run_dir",
            )
        return self._built(checkpoint, path, len(expected))

    def detector_before(self, cycle: int) -> DetectionModel:
        """The detector that the training of a cycle goes on from. Raises CheckpointError."""
        path = self.folder.path(f"cycle{cycle - 1}/weights.pt")
        if not path.exists():
            raise CheckpointError(
                f"cycle {cycle} starts from the detector of cycle {cycle - 1} "
                "(start_from=previous), and its weights are missing",
                where=path,
                remedy="restore the file, or begin another run_dir, with start_from=pretrained if "
                "detectors are not kept",
            )
        return self.load_model(cycle - 1)

    def model_so_far(self, cycle: int) -> DetectionModel:
        """The detector of a cycle as it is now: finished, or as its training saved it last (the
        weights in training, not their average)."""
        relative = f"cycle{cycle}/state.pt"
        if self.folder.exists(f"cycle{cycle}/weights.pt") or not self.folder.exists(relative):
            return self.load_model(cycle)
        state = self.folder.load_tensors(relative, self.device)
        return self._built(state, self.folder.path(relative), len(self.classes_of(cycle)))

    def _built(self, checkpoint: Mapping[str, Any], path: Path, num_classes: int) -> DetectionModel:
        """The detector with the weights of a file, ready for inference."""
        model = build_detector(without_pretrained(self.config), num_classes)
        load_checkpoint(model.to(self.device), checkpoint, path)
        return model.eval()

    def refuse_cycle(self, cycle: int) -> None:
        """Raises ConfigError for a cycle that this run does not have."""
        refuse_cycle(cycle, self.config)

    def refuse_imported(self, cycle: int) -> None:
        """Raises ConfigError for a cycle that was not trained here, but imported."""
        if cycle < self.first_cycle:
            raise ConfigError(
                f"cycle {cycle} was imported: its training and its detector are not in this run",
                where=self.folder.path(f"cycle{cycle}"),
                remedy=f"choose cycle={self.first_cycle}, this run's first, or later; if "
                "the import was cut off, import the work folder again into this run_dir",
            )

    def metrics(self) -> pd.DataFrame:
        """Metrics of all evaluated cycles, one row each."""
        names = [f"cycle{cycle}/metrics.json" for cycle in range(self.config.cycles)]
        found: list[Metrics] = [
            read_document(self.folder, name, Metrics) for name in names if self.folder.exists(name)
        ]
        if not found:  # nothing was evaluated: a table without rows
            return pd.DataFrame(columns=["cycle", "strategy", "labeled_images", "evaluated_on"])
        return pd.DataFrame([{**one["about"], **one["metrics"]} for one in found])


def _lists(config: Config) -> tuple[str, str]:
    return config.train_list, config.test_list


def _check_shares(config: Config) -> None:
    (_, count), size = launched(), config.batch_size
    if size % count:
        fitting = [str(n) for n in range(1, size + 1) if size % n == 0]
        raise ConfigError(
            f"{count} processes cannot have equal parts of a batch of {size} images",
            where=f"batch_size = {size}",
            remedy=f"launch another number of processes ({', '.join(fitting)}), or set batch_size "
            f"to a multiple of {count}",
        )


def check_names(config: Config) -> None:
    """Raises ConfigError for a detector, backbone or strategy that no registry has or that cannot
    be used, and for a mix among the controls that cannot be one; CheckpointError for `weights` of
    another detector."""
    for field, names in (("strategy", [config.strategy]), ("controls", config.controls)):
        for name in names:
            refuse_unknown(name, field)
            build_strategy(config.model_copy(update={"strategy": name}))
    detector_maker(config.detector)
    if config.detector == "retinanet":
        refuse_unfit_backbone(config.backbone)
    if config.weights:  # whatever the classes are
        begin_with_weights(build_detector(without_pretrained(config), 1), config, [""])
