"""The images that people are asked to label next, and how."""

from miaod_nb.data.sources import Source
from miaod_nb.runs.label_store import LabelStore
from miaod_nb.runs.record import RunRecord

MOST_NAMED = 10


def to_label(record: RunRecord, source: Source) -> list[str]:
    """Ids of the images that the newest batch has and that have no labels yet, most wanted first;
    [] for an experiment on a labeled data set. source: the data set, asked for the images of the
    pool before."""
    cycle = record.last_selection
    chosen = record.selected(cycle) if cycle is not None else []
    labeled, answers = source.labeled_ids(), LabelStore(record.folder)
    if source.annotated() is not None and any(i in labeled for i in chosen):
        return []  # a COCO file with labels of the batch: the others may show nothing
    return [i for i in chosen if i not in labeled and answers.labels(i) is None]


def how_to_label(record: RunRecord, source: Source) -> list[str]:
    """Which images these are, where their labels belong, and what follows, a line each; [] if there
    are none."""
    wanted, cycle = to_label(record, source), record.last_selection
    if not wanted or cycle is None:
        return []
    root, is_one = record.root, len(wanted) == 1
    more = f" --set cycles={cycle + 2}" if cycle + 2 > record.config.cycles else ""
    whose = "its labels" if is_one else "labels of the first"
    return [
        f"{len(wanted)} image{'s' * (not is_one)}: {', '.join(wanted[:MOST_NAMED])}"
        + ", ..." * (len(wanted) > MOST_NAMED)
        + f" (why: {record.folder.path(f'cycle{cycle}/selection.json')})",
        f"{whose} belong into {source.labels_at(wanted[0])}{', of the others alike' * (not is_one)}"
        f", or: miaod export {root} --to label-studio; then: miaod run --run-dir {root}{more}",
        f"to leave some out before: notebook 05 (miaod lab {root}), or a file of decisions: miaod "
        f"review {root} --decisions FILE",
    ]
