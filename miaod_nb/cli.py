"""The `miaod` command: one function a verb, errors without tracebacks."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from miaod_nb.errors import ConfigError, MiaodError, Stopped
from miaod_nb.processes import launched

MOST_ROWS = 50  # of a table that is printed; files have all
SECONDS_FOR_THE_FIRST = 2.0  # to end with the same error, after which a launcher ends the others

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text reads well everywhere, also in a log
    context_settings={"help_option_names": ["-h", "--help"]},
)

Preset = Annotated[
    str, typer.Option(help="toy, voc, voc0712, voc0712_ssd, coco or tiny; left out: that of the "
                      "run folder, else voc with --data-root and toy without.")
]  # fmt: skip
DataRoot = Annotated[
    Path | None, typer.Option(help="VOC year folder, folder with several, or COCO folder; left "
                              "out: that of the run folder, or images that the preset brings.")
]  # fmt: skip
RunDir = Annotated[Path | None, typer.Option(help="Where results go; continued if it exists.")]
Settings = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
]
Cycle = Annotated[int | None, typer.Option(help="Of a run folder; left out: the newest finished.")]


def _examples(*lines: str) -> str:
    """Examples as they are shown below the options."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


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


@app.command(epilog=_examples(
    "miaod info VOC2007",
    "miaod info VOC2007 --list test --audit",
    "miaod info runs/mine",
    "miaod info epoch_3.pth",
))  # fmt: skip
def info(
    path: Annotated[
        Path, typer.Argument(help="Data set (VOC year folder, folder with several, or COCO "
                             "folder), run folder, weight file, or work folder of the authors' "
                             "code.")
    ],
    image_list: Annotated[
        str, typer.Option("--list", help="Image list of a data set to look at.")
    ] = "trainval",
    audit: Annotated[
        bool, typer.Option("--audit", help="Also read every label of the list: only for fully "
                           "labeled sets.")
    ] = False,
) -> None:  # fmt: skip
    """Say what a data set, run folder or weight file holds.

    Nothing is changed. A data set: usable images, faults, and with --audit its labels. A run
    folder: settings that differ from the preset, progress, metrics, and what comes next. A weight
    file: architecture, classes, size and settings. A work folder of the authors' code: its cycles
    and their mAP.
    """
    from miaod_nb.commands.describing import describe

    with _stoppable():
        typer.echo("\n".join(describe(path, image_list, audit)))


@app.command(epilog=_examples(
    "miaod run",
    "miaod run --preset voc --data-root VOC2007 --run-dir runs/mine",
    "miaod run --run-dir runs/mine --set cycles=3",
))  # fmt: skip
def run(
    preset: Preset = "", data_root: DataRoot = None, run_dir: RunDir = None,
    settings: Settings = [],  # noqa: B006  (typer wants a literal default)
) -> None:  # fmt: skip
    """Train, evaluate, score and select images, cycle after cycle.

    Each cycle trains a detector on the labeled images, measures it on the test list, scores the
    images that are left and selects those to label next. Results are files of the run folder; the
    same command goes on with what is not done.
    """
    from miaod_nb.config import parse_settings
    from miaod_nb.experiment import opening
    from miaod_nb.progress import say

    metrics = opening.run(
        preset, data_root=data_root or "", run_dir=run_dir or "", overrides=parse_settings(settings)
    )
    if len(metrics):
        say(metrics.to_string(index=False))


@app.command(epilog=_examples(
    "miaod notebooks",
    "miaod notebooks 01 02 --run-dir runs/mine",
    "miaod notebooks 03 --run-dir runs/mine --parameter cycle=1",
))  # fmt: skip
def notebooks(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which ones, for example 03; left out: all six.")
    ] = None,
    preset: Preset = "", data_root: DataRoot = None, run_dir: RunDir = None,
    settings: Settings = [],  # noqa: B006
    parameters: Annotated[
        list[str], typer.Option("--parameter", "-p", metavar="NAME=VALUE",
                                help="Another notebook parameter.")
    ] = [],  # noqa: B006
) -> None:  # fmt: skip
    """Do the same as an essay: six notebooks, executed in order.

    They take the same steps as `miaod run`, and show what each one does; what is done before is
    loaded. The run folder then holds the executed notebooks, notebooks.html, one page of them,
    and report.html, the results for people who have not seen the project.
    """
    from miaod_nb.commands.executing import execute_all
    from miaod_nb.config import changes, parse_settings
    from miaod_nb.experiment import open_run, running_beside

    experiment = open_run(
        preset, data_root=data_root or "", run_dir=run_dir or "", overrides=parse_settings(settings)
    )
    given = {
        "preset": experiment.config.preset,
        "data_root": str(experiment.data_root.resolve()),
        "run_dir": str(experiment.folder.root.resolve()),
        "overrides": changes(experiment.config),
    }
    # The last notebook compares with controls: they need not wait for it.
    with running_beside(experiment, [] if names else experiment.controls()):
        execute_all(names or [], given | parse_settings(parameters), experiment.folder)


@app.command(epilog=_examples(
    "miaod review runs/mine",
    "miaod review runs/mine --decisions decided.jsonl",
    "miaod review runs/mine --cycle 0 --no-replace",
))  # fmt: skip
def review(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    cycle: Annotated[
        int | None, typer.Option(help="Whose batch; left out: the newest that has one.")
    ] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="JSON lines to take over, each with the id of an image and "
                                  "an action: accept, skip, defer or note.")
    ] = None,
    replace: Annotated[
        bool, typer.Option(help="Let the next best images take the places of those set aside; "
                           "without, the batch shrinks.")
    ] = True,
) -> None:  # fmt: skip
    """Set images of the next batch aside, as people decided.

    Decisions are lines of cycle0/decisions.jsonl in the run folder, which the review board and
    this command add to. An image that is skipped comes in no later batch either, a deferred one
    may. The new batch is written to selection.json and printed. Refused once the next cycle has
    begun.
    """
    from miaod_nb.labeling.reviewing import (
        apply_decisions,
        batch_lines,
        newest_batch,
    )
    from miaod_nb.runs.record import RunRecord

    with _stoppable():
        record = RunRecord.open(run)
        cycle = newest_batch(record) if cycle is None else cycle
        selection = apply_decisions(record, cycle, replace, decisions)
        typer.echo("\n".join(batch_lines(selection, MOST_ROWS)))


@app.command(epilog=_examples(
    "miaod curves runs/mine runs/mine-random --out runs/curves",
    "miaod curves runs/mine work_dirs/MI-AOD --out runs/curves",
))  # fmt: skip
def curves(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders to compare, or work folders of the authors' code."),
    ],
    out: Annotated[Path, typer.Option(help="Where curves.csv and curves.png go.")],
) -> None:
    """Compare runs: mAP over labeled images, figure and table.

    A run with strategy=full on the same images adds the ratio to full supervision.
    """
    from miaod_nb.compare.curves import save_curves

    for path in save_curves(runs, out):
        typer.echo(path)


@app.command(epilog=_examples(
    "miaod report runs/mine",
    "miaod report runs/mine runs/mine-random --out runs/report",
))  # fmt: skip
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; the first one leads.")],
    out: Annotated[
        Path | None, typer.Option(help="Where report.html and report.md go; left out: the first "
                                  "run's folder.")
    ] = None,
) -> None:  # fmt: skip
    """Write a page that shows others what came out.

    One file that needs no network: the question, the data, curves and tables, the images that were
    chosen and why, what the detectors find, settings and cost. Several runs are compared, and what
    cannot be compared is said. report.md has the texts and tables.
    """
    from miaod_nb.report import write_report

    with _stoppable():
        for path in write_report(runs, out or ""):
            typer.echo(path)


@app.command(epilog=_examples(
    "miaod evaluate runs/mine",
    "miaod evaluate runs/mine --cycle 0 --set score_threshold=0.01",
    "miaod evaluate epoch_3.pth --data-root VOC2007 --out results",
    "miaod evaluate results/predictions.json --data-root VOC2007",
))  # fmt: skip
def evaluate(
    what: Annotated[
        Path, typer.Argument(help="Run folder, weight file (ours or the authors'), or the "
                             "predictions.json of an earlier evaluation.")
    ],
    data_root: Annotated[
        Path | None, typer.Option(help="Labeled images; left out: those of the run folder.")
    ] = None,
    image_list: Annotated[
        str, typer.Option("--list", help="Image list to evaluate on; left out: what the run was "
                          "evaluated on, the list that predictions were made for, or `test`.")
    ] = "",
    cycle: Cycle = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for metrics.json, per_class.csv, predictions.json "
                                  "and categories.json.")
    ] = None,
    settings: Settings = [],  # noqa: B006
) -> None:  # fmt: skip
    """Measure a detector on labeled images by every metric.

    Metrics are told by their full names, over all classes and for each. With --out the boxes are
    written too, in COCO's results format, so that the same numbers can be had again without the
    detector, here or by other tools. Faulty images and labels are counted.
    """
    from miaod_nb.config import parse_settings
    from miaod_nb.runs.outputs import check_out, refuse_run
    from miaod_nb.trained import evaluating

    with _stoppable():
        if out:
            check_out(out)
            refuse_run(out)
        evaluated = evaluating.evaluate_what(
            what, data_root=data_root, list_name=image_list, cycle=cycle,
            overrides=parse_settings(settings),
        )  # fmt: skip
        typer.echo("\n".join(evaluated.lines()))
        for path in evaluating.write_evaluation(evaluated, out) if out else []:
            typer.echo(path)


@app.command(epilog=_examples(
    "miaod predict runs/mine photos --out found",
    "miaod predict runs/mine photos/dog.jpg --out found --score 0.5",
    "miaod predict epoch_3.pth photos --out found",
))  # fmt: skip
def predict(
    what: Annotated[
        Path, typer.Argument(help="Run folder, or weight file (ours or the authors').")
    ],
    images: Annotated[Path, typer.Argument(help="An image, or a folder of images.")],
    out: Annotated[Path, typer.Option(help="Folder for images/ and predictions.json.")],
    score: Annotated[
        float, typer.Option(min=0, max=1, help="Lowest score of a box that is drawn.")
    ] = 0.3,
    cycle: Cycle = None,
    settings: Settings = [],  # noqa: B006
) -> None:
    """Find objects in images, and how uncertain each image is.

    Pictures with the boxes go to images/ in the folder, and all boxes, also those not drawn, to
    predictions.json with the image's uncertainty and rank. Rank 1 is the image that MI-AOD would
    have labeled first. Images that cannot be read are left out, counted and named.
    """
    from miaod_nb.config import parse_settings
    from miaod_nb.trained.detector import Detector
    from miaod_nb.trained.predictions import predict_files

    with _stoppable():
        overrides = parse_settings(settings)
        detector = Detector.load(what, cycle, overrides.get("device", "auto"), overrides)
        table, left_out = predict_files(detector, images, out, score)
        typer.echo(table.head(MOST_ROWS).to_string(index=False, float_format="{:.3g}".format))
        if len(table) > MOST_ROWS:
            typer.echo(f"... and {len(table) - MOST_ROWS} more in {out / 'predictions.json'}")
        if left_out:
            typer.echo(f"{len(left_out)} left out:")
        for name, reason in left_out.items():
            typer.echo(f"  {name}: {reason}")


@app.command(epilog=_examples(
    "miaod convert epoch_3.pth --out mine.pt",
    "miaod convert runs/mine/cycle0/weights.pt --to reference --out theirs.pth",
    "miaod convert work_dirs/MI-AOD --data-root VOCdevkit --out runs/continued",
    "miaod convert runs/mine --to reference --out theirs",
))  # fmt: skip
def convert(
    source: Annotated[
        Path, typer.Argument(help="Checkpoint or work folder of the authors' code; or weight file "
                             "or run folder of miaod.")
    ],
    out: Annotated[Path, typer.Option(help="File or folder to write.")],
    to: Annotated[
        str, typer.Option(help="miaod or reference (the authors' code); left out: the other one.")
    ] = "",
    data_root: Annotated[
        Path | None, typer.Option(help="The data set of the work folder or run.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Settings that the authors' files do not hold; left out: voc0712, "
                              "or coco for a detector of 80 classes.")
    ] = "",
    settings: Settings = [],  # noqa: B006
) -> None:  # fmt: skip
    """Bring work along from the authors' code, or take it there.

    Their checkpoint becomes a weight file for predict and evaluate; their work folder a run folder
    that `miaod run` goes on with. Weight files and run folders of miaod become theirs. Files that
    could run code when they are read are refused.
    """
    from miaod_nb.commands.converting import convert as convert_what
    from miaod_nb.config import parse_settings

    with _stoppable():
        for path in convert_what(source, out, to, data_root=data_root, preset=preset,
                                 overrides=parse_settings(settings)):  # fmt: skip
            typer.echo(path)


@app.command(epilog=_examples(
    "miaod bench",
    "miaod bench --preset toy --against none",
    "miaod bench --device cuda --json bench.json --set batch_size=8",
))  # fmt: skip
def bench(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    preset: Annotated[
        str, typer.Option(help="Whose detector is measured: voc0712, voc0712_ssd, coco, voc, toy "
                          "or tiny.")
    ] = "voc0712",
    against: Annotated[
        str, typer.Option(help="torchvision, whose RetinaNet with a ResNet-50 takes its steps in "
                          "turn with ours; or none.")
    ] = "torchvision",
    json: Annotated[Path | None, typer.Option(help="File for all numbers.")] = None,
    settings: Settings = [],  # noqa: B006
) -> None:  # fmt: skip
    """Measure this machine's speed, and predict a run's time.

    Takes minutes on a CPU; no data is needed. Three training steps and the scoring of an image
    (milliseconds, images/s, memory, operations, share of what the device can do, ratios to the
    peer), the parts of a step, the loader, and what each cycle of the preset will take. With
    voc0712 a CPU measures 2x3x320x512, unless image_size is set.
    """
    from miaod_nb.bench import table
    from miaod_nb.bench.benchmark import run_bench
    from miaod_nb.bench.output import check_json, write_json
    from miaod_nb.config import make_config, parse_settings

    with _stoppable():
        if json:
            check_json(json)
        config = make_config(preset, {"device": device} | parse_settings(settings))
        result = run_bench(config, against)
        typer.echo("\n".join(table.lines(result)))
        if json:
            write_json(json, table.as_json(result))
            typer.echo(json)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ends at Ctrl-C with a sentence: files are written whole or not at all."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped("stopped as you asked", remedy="run the same command again") from None


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
