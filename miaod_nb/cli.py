"""The `miaod` command: its verbs, and errors without tracebacks."""

import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from miaod_nb.commands import (
    bench,
    convert,
    curves,
    doctor,
    evaluate,
    export,
    grid,
    history,
    import_,
    info,
    lab,
    new,
    notebooks,
    predict,
    rank,
    report,
    review,
    run,
)
from miaod_nb.errors import ConfigError, MiaodError, Stopped
from miaod_nb.processes import launched

VERBS = (
    new, info, doctor, run, lab, notebooks, review, export, import_, history, rank, grid, curves,
    report, evaluate, predict, convert, bench,
)  # fmt: skip
SECONDS_FOR_THE_FIRST = 2.0  # to end with the same error, after which a launcher ends the others

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text reads well everywhere, also in a log
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def about(context: typer.Context) -> None:
    """Decide which images to label next for an object detector (MI-AOD).

    \b
    Begin with the images that come along, or with your own in VOC layout:
      miaod run
      miaod run --preset voc --data-root VOC2007 --run-dir runs/mine

    A run folder holds all that an experiment needs, so a command that names it goes on where it
    stands; Ctrl-C ends any command cleanly. Every setting can be changed by --set key=value.

    `miaod VERB --help` explains a verb, with examples. The verbs stand below in the order in which
    people use them.
    """
    _, count = launched()
    if count > 1 and context.invoked_subcommand != "run":
        raise ConfigError(
            f"`miaod {context.invoked_subcommand}` is the work of one process, and {count} were "
            "launched",
            remedy=f"give it without a launcher: miaod {context.invoked_subcommand}",
        )


def _stoppable(function: Callable[..., None]) -> Callable[..., None]:
    """The verb, ending at Ctrl-C with a sentence: files are written whole or not at all."""

    @wraps(function)
    def stoppable(*arguments: Any, **options: Any) -> None:
        try:
            function(*arguments, **options)
        except KeyboardInterrupt:
            raise Stopped("stopped as you asked", remedy="run the same command again") from None

    return stoppable


for module in VERBS:
    function = getattr(module, module.__name__.rpartition(".")[2])
    name = function.__name__.removesuffix("_")  # "import" is a word of Python
    epilog = "\n".join(["\b", "Examples:", *(f"  {line}" for line in module.EXAMPLES)])
    app.command(name, epilog=epilog)(_stoppable(function))


def main() -> None:
    """Runs the command; an error that the user can mend ends with its text and exit code 1."""
    index, count = launched()
    try:
        app(prog_name="miaod")
    except Stopped as stop:
        if index == 0:
            typer.echo(str(stop), err=True)
        sys.exit(130)
    except MiaodError as error:
        if index > 0:
            time.sleep(SECONDS_FOR_THE_FIRST)
            typer.echo(f"process {index} of {count}:", err=True)
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
