"""`miaod notebooks`: the whole experiment as an essay."""

from typing import Annotated

import typer

from miaod_nb.commands.options import DataRoot, Preset, RunDir, Settings

EXAMPLES = (
    "miaod notebooks",
    "miaod notebooks 01 02 --run-dir runs/mine",
    "miaod notebooks 03 --run-dir runs/mine --parameter cycle=1",
)


def notebooks(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which ones, for example 03; left out: 01 to 06.")
    ] = None,
    preset: Preset = "",
    data_root: DataRoot = None,
    run_dir: RunDir = None,
    settings: Settings = [],  # noqa: B006
    parameters: Annotated[
        list[str],
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Another notebook parameter."),
    ] = [],  # noqa: B006
) -> None:
    """Do the same as an essay: six notebooks, executed in order.

    They take the same steps as `miaod run`, and show what each one does; what is done before is
    loaded. The run folder then holds the executed notebooks, notebooks.html, one page of them,
    and report.html, the results for people who have not seen the project. 07 is about a grid of
    runs, not about one, and is executed into the folder that its parameter grid_dir names.
    """
    from miaod_nb.commands.executing import (
        are_of_a_grid,
        execute_all,
        execute_of_a_grid,
        parameters_of,
    )
    from miaod_nb.config import parse_settings
    from miaod_nb.experiment import open_run, running_beside

    given = parse_settings(parameters)
    if names and are_of_a_grid(names):
        execute_of_a_grid(names, given)
        return
    run = open_run(
        preset, data_root=data_root or "", run_dir=run_dir or "", overrides=parse_settings(settings)
    )
    run.folder.refuse_in_use()  # before a copy is written that the other one is at
    # The last notebook compares with controls: they need not wait for it.
    with running_beside(run, [] if names else run.controls()):
        execute_all(names or [], parameters_of(run) | given, run.folder)
