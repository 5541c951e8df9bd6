"""How an experiment is begun or continued: by a preset and its data, or by its run folder alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from miaod_nb.config import Config, make_config, validated
from miaod_nb.data.download import download_voc
from miaod_nb.errors import ConfigError, RunFolderError
from miaod_nb.experiment.run import Run
from miaod_nb.processes import current_processes
from miaod_nb.runs.identity import named_folder, project_folder
from miaod_nb.runs.record import RunRecord, is_run, nearest_run
from miaod_nb.toy.toy import make_toy

# Presets that bring their own images: where they are generated, and how.
GENERATED: dict[str, dict[str, int]] = {
    "toy": {},
    "tiny": {"num_pool": 48, "num_test": 16, "size": 64},
}
DOWNLOADED = ("voc0712", "voc0712_ssd")  # presets of VOC2007 and VOC2012, which can be fetched


def open_run(
    preset: str = "", *, data_root: str | Path = "", run_dir: str | Path = "",
    overrides: Mapping[str, Any] | None = None, needs_labels: bool = True,
) -> Run:  # fmt: skip
    """The experiment that these say, to be begun or continued.

    What is left empty comes from the run folder if it exists. Else the preset is `voc` with a
    `data_root` and `toy` without; `toy` and `tiny` bring generated images, put into `data/`, and
    `voc0712` and `voc0712_ssd` download VOC into it if it is not there. Relative paths are as
    `named_folder` has them.
    needs_labels: whether it is refused where no image is labeled.
    Raises ConfigError, DataError and RunFolderError, also for a run folder alone that is none, and
    for settings that are not those of the run.
    """
    _check_types(preset, data_root, run_dir, overrides)
    folder = named_folder(run_dir) if run_dir else None
    record = RunRecord.open(folder) if folder and is_run(folder) else None
    if folder and not (record or preset or data_root):
        raise _no_run(folder)
    if record and not preset:
        config = validated(record.described["settings"] | dict(overrides or {}))
    else:
        config = make_config(preset or ("voc" if data_root else "toy"), overrides)
    data = named_folder(data_root) if data_root else (record and record.data_root)
    if not data:
        with current_processes(config.device).first_goes_ahead():
            data = _own_data(config)
    return Run(config, data, folder, needs_labels=needs_labels)


def run(
    preset: str = "", *, data_root: str | Path = "", run_dir: str | Path = "",
    overrides: Mapping[str, Any] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Runs or continues an experiment, found as by `open_run`; returns its metrics, a row a
    cycle."""
    return open_run(preset, data_root=data_root, run_dir=run_dir, overrides=overrides).run()


def _no_run(folder: Path) -> RunFolderError:
    """The error for a folder that is named as if a run were there."""
    guess, around = nearest_run(folder), Path.cwd().parent
    if Path.cwd().name == "lab" and is_run(around):  # a copy whose run was moved
        guess = f"did you mean {around}, the run folder in which this notebook lies? "
    return RunFolderError(
        "there is no run in this folder", where=folder,
        remedy=f"{guess}A new run is begun by naming what it is of: a preset, or the folder of "
        "your images (--preset, --data-root; in a notebook preset, data_root)",
    )  # fmt: skip


def _own_data(config: Config) -> Path:
    """Where the preset's own images lie, made or downloaded if they are not there."""
    folder = project_folder() / "data"
    if config.preset in GENERATED:
        return make_toy(folder / config.preset, **GENERATED[config.preset])
    if config.preset in DOWNLOADED:
        return download_voc(folder)
    raise ConfigError(
        f"the preset '{config.preset}' needs a data set",
        where="data_root",
        remedy="give the path of its folder, in VOC or COCO layout; the preset 'toy' brings its "
        "own images, and 'voc0712' downloads VOC",
    )


def _check_types(preset: Any, data_root: Any, run_dir: Any, overrides: Any) -> None:
    """Raises ConfigError for a parameter of another type: notebooks are given any."""
    for name, value, kinds, words in (
        ("preset", preset, (str,), "a text, for example 'toy'"),
        ("data_root", data_root, (str, Path), "the path of a folder"),
        ("run_dir", run_dir, (str, Path), "the path of a folder"),
        ("overrides", overrides, (Mapping, type(None)), "a dict such as {'seed': 1}"),
    ):
        if not isinstance(value, kinds):
            raise ConfigError(f"{name} = {value!r} is not allowed", where=name,
                              remedy=f"give {words}")  # fmt: skip
