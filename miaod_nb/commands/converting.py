"""Detectors and experiments between the formats of miaod and those of the authors' code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from miaod_nb.authors.checkpoint import read_checkpoint
from miaod_nb.authors.work_folder import is_work_folder
from miaod_nb.authors.work_folder_export import export_run
from miaod_nb.authors.work_folder_import import import_work_folder
from miaod_nb.commands.describing import is_run
from miaod_nb.errors import ConfigError, DataError
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.outputs import out_folder
from miaod_nb.trained.detector import Detector
from miaod_nb.trained.weight_files import is_ours

TARGETS = ("miaod", "reference")


def convert(
    source: Path, out: Path, to: str = "", *, data_root: Path | None = None, preset: str = "",
    overrides: Mapping[str, Any] | None = None,
) -> list[Path]:  # fmt: skip
    """Writes `source` in the other format, or in the one asked for; returns what was written.

    A checkpoint of the authors' code becomes a weight file, a weight file or run folder of ours
    theirs, and their work folder a run folder. to: one of TARGETS, or "" for the one that the
    source is not in. Raises MiaodErrors.
    """
    if to not in ("", *TARGETS):
        raise ConfigError(f"there is no format '{to}'", where="--to",
                          remedy=f"choose one of: {', '.join(TARGETS)}")  # fmt: skip
    if not source.exists():
        raise _refusal(source, "there is no such file or folder", "correct the path")
    if source.is_dir():
        return _convert_folder(source, out, to, data_root, preset, overrides)
    if data_root is not None:
        raise ConfigError("a weight file needs no data", where=f"data_root = {data_root}",
                          remedy="leave it out")  # fmt: skip
    return [_convert_file(source, out, to, preset, overrides)]


def _convert_file(
    source: Path, out: Path, to: str, preset: str, overrides: Mapping[str, Any] | None
) -> Path:
    is_theirs = not is_ours(read_checkpoint(source))
    _refuse_existing(out)
    if is_theirs:
        detector = Detector.from_reference(source, overrides=overrides, preset=preset, device="cpu")
    elif preset:
        raise ConfigError("the weights have their own settings", where=f"preset = {preset}",
                          remedy="leave the preset out")  # fmt: skip
    else:
        detector = Detector.load(source, device="cpu", overrides=overrides)
    with out_folder(out.parent):
        if to == "miaod" or (is_theirs and not to):
            detector.save(out)
        else:
            detector.save_reference(out)
    return out


def _convert_folder(
    source: Path, out: Path, to: str, data_root: Path | None, preset: str,
    overrides: Mapping[str, Any] | None,
) -> list[Path]:  # fmt: skip
    if is_run(source):
        if to == "miaod":
            raise _refusal(
                source,
                "the run folder is in miaod's format already",
                "leave --to out, or convert one of its cycles: cycle0/weights.pt",
            )
        if preset or overrides:
            raise ConfigError("the run has its own settings", where="preset, settings",
                              remedy="leave --preset and --set out")  # fmt: skip
        with out_folder(out):
            return export_run(RunFolder(source), out, data_root)
    if not is_work_folder(source):
        raise _refusal(source, "this is neither a run folder nor a work folder of the authors' "
                       "code", "give a folder with config.json, or with X_L_0.npy")  # fmt: skip
    if to == "reference":
        raise _refusal(source, "the work folder is in the format of the authors' code already",
                       "leave --to out")  # fmt: skip
    if data_root is None:
        raise ConfigError("the run goes on with the images", where="data_root",
                          remedy="give --data-root, the data set of the work folder")  # fmt: skip
    import_work_folder(source, preset=preset or "voc0712", data_root=data_root, run_dir=out,
                       overrides=overrides)  # fmt: skip
    return [out]


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise DataError("there is something already", where=out,
                        remedy="choose another --out, or remove it")  # fmt: skip


def _refusal(source: Path, what: str, remedy: str) -> DataError:
    return DataError(what, where=source, remedy=remedy)
