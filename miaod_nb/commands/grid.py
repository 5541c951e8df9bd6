"""`miaod grid`: recipes, strategies and seeds as one experiment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # nothing heavy is imported for the help
    from miaod_nb.experiment.grid import Cell

EXAMPLES = (
    "miaod grid grid.yaml",
    "miaod grid grid.yaml --run-dir runs/grid --processes 2",
)


def grid(
    file: Annotated[Path, typer.Argument(help="What to run: recipes, strategies, seeds (YAML).")],
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Where run folders and tables go; left out: runs/ and the file's name."),
    ] = None,
    processes: Annotated[
        int,
        typer.Option(min=0, help="Runs at the same time; 0: one a GPU, or as cores have room for."),
    ] = 0,
) -> None:
    """Run every recipe with every strategy and seed.

    One folder a run, first cycles that are equal trained once. table.csv has a row a run and cycle,
    resampled.parquet the same rows under resampled test images; both are written after every run.
    The same command goes on, also with recipes, strategies, seeds or cycles added.
    """
    from miaod_nb.compare.grid_results import TABLE
    from miaod_nb.compare.long_table import LongTable, Member
    from miaod_nb.errors import TrainingError
    from miaod_nb.experiment.grid import read_grid
    from miaod_nb.experiment.grid_runs import check_grid, hold_grid, run_grid, slots_for, strangers
    from miaod_nb.progress import say
    from miaod_nb.runs.identity import named_folder

    plan = read_grid(file)
    root = named_folder(run_dir or Path("runs") / file.stem)
    slots = slots_for(plan.cells, processes)
    first = check_grid(plan, root)
    members = [Member(root / cell.name, cell.recipe, cell.selection) for cell in plan.cells]
    failed: list[str] = []
    with hold_grid(plan, root) as folder:
        held_out = len(first.dataset.held_out) > 0
        if held_out:
            say("there is no test list: each seed is measured on a holdout of its own, and there "
                "will be no resampled.parquet")  # fmt: skip
        if others := strangers(plan, root):
            say(f"run folders in {root} that are not of this grid stay out of the table: "
                f"{', '.join(others)}")  # fmt: skip
        truths = None if held_out else first.dataset.test_objects
        table = LongTable(folder, members, truths)
        table.update()

        def tell(cell: "Cell", reason: str) -> None:
            say(f"{cell.name} {f'failed: {reason}' if reason else 'is finished'}")
            failed.extend([f"{cell.name} ({reason})"] if reason else [])
            table.update()

        say(f"{len(plan.cells)} runs, {len(slots)} at once, in {root}")
        run_grid(plan, root, first.data_root, slots, tell)
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(plan.cells)} runs failed: {'; '.join(failed)}", where=root,
            remedy="see output.log in their folders; the same command tries them again",
        )  # fmt: skip
    say(f"all {len(plan.cells)} runs are finished: {folder.path(TABLE)}")
