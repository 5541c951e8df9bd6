"""`miaod curves`: runs compared, as a figure and a table."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = (
    "miaod curves runs/mine runs/mine-random --out runs/curves",
    "miaod curves runs/mine runs/mine-random --by boxes --out runs/curves",
    "miaod curves runs/mine work_dirs/MI-AOD --out runs/curves",
)


def curves(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders to compare, or work folders of the authors' code."),
    ],
    out: Annotated[Path, typer.Option(help="Where curves.csv and curves.png go.")],
    by: Annotated[
        str,
        typer.Option(
            help="What labels cost: images, boxes, or minutes (settings image_seconds "
            "and box_seconds)."
        ),
    ] = "images",
) -> None:
    """Compare runs: mAP over labeled images, figure and table.

    A run with strategy=full on the same images adds the ratio to full supervision.
    """
    from miaod_nb.compare.curves import save_curves

    for path in save_curves(runs, out, by):
        typer.echo(path)
