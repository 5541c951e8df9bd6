"""`miaod rank`: the next batch from any detector's boxes."""

from pathlib import Path
from typing import Annotated

import typer

from miaod_nb.commands.options import MOST_ROWS, Settings

EXAMPLES = (
    "miaod rank boxes.json --images photos --budget 100",
    "miaod rank boxes.csv --images photos --budget 9 --strategy margin --out next",
    "miaod rank boxes.json --images photos --budget 1 --labeled done.txt",
)


def rank(
    predictions: Annotated[
        Path,
        typer.Argument(
            help="Boxes with scores: COCO results (.json), or a table (.csv) with the columns "
            "image, x1, y1, x2, y2, score, class."
        ),
    ],
    images: Annotated[Path, typer.Option(help="Folder of the images, folders below included.")],
    budget: Annotated[
        str,
        typer.Option(
            help="How many images, or below 1 which share of them; or 400boxes, 90minutes."
        ),
    ],
    labeled: Annotated[
        Path | None,
        typer.Option(help="Images not to choose: a COCO file, or a text file, a name a line."),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(help="See docs/strategies.md; left out: entropy, summed over all boxes."),
    ] = "",
    settings: Settings = [],  # noqa: B006
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for selection.json, ranked.csv, rank.html; left out: beside "
            "the predictions."
        ),
    ] = None,  # fmt: skip
) -> None:
    """Rank images to label next by any detector's boxes.

    No detector of ours is needed, and nothing is trained: the boxes may be those of another
    program. rank.html shows the chosen images with their boxes and why they were chosen,
    ranked.csv has a row for every image. Boxes that cannot be used are left out, counted and named.
    """
    from miaod_nb.config import parse_settings
    from miaod_nb.ranking import rank as rank_images
    from miaod_nb.wording import number_text

    place = out or predictions.with_name(f"{predictions.stem}-ranked")
    table = rank_images(
        predictions, images=images, budget=budget, labeled=labeled, strategy=strategy,
        overrides=parse_settings(settings), out=place,
    )  # fmt: skip
    told = ("rank", "id", "score", "cost", "boxes", "reason")
    shown = [name for name in told if name in table and table[name].notna().any()]
    chosen = table[table["chosen"] == "yes"][shown]
    typer.echo(chosen.head(MOST_ROWS).to_string(index=False, float_format=number_text))
    if len(chosen) > MOST_ROWS:
        typer.echo(f"... and {len(chosen) - MOST_ROWS} more in {place / 'ranked.csv'}")
