"""`miaod new`: a run on one's own images."""

from pathlib import Path
from typing import Annotated

import typer

from miaod_nb.commands.options import Settings

EXAMPLES = (
    "miaod new --images photos --name mypool",
    "miaod new --images photos --labels labels --name mypool --set budget=100",
)


def new(
    images: Annotated[
        Path,
        typer.Option(
            help="Folder of images, in folders below as deep as you like, or a data set in VOC, "
            "COCO or YOLO layout."
        ),
    ],
    name: Annotated[str, typer.Option(help="Of the run: its folder is runs/NAME.")],
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the labels (VOC XML, YOLO or one COCO file); left out: they lie with "
            "the images, or there are none."
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="The recipe.")] = "voc",
    settings: Settings = [],  # noqa: B006
) -> None:
    """Begin a run on your own images, and see what was found.

    Labels that are there already are the first labeled images. Nothing is trained yet: the run
    folder is written, and `miaod run` goes on with it.
    """
    from miaod_nb.config import parse_settings
    from miaod_nb.experiment import beginning

    run = beginning.new_run(name, images, labels, preset, parse_settings(settings))
    root = run.folder.root
    typer.echo("\n".join([f"{root}:", *(f"  {line}" for line in beginning.describe_data(run))]))
    typer.echo(f"to find faults, copies and leaks before training: miaod doctor {root}")
    if run.dataset.classes:
        typer.echo(f"next: miaod run --run-dir {root} --set cycles=1")
    else:
        typer.echo(f"next: label the first images: miaod export {root} --to label-studio")
