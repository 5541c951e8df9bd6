"""`miaod report`: a page that shows others what came out."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = (
    "miaod report runs/mine",
    "miaod report runs/mine runs/mine-random --out runs/report",
)


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; the first one leads.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Where report.html and report.md go; left out: the first run's folder."),
    ] = None,
) -> None:
    """Write a page that shows others what came out.

    One file that needs no network: the question, the data, curves and tables, the images that were
    chosen and why, what the detectors find, settings and cost. Several runs are compared, and what
    cannot be compared is said. report.md has the texts and tables.
    """
    from miaod_nb.report import write_report

    for path in write_report(runs, out or ""):
        typer.echo(path)
