"""`miaod bench`: how fast this machine is."""

from pathlib import Path
from typing import Annotated, Any

import typer

from miaod_nb.commands.options import Settings

EXAMPLES = (
    "miaod bench",
    "miaod bench --preset toy --against none",
    "miaod bench --device cuda --json bench.json --set batch_size=8",
    "miaod bench --choosing",
)


def bench(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    preset: Annotated[
        str,
        typer.Option(
            help="Whose detector is measured: voc0712, voc0712_ssd, coco, voc, toy or tiny."
        ),
    ] = "voc0712",
    against: Annotated[
        str,
        typer.Option(
            help="torchvision, whose RetinaNet with a ResNet-50 takes its steps in turn with "
            "ours; or none."
        ),
    ] = "torchvision",
    choosing: Annotated[
        bool,
        typer.Option(
            "--choosing",
            help="Measure in place of all this how fast core-set chooses 1000 of 100000 images, "
            "against scikit-learn where it is installed, else NumPy: minutes.",
        ),
    ] = False,
    json: Annotated[Path | None, typer.Option(help="File for all numbers.")] = None,
    settings: Settings = [],  # noqa: B006
) -> None:
    """Measure this machine's speed, and predict a run's time.

    Takes minutes on a CPU; no data is needed. Three training steps and the scoring of an image
    (milliseconds, images/s, memory, operations, share of what the device can do, ratios to the
    peer), the parts of a step, the loader, and what each cycle of the preset will take. With
    voc0712 a CPU measures 2x3x320x512, unless image_size is set.
    """
    from miaod_nb.runs.outputs import check_file, out_folder

    if json:
        check_file(json, "--json")
    lines, values = (
        _choosing(settings) if choosing else _detector(device, preset, against, settings)
    )
    typer.echo("\n".join(lines))
    if json:
        with out_folder(json.parent, "--json") as folder:
            folder.save_json(json.name, values)
        typer.echo(json)


def _detector(
    device: str, preset: str, against: str, settings: list[str]
) -> tuple[list[str], dict[str, Any]]:
    """What is printed, and what the file holds."""
    from miaod_nb.bench import table
    from miaod_nb.bench.benchmark import run_bench
    from miaod_nb.config import make_config, parse_settings

    config = make_config(preset, {"device": device} | parse_settings(settings))
    result = run_bench(config, against)
    return table.lines(result), table.as_json(result)


def _choosing(settings: list[str]) -> tuple[list[str], dict[str, Any]]:
    """As `_detector`. Raises ConfigError for settings, which it would not use."""
    from miaod_nb.bench.choosing import run_choosing
    from miaod_nb.errors import ConfigError

    if settings:
        raise ConfigError(
            "--choosing is measured without a detector, and has no settings", where="--set",
            remedy="leave out --set, or leave out --choosing",
        )  # fmt: skip
    result = run_choosing()
    return result.lines(), result.as_json()
