"""`miaod review`: what people decided about the images of a batch."""

from pathlib import Path
from typing import Annotated

import typer

from miaod_nb.commands.options import MOST_ROWS

EXAMPLES = (
    "miaod review runs/mine",
    "miaod review runs/mine --decisions decided.jsonl",
    "miaod review runs/mine --cycle 0 --no-replace",
)


def review(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    cycle: Annotated[
        int | None, typer.Option(help="Whose batch; left out: the newest that has one.")
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines to take over, each with the id of an image and an action: accept, "
            "skip, defer, undecided or note."
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            help="Let the next best images take the places of those set aside; without, the batch "
            "shrinks."
        ),
    ] = True,
) -> None:
    """Set images of the next batch aside, as people decided.

    Decisions are lines of cycle0/decisions.jsonl in the run folder, which the review board and
    this command add to. An image that is skipped comes in no later batch either, a deferred one
    may. The new batch is written to selection.json and printed. Refused once the next cycle has
    begun.
    """
    from miaod_nb.labeling import reviewing
    from miaod_nb.runs.record import RunRecord

    record = RunRecord.open(run)
    cycle = reviewing.newest_batch(record) if cycle is None else cycle
    selection = reviewing.apply_decisions(record, cycle, replace, decisions)
    typer.echo("\n".join(reviewing.batch_lines(selection, MOST_ROWS)))
