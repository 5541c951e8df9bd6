"""`miaod info`: what a path holds, in lines for people."""

from pathlib import Path
from typing import Annotated

import typer

from miaod_nb.errors import DataError, nearest_path

EXAMPLES = (
    "miaod info VOC2007",
    "miaod info VOC2007 --list test --audit",
    "miaod info runs/mine",
    "miaod info epoch_3.pth",
)


def info(
    path: Annotated[
        Path,
        typer.Argument(
            help="Data set (VOC year folder, folder with several, or COCO folder), run folder, "
            "weight file, or work folder of the authors' code."
        ),
    ],
    image_list: Annotated[
        str, typer.Option("--list", help="Image list of a data set to look at.")
    ] = "trainval",
    audit: Annotated[
        bool,
        typer.Option(
            "--audit", help="Also read every label of the list: only for fully labeled sets."
        ),
    ] = False,
) -> None:
    """Say what a data set, run folder or weight file holds.

    Nothing is changed. A data set: usable images, faults, and with --audit its labels. A run
    folder: settings that differ from the preset, progress, metrics, and what comes next. A weight
    file: architecture, classes, size and settings. A work folder of the authors' code: its cycles
    and their mAP.
    """
    typer.echo("\n".join(describe(path, image_list, audit)))


def describe(path: Path, image_list: str = "trainval", audit: bool = False) -> list[str]:
    """What the path holds. image_list, audit: of a data set, see `describe_data`.

    Raises CheckpointError, DataError and RunFolderError.
    """
    from miaod_nb.runs.record import RunRecord, is_run

    if not path.exists():
        raise DataError("there is no such file or folder", where=path,
                        remedy=f"{nearest_path(path)}correct the path")  # fmt: skip
    if path.is_file():
        return _describe_file(path)
    if is_run(path):
        from miaod_nb.commands.info_run import describe_run

        return describe_run(RunRecord.open(path))
    from miaod_nb.authors.work_folder import is_work_folder
    from miaod_nb.commands.info_data import describe_data, describe_work_folder

    if is_work_folder(path):
        return describe_work_folder(path)
    return describe_data(path, image_list, audit)


def _describe_file(path: Path) -> list[str]:
    from miaod_nb.authors.checkpoint import begins_as_checkpoint
    from miaod_nb.commands.info_checkpoint import describe_checkpoint

    if not begins_as_checkpoint(path):
        raise DataError(
            "this is no weight file, or a torn one",
            where=path,
            remedy="name a data set (VOC or COCO folder), a run folder, a weight file, or a work "
            "folder of the authors' code",
        )
    return describe_checkpoint(path)
