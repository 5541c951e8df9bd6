"""The `miaod` command: one function a verb, errors without tracebacks."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from miaod_nb.errors import MiaodError, Stopped

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Decide which images to label next for an object detector.",
)

Preset = Annotated[
    str, typer.Option(help="toy, voc, voc0712 or tiny; left out: that of the run folder, else voc "
                      "with --data-root and toy without.")
]  # fmt: skip
DataRoot = Annotated[
    Path | None, typer.Option(help="VOC year folder, or a folder with several; not for toy.")
]
RunDir = Annotated[Path | None, typer.Option(help="Where results go; continued if it exists.")]
Settings = Annotated[
    list[str], typer.Option("--set", help="Change a setting: key=value. May be repeated.")
]


@app.command()
def run(
    preset: Preset = "", data_root: DataRoot = None, run_dir: RunDir = None,
    settings: Settings = [],  # noqa: B006  (typer wants a literal default)
) -> None:  # fmt: skip
    """Train, evaluate, score and select, cycle after cycle; call again to go on."""
    from miaod_nb import experiment
    from miaod_nb.config import parse_settings

    metrics = experiment.run(
        preset, data_root=data_root or "", run_dir=run_dir or "", overrides=parse_settings(settings)
    )
    if len(metrics):
        typer.echo(metrics.to_string(index=False))


@app.command()
def notebooks(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which ones, for example 03; left out: all six.")
    ] = None,
    preset: Preset = "", data_root: DataRoot = None, run_dir: RunDir = None,
    settings: Settings = [],  # noqa: B006
    parameters: Annotated[
        list[str], typer.Option("--parameter", "-p", help="Another notebook parameter: name=value.")
    ] = [],  # noqa: B006
) -> None:  # fmt: skip
    """Execute the notebooks 01 to 06 in order, into the run folder; call again to go on."""
    from miaod_nb.config import changes, parse_settings
    from miaod_nb.experiment import open_run
    from miaod_nb.show.notebooks import execute_all

    experiment = open_run(
        preset, data_root=data_root or "", run_dir=run_dir or "", overrides=parse_settings(settings)
    )
    given = {
        "preset": experiment.config.preset,
        "data_root": str(experiment.data_root.resolve()),
        "run_dir": str(experiment.folder.root.resolve()),
        "overrides": changes(experiment.config),
    }
    execute_all(names or [], given | parse_settings(parameters), experiment.folder)


@app.command()
def info(
    data: Annotated[Path, typer.Argument(help="VOC year folder, or a folder with several.")],
    image_list: Annotated[str, typer.Option("--list", help="Image list to look at.")] = "trainval",
    audit: Annotated[
        bool, typer.Option("--audit", help="Also read every label: only for fully labeled sets.")
    ] = False,
) -> None:
    """Describe a data set: usable images, faults, and with --audit its labels."""
    from miaod_nb.data.annotations import audit as audit_labels
    from miaod_nb.data.records import FaultCounts
    from miaod_nb.data.sources import scan_list

    faults = FaultCounts()
    records = scan_list(data, image_list, faults)
    sources = sorted({record.source for record in records})
    typer.echo(f"{image_list}: {len(records)} usable images from {', '.join(sources)}")
    if audit:
        table, label_faults = audit_labels(records, None)
        faults.merge(label_faults)
        typer.echo(f"the labels of these {len(records)} images were read:")
        typer.echo(table.to_string())
    for line in faults.lines():
        typer.echo(line)


@app.command()
def curves(
    runs: Annotated[list[Path], typer.Argument(help="Run folders to compare.")],
    out: Annotated[Path, typer.Option(help="Where curves.csv and curves.png go.")],
) -> None:
    """Draw mAP over labeled images for several runs, and write the table behind the figure."""
    from miaod_nb.show.curves import save_curves

    for path in save_curves(runs, out):
        typer.echo(path)


def main() -> None:
    """Runs the command; an error that the user can mend ends with its text and exit code 1."""
    try:
        app()
    except Stopped as stop:
        typer.echo(str(stop), err=True)
        sys.exit(130)
    except MiaodError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
