"""Goes on with an experiment of the authors' code: its cycles stand as done in a run folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from miaod_nb.authors.work_folder import EVALUATED_ON, WorkFolder, read_work_folder
from miaod_nb.config import Config, make_config
from miaod_nb.data.layouts.voc import listed_ids
from miaod_nb.data.pool import resolve_count
from miaod_nb.errors import ConfigError, DataError
from miaod_nb.evaluation import VOC07_AP
from miaod_nb.experiment.imported import ImportedSets
from miaod_nb.experiment.run import Run
from miaod_nb.progress import say

REASON = "selected by the authors' code; in which order is not known"


def import_work_folder(
    path: str | Path, *, preset: str = "voc0712", data_root: str | Path, run_dir: str | Path,
    overrides: Mapping[str, Any] | None = None,
) -> Run:  # fmt: skip
    """The experiment of a work folder of the authors' code, to be continued in `run_dir`.

    Every cycle but the last stands as done there; the last begins with exactly their sets, and the
    cycles after it are drawn as ever. Counts and seeds that the folder tells are taken from it
    where `overrides` do not give them. Detectors are not taken over: every cycle trains anew.
    Raises RunFolderError for a folder that cannot be used, DataError where it does not fit the
    data set, and ConfigError.
    """
    work, overrides = read_work_folder(path), dict(overrides or {})
    base = make_config(preset, overrides)
    listed = listed_ids(Path(data_root), base.train_list)
    imported = [
        ImportedSets(_ids(work, cycle, "L", listed), _ids(work, cycle, "U", listed))
        for cycle in range(work.cycles)
    ]
    _refuse_contradictions(work, base, len(listed), overrides)
    config = make_config(preset, _settings(work, base, len(listed)) | overrides)
    experiment = Run(config, Path(data_root), Path(run_dir), imported)
    if experiment.strategy.card.labels_all:
        raise ConfigError(f"strategy={config.strategy} has nothing to go on with", where="strategy",
                          remedy="choose a strategy that selects images")  # fmt: skip
    with experiment.hold():
        for cycle in range(experiment.first_cycle):
            _take_over(experiment, work, cycle)
    say(f"imported {experiment.first_cycle} cycles of {work.path}; next is cycle "
        f"{experiment.first_cycle} in {experiment.folder.root}")  # fmt: skip
    return experiment


def _ids(work: WorkFolder, cycle: int, letter: str, listed: Sequence[str]) -> tuple[str, ...]:
    """The ids of a cycle's labeled ("L") or unlabeled ("U") set. Raises DataError where they are
    not this data set's."""
    indices = work.labeled[cycle] if letter == "L" else work.unlabeled_sample[cycle]
    file = work.path / f"X_{letter}_{cycle}.npy"
    if indices[-1] >= len(listed):
        raise _refusal(f"index {indices[-1]} is out of range: the lists of this data set name "
                       f"{len(listed)} images", file)  # fmt: skip
    ids = tuple(listed[index] for index in indices)
    if len(set(ids)) < len(ids):
        raise _refusal("two of the indices are the same image of this data set", file)
    names = set(work.names[cycle].get(letter, ids))
    unknown = sorted(names.difference(listed))
    if unknown:
        raise _refusal(f"the {letter} lists name {len(unknown)} images that the data set does not "
                       f"have, first {unknown[0]}", work.path / f"cycle{cycle}")  # fmt: skip
    for index, image_id in zip(indices, ids, strict=True):
        if image_id not in names:
            raise _refusal(f"index {index} is {image_id} in this data set, which the {letter} "
                           f"lists of cycle {cycle} do not name", file)  # fmt: skip
    return ids


def _refusal(what: str, where: Path) -> DataError:
    return DataError(
        what, where=where,
        remedy="give the data_root that the authors' code was run on, with all its years "
        "(VOC2007 and VOC2012) and unchanged lists, and the files of one run",
    )  # fmt: skip


def _refuse_contradictions(
    work: WorkFolder, config: Config, num_images: int, overrides: Mapping[str, Any]
) -> None:
    """Raises ConfigError for settings that say something else than the folder."""
    num_initial = len(work.labeled[0])
    if "initial" in overrides and not _means(config.initial, num_images, num_initial):
        raise ConfigError(
            f"initial = {config.initial:g}, but X_L_0.npy has {num_initial} images",
            where="initial", remedy="leave it out",
        )  # fmt: skip
    if "cycles" in overrides and config.cycles < work.cycles:
        raise ConfigError(
            f"cycles = {config.cycles}, but the work folder has {work.cycles} already",
            where="cycles", remedy=f"give at least {work.cycles}, or leave it out",
        )  # fmt: skip


def _settings(work: WorkFolder, config: Config, num_images: int) -> dict[str, Any]:
    """What the folder says of the settings, where that differs from the configuration."""
    found: dict[str, Any] = {"cycles": max(config.cycles, work.cycles)}
    counts = {"initial": len(work.labeled[0])}
    if work.cycles > 1:
        counts["budget"] = len(work.labeled[1]) - len(work.labeled[0])
    for name, count in counts.items():
        if not _means(getattr(config, name), num_images, count):
            found[name] = count
    if work.log.seed is not None:
        found |= {"seed": work.log.seed, "split_seed": work.log.seed}
    return found


def _means(value: float, total: int, count: int) -> bool:
    """Whether a count or fraction of `total` images is this count."""
    try:
        return resolve_count(value, total) == count
    except ConfigError:
        return False


def _take_over(experiment: Run, work: WorkFolder, cycle: int) -> None:
    """Writes what a finished cycle of the authors' code says, and that all its steps are done."""
    steps = experiment.steps(cycle)
    if experiment.folder.done_steps(cycle) == [step.name for step in steps]:
        return
    steps[0].run()  # split
    if cycle < len(work.mean_ap):
        _save_metrics(experiment, work, cycle)
    _save_selection(experiment, cycle)
    experiment.session.log(cycle, "imported", source=work.path.name)
    for step in steps:
        experiment.folder.mark_done(cycle, step.name)


def _save_metrics(experiment: Run, work: WorkFolder, cycle: int) -> None:
    labeled = len(experiment.sets(cycle).labeled)
    metrics = {VOC07_AP: work.mean_ap[cycle]}
    about = {
        "cycle": cycle,
        "strategy": "mi_aod",
        "training": "mi_aod",
        "labeled_images": labeled,
        "trained_images": labeled,
        "labeled_percent": round(100 * labeled / len(experiment.dataset.pool), 2),
        "evaluated_on": EVALUATED_ON,
        "seed": work.log.seed,
    }
    experiment.folder.save_json(
        f"cycle{cycle}/metrics.json", {"about": about, "metrics": metrics, "exclusions": {}}
    )
    experiment.folder.save_csv("metrics.csv", experiment.metrics())
    experiment.session.log(cycle, "evaluate", metrics=metrics, exclusions={})


def _save_selection(experiment: Run, cycle: int) -> None:
    dataset, labeled = experiment.dataset, experiment.sets(cycle).labeled
    chosen = np.setdiff1d(dataset.given[cycle + 1].labeled, labeled)
    rows = [
        {"rank": rank, "id": dataset.pool[index].id, "index": int(index), "score": None,
         "reason": REASON}
        for rank, index in enumerate(chosen, start=1)
    ]  # fmt: skip
    pool = len(dataset.pool) - len(labeled)
    experiment.folder.save_json(
        f"cycle{cycle}/selection.json",
        {"cycle": cycle, "strategy": "mi_aod", "budget": len(rows), "pool": pool,
         "scored": pool, "selected": rows},
    )  # fmt: skip
    experiment.session.log(
        cycle, "select", selected=len(rows), pool=pool, scored=pool, budget=len(rows)
    )
