"""What the steps of a cycle do; their results are files of the run folder."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from miaod_nb.boxes import Objects
from miaod_nb.config import Config, fingerprint
from miaod_nb.data.cache import ImageCache
from miaod_nb.data.checked import CheckedImages
from miaod_nb.data.pool import Indices, ids_by_source, remaining_pool
from miaod_nb.detector import DETECTORS, build_detector
from miaod_nb.detector.folding import fold
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import CheckpointError, ConfigError, DataError, DecisionError
from miaod_nb.evaluation import evaluate
from miaod_nb.experiment.choosing import PoolIds, Selection, select
from miaod_nb.experiment.dataset import CycleSets, digest_of, prepare
from miaod_nb.experiment.imported import ImportedSets, load_imported
from miaod_nb.experiment.training import (
    StageTraining,
    TrainingSet,
    load_weights,
    without_pretrained,
)
from miaod_nb.learning.train import cycle_stages
from miaod_nb.passes.inference import mean_discrepancy
from miaod_nb.passes.kept_detections import detect_for_cycle, forget_unfinished, save_detections
from miaod_nb.passes.observing import observe
from miaod_nb.passes.scoring import ScoreShards, score_pool
from miaod_nb.processes import current_processes, launched
from miaod_nb.progress import say, say_detail
from miaod_nb.runs.code import code_digest
from miaod_nb.runs.files import ReadOnlyRunFolder, RunFolder
from miaod_nb.runs.identity import default_run_dir
from miaod_nb.runs.known_images import known_images
from miaod_nb.runs.machine import resolve_device
from miaod_nb.runs.session import Session
from miaod_nb.runs.sharing import equal_training, is_of_training, training_records
from miaod_nb.selection.decisions import Decision, Expected, Verdicts, stored_decisions, verdicts
from miaod_nb.selection.protocol import Candidates, Columns
from miaod_nb.selection.registry import build_strategy, refuse_unknown
from miaod_nb.selection.words import shortage

PROBE_IMAGES = 32  # on which the disagreement is measured after each stage


class CycleSteps:
    """The steps of an experiment's cycles, each by itself; `Run` says when which one runs.

    config, study (the data), strategy and stages say what is done; folder and session where.
    imported: the sets of the first cycles where they are not drawn; left out: those that the run
    folder has taken over.
    """

    def __init__(
        self, config: Config, data_root: Path, run_dir: Path | None = None,
        imported: Sequence[ImportedSets] = (),
    ) -> None:  # fmt: skip
        check_names(config)
        self.config, self.data_root = config, Path(data_root)
        _check_shares(config)
        alone = resolve_device(config.device)
        self.processes = current_processes(config.device)
        self.device = self.processes.device or alone
        self.strategy = build_strategy(config)
        self.imported = imported or (load_imported(RunFolder(run_dir)) if run_dir else ())
        self.checked = CheckedImages(self.data_root, known_images(run_dir))
        self.dataset = prepare(
            config, self.data_root, self.strategy.card.labels_all, self.imported, self.checked
        )
        self.fingerprint = fingerprint(config, self.dataset.identity)
        folder_type = RunFolder if self.processes.is_first else ReadOnlyRunFolder
        self.folder = folder_type(run_dir or default_run_dir(config, self.fingerprint))
        self.session = Session(self.folder, config.save_every, config.tensorboard, self.processes)
        self.stages = cycle_stages(config, self.processes)
        self._cache, self._cached_cycle = ImageCache((), 0), -1

    @property
    def code(self) -> str:
        """What code trains here, as a digest."""
        return code_digest(DETECTORS[self.config.detector])

    # ------------------------------------------------------------------------- results so far

    @property
    def first_cycle(self) -> int:
        """The first cycle that this run trains: those before it were imported."""
        return len(self.dataset.given) - 1

    def sets(self, cycle: int) -> CycleSets:
        """Which images are labeled in a cycle; needs the selections of the cycles before."""
        return self.dataset.sets([self.selection(before) for before in range(cycle)])

    def selection(self, cycle: int) -> list[int]:
        """Pool indices that a finished cycle chose, most wanted first."""
        return [
            row["index"]
            for row in self.folder.load_json(f"cycle{cycle}/selection.json")["selected"]
        ]

    def expected(self, cycle: int) -> Expected:
        """What decisions about a cycle have to be about."""
        begun = self.folder.exists("fingerprint.txt")
        fingerprint = self.folder.load_text("fingerprint.txt").strip() if begun else ""
        return Expected(fingerprint or self.fingerprint, cycle, self.dataset.records)

    def decisions(self, cycle: int) -> list[Decision]:
        """What people decided about a cycle's images. Raises DecisionError for a faulty file."""
        return stored_decisions(self.folder, self.expected(cycle))

    def verdicts(self, cycle: int, more: Sequence[Decision] = ()) -> Verdicts:
        """What the decisions up to a cycle, and perhaps `more` about it, mean for it."""
        before = [one for earlier in range(cycle) for one in self.decisions(earlier)]
        return verdicts(before, [*self.decisions(cycle), *more])

    def load_model(self, cycle: int) -> DetectionModel:
        """The detector that a finished cycle trained, ready for inference."""
        self.refuse_imported(cycle)
        relative = f"cycle{cycle}/weights.pt"
        path = self.folder.path(relative)
        checkpoint = self.folder.load_tensors(relative, self.device)
        classes = checkpoint.get("classes") if isinstance(checkpoint, dict) else None
        if classes != list(self.dataset.classes):
            raise CheckpointError(
                f"the weights are of other classes: {classes}, "
                f"expected {list(self.dataset.classes)}",
                where=path,
                remedy="restore the file, or choose another run_dir",
            )
        return self._built(checkpoint, path)

    def model_so_far(self, cycle: int) -> DetectionModel:
        """The detector of a cycle as it is now: finished, or as its training saved it last."""
        relative = f"cycle{cycle}/state.pt"
        if self.folder.exists(f"cycle{cycle}/weights.pt") or not self.folder.exists(relative):
            return self.load_model(cycle)
        state = self.folder.load_tensors(relative, self.device)
        return self._built(state, self.folder.path(relative))

    def _built(self, checkpoint: Mapping[str, Any], path: Path) -> DetectionModel:
        """The detector with the weights of a file, ready for inference."""
        model = build_detector(without_pretrained(self.config), len(self.dataset.classes))
        load_weights(model.to(self.device), checkpoint.get("model", {}), path)
        return model.eval()

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
        paths = [f"cycle{cycle}/metrics.json" for cycle in range(self.config.cycles)]
        found = [self.folder.load_json(path) for path in paths if self.folder.exists(path)]
        if not found:  # nothing was evaluated: a table without rows
            return pd.DataFrame(columns=["cycle", "strategy", "labeled_images", "evaluated_on"])
        return pd.DataFrame([one["about"] | one["metrics"] for one in found])

    # --------------------------------------------------------------------------------- the steps

    def _split(self, cycle: int) -> None:
        """Writes which images are labeled, and counts the faults in their labels."""
        self._refuse_unapplied(cycle - 1)
        sets = self.sets(cycle)
        self.folder.save_npy(f"X_L_{cycle}.npy", sets.labeled)
        self.folder.save_npy(f"X_U_{cycle}.npy", sets.unlabeled_sample)
        for letter, indices in (("L", sets.labeled), ("U", sets.unlabeled_sample)):
            for source, ids in ids_by_source(self.dataset.pool, indices).items():
                lines = "".join(f"{image_id}\n" for image_id in ids)
                self.folder.save_text(f"cycle{cycle}/trainval_{letter}_{source}.txt", lines)
        objects, faults = self.dataset.labeled_objects(sets)
        if cycle > 0:
            self._refuse_unlabeled_selection(cycle - 1, objects)
        self.folder.save_json(
            f"cycle{cycle}/labels.json",
            {"images": len(objects), "sha256": digest_of(objects), "code": self.code},
        )
        faults.merge(self.dataset.faults)
        self.folder.save_json(f"cycle{cycle}/exclusions.json", faults.as_dict())
        say_detail(
            f"  {len(sets.labeled)} of {len(self.dataset.pool)} images are labeled, "
            f"{len(objects)} train, classes: {', '.join(self.dataset.classes)}")  # fmt: skip
        for line in faults.lines():
            say("  " + line)
        self.session.log(
            cycle, "split", labeled=len(sets.labeled), trained=len(objects),
            pool=len(self.dataset.pool) - len(sets.labeled), exclusions=faults.as_dict(),
        )  # fmt: skip

    def _refuse_unapplied(self, cycle: int) -> None:
        """Raises DecisionError if images of a cycle's batch are set aside, but still in it."""
        if cycle < self.first_cycle:
            return
        barred = self.verdicts(cycle).barred
        still = [i for i in self.dataset.ids(np.array(self.selection(cycle), int)) if i in barred]
        if still:
            raise DecisionError(
                f"{len(still)} images of the batch are skipped or deferred, but still in it, "
                f"first {still[0]}",
                where=self.folder.path(f"cycle{cycle}/selection.json"),
                remedy=f"miaod review {self.folder.root} --cycle {cycle} (others take their places "
                "unless --no-replace is given), then run the same command again",
            )

    def _refuse_unlabeled_selection(self, cycle: int, objects: Mapping[str, Objects]) -> None:
        selected = self.dataset.ids(np.array(self.selection(cycle)))
        if not self.dataset.any_labeled(i for i in selected if i in objects):
            raise DataError(
                f"none of the {len(selected)} images that cycle {cycle} selected has a usable "
                "annotation yet",
                where=self.folder.path(f"cycle{cycle}/selection.json"),
                remedy="label these images, put their labels into "
                f"{self.dataset.records[selected[0]].labels_at} and run the same command again"
                + self.dataset.empty_hint,
            )

    def _train(self, cycle: int, index: int) -> None:
        self.refuse_imported(cycle)
        sets = self.sets(cycle)
        objects, _ = self.dataset.labeled_objects(sets)
        if digest_of(objects) != self.folder.load_json(f"cycle{cycle}/labels.json")["sha256"]:
            raise DataError(
                f"the labels have changed since cycle {cycle} began",
                where=self.dataset.records[next(iter(objects))].labels_at,
                remedy="restore them to go on, or delete "
                f"{self.folder.path(f'cycle{cycle}')} to begin the cycle again",
            )
        begins = index == 0 and not self.folder.exists(f"cycle{cycle}/state.pt")
        if begins and self.processes.is_first:
            self._take_over(cycle)
        if self.processes.any(self.folder.exists(f"cycle{cycle}/taken_over.json")):
            return
        # Labeled images fill the sample when the pool is small, those held out among them.
        unlabeled = np.setdiff1d(sets.unlabeled_sample, self.dataset.held_out)
        ids = self.dataset.ids(unlabeled)
        load = self._images(cycle, [*objects, *ids]).load
        data = TrainingSet(cycle, self.dataset.classes, objects, ids, self.dataset.records, load)
        training = StageTraining(self.config, self.session, self.device, self.stages, index, data)
        model = training.run()
        if self.processes.is_first:
            self._log_discrepancy(cycle, index, data, model)
        if index == len(self.stages) - 1:
            self.folder.save_tensors(
                f"cycle{cycle}/weights.pt",
                {"model": model.state_dict(), "classes": list(self.dataset.classes),
                 "settings": self.config.model_dump(mode="json")},
            )  # fmt: skip

    def _images(self, cycle: int, ids: Sequence[str]) -> ImageCache:
        """The images that a cycle trains on, kept from stage to stage."""
        if self._cached_cycle != cycle:
            records = [self.dataset.records[image_id] for image_id in ids]
            self._cache, self._cached_cycle = ImageCache(records, self.config.cache_mb), cycle
        return self._cache

    def _take_over(self, cycle: int) -> None:
        """Takes the cycle's weights and log from an equal training in a folder beside this one."""
        beside = equal_training(self.folder, self.config, cycle)
        if beside is None:
            return
        self.folder.rewind_log(lambda r: r.get("cycle") != cycle or not is_of_training(r))
        for record in training_records(beside, cycle):
            self.folder.append_log(record)
        checkpoint = beside.load_tensors(f"cycle{cycle}/weights.pt")
        own_settings = {"settings": self.config.model_dump(mode="json")}
        self.folder.save_tensors(f"cycle{cycle}/weights.pt", checkpoint | own_settings)
        self.folder.save_json(f"cycle{cycle}/taken_over.json", {"from": beside.root.name})
        say(f"  taken over from {beside.root}: its training has the same settings and labels")

    def _log_discrepancy(
        self, cycle: int, index: int, data: TrainingSet, model: DetectionModel
    ) -> None:
        """Notes how much the classifiers disagree on a few unlabeled images after the stage."""
        probe = [self.dataset.records[image_id] for image_id in data.unlabeled_ids[:PROBE_IMAGES]]
        if probe:
            stage = self.stages[index].name
            value = mean_discrepancy(model, probe, self.config)
            self.session.log(cycle, f"end of {stage}", stage=stage, discrepancy=value)

    def _evaluate(self, cycle: int) -> None:
        test, objects = self.dataset.test, self.dataset.test_objects
        found = detect_for_cycle(self.load_model(cycle), test, self.config, self.session, cycle)
        if not self.processes.is_first:
            return
        labeled_found = [found[image_id] for image_id in objects]
        evaluation = evaluate(labeled_found, list(objects.values()), self.dataset.classes)
        labeled = len(self.sets(cycle).labeled)
        trained = self.folder.load_json(f"cycle{cycle}/labels.json")["images"]
        about = {
            "cycle": cycle,
            "strategy": self.config.strategy,
            "training": "mi_aod" if self.config.trains_adversarially else "label_set",
            "labeled_images": labeled,
            "trained_images": trained,
            "labeled_percent": round(100 * labeled / len(self.dataset.pool), 2),
            "evaluated_on": self.dataset.evaluated_on,
            "seed": self.config.seed,
        }
        save_detections(self.folder, cycle, found)
        self.folder.save_csv(f"cycle{cycle}/per_class.csv", evaluation.per_class)
        self.folder.save_json(
            f"cycle{cycle}/metrics.json",
            {"about": about, "metrics": evaluation.metrics,
             "exclusions": self.dataset.test_faults.as_dict()},
        )  # fmt: skip
        self.folder.save_csv("metrics.csv", self.metrics())
        forget_unfinished(self.folder, cycle)
        self.session.log(
            cycle, "evaluate", metrics=evaluation.metrics,
            exclusions=self.dataset.test_faults.as_dict(),
        )  # fmt: skip
        for name, value in evaluation.metrics.items():
            say_detail(f"  {name}: {value:.4f} on the {self.dataset.evaluated_on}")
        for line in self.dataset.test_faults.lines():
            say(f"  evaluated images: {line}")

    def _score(self, cycle: int) -> None:
        model, shards, card = fold(self.load_model(cycle)), self._shards(cycle), self.strategy.card
        compute = partial(observe, model, strategy=self.strategy)
        score_pool(model, compute, self.config, self.session, shards, "score")
        if card.observes_labeled:
            labeled = self._labeled_shards(cycle)
            score_pool(model, compute, self.config, self.session, labeled, "score labeled")
        self.processes.wait()
        mean: dict[str, float] = {}
        if card.ranks_by:
            values = self.folder.load_parquet(shards.place, [card.ranks_by])[card.ranks_by]
            mean = {"mean": float(values.mean())}
        self.session.log(cycle, "score", images=len(shards.indices), **mean)

    def _shards(self, cycle: int) -> ScoreShards:
        return self._table(cycle, "scores", self.dataset.scored(self.sets(cycle), cycle))

    def _labeled_shards(self, cycle: int) -> ScoreShards:
        """What the strategy sees in the labeled images, in a table of their own."""
        return self._table(cycle, "labeled", self.sets(cycle).labeled)

    def _table(self, cycle: int, name: str, indices: Indices) -> ScoreShards:
        folder, dataset = RunFolder(self.folder.root), self.dataset  # each process writes shards
        columns = self.strategy.card.columns
        return ScoreShards(folder, cycle, name, indices, dataset.pool, dataset.classes, columns)

    def _candidates(self, cycle: int) -> tuple[Indices, Candidates]:
        """Pool indices to choose among, and what the strategy has seen in these images."""
        card, labeled = self.strategy.card, self.sets(cycle).labeled
        known: dict[str, Columns] = {}
        if card.columns:
            shards = self._shards(cycle)
            indices, known["columns"] = shards.indices, shards.columns_read()
        else:
            indices = remaining_pool(self.dataset.all_indices, labeled)
        if card.observes_labeled:
            known["labeled"] = self._labeled_shards(cycle).columns_read()
        pool = self.dataset.pool
        ids, labeled_ids = PoolIds(pool, indices), PoolIds(pool, labeled)
        return indices, Candidates.of_all(ids, labeled_ids, **known)

    def choose(
        self, cycle: int, verdicts: Verdicts, now: Mapping[str, Mapping[str, Any]] | None = None
    ) -> Selection:
        """What the cycle selects when people have decided this; now: see `select`."""
        indices, pool = self._candidates(cycle)
        return select(self.dataset, self.strategy, cycle, indices, pool, verdicts, now)

    def _select(self, cycle: int) -> None:
        selection = self.choose(cycle, self.verdicts(cycle))
        pool, scored = selection["pool"], selection["scored"]
        if 0 < scored < pool:
            say(f"  scored and selected from: {scored} of the {pool} images in the pool")
        self.folder.save_json(f"cycle{cycle}/selection.json", selection)
        if text := shortage(selection):
            say(f"  {text}")
        counted = {key: selection[key] for key in ("set_aside",) if key in selection}
        self.session.log(
            cycle, "select", selected=len(selection["selected"]), pool=pool, scored=scored,
            budget=self.dataset.budget, **counted,
        )  # fmt: skip


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
    """Raises ConfigError for a detector or strategy that no registry has."""
    for field, names in (("strategy", [config.strategy]), ("controls", config.controls)):
        for name in names:
            refuse_unknown(name, field)
    if config.detector not in DETECTORS:
        raise ConfigError(
            f"there is no detector '{config.detector}'", where="detector",
            remedy="choose one of: " + ", ".join(sorted(DETECTORS)),
        )  # fmt: skip
