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

DataRoot = Annotated[Path, typer.Option(help="VOC year folder, or a folder with several.")]
Settings = Annotated[
    list[str], typer.Option("--set", help="Change a setting: key=value. May be repeated.")
]


@app.command()
def run(
    data_root: DataRoot,
    preset: Annotated[str, typer.Option(help="tiny, voc or voc0712.")] = "voc",
    run_dir: Annotated[
        Path | None, typer.Option(help="Where results go; continued if it exists.")
    ] = None,
    settings: Settings = [],  # noqa: B006  (typer wants a literal default)
) -> None:
    """Train, evaluate, score and select, cycle after cycle; call again to go on."""
    from miaod_nb.config import make_config, parse_settings
    from miaod_nb.experiment import Experiment

    config = make_config(preset, parse_settings(settings))
    metrics = Experiment(config, data_root, run_dir).run()
    if len(metrics):
        typer.echo(metrics.to_string(index=False))


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
    from miaod_nb.show.plots import save_curves

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
