"""`miaod predict`: objects in images of no data set."""

from pathlib import Path
from typing import Annotated

import typer

from miaod_nb.commands.options import MOST_ROWS, Cycle, Settings

EXAMPLES = (
    "miaod predict runs/mine photos --out found",
    "miaod predict runs/mine photos/dog.jpg --out found --score 0.5",
    "miaod predict epoch_3.pth photos --out found",
)


def predict(
    what: Annotated[
        Path, typer.Argument(help="Run folder, or weight file (ours or the authors').")
    ],
    images: Annotated[Path, typer.Argument(help="An image, or a folder of images.")],
    out: Annotated[
        Path,
        typer.Option(help="Folder for images/, images.csv, predictions.json and categories.json."),
    ],
    score: Annotated[
        float, typer.Option(min=0, max=1, help="Lowest score of a box that is drawn.")
    ] = 0.3,
    cycle: Cycle = None,
    settings: Settings = [],  # noqa: B006
) -> None:
    """Find objects in images, and how uncertain each image is.

    Pictures with the boxes go to images/ in the folder, and all boxes, also those not drawn, to
    predictions.json in COCO's results format. images.csv has each image's uncertainty and rank:
    rank 1 is the image that MI-AOD would have labeled first. Images that cannot be read are left
    out, counted and named.
    """
    from miaod_nb.config import parse_settings
    from miaod_nb.trained.detector import Detector
    from miaod_nb.trained.predictions import predict_files
    from miaod_nb.wording import number_text

    overrides = parse_settings(settings)
    detector = Detector.load(what, cycle, overrides.get("device", "auto"), overrides)
    table, left_out = predict_files(detector, images, out, score)
    typer.echo(table.head(MOST_ROWS).to_string(index=False, float_format=number_text))
    if len(table) > MOST_ROWS:
        typer.echo(f"... and {len(table) - MOST_ROWS} more in {out / 'images.csv'}")
    if left_out:
        typer.echo(f"{len(left_out)} left out:")
    for name, reason in left_out.items():
        typer.echo(f"  {name}: {reason}")
