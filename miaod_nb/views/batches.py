"""The batch that a cycle chose, as the views ask for it."""

from dataclasses import dataclass

from miaod_nb.errors import RunFolderError
from miaod_nb.experiment.run import Run
from miaod_nb.inspection.inspected import do_it_first
from miaod_nb.labeling.reviewing import newest_batch
from miaod_nb.runs.schema import SelectedImage


@dataclass(frozen=True)
class Batch:
    """What a cycle of a run chose: `rows` of its selection.json, most wanted first."""

    cycle: int
    rows: list[SelectedImage]

    @property
    def ids(self) -> list[str]:
        """Ids of the chosen images, most wanted first."""
        return [row["id"] for row in self.rows]


def batch_of(run: Run, cycle: int | None = None) -> Batch:
    """The batch of a cycle, or of the newest that has one. Raises ConfigError, DecisionError and
    RunFolderError."""
    if cycle is None:
        cycle = newest_batch(run.record)
    run.refuse_cycle(cycle)
    if "select" not in run.folder.done_steps(cycle):
        raise RunFolderError(
            f"cycle {cycle} has not chosen images yet",
            where=run.folder.path(f"cycle{cycle}"),
            remedy=do_it_first(cycle),
        )
    file = f"cycle{cycle}/selection.json"
    rows = run.record.selection(cycle)["selected"]
    if not rows:
        raise RunFolderError(
            f"the batch of cycle {cycle} is empty: no image was left to choose",
            where=run.folder.path(file),
            remedy="choose an earlier cycle",
        )
    return Batch(cycle, rows)


def next_command(run: Run, cycle: int) -> str:
    """The command that goes on once the batch of a cycle is labeled."""
    command = f"miaod run --run-dir {run.folder.root}"
    if cycle + 1 >= run.config.cycles:  # the run ends with this cycle
        command += f" --set cycles={cycle + 2}"
    return command


def scores_of(run: Run, cycle: int) -> dict[str, float]:
    """The recorded scores of a cycle by image id; {} if its strategy scores none."""
    if not run.card.ranks_by:
        return {}
    table = run.record.scores(cycle, ["id", run.card.ranks_by])
    return {str(image_id): float(score) for image_id, score in table.itertuples(index=False)}
