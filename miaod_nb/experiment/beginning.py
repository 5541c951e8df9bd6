"""A run on a folder of one's own images: begun, and what was found there in words."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from miaod_nb.config import Budget, spell
from miaod_nb.data.layouts.folder import DESCRIPTION
from miaod_nb.data.sources import Source, open_source
from miaod_nb.errors import ConfigError, DataError, MiaodError, RunFolderError, nearest_path
from miaod_nb.experiment.opening import open_run
from miaod_nb.experiment.run import Run
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.identity import named_folder
from miaod_nb.runs.record import is_run

POOLS, TESTS = ("trainval", "train"), ("test", "val", "valid")  # lists in the order of wish


def new_run(
    name: str, images: Path, labels: Path | None = None, preset: str = "voc",
    overrides: Mapping[str, Any] | None = None,
) -> Run:  # fmt: skip
    """A run in `runs/<name>` on a data set or a folder of images, described in its folder and not
    begun; no image need be labeled yet. labels: a folder of their own that the labels lie in; None:
    they lie with the images.

    Where the settings name no lists, those that the data set has are taken. Raises RunFolderError
    for a folder that has a run already, ConfigError, and DataError for data that cannot be used.
    """
    if not name or Path(name).name != name:
        raise ConfigError(f"'{name}' is no name of a run", where="name",
                          remedy="give a word, for example mypool")  # fmt: skip
    root = named_folder(Path("runs") / name)
    if is_run(root):
        raise RunFolderError("there is a run already", where=root,
                             remedy=f"go on with it: miaod run --run-dir {root}, or give another "
                             "name")  # fmt: skip
    data_root = _data_root(root, named_folder(images), labels and named_folder(labels))
    try:
        settings = {**lists_of(open_source(data_root), overrides or {}), **(overrides or {})}
        run = open_run(
            preset, data_root=data_root, run_dir=root, overrides=settings, needs_labels=False
        )
    except MiaodError:  # nothing stays of what could not be begun
        RunFolder(root).delete(DESCRIPTION)
        with suppress(OSError):
            root.rmdir()
        raise
    with run.hold():
        return run


def describe_data(run: Run) -> list[str]:
    """What was found, a line each: images, labels, classes, and what the run will begin with."""
    dataset, config, source = run.dataset, run.config, run.sources.pool
    kinds = Counter(record.image_path.suffix.lower() for record in dataset.pool)
    sides = [side for record in dataset.pool for side in (record.width, record.height)]
    formats = ", ".join(f"{count} {suffix}" for suffix, count in kinds.most_common())
    labeled = source.labeled_ids()
    lines = [
        f"layout: {source.layout}",
        f"images: {len(dataset.pool)} usable ({formats}), sides {min(sides)} to {max(sides)} px",
        f"labels: {sum(r.id in labeled for r in dataset.pool)} images have some{_form(source)}",
        f"classes: {', '.join(dataset.classes) or 'none yet'}",
        f"first labeled images: {len(dataset.first.labeled)}, {_how_first(run)}",
        f"measured on: {dataset.evaluated_on if dataset.test_objects else 'nothing yet'}",
        f"each cycle asks for {_asked(run)} (budget={spell(config.budget)})",
    ]  # fmt: skip
    for faults in (dataset.faults, *[dataset.test_faults] * bool(dataset.test_objects)):
        lines += [f"  {line}" for line in faults.lines()]
    return lines


def _data_root(root: Path, images: Path, labels: Path | None) -> Path:
    """Where the data lie: the images' folder, or a file in the run folder that names both."""
    for what, place in (("images", images), ("labels", labels)):
        if place is not None and not place.exists():
            raise DataError(f"there is no such folder of {what}", where=place,
                            remedy=f"{nearest_path(place)}correct the path")  # fmt: skip
    if labels is None:
        return images
    places = {"images": str(images.resolve()), "labels": str(labels.resolve())}
    RunFolder(root).save_json(DESCRIPTION, places)
    return root / DESCRIPTION


def lists_of(source: Source, overrides: Mapping[str, Any]) -> dict[str, str]:
    """The settings that name the lists of a data set that has none of the usual names; overrides:
    settings that somebody gave, which stand."""
    names, found = source.list_names(), {}
    for setting, wished in (("train_list", POOLS), ("test_list", TESTS)):
        there = [name for name in wished if name in names]
        if setting not in overrides and there and there[0] != wished[0]:
            found[setting] = there[0]
    return found


def _asked(run: Run) -> str:
    """What a cycle asks for, in words."""
    budget = Budget.of(run.config.budget)
    return f"{run.dataset.budget} images" if budget.in_images else f"images of about {budget}"


def _how_first(run: Run) -> str:
    """How the first labeled images were had, in words."""
    dataset, how = run.dataset, run.config.initial_strategy
    chosen, first = len(dataset.chosen_first), len(dataset.first.labeled)
    if 0 < chosen < first:
        return f"{first - chosen} that have labels, {chosen} chosen by {how}"
    if chosen:
        return f"chosen by {how}"
    return "those that have labels" if dataset.begins_with_labels else "drawn at random"


def _form(source: Source) -> str:
    form = getattr(source, "label_form", "")
    return f" ({form})" if form else ""
