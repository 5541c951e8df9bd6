"""`miaod lab`: the notebooks by hand, in a browser."""

from pathlib import Path
from typing import Annotated

import typer

from miaod_nb.commands.options import DataRoot, Preset, Settings

EXAMPLES = (
    "miaod lab",
    "miaod lab runs/mine",
    "miaod lab runs/mine --renew -- --port 9000 --allow-root",
)


def lab(
    run_dir: Annotated[
        Path | None, typer.Argument(help="Run folder; left out: that of the preset.")
    ] = None,
    jupyter: Annotated[
        list[str] | None, typer.Argument(help="After --: options for `jupyter lab`.")
    ] = None,
    preset: Preset = "",
    data_root: DataRoot = None,
    settings: Settings = [],  # noqa: B006
    renew: Annotated[
        bool,
        typer.Option("--renew", help="Make new copies; the others get other names."),
    ] = False,
) -> None:
    """Open the notebooks in a browser, to run them by hand.

    They are copies in the run folder, with its parameters filled in; those that are there stay as
    they are. The browser shows the project's folder around them.
    """
    from miaod_nb.commands.copying import copy_notebooks, start_jupyter
    from miaod_nb.config import parse_settings
    from miaod_nb.experiment import open_run

    options = list(jupyter or [])
    if run_dir and str(run_dir).startswith("-"):  # options alone
        options, run_dir = [str(run_dir), *options], None
    run = open_run(
        preset, data_root=data_root or "", run_dir=run_dir or "", overrides=parse_settings(settings)
    )
    first = copy_notebooks(run, renew)
    start_jupyter(first, options)
