"""`miaod evaluate`: a detector, or its predictions, measured on labeled images."""

from pathlib import Path
from typing import Annotated

import typer

from miaod_nb.commands.options import Cycle, Settings

EXAMPLES = (
    "miaod evaluate runs/mine",
    "miaod evaluate runs/mine --cycle 0 --set score_threshold=0.01",
    "miaod evaluate epoch_3.pth --data-root VOC2007 --out results",
    "miaod evaluate results/predictions.json --data-root VOC2007",
)


def evaluate(
    what: Annotated[
        Path,
        typer.Argument(
            help="Run folder, weight file (ours or the authors'), or the predictions.json of an "
            "earlier evaluation or of `miaod predict`."
        ),
    ],
    data_root: Annotated[
        Path | None, typer.Option(help="Labeled images; left out: those of the run folder.")
    ] = None,
    image_list: Annotated[
        str,
        typer.Option(
            "--list",
            help="Image list to evaluate on; left out: what the run was evaluated on, the list "
            "that predictions were made for, or `test`.",
        ),
    ] = "",
    cycle: Cycle = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for metrics.json, per_class.csv, predictions.json and categories.json."
        ),
    ] = None,
    settings: Settings = [],  # noqa: B006
) -> None:
    """Measure a detector on labeled images by every metric.

    Metrics are told by their full names, over all classes and for each. With --out the boxes are
    written too, in COCO's results format, so that the same numbers can be had again without the
    detector, here or by other tools. Faulty images and labels are counted.
    """
    from miaod_nb.config import parse_settings
    from miaod_nb.runs.outputs import check_out, refuse_run
    from miaod_nb.trained import evaluating

    if out:
        check_out(out)
        refuse_run(out)
    evaluated = evaluating.evaluate_what(
        what,
        data_root=data_root,
        list_name=image_list,
        cycle=cycle,
        overrides=parse_settings(settings),
    )
    typer.echo("\n".join(evaluated.lines()))
    for path in evaluating.write_evaluation(evaluated, out) if out else []:
        typer.echo(path)
