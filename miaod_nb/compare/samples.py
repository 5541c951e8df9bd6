"""What a data set holds: galleries and counts for the notebooks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from miaod_nb.boxes import Objects, count_labels
from miaod_nb.config import Config
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize
from miaod_nb.inspection.seeing import pixels
from miaod_nb.plots import boxes_on_image, drawable
from miaod_nb.toy.toy import DIFFICULTY

WIDTH = 10.0  # inches of a row of pictures


def gallery(records: Sequence[ImageRecord], columns: int = 5) -> list[Axes]:
    """The Axes of a new figure, one an image, each with its image drawn and no boxes yet.

    No records: an empty list and no figure.
    """
    if not records:
        return []
    rows = -(-len(records) // columns)
    ratio = float(np.mean([record.height / record.width for record in records]))
    _, panels = plt.subplots(
        rows, columns, figsize=(WIDTH, rows * WIDTH / columns * ratio), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axes in panels.flat[len(records) :]:
        axes.set_visible(False)
    pairs = zip(panels.flat, records, strict=False)  # the last row may have room left
    return [boxes_on_image(axes, pixels(record), ()) for axes, record in pairs]


def picture_rows(rows: Mapping[str, Sequence[ImageRecord]], columns: int = 6) -> Figure:
    """A new figure with the first images of each row; its name and how many images it has stand
    above."""
    ratios = [record.height / record.width for row in rows.values() for record in row]
    name_height, height = 0.3, WIDTH / columns * float(np.mean(ratios or [1]))
    heights = [name_height + height * bool(row) for row in rows.values()]
    figure = plt.figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    strips = figure.subfigures(len(rows), 1, squeeze=False, height_ratios=heights).flat
    for strip, (name, row) in zip(strips, rows.items(), strict=True):
        strip.suptitle(f"{drawable(name)}: {len(row) or 'none'}", x=0, ha="left")
        panels = strip.subplots(1, columns, squeeze=False).flat if row else ()
        for axes, record in zip(panels, row, strict=False):
            boxes_on_image(axes, pixels(record), ())
        for axes in list(strip.axes)[len(row) :]:
            axes.set_visible(False)
    return figure


def object_counts(
    lists: Mapping[str, Mapping[str, Objects]], classes: Sequence[str]
) -> pd.DataFrame:
    """How many objects of each class every list has, those that are not trained on left out.

    lists: objects by image id, under the name that becomes a column; rows are classes.
    """
    counts = {
        name: count_labels((o.labels[~o.ignored] for o in objects.values()), len(classes))
        for name, objects in lists.items()
    }
    return pd.DataFrame(counts, index=pd.Index(classes, name="class"))


def object_sides(
    objects: Mapping[str, Objects], records: Mapping[str, ImageRecord], config: Config
) -> np.ndarray:
    """How large the objects are for the detector: (N,) roots of box areas, in pixels of the
    resized images. Both mappings are by image id."""
    sides = []
    for image_id, found in objects.items():
        record = records[image_id]
        width, height = InputSize.of(config).fitted(record.width, record.height)
        area_scale = width * height / (record.width * record.height)
        box_sizes = found.boxes[:, 2:] - found.boxes[:, :2]
        sides.append(np.sqrt(area_scale * box_sizes.prod(axis=1)))
    return np.concatenate(sides)


def kinds(data_root: Path, records: Sequence[ImageRecord]) -> pd.DataFrame:
    """The kinds of images that the data set's `difficulty.csv` names; empty if it has none.

    Indexed by kind, the most frequent first: images (in all lists), note (why it is hard), example
    (id of the first of `records` of that kind; missing if there is none).
    """
    path = Path(data_root) / DIFFICULTY
    columns = ["images", "note", "example"]
    if not path.is_file():
        return pd.DataFrame(columns=columns)
    table = pd.read_csv(path, dtype={"id": str}).fillna({"note": ""})
    of_kind = table.groupby("kind", sort=False)
    examples = table[table["id"].isin([record.id for record in records])].groupby("kind")["id"]
    found = pd.DataFrame(
        {"images": of_kind.size(), "note": of_kind["note"].first(), "example": examples.first()}
    )
    return found[columns].sort_values("images", ascending=False, kind="stable")
