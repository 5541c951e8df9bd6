"""`miaod convert`: detectors and runs between our formats and those of the authors' code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from miaod_nb.commands.options import Settings
from miaod_nb.errors import ConfigError, DataError, nearest_path

EXAMPLES = (
    "miaod convert epoch_3.pth --out mine.pt",
    "miaod convert runs/mine/cycle0/weights.pt --to reference --out theirs.pth",
    "miaod convert work_dirs/MI-AOD --data-root VOCdevkit --out runs/continued",
    "miaod convert runs/mine --to reference --out theirs",
)
TARGETS = ("miaod", "reference")


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="Checkpoint or work folder of the authors' code; or weight file or run folder of "
            "miaod."
        ),
    ],
    out: Annotated[Path, typer.Option(help="File or folder to write.")],
    to: Annotated[
        str,
        typer.Option(help="miaod or reference (the authors' code); left out: the other one."),
    ] = "",
    data_root: Annotated[
        Path | None, typer.Option(help="The data set of the work folder or run.")
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            help="Settings that the authors' files do not hold; left out: voc0712, or coco for a "
            "detector of 80 classes."
        ),
    ] = "",
    settings: Settings = [],  # noqa: B006
) -> None:
    """Bring work along from the authors' code, or take it there.

    Their checkpoint becomes a weight file for predict and evaluate; their work folder a run folder
    that `miaod run` goes on with. Weight files and run folders of miaod become theirs. Files that
    could run code when they are read are refused.
    """
    from miaod_nb.config import parse_settings
    from miaod_nb.runs.record import is_run

    overrides = parse_settings(settings)
    if to not in ("", *TARGETS):
        raise ConfigError(
            f"there is no format '{to}'",
            where="--to",
            remedy=f"choose one of: {', '.join(TARGETS)}",
        )
    if not source.exists():
        raise _refusal(source, "there is no such file or folder",
                       f"{nearest_path(source)}correct the path")  # fmt: skip
    if source.is_file():
        written = [_convert_file(source, out, to, data_root, preset, overrides)]
    elif is_run(source):
        written = _convert_run(source, out, to, data_root, bool(preset or overrides))
    else:
        written = [_convert_work_folder(source, out, to, data_root, preset, overrides)]
    for path in written:
        typer.echo(path)


def _convert_file(
    source: Path,
    out: Path,
    to: str,
    data_root: Path | None,
    preset: str,
    overrides: Mapping[str, Any],
) -> Path:
    """A checkpoint of the authors' code becomes a weight file, a weight file theirs."""
    from miaod_nb.authors.checkpoint import read_checkpoint
    from miaod_nb.runs.outputs import check_file, out_folder
    from miaod_nb.trained.detector import Detector
    from miaod_nb.trained.weight_files import is_ours

    if data_root is not None:
        raise _refusal(f"data_root = {data_root}", "a weight file needs no data", "leave it out")
    is_theirs = not is_ours(read_checkpoint(source))
    if out.exists():
        raise _refusal(out, "there is something already", "choose another --out, or remove it")
    check_file(out)
    if is_theirs:
        detector = Detector.from_reference(source, overrides=overrides, preset=preset, device="cpu")
    elif preset:
        where = f"preset = {preset}"
        raise _refusal(where, "the weights have their own settings", "leave the preset out")
    else:
        detector = Detector.load(source, device="cpu", overrides=overrides)
    with out_folder(out.parent):
        if to == "miaod" or (is_theirs and not to):
            detector.save(out)
        else:
            detector.save_reference(out)
    return out


def _convert_run(
    source: Path, out: Path, to: str, data_root: Path | None, is_changed: bool
) -> list[Path]:
    """A run folder becomes a work folder of the authors' code."""
    from miaod_nb.authors.work_folder_export import export_run
    from miaod_nb.runs.files import RunFolder
    from miaod_nb.runs.outputs import out_folder

    if to == "miaod":
        raise _refusal(
            source,
            "the run folder is in miaod's format already",
            "leave --to out, or convert one of its cycles: cycle0/weights.pt",
        )
    if is_changed:
        where = "preset, settings"
        raise _refusal(where, "the run has its own settings", "leave --preset and --set out")
    with out_folder(out):
        return export_run(RunFolder(source), out, data_root)


def _convert_work_folder(
    source: Path,
    out: Path,
    to: str,
    data_root: Path | None,
    preset: str,
    overrides: Mapping[str, Any],
) -> Path:
    """A work folder of the authors' code becomes a run folder."""
    from miaod_nb.authors.work_folder import is_work_folder
    from miaod_nb.authors.work_folder_import import import_work_folder
    from miaod_nb.runs.outputs import check_out

    if not is_work_folder(source):
        raise _refusal(
            source,
            "this is neither a run folder nor a work folder of the authors' code",
            "give a folder with config.json, or with X_L_0.npy",
        )
    if to == "reference":
        what = "the work folder is in the format of the authors' code already"
        raise _refusal(source, what, "leave --to out")
    if data_root is None:
        remedy = "give --data-root, the data set of the work folder"
        raise _refusal("data_root", "the run goes on with the images", remedy)
    check_out(out)
    import_work_folder(
        source, preset=preset or "voc0712", data_root=data_root, run_dir=out, overrides=overrides
    )
    return out


def _refusal(where: object, what: str, remedy: str) -> DataError:
    return DataError(what, where=where, remedy=remedy)
