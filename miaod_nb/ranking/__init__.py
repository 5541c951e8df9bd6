"""Images ranked by the boxes of any detector: which of a folder to label next, without a run.

adapters: what other libraries find in images, as a table of boxes
reading: files about images of any program, read: boxes as a table, and which images are labeled
box_table: a table of boxes, checked as a whole
pool: the images of a folder, which of them are labeled, and what a detector says of each
seeing: what a strategy sees in images of which a detector of another program says something
ranking: a ranking: the batch to label next, and where all others stand, for people
choosing: the batch to label next, by what a detector of any kind says of images
page: a ranking as a page with pictures
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from miaod_nb.data.records import FaultCounts
from miaod_nb.errors import DataError
from miaod_nb.progress import say
from miaod_nb.ranking.adapters import of_rows
from miaod_nb.ranking.box_table import checked
from miaod_nb.ranking.choosing import rank_pool, ranking_config, ranking_strategy
from miaod_nb.ranking.page import page_of
from miaod_nb.ranking.pool import read_folder, with_boxes, with_labeled
from miaod_nb.ranking.ranking import Ranking
from miaod_nb.ranking.reading import read_boxes, read_labeled
from miaod_nb.runs.outputs import check_out, out_folder, refuse_run
from miaod_nb.selection.class_coverage import refuse_unknown_classes

SELECTION, TABLE, PAGE = "selection.json", "ranked.csv", "rank.html"
Boxes: TypeAlias = str | Path | pd.DataFrame | Mapping[str, Any]
Labeled: TypeAlias = str | Path | Sequence[str] | None


def rank(
    predictions: Boxes, *, images: str | Path, budget: float | str, labeled: Labeled = None,
    strategy: str = "", overrides: Mapping[str, Any] | None = None, out: str | Path = "",
) -> pd.DataFrame:  # fmt: skip
    """The images of a folder, those to label next first, by what any detector finds in them.

    predictions: a file of boxes in COCO's results format or as CSV; a table with a row a box
    (image, x1, y1, x2, y2, score, class; `adapters` make one), x1 ... in pixels of the upright
    image; or arrays (N, 6) of such rows by image. budget: as the setting. labeled: images not to
    choose: a COCO file, a text file with a name a line, or their names. strategy: left out,
    entropy, summed over an image's boxes. overrides: settings such as `score_threshold`. out: a
    folder for selection.json, ranked.csv and rank.html; left out, nothing is written.

    The table has a row an image: rank, id (its path in the folder), chosen, score, boxes, classes,
    reason, left_out. What was left out is counted and said. Raises MiaodErrors.
    """
    if out:
        _refuse_out(Path(out))
    config = ranking_config(strategy, budget, overrides or {})
    by = ranking_strategy(config)
    faults, known = FaultCounts(), Path(labeled) if isinstance(labeled, str) else labeled
    done = read_labeled(() if known is None else known)
    if isinstance(known, Path) and not done.called:
        say(f"{known} names no image: none counts as labeled")
    table, named, where = _table(predictions, done.categories)
    boxes = checked(table, config.classes or named, where)
    refuse_unknown_classes(config, boxes.classes)
    pool = read_folder(Path(images), but_not_in=Path(out) if out else None)
    pool = with_labeled(pool, done, known if isinstance(known, Path) else "labeled", faults)
    pool = with_boxes(pool, boxes, config.score_threshold, where, faults)
    kept_in = Path(out) / "features" if out else None
    ranking = rank_pool(pool, by, config, boxes.classes, faults, kept_in)
    ranked = ranking.table()
    say("\n".join([ranking.in_short, *ranking.notes()]))
    if out:
        _write(ranking, ranked, Path(out), str(getattr(where, "name", where)))
    return ranked


def _table(
    predictions: Boxes, categories: Mapping[int, str]
) -> tuple[pd.DataFrame, Sequence[str], object]:
    """The table of boxes, the classes in their order or (), and where they are from."""
    if isinstance(predictions, str | Path):
        return *read_boxes(Path(predictions), categories), Path(predictions)
    if isinstance(predictions, Mapping):
        predictions = of_rows(predictions)
    return predictions, (), "the table of boxes"


def _refuse_out(out: Path) -> None:
    """Refuses, before all work, a folder that nothing can be written into, or that has a ranking
    or a run. Raises DataError."""
    refuse_run(out)
    check_out(out)
    there = [name for name in (SELECTION, TABLE, PAGE) if (out / name).exists()]
    if there:
        raise DataError("an earlier ranking would be overwritten", where=out / there[0],
                        remedy="choose another --out, or remove it")  # fmt: skip


def _write(ranking: Ranking, table: pd.DataFrame, out: Path, title: str) -> None:
    with out_folder(out) as folder:
        folder.save_json(SELECTION, ranking.selection)
        folder.save_csv(TABLE, table)
        folder.save_text(PAGE, page_of(ranking, title))
    say(f"open {out / PAGE} to see them with pictures")
