"""What several verbs are given."""

from pathlib import Path
from typing import Annotated

import typer

MOST_ROWS = 50  # of a table that is printed; files have all

Preset = Annotated[
    str,
    typer.Option(
        help="toy, voc, voc0712, voc0712_ssd, coco or tiny; left out: that of the run folder, else "
        "voc with --data-root and toy without."
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        help="VOC year folder, folder with several, or COCO folder; left out: that of the run "
        "folder, or images that the preset brings."
    ),
]
RunDir = Annotated[Path | None, typer.Option(help="Where results go; continued if it exists.")]
Settings = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
]
Cycle = Annotated[int | None, typer.Option(help="Of a run folder; left out: the newest finished.")]
