"""`miaod export`: the next batch for a label tool."""

import shlex
from pathlib import Path
from textwrap import indent
from typing import Annotated

import typer

EXAMPLES = (
    "miaod export runs/mine --to label-studio",
    "miaod export runs/mine --to label-studio --score 0.5 --score crab=0.2",
)


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    to: Annotated[
        str, typer.Option(help="Label tool: label-studio, cvat, x-anylabeling, coco, voc, yolo.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; left out: labels/cycle0-TOOL in the run folder."),
    ] = None,
    score: Annotated[
        list[str],
        typer.Option(
            metavar="[CLASS=]NUMBER",
            help="Lowest score of a suggested box, of all classes (0.3 if left out) or of one; may "
            "be repeated.",
        ),
    ] = [],  # noqa: B006
    link: Annotated[
        bool, typer.Option("--link", help="Link to the images instead of copying them.")
    ] = False,
    cycle: Annotated[
        int | None, typer.Option(help="Whose batch; left out: the newest that has one.")
    ] = None,
) -> None:
    """Write the next batch for a label tool.

    The images stand in the order of their rank, each with the boxes that the detector suggests,
    its uncertainty and the reason why it was chosen. Images that have an answer in the run already
    are left out. `miaod import` brings the labels back.
    """
    from miaod_nb.experiment.opening import open_run
    from miaod_nb.labeling import exporting

    tool, scores = exporting.tool_of(to), exporting.parse_scores(score)
    opened = open_run(run_dir=run, needs_labels=False)
    cycle = exporting.newest_batch(opened) if cycle is None else cycle
    out = out or run / f"labels/{exporting.short_name(cycle)}-{tool.name}"
    batch, faults = exporting.export_batch(opened, tool, cycle, scores, out, link)
    boxes = sum(len(task.suggestions) for task in batch.tasks)
    what = exporting.batch_name(cycle)
    typer.echo(f"{len(batch.tasks)} images of {what}, {boxes} suggested boxes: {out}")
    for line in faults.lines():
        typer.echo(f"left out: {line}")
    whole = out.resolve()
    said = tool.next_step.format(out=whole, parent=shlex.quote(str(whole.parent)))
    typer.echo("\n".join(["next:", indent(said, "  "), f"then: miaod import {run} FILE"]))
