"""The active-learning experiment: a resumable list of named steps over a run folder."""

import importlib.metadata
import platform
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from miaod_nb.config import Config, fingerprint, lr_rescaling, make_config
from miaod_nb.data.batches import (
    UnlabeledBatch,
    inference_loader,
    inference_plan,
    pair_plans,
    training_loader,
    training_plan,
)
from miaod_nb.data.pool import (
    ids_by_source,
    initial_sets,
    next_sets,
    remaining_pool,
    resolve_count,
)
from miaod_nb.data.sources import (
    FaultCounts,
    ImageRecord,
    Objects,
    Oracle,
    refuse_absent_classes,
    scan_list,
)
from miaod_nb.detector import DETECTORS, build_detector
from miaod_nb.detector.detections import DetectionSettings, detect
from miaod_nb.detector.retinanet import RetinaNet
from miaod_nb.errors import CheckpointError, ConfigError, DataError, RunFolderError, TrainingError
from miaod_nb.evaluation import Detections, GroundTruth, evaluate
from miaod_nb.learning.train import (
    Batches,
    StagePlan,
    cycle_stages,
    learning_rates,
    make_optimizer,
    train_stage,
)
from miaod_nb.progress import progress, say
from miaod_nb.selection.strategies import STRATEGIES, Strategy
from miaod_nb.store import RunFolder

STATE, WEIGHTS = "state.pt", "weights.pt"


class Stopped(RunFolderError):
    """The user asked to stop; everything up to here is saved."""


@dataclass(frozen=True)
class Step:
    """One named piece of a cycle's work; its results are files of the run folder."""

    name: str
    run: Callable[[], None]


@dataclass(frozen=True)
class CycleSets:
    """Indices into the pool's records, sorted, at the beginning of a cycle.

    labeled, unlabeled_sample: int64 (X_L, and the authors' X_U). trained: the labeled ones
    without those held out for evaluation.
    """

    labeled: np.ndarray
    unlabeled_sample: np.ndarray
    trained: np.ndarray


class Experiment:
    """An active-learning run on a data set, in a run folder that it continues if it exists.

    Reads the image lists and the labels of the first labeled images (and of the test images), and
    refuses what cannot work before anything is written. `run` walks the steps; notebooks walk the
    same steps one at a time. Raises ConfigError, DataError and RunFolderError.
    """

    def __init__(self, config: Config, data_root: Path, run_dir: Path | None = None) -> None:
        _check_names(config)
        self.config = config
        self.device = resolve_device(config.device)
        self.strategy: Strategy = STRATEGIES[config.strategy](config)
        self.faults = FaultCounts()
        self.pool = scan_list(data_root, config.train_list, self.faults)
        self.oracle = Oracle(self.pool)
        self._stop_requested = False

        num_labeled = len(self.pool)
        if not self.strategy.labels_all:
            num_labeled = resolve_count(config.initial, len(self.pool), "initial")
            self.budget = resolve_count(config.budget, len(self.pool), "budget")
            self._check_budget(num_labeled)
        self.all_indices, first, sample = initial_sets(
            len(self.pool), num_labeled, config.split_seed
        )
        self.test = scan_list(data_root, config.test_list, FaultCounts(), required=False)
        self.held_out = np.array([], dtype=np.int64)
        if not self.test and config.holdout:
            shuffled = self.all_indices[:num_labeled]
            self.held_out = np.sort(shuffled[: int(config.holdout * num_labeled)])
            self.test = [self.pool[i] for i in self.held_out]
        self._first_sets = CycleSets(first, sample, np.setdiff1d(first, self.held_out))
        self.classes = self._find_classes(data_root)
        self.data_identity = {
            "pool": [record.id for record in self.pool],
            "test": [record.id for record in self.test],
            "classes": list(self.classes),
        }
        self.fingerprint = fingerprint(config, self.data_identity)
        self.folder = RunFolder(run_dir or default_run_dir(config, self.fingerprint))
        self.stages = cycle_stages(config)

    # ------------------------------------------------------------------ what the run is about

    def _check_budget(self, num_labeled: int) -> None:
        if self.budget > len(self.pool) - num_labeled:
            raise ConfigError(
                f"the budget of {self.budget} images is larger than the pool: of {len(self.pool)} "
                f"usable images {num_labeled} are labeled from the start",
                where="budget, initial",
                remedy="lower budget or initial",
            )

    def _find_classes(self, data_root: Path) -> tuple[str, ...]:
        """The configured class names, or those in the labels that may be read now."""
        readable = [self.pool[i].id for i in self._first_sets.labeled]
        seen = set(self.oracle.class_names(readable))
        seen |= set(Oracle(self.test).class_names(record.id for record in self.test))
        if self.config.classes is not None:
            refuse_absent_classes(self.config.classes, sorted(seen), data_root)
            return self.config.classes
        if not seen:
            raise DataError(
                "no label of the first images or of the test images names a class",
                where=data_root,
                remedy="check the Annotations folder, or give `initial` more images",
            )
        return tuple(sorted(seen))

    @cached_property
    def evaluated_on(self) -> str:
        """What the metrics of this run are measured on, in words."""
        if len(self.held_out):
            return f"holdout ({len(self.test)} of the first labeled images, never trained on)"
        return f"{self.config.test_list} list ({len(self.test)} images)"

    # ---------------------------------------------------------------------------------- running

    def run(self) -> pd.DataFrame:
        """Runs every step that is not done yet; returns the metrics, one row a cycle.

        Ctrl-C or a termination signal ends the current step cleanly: the state is saved and
        Stopped says how to go on.
        """
        with self.opened():
            for cycle in range(self.config.cycles):
                if self.is_finished(cycle):
                    break
                self.run_cycle(cycle)
            self._say(f"finished: {self.folder.root}")
        return self.metrics()

    @contextmanager
    def opened(self) -> Iterator["Experiment"]:
        """Holds the run folder: locked, checked to be this experiment's, and described."""
        with self.folder.lock(), self._stop_signals():
            self._claim_folder()
            yield self

    def run_cycle(self, cycle: int) -> None:
        """Runs the cycle's steps that are not done yet, in order."""
        for step in self.steps(cycle):
            if step.name in self.folder.done_steps(cycle):
                continue
            self._say(f"cycle {cycle}: {step.name}")
            step.run()
            self.folder.mark_done(cycle, step.name)
            self._stop_if_asked()
        self.folder.delete(f"cycle{cycle}/{STATE}")

    def steps(self, cycle: int) -> list[Step]:
        """The cycle's work, in order."""
        steps = [Step("split", lambda: self._split(cycle))]
        steps += [
            Step(plan.name, lambda i=i: self._train(cycle, i))  # type: ignore[misc]
            for i, plan in enumerate(self.stages)
        ]
        if self.test:
            steps.append(Step("evaluate", lambda: self._evaluate(cycle)))
        if not self.strategy.labels_all:
            if self.strategy.scores_images:
                steps.append(Step("score", lambda: self._score(cycle)))
            steps.append(Step("select", lambda: self._select(cycle)))
        return steps

    def is_finished(self, cycle: int) -> bool:
        """Whether nothing is left to do from this cycle on: every image is labeled already."""
        if cycle == 0:
            return False
        if self.strategy.labels_all:
            return True
        empty = not self.folder.load_json(f"cycle{cycle - 1}/selection.json")["selected"]
        if empty:
            self._say(f"cycle {cycle} is not run: the pool is empty")
        return empty

    def metrics(self) -> pd.DataFrame:
        """Metrics of all evaluated cycles so far, one row each."""
        rows = [
            self.folder.load_json(f"cycle{cycle}/metrics.json")
            for cycle in range(self.config.cycles)
            if self.folder.exists(f"cycle{cycle}/metrics.json")
        ]
        return pd.DataFrame([row["set"] | row["metrics"] for row in rows])

    # -------------------------------------------------------------------------- sets and labels

    def sets(self, cycle: int) -> CycleSets:
        """Which images are labeled in a cycle. Needs the selections of the cycles before."""
        sets = self._first_sets
        for before in range(cycle):
            selection = self.folder.load_json(f"cycle{before}/selection.json")["selected"]
            chosen = np.array([row["index"] for row in reversed(selection)], dtype=np.int64)
            labeled, sample = next_sets(self.all_indices, sets.labeled, chosen, self.config.seed)
            sets = CycleSets(labeled, sample, np.setdiff1d(labeled, self.held_out))
        return sets

    def labeled_objects(self, cycle: int) -> tuple[dict[str, Objects], FaultCounts]:
        """Objects of the images a cycle trains on, by id, and the faults met in their labels."""
        faults = FaultCounts()
        ids = [self.pool[i].id for i in self.sets(cycle).trained]
        objects = self.oracle.read(
            ids, self.classes, faults, refuse_unknown=self.config.classes is None
        )
        return objects, faults

    def _split(self, cycle: int) -> None:
        """Writes which images are labeled, and reads their labels once to count faults."""
        sets = self.sets(cycle)
        self.folder.save_npy(f"X_L_{cycle}.npy", sets.labeled)
        self.folder.save_npy(f"X_U_{cycle}.npy", sets.unlabeled_sample)
        for letter, indices in (("L", sets.labeled), ("U", sets.unlabeled_sample)):
            for source, ids in ids_by_source(self.pool, indices).items():
                lines = "".join(f"{image_id}\n" for image_id in ids)
                self.folder.save_text(f"cycle{cycle}/trainval_{letter}_{source}.txt", lines)
        objects, faults = self.labeled_objects(cycle)
        faults.merge(self.faults)
        self.folder.save_json(f"cycle{cycle}/exclusions.json", faults.as_dict())
        for line in faults.lines():
            self._say("  " + line)
        if not objects:
            raise DataError(
                f"none of the {len(sets.trained)} labeled images has a usable annotation",
                where=self.pool[0].annotation_path.parent,
                remedy="add annotations, or give `initial` more images",
            )
        self._log(cycle, "split", labeled=len(sets.labeled), trained=len(objects),
                  pool=len(self.pool) - len(sets.labeled), exclusions=faults.as_dict())  # fmt: skip

    # ---------------------------------------------------------------------------------- training

    def _train(self, cycle: int, index: int) -> None:
        plan, config = self.stages[index], self.config
        objects, _ = self.labeled_objects(cycle)
        steps_per_epoch = [
            len(self._epoch_plans(cycle, i, 0, list(objects))[0]) for i in range(len(self.stages))
        ]
        rates = learning_rates(config, self.stages, index, steps_per_epoch)
        model, state, first_step = self._training_state(cycle, index)
        model.train()
        model.train_only(plan.stage.trained_parts())
        optimizer = make_optimizer(
            model, config.optimizer, learning_rate=config.learning_rate,
            weight_decay=config.weight_decay, momentum=config.momentum,
            backbone_lr_factor=config.backbone_lr_factor,
        )  # fmt: skip
        if state is not None:
            optimizer.load_state_dict(state)
        self.folder.rewind_log(
            lambda r: (
                (r.get("cycle"), r.get("stage")) != (cycle, plan.name)
                or r.get("step", 0) <= first_step
            )
        )
        recorder = _Recorder(
            self, cycle, plan, steps_per_epoch[index], model, optimizer, first_step
        )
        batches = self._batches(cycle, index, objects, steps_per_epoch[index], first_step, model)
        description = f"cycle {cycle} {plan.name.replace('_', '-')}"
        train_stage(
            model, plan.stage, optimizer,
            progress(batches, description, len(rates), first_step),
            rates[first_step:], recorder, config.clip_norm,
        )  # fmt: skip
        recorder.save(index)
        if index == len(self.stages) - 1:
            self.folder.save_tensors(f"cycle{cycle}/{WEIGHTS}", self._checkpoint(model))

    def _epoch_plans(
        self, cycle: int, index: int, epoch: int, labeled_ids: Sequence[str]
    ) -> list[list[list[str]]]:
        """The plan of the labeled batches of an epoch and, in a stage that uses them, that of the
        unlabeled ones, equally long."""

        def plan(ids: Sequence[str], kind: int) -> list[list[str]]:
            rng = np.random.default_rng([self.config.seed, cycle, index, epoch, kind])
            landscape = [self._records[i].width > self._records[i].height for i in ids]
            return training_plan(
                ids, landscape, self.config.batch_size, rng,
                passes=self.config.repeats, min_steps=self.config.min_epoch_steps,
            )  # fmt: skip

        labeled = plan(labeled_ids, 0)
        if not self.stages[index].stage.uses_unlabeled:
            return [labeled]
        unlabeled_ids = [self.pool[i].id for i in self.sets(cycle).unlabeled_sample]
        return list(pair_plans(labeled, plan(unlabeled_ids, 1)))

    @cached_property
    def _records(self) -> dict[str, ImageRecord]:
        return {record.id: record for record in self.pool}

    def _batches(
        self, cycle: int, index: int, objects: Mapping[str, Objects], steps_per_epoch: int,
        first_step: int, model: RetinaNet,
    ) -> Iterator[Batches]:  # fmt: skip
        """The batches of every remaining step of a stage."""
        for epoch in range(first_step // steps_per_epoch, self.stages[index].epochs):
            skipped = max(first_step - epoch * steps_per_epoch, 0)
            plans = self._epoch_plans(cycle, index, epoch, list(objects))
            loaders = [
                training_loader(
                    plan, self._records, targets, image_size=self.config.image_size,
                    augmentation=self.config.augmentation, seed=self.config.seed,
                    epoch=(cycle, index, epoch, kind), mean=model.pixel_mean,
                    std=model.pixel_std, workers=self.config.workers, start=skipped,
                )
                for kind, (plan, targets) in enumerate(zip(plans, (objects, None), strict=False))
            ]  # fmt: skip
            yield from zip(*loaders, strict=True)

    def _training_state(
        self, cycle: int, index: int
    ) -> tuple[RetinaNet, dict[str, Any] | None, int]:
        """Model, optimizer state (None for a new one) and steps done of stage `index`."""
        relative = f"cycle{cycle}/{STATE}"
        model = build_detector(self.config, len(self.classes)).to(self.device)
        if not self.folder.exists(relative):
            if index > 0:
                raise RunFolderError(
                    f"the state after {self.stages[index - 1].name} is missing",
                    where=self.folder.path(relative),
                    remedy=f"delete {self.folder.path(f'cycle{cycle}')} to train the cycle again",
                )
            return model, None, 0
        state = self.folder.load_tensors(relative, self.device)
        load_weights(model, state["model"], self.folder.path(relative))
        if state["stage"] != index:
            return model, None, 0
        return model, state["optimizer"], state["step"]

    # ----------------------------------------------------------------- evaluation and selection

    def load_model(self, cycle: int) -> RetinaNet:
        """The detector that a cycle trained, ready for inference."""
        relative = f"cycle{cycle}/{WEIGHTS}"
        checkpoint = self.folder.load_tensors(relative, self.device)
        model = build_detector(self._untrained, len(self.classes)).to(self.device)
        load_weights(model, checkpoint["model"], self.folder.path(relative))
        return model.eval()

    @cached_property
    def _untrained(self) -> Config:
        return self.config.model_copy(update={"backbone_weights": "none"})

    def _checkpoint(self, model: RetinaNet) -> dict[str, Any]:
        return {
            "model": model.state_dict(),
            "classes": list(self.classes),
            "config": self.config.identity(),
        }

    def _evaluate(self, cycle: int) -> None:
        model = self.load_model(cycle)
        settings = DetectionSettings.of(self.config)

        def find(batch: UnlabeledBatch) -> list[dict[str, Tensor]]:
            scales = [
                (w / original_w, h / original_h)
                for (h, w), (original_h, original_w) in zip(
                    batch.image_sizes, batch.original_sizes, strict=True
                )
            ]
            predictions = model(batch.images, ("classifier_1", "regressor"))
            found = detect(predictions, batch.image_sizes, scales, settings)
            return [{"boxes": d.boxes, "scores": d.scores, "labels": d.labels} for d in found]

        found = self._over_images(cycle, "detections", self.test, find, model)
        faults = FaultCounts()
        objects = Oracle(self.test).read((r.id for r in self.test), self.classes, faults)
        evaluation = evaluate(
            [Detections(**{key: v.numpy() for key, v in found[i].items()}) for i in objects],
            [
                GroundTruth(o.boxes.numpy(), o.labels.numpy(), o.difficult.numpy())
                for o in objects.values()
            ],
            self.classes,
        )
        sets = self.sets(cycle)
        described = {
            "cycle": cycle,
            "strategy": self.config.strategy,
            "training": "mi_aod" if self.config.trains_adversarially else "label_set",
            "labeled_images": len(sets.labeled),
            "labeled_percent": round(100 * len(sets.labeled) / len(self.pool), 2),
            "evaluated_on": self.evaluated_on,
            "seed": self.config.seed,
        }
        self.folder.save_csv(f"cycle{cycle}/per_class.csv", evaluation.per_class)
        self.folder.save_json(
            f"cycle{cycle}/metrics.json",
            {"set": described, "metrics": evaluation.metrics, "exclusions": faults.as_dict()},
        )
        self.folder.save_csv("metrics.csv", self.metrics())
        self._drop_partial(cycle, "detections")
        self._log(cycle, "evaluate", metrics=evaluation.metrics)
        for name, value in evaluation.metrics.items():
            self._say(f"  {name}: {value:.4f}")

    def _score(self, cycle: int) -> None:
        model = self.load_model(cycle)
        indices = remaining_pool(self.all_indices, self.sets(cycle).labeled)

        def score(batch: UnlabeledBatch) -> list[dict[str, Tensor]]:
            scores = self.strategy.score(model, batch)
            return [
                {"score": value, "per_class": per_class}
                for value, per_class in zip(scores.values, scores.per_class, strict=True)
            ]

        records = [self.pool[i] for i in indices]
        found = self._over_images(cycle, "scores", records, score, model)
        table = pd.DataFrame(
            {
                "id": [record.id for record in records],
                "index": indices,
                "score": [float(found[record.id]["score"]) for record in records],
            }
        )
        for c, name in enumerate(self.classes):
            table[f"class {name}"] = [float(found[r.id]["per_class"][c]) for r in records]
        if not np.isfinite(table["score"]).all():
            raise TrainingError(
                "the score of an image is not a finite number",
                where=table["id"][~np.isfinite(table["score"])].iloc[0],
                remedy="the training diverged: lower learning_rate or set clip_norm",
            )
        self.folder.save_parquet(f"cycle{cycle}/scores.parquet", table)
        self._drop_partial(cycle, "scores")
        self._log(cycle, "score", images=len(table), mean=float(table["score"].mean()))

    def _select(self, cycle: int) -> None:
        indices = remaining_pool(self.all_indices, self.sets(cycle).labeled)
        values = np.zeros(len(indices), dtype=np.float32)
        if self.strategy.scores_images:
            scores = self.folder.load_parquet(f"cycle{cycle}/scores.parquet")
            values = scores.set_index("index").loc[indices, "score"].to_numpy(np.float32)
        budget = min(self.budget, len(indices))
        rng = np.random.default_rng([self.config.seed, cycle])
        chosen = self.strategy.choose(values, budget, rng)[::-1]  # most wanted first
        selected = [
            {
                "rank": rank,
                "id": self.pool[indices[position]].id,
                "index": int(indices[position]),
                "score": float(values[position]) if self.strategy.scores_images else None,
                "reason": self.strategy.reason,
            }
            for rank, position in enumerate(chosen, start=1)
        ]
        self.folder.save_json(
            f"cycle{cycle}/selection.json",
            {"cycle": cycle, "strategy": self.config.strategy, "budget": self.budget,
             "pool": len(indices), "selected": selected},
        )  # fmt: skip
        if budget < self.budget:
            self._say(f"  cut short: the pool held {budget} images, the budget is {self.budget}")
        self._log(cycle, "select", selected=len(selected), pool=len(indices), budget=self.budget)

    @torch.inference_mode()
    def _over_images(
        self, cycle: int, name: str, records: Sequence[ImageRecord],
        compute: Callable[[UnlabeledBatch], list[dict[str, Tensor]]], model: RetinaNet,
    ) -> dict[str, dict[str, Tensor]]:  # fmt: skip
        """What `compute` says of every image, by id, on the CPU. Partial results are saved, so
        that a run that was cut off goes on behind the last of them."""
        partial = f"cycle{cycle}/{name}_partial.pt"
        results: dict[str, dict[str, Tensor]] = {}
        batches_done = 0
        if self.folder.exists(partial):
            saved = self.folder.load_tensors(partial)
            results, batches_done = saved["results"], saved["batches_done"]
        plan = inference_plan(records, self.config.image_size, self.config.inference_batch_size)
        loader = inference_loader(
            plan[batches_done:], records, image_size=self.config.image_size,
            mean=model.pixel_mean, std=model.pixel_std,
            workers=self.config.workers,
        )  # fmt: skip
        saved_at = time.monotonic()
        for batch in progress(loader, f"cycle {cycle} {name}", len(plan), batches_done):
            assert isinstance(batch, UnlabeledBatch)  # the loader was given no labels
            for image_id, result in zip(batch.ids, compute(batch.to(self.device)), strict=True):
                results[image_id] = {key: value.cpu() for key, value in result.items()}
            batches_done += 1
            if self._stop_requested or time.monotonic() - saved_at > self.config.save_every:
                saved = {"results": results, "batches_done": batches_done}
                self.folder.save_tensors(partial, saved)
                saved_at = time.monotonic()
                self._stop_if_asked()
        return results

    def _drop_partial(self, cycle: int, name: str) -> None:
        self.folder.delete(f"cycle{cycle}/{name}_partial.pt")

    # --------------------------------------------------------------------- run folder and signals

    def _claim_folder(self) -> None:
        """Writes what this run is, or checks that the folder holds the same."""
        described = {"config": self.config.model_dump(mode="json"), "data": self.data_identity}
        environment = describe_environment(self.device)
        if self.folder.exists("config.json"):
            _refuse_other_experiment(self.folder, self.config, self.data_identity)
            before = self.folder.load_json("environment.json")
            for key, value in environment.items():
                if before.get(key) != value:
                    self._say(f"warning: {key} was {before.get(key)} when this run began and is "
                              f"{value} now; results may differ in the last digits")  # fmt: skip
        else:
            self.folder.save_json("environment.json", environment)
            self.folder.save_text("fingerprint.txt", self.fingerprint + "\n")
        self.folder.save_json("config.json", described)
        if note := lr_rescaling(self.config):
            self._say(note)
        if len(self.classes) == 1:
            self._say("one class: an implicit class 'none' takes part in the MIL softmax")
        for line in self.faults.lines():
            self._say("excluded: " + line)

    def _say(self, text: str) -> None:
        say(text)

    def _log(self, cycle: int, event: str, **fields: Any) -> None:
        self.folder.append_log({"cycle": cycle, "event": event, "time": time.time(), **fields})

    @contextmanager
    def _stop_signals(self) -> Iterator[None]:
        """Turns the first Ctrl-C or termination signal into a request to stop; a second Ctrl-C
        interrupts at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def request(number: int, frame: object) -> None:
            if self._stop_requested:
                raise KeyboardInterrupt
            self._stop_requested = True
            self._say("stopping after this step ...")

        previous = {s: signal.signal(s, request) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            self._stop_requested = False
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _stop_if_asked(self) -> None:
        if self._stop_requested:
            raise Stopped(
                "stopped as you asked; everything up to here is saved",
                where=self.folder.root,
                remedy="run the same command again to go on",
            )


class _Recorder:
    """Watches a stage step by step: logs, saves the state, stops when asked."""

    def __init__(
        self, experiment: Experiment, cycle: int, plan: StagePlan, steps_per_epoch: int,
        model: RetinaNet, optimizer: torch.optim.Optimizer, first_step: int,
    ) -> None:  # fmt: skip
        self.experiment, self.cycle, self.plan = experiment, cycle, plan
        self.steps_per_epoch, self.step = steps_per_epoch, first_step
        self.model, self.optimizer = model, optimizer
        self.saved_at = self.logged_at = time.monotonic()
        self.images = 0
        self.terms: dict[str, Tensor] = {}

    def __call__(self, terms: dict[str, Tensor], rate: float, images: int) -> None:
        self.step += 1
        self.images += images
        self.terms = terms
        experiment = self.experiment
        if self.step % experiment.config.log_every == 0:
            self._log(rate)
        slow = time.monotonic() - self.saved_at > experiment.config.save_every
        if experiment._stop_requested or slow:
            self.save(experiment.stages.index(self.plan))
            experiment._stop_if_asked()

    def save(self, index: int) -> None:
        """Saves model, optimizer and position. Raises TrainingError for weights that diverged."""
        self._finite_terms()
        self.experiment.folder.save_tensors(
            f"cycle{self.cycle}/{STATE}",
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "stage": index,
                "step": self.step,
            },
        )
        self.saved_at = time.monotonic()

    def _finite_terms(self) -> dict[str, float]:
        values = {name: float(value) for name, value in self.terms.items()}
        for name, value in values.items():
            if not np.isfinite(value):
                raise TrainingError(
                    f"the loss term '{name}' is {value}",
                    where=f"cycle {self.cycle}, {self.plan.name}, step {self.step}",
                    remedy="the training diverged: lower learning_rate or set clip_norm, and use "
                    "a new run_dir",
                )
        return values

    def _log(self, rate: float) -> None:
        terms = self._finite_terms()
        now = time.monotonic()
        speed = self.images / max(now - self.logged_at, 1e-9)
        self.logged_at, self.images = now, 0
        epoch = (self.step - 1) // self.steps_per_epoch
        fields = {"stage": self.plan.name, "epoch": epoch, "step": self.step, "terms": terms,
                  "learning_rate": rate, "images_per_s": round(speed, 2),
                  "memory_mb": round(memory_mb(self.experiment.device), 1)}  # fmt: skip
        self.experiment._log(self.cycle, "step", **fields)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in terms.items())
        total = self.plan.epochs * self.steps_per_epoch
        self.experiment._say(
            f"  {self.plan.name} {self.step}/{total}  {shown}  lr {rate:.2e}  {speed:.1f} images/s"
        )


def run(
    preset: str = "voc", *, data_root: str | Path, run_dir: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Runs or continues an experiment; returns its metrics, one row a cycle."""
    config = make_config(preset, overrides)
    return Experiment(config, Path(data_root), Path(run_dir) if run_dir else None).run()


def resolve_device(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA when there is one. Raises ConfigError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"the device '{name}' is not there ({torch.cuda.device_count()} CUDA devices found)",
            where="device",
            remedy="set device=auto or device=cpu",
        )
    return device


def load_weights(model: RetinaNet, state: Mapping[str, Tensor], path: Path) -> None:
    """Loads all of `state`. Raises CheckpointError for other classes or another architecture."""
    own = model.state_dict()
    for key, value in own.items():
        if key not in state or state[key].shape != value.shape:
            found = tuple(state[key].shape) if key in state else "missing"
            raise CheckpointError(
                f"the weights are of another detector: {key} is {found}, expected "
                f"{tuple(value.shape)}",
                where=path,
                remedy="use the configuration and the classes that the weights were trained with",
            )
    model.load_state_dict(dict(state))


def default_run_dir(config: Config, fingerprint_: str) -> Path:
    """`runs/<preset>`, with the fingerprint's first six digits if a setting differs from it."""
    changed = make_config(config.preset).identity() != config.identity()
    return Path("runs") / (config.preset + (f"-{fingerprint_[:6]}" if changed else ""))


def describe_environment(device: torch.device) -> dict[str, Any]:
    """What results depend on in their last digits: versions, device, threads."""
    packages = ("miaod_nb", "torch", "torchvision", "timm", "numpy")
    versions = {name: importlib.metadata.version(name) for name in packages}
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return versions | {
        "python": platform.python_version(),
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
    }


def memory_mb(device: torch.device) -> float:
    """Peak memory so far in MiB: of the device, or of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / 1024 if platform.system() != "Darwin" else kib / 2**20


def _check_names(config: Config) -> None:
    for field, known in (("detector", DETECTORS), ("strategy", STRATEGIES)):
        if getattr(config, field) not in known:
            raise ConfigError(
                f"there is no {field} '{getattr(config, field)}'",
                where=field,
                remedy="choose one of: " + ", ".join(sorted(known)),
            )


def _refuse_other_experiment(
    folder: RunFolder, config: Config, data_identity: Mapping[str, Any]
) -> None:
    """Raises RunFolderError naming every difference that changes results."""
    stored = folder.load_json("config.json")
    before = {k: v for k, v in stored["config"].items() if k not in Config.run_fields()}
    now = config.identity()
    differing = [
        f"{key}: {before.get(key)!r} there, {now.get(key)!r} now"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    for key, values in data_identity.items():
        there = stored["data"][key]
        if there != values:
            differing.append(f"{key}: {len(there)} there, {len(values)} now, or other names")
    if differing:
        raise RunFolderError(
            "the run folder holds another experiment; " + "; ".join(differing),
            where=folder.path("config.json"),
            remedy="choose another run_dir, or the same settings as before",
        )
