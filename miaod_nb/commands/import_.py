"""`miaod import`: labels that a label tool gives back."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = (
    "miaod import runs/mine project-1.json",
    "miaod import runs/mine project-1.json --rename 'Crab=crab'",
    "miaod import runs/mine --undo",
)


def import_(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders that the tool wrote.")
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="FORMAT",
            help="label-studio, label-studio-min, cvat, x-anylabeling, coco, voc, yolo, "
            "notebook; left out: recognized.",
        ),
    ] = "",
    complete: Annotated[
        bool,
        typer.Option(
            "--complete",
            help="All images that are listed were looked at; for formats that cannot tell.",
        ),
    ] = False,
    by: Annotated[str, typer.Option(help="Who labeled, where the file does not tell.")] = "",
    rename: Annotated[
        list[str], typer.Option(metavar="LABEL=CLASS", help="Takes a label for a class.")
    ] = [],  # noqa: B006
    undo: Annotated[
        bool,
        typer.Option(
            "--undo",
            help="Take the newest import back instead: its labels, and what was skipped.",
        ),
    ] = False,
    cycle: Annotated[
        int | None, typer.Option(help="Whose batch was exported; left out: the newest.")
    ] = None,
) -> None:
    """Bring labels back that people drew in a label tool.

    They are checked, compared with the boxes that were suggested, and kept in the run folder,
    where they hold before those of the data set. Images that were skipped leave the batch; those
    that nobody touched go on waiting.
    """
    from miaod_nb.experiment.opening import open_run
    from miaod_nb.labeling import checking, exporting, importing, imports

    renamed = importing.parse_renames(rename)
    opened = open_run(run_dir=run, needs_labels=False)
    if undo:
        undone = imports.undo_import(opened)
        typer.echo(f"import {undone.name} is taken back: {len(undone.labeled)} images labeled, "
                   f"{len(undone.skipped)} skipped")  # fmt: skip
        if undone.why_closed:
            typer.echo(f"what it skipped stays so: {undone.why_closed}")
        return
    importing.refuse_no_file(files)
    cycle = exporting.newest_batch(opened) if cycle is None else cycle
    for file in files or ():
        one = importing.format_of(file, form)
        result = importing.import_labels(opened, file, one, cycle, complete, by, renamed)
        what = f"import {result.name}" if result.name else "nothing new"
        typer.echo(f"{file} ({result.format}): {what}")
        doubtful = checking.imported_lines(opened, result.labeled) if cycle >= 0 else []
        for line in [*result.lines(), *doubtful]:
            typer.echo(f"  {line}")
    typer.echo(f"next: miaod run --run-dir {run} --set cycles={cycle + 2}")
