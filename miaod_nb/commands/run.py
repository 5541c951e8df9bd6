"""`miaod run`: the whole experiment, without notebooks."""

from miaod_nb.commands.options import DataRoot, Preset, RunDir, Settings

EXAMPLES = (
    "miaod run",
    "miaod run --preset voc --data-root VOC2007 --run-dir runs/mine",
    "miaod run --run-dir runs/mine --set cycles=3",
)


def run(
    preset: Preset = "",
    data_root: DataRoot = None,
    run_dir: RunDir = None,
    settings: Settings = [],  # noqa: B006  (typer wants a literal default)
) -> None:
    """Train, evaluate, score and select images, cycle after cycle.

    Each cycle trains a detector on the labeled images, measures it on the test list, scores the
    images that are left and selects those to label next. Results are files of the run folder; the
    same command goes on with what is not done.
    """
    from miaod_nb.config import parse_settings
    from miaod_nb.experiment import opening

    opening.run(
        preset, data_root=data_root or "", run_dir=run_dir or "", overrides=parse_settings(settings)
    )
