"""`miaod review`: what people decided about the images of a batch."""

from pathlib import Path
from typing import Annotated

import typer

from miaod_nb.commands.options import MOST_ROWS
from miaod_nb.errors import ConfigError

EXAMPLES = (
    "miaod review runs/mine",
    "miaod review runs/mine --decisions decided.jsonl",
    "miaod review runs/mine --cycle 0 --no-replace",
    "miaod review runs/mine --labels --out doubts.csv",
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
    labels: Annotated[
        bool,
        typer.Option("--labels", help="Show labels that may be wrong instead of the next batch."),
    ] = False,
    score: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="With --labels: the lowest score of what is shown; left out: 0.4."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --labels: CSV file to write all of it to.")
    ] = None,
) -> None:
    """Set images of the next batch aside; find doubtful labels.

    Decisions are lines of cycle0/decisions.jsonl in the run folder, which the review board and
    this command add to. An image that is skipped comes in no later batch either, a deferred one
    may. The new batch is written to selection.json and printed. Refused once the next cycle has
    begun.

    With --labels nothing is decided: labels are compared with what a detector finds that was not
    trained on them, the most doubtful first.
    """
    _refuse_mixture(labels, cycle is not None or decisions or not replace, score is not None or out)
    if labels:
        _show_doubts(run, score, out)
        return
    from miaod_nb.labeling import reviewing
    from miaod_nb.runs.record import RunRecord

    record = RunRecord.open(run)
    cycle = reviewing.newest_batch(record) if cycle is None else cycle
    selection = reviewing.apply_decisions(record, cycle, replace, decisions)
    typer.echo("\n".join(reviewing.batch_lines(selection, MOST_ROWS)))


def _refuse_mixture(labels: bool, of_batch: object, of_labels: object) -> None:
    """Raises ConfigError for options of the one review that are given for the other."""
    if labels and of_batch:
        raise ConfigError("labels are looked at, and nothing is decided about a batch",
                          where="labels",
                          remedy="leave out --cycle, --decisions and --no-replace")  # fmt: skip
    if of_labels and not labels:
        raise ConfigError("--score and --out are about labels", where="labels",
                          remedy="add --labels")  # fmt: skip


def _show_doubts(run: Path, score: float | None, out: Path | None) -> None:
    from miaod_nb.experiment.opening import open_run
    from miaod_nb.labeling.checking import LEAST, check_labels
    from miaod_nb.runs.files import RunFolder
    from miaod_nb.runs.outputs import check_file

    if out:
        check_file(out)
    check = check_labels(open_run(run_dir=run), LEAST if score is None else score)
    typer.echo("\n".join([*check.lines(), check.summary()]))
    for row in check.table.head(MOST_ROWS).itertuples():
        typer.echo(f"  {row.score:.2f}  {row.image}: {row.what}" + " (trained on it)" * row.seen)
    if len(check.table) > MOST_ROWS and not out:
        typer.echo(f"  and {len(check.table) - MOST_ROWS} more: --out FILE has all")
    if out:
        RunFolder(out.parent).save_csv(out.name, check.table)
        typer.echo(f"written: {out}")
