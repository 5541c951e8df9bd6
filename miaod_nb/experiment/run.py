"""The active-learning experiment: named steps, whose results are files of the run folder."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from miaod_nb.config import Config, lr_rescaling, validated
from miaod_nb.data.sources import lists_without
from miaod_nb.errors import ConfigError, RunFolderError
from miaod_nb.experiment import steps
from miaod_nb.experiment.imported import save_imported
from miaod_nb.experiment.state import RunState, check_names
from miaod_nb.progress import say, say_detail
from miaod_nb.runs.identity import claim_folder, has_begun
from miaod_nb.runs.known_images import save_images
from miaod_nb.runs.machine import describe_environment, memory_explained, prepare_torch
from miaod_nb.runs.record import IMPORTED
from miaod_nb.runs.steps import shown, step_names
from miaod_nb.runs.tables import metric_lines
from miaod_nb.runs.to_label import how_to_label
from miaod_nb.selection.choosing import why_empty
from miaod_nb.selection.registry import plain


@dataclass(frozen=True)
class Step:
    """One named piece of a cycle's work; its results are files of the run folder."""

    name: str
    run: Callable[[], None]


class Run(RunState):
    """An active-learning run on a data set, in a run folder that it continues if it exists.

    Making one reads the image lists, the test labels and the first labels, and refuses what
    cannot work before anything is written. `run` walks the steps of all cycles; a notebook asks
    for some of them by `advance`. Raises ConfigError, DataError and RunFolderError.
    """

    def run(self) -> pd.DataFrame:
        """Runs every step that is not done yet; returns the metrics, one row a cycle.

        Ctrl-C ends the current step cleanly and raises Stopped, which says how to go on.
        """
        with self.hold():
            for cycle in range(self.config.cycles):
                if self.is_over(cycle):
                    break
                self.run_cycle(cycle)
            say(f"finished: {self.folder.root}")
            metrics = self.metrics()
            for line in metric_lines(metrics):
                say_detail(line)
            self._say_what_to_label()
        return metrics

    def _say_what_to_label(self) -> None:
        """Names the images that the newest cycle chose, unless they are labeled already, as in an
        experiment on a labeled data set."""
        lines = how_to_label(self.record, self.dataset.source)
        for begin, line in zip(("to label next: ", "  ", "  "), lines, strict=False):
            say(begin + line)

    @contextmanager
    def hold(self) -> Iterator["Run"]:
        """Holds the run folder: locked, and checked to be this experiment's."""
        check_names(self.config)
        prepare_torch(self.config, self.device)
        with self.session.held():
            environment = describe_environment(self.device, self.processes) | {"code": self.code}
            claim_folder(
                self.folder, self.config, self.card, self.dataset.identity, self.fingerprint,
                environment, self.data_root, self.dataset.table(self.data_root),
                self.dataset.missing,
            )  # fmt: skip
            self._record = None  # its settings may be others now, and its pool have grown
            save_images(self.folder, self.checked)
            if self.imported:
                save_imported(self.folder, self.imported)
            elif not has_begun(self.folder):
                self.folder.delete(IMPORTED)  # of a call that came to nothing
            whole = self.dataset.source.list_file(self.config.train_list)
            if whole.is_dir():
                say(f"the pool is all {len(self.dataset.pool)} images of {whole}")
            if self.dataset.begins_with_labels and not has_begun(self.folder):
                labeled, total = len(self.dataset.first.labeled), len(self.dataset.pool)
                say(f"begins with the {labeled} of {total} images that are labeled already "
                    "(first_labels=drawn would draw some)")  # fmt: skip
            if self.dataset.chosen_first and not has_begun(self.folder):
                say(f"begins with {self._first_in_words()}")
            if note := lr_rescaling(self.config):
                say(note)
            if self.config.later_epochs and self.config.start_from == "pretrained":
                say("later_epochs does nothing: no cycle begins with the detector before "
                    "(start_from=previous)")  # fmt: skip
            if len(self.dataset.classes) == 1:
                say("one class: an implicit class 'none' takes part in the MIL softmax")
            if len(self.dataset.held_out) and self.dataset.test_objects:
                say(f"there is no list '{self.config.test_list}': metrics are measured on the "
                    f"{self.dataset.evaluated_on}{self._lists_there()}")  # fmt: skip
            if not self.dataset.test:
                say(f"no mAP: there is no list '{self.config.test_list}', and a holdout of "
                    f"{self.config.holdout:g} of the first labeled images is no image"
                    f"{self._lists_there()}")  # fmt: skip
            self.processes.wait()  # the first one has written what the others read
            yield self

    def _first_in_words(self) -> str:
        """How many of the first labeled images were chosen, and how."""
        chosen, first = len(self.dataset.chosen_first), len(self.dataset.first.labeled)
        labeled = f"the {first - chosen} that are labeled already and " * (first > chosen)
        return (
            f"{labeled}{chosen} of {len(self.dataset.pool)} images that "
            f"initial_strategy={self.config.initial_strategy} chose by what they look like"
        )

    def _lists_there(self) -> str:
        """Which lists could be measured on, in words; "" if none."""
        pool = {record.image_path for record in self.dataset.pool}
        names = lists_without(self.data_root, pool)
        there = f"there {'is' if len(names) == 1 else 'are'} {', '.join(names)}"
        return f"; {there} (test_list={names[0]} would measure on it)" if names else ""

    def run_cycle(self, cycle: int) -> None:
        """Runs the cycle's steps that are not done yet, in order."""
        for step in self.steps(cycle):
            # All go by what one knows: a shared folder may show a change late to others.
            if not self.processes.any(step.name in self.folder.done_steps(cycle)):
                self._carry_out(cycle, step)
        self.folder.delete(f"cycle{cycle}/state.pt")

    def _carry_out(self, cycle: int, step: Step) -> None:
        say_detail(f"cycle {cycle}: {shown(step.name)}")
        with memory_explained():
            step.run()
        self.folder.mark_done(cycle, step.name)
        self.session.all_saved()

    def advance(self, cycle: int, names: Sequence[str]) -> None:
        """Runs the named steps of a cycle that are not done yet, and says what became of each.

        Some names may be of steps that this experiment does not have. Raises ConfigError if all
        are, or for a cycle that it does not have, and RunFolderError when an earlier step is
        missing.
        """
        self.refuse_cycle(cycle)
        with self.hold():
            for before in range(cycle):
                self._refuse_missing(before, [step.name for step in self.steps(before)], cycle)
            if self.is_over(cycle):
                return
            if set(names) - {"split"}:
                self.refuse_imported(cycle)
            self._refuse_absent(names, [step.name for step in self.steps(cycle)])
            self._walk(cycle, names)

    def _walk(self, cycle: int, names: Sequence[str]) -> None:
        work = self.steps(cycle)
        for position, step in enumerate(work):
            if step.name not in names:
                continue
            self._refuse_missing(cycle, [s.name for s in work[:position]], cycle)
            if step.name in self.folder.done_steps(cycle):
                say(f"cycle {cycle} {shown(step.name)}: done before, loaded from "
                    f"{self.folder.path(f'cycle{cycle}')}")  # fmt: skip
                continue
            start = time.monotonic()
            self._carry_out(cycle, step)
            say(f"cycle {cycle} {shown(step.name)}: done in {time.monotonic() - start:.1f} s")
        if work[-1].name in self.folder.done_steps(cycle):
            self.folder.delete(f"cycle{cycle}/state.pt")

    def _refuse_absent(self, names: Sequence[str], known: Sequence[str]) -> None:
        """Says which names are no steps of this run; raises ConfigError if none is."""
        absent = [shown(name) for name in names if name not in known]
        if len(absent) < len(names):
            for name in absent:
                say(f"{name}: not part of this run")
            return
        raise ConfigError(
            f"this run has no step {', '.join(absent) or 'of this kind'}: the strategy "
            f"'{self.config.strategy}' with {self.config.rounds} rounds does without",
            where=self.folder.path("config.json"),
            remedy="open the notebook on a run with strategy=mi_aod and at least one round",
        )

    def _refuse_missing(self, cycle: int, names: Sequence[str], wanted: int) -> None:
        done = self.folder.done_steps(cycle)
        missing = [name for name in names if name not in done]
        if missing:
            raise RunFolderError(
                f"cycle {wanted} has not got this far: {shown(missing[0])} of cycle {cycle} is "
                "missing",
                where=self.folder.path(f"cycle{cycle}"),
                remedy=f"run the notebooks before this one with cycle={cycle} first, or "
                "`miaod run`, which does every step",
            )

    def steps(self, cycle: int) -> list[Step]:
        """The cycle's work, in order."""
        work: dict[str, Callable[..., None]] = {
            "split": steps.split, "evaluate": steps.evaluate, "score": steps.score,
            "select": steps.select_images,
        }  # fmt: skip
        for index, plan in enumerate(self.stages):
            work[plan.name] = partial(steps.train, index=index)
        names = step_names(
            [plan.name for plan in self.stages], evaluates=bool(self.dataset.test),
            scores=bool(self.card.columns), chooses=not self.card.labels_all,
        )  # fmt: skip
        return [Step(name, partial(work[name], self, cycle)) for name in names]

    def is_finished(self) -> bool:
        """Whether no step of any cycle is left."""
        cycles = range(1 if self.card.labels_all else self.config.cycles)
        return all(
            {step.name for step in self.steps(cycle)} <= set(self.folder.done_steps(cycle))
            for cycle in cycles
        )

    def is_over(self, cycle: int) -> bool:
        """Whether there is nothing left to learn from: every image was labeled before, or set
        aside by people."""
        if cycle == 0:
            return False
        if self.card.labels_all:
            return True
        selection = self.record.selection(cycle - 1)
        reason = why_empty(selection)
        if reason:
            say(f"cycle {cycle} and later ones are left out: {reason}")
            self.session.log(cycle, "all set aside" if "set_aside" in selection else "pool empty")
        return bool(reason)

    def vary(self, **overrides: Any) -> "Run":
        """The same experiment with some settings changed, in a folder beside this one that is
        called after their values: `<run folder>-random`."""
        return self._beside(self.config, overrides)

    def _beside(self, config: Config, overrides: Mapping[str, Any]) -> "Run":
        config = validated(config.model_dump() | dict(overrides))
        name = "-".join([self.folder.root.name, *map(str, overrides.values())])
        beside = self.folder.root.with_name(name)
        first = [replace(sets, origin="") for sets in self.imported[:1]]  # whatever has labels now
        return Run(config, self.data_root, beside, first, like=self)

    def control(self, strategy: str) -> "Run":
        """The same experiment with another strategy, alone: without what settings add to its own
        one."""
        return self._beside(plain(self.config, self.card), {"strategy": strategy})

    def controls(self) -> list["Run"]:
        """The control of every strategy in the setting `controls` but this experiment's own."""
        names = self.config.controls
        return [self.control(name) for name in names if name != self.config.strategy]
