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
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.identity import project_folder
from miaod_nb.toy.toy import make_toy

# Presets that bring their own images: where they are generated, and how.
GENERATED: dict[str, dict[str, int]] = {
    "toy": {},
    "tiny": {"num_pool": 48, "num_test": 16, "size": 64},
}
DOWNLOADED = ("voc0712", "voc0712_ssd")  # presets of VOC2007 and VOC2012, which can be fetched


def open_run(
    preset: str = "", *, data_root: str | Path = "", run_dir: str | Path = "",
    overrides: Mapping[str, Any] | None = None,
) -> Run:  # fmt: skip
    """The experiment that these say, to be begun or continued.

    What is left empty comes from the run folder if it exists. Else the preset is `voc` with a
    `data_root` and `toy` without; `toy` and `tiny` bring generated images, put into `data/`, and
    `voc0712` and `voc0712_ssd` download VOC into it if it is not there.
    Raises ConfigError, DataError and RunFolderError.
    """
    _check_types(preset, data_root, run_dir, overrides)
    folder = RunFolder(run_dir) if run_dir else None
    stored = stored_experiment(folder) if folder and folder.exists("config.json") else {}
    if stored and not preset:
        config = validated(stored["settings"] | dict(overrides or {}))
    else:
        config = make_config(preset or ("voc" if data_root else "toy"), overrides)
    data = data_root or stored.get("data_root")
    if not data:
        with current_processes(config.device).first_goes_ahead():
            data = _own_data(config)
    return Run(config, Path(data), folder.root if folder else None)


def run(
    preset: str = "", *, data_root: str | Path = "", run_dir: str | Path = "",
    overrides: Mapping[str, Any] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Runs or continues an experiment, found as by `open_run`; returns its metrics, a row a
    cycle."""
    return open_run(preset, data_root=data_root, run_dir=run_dir, overrides=overrides).run()


def data_root_of(run_dir: Path) -> Path | None:
    """Where the data of a run lay when it last ran; None for a folder that is no run."""
    folder = RunFolder(run_dir)
    if not folder.exists("config.json"):
        return None
    root = stored_experiment(folder).get("data_root")
    return Path(root) if root else None


def stored_experiment(folder: RunFolder) -> dict[str, Any]:
    """What the run folder says of its experiment: its settings, and where its data lie."""
    document = folder.load_json("config.json")
    identity = document.get("identity", {}) if isinstance(document, dict) else None
    data = identity.get("data", {}) if isinstance(identity, dict) else None
    if not isinstance(data, dict) or not isinstance(document.get("settings"), dict):
        raise RunFolderError(
            "the file does not describe an experiment",
            where=folder.path("config.json"),
            remedy="restore it from a copy, or choose another run_dir",
        )
    return document


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
