"""`miaod history`: every image's story."""

from pathlib import Path
from typing import Annotated

import typer

from miaod_nb.commands.options import MOST_ROWS

EXAMPLES = (
    "miaod history runs/mine 000001",
    "miaod history runs/mine --out history.csv",
)


def history(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    image: Annotated[
        str, typer.Argument(help="Id of an image; left out: all, the newest last.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="CSV file to write all of it to.")] = None,
) -> None:
    """Tell the story of images: chosen, exported, labeled.

    Chosen by which strategy, with which rank, score and detector; decided about; exported;
    labeled, by whom and in how many seconds; imports that were taken back.
    """
    from miaod_nb.labeling.history import history as table_of
    from miaod_nb.labeling.history import history_lines
    from miaod_nb.runs.files import RunFolder
    from miaod_nb.runs.outputs import check_file
    from miaod_nb.runs.record import RunRecord

    if out:
        check_file(out)
    table = table_of(RunRecord.open(run), image)
    lines = history_lines(table.tail(MOST_ROWS))
    if len(table) > len(lines):
        typer.echo(f"{len(table) - len(lines)} earlier ones left out; --out FILE has all")
    typer.echo("\n".join(lines) or "nothing is known of it yet")
    if out:
        RunFolder(out.parent).save_csv(out.name, table)
        typer.echo(f"written: {out}")
