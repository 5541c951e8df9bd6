"""The images of a folder, which of them are labeled, and what a detector says of each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from miaod_nb.data.files import SOURCE, image_files
from miaod_nb.data.images import glance
from miaod_nb.data.records import UNFIT, UNFIT_NAME, FaultCounts, ImageRecord, shown_name
from miaod_nb.errors import DataError
from miaod_nb.progress import progress
from miaod_nb.ranking.box_table import BoxTable
from miaod_nb.ranking.reading import LabeledImages
from miaod_nb.selection.outputs import Outputs
from miaod_nb.trained.image_names import Called, image_ids, images_meant

BEYOND = (
    "box that reaches beyond its image by more than a pixel, used as it is (is it x, y, width, "
    "height, in pixels of the upright image?)"
)
TO_THE_EDGE = 1.0  # pixels that a box may reach beyond its image before it is counted


@dataclass(frozen=True)
class Pool:
    """Images in the order of their ids, the paths in their folder.

    records: those to choose among; labeled: those that are not. boxes: how many labels these have,
    by id, where it is told. left_out: why others are neither, by id. outputs: what a detector says
    of each of both kinds, by id.
    """

    records: Sequence[ImageRecord]
    labeled: Sequence[ImageRecord] = ()
    boxes: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Outputs] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        return [record.id for record in self.records]

    @property
    def files(self) -> dict[str, Path]:
        """Where every usable image lies, by id."""
        return {record.id: record.image_path for record in (*self.records, *self.labeled)}

    def without(self, damaged: Mapping[str, str]) -> Self:
        """All but these images, by id with what is wrong with each."""
        kept, labeled = ([one for one in part if one.id not in damaged]
                         for part in (self.records, self.labeled))  # fmt: skip
        left_out = {**self.left_out, **damaged}
        return replace(self, records=kept, labeled=labeled, left_out=left_out)


def read_folder(path: Path, but_not_in: Path | None) -> Pool:
    """The images in a folder and the folders below. Only the head of a file is read, so that large
    pools take seconds. Raises DataError where none is usable."""
    files = dict(sorted(image_files(path, but_not_in).items()))
    found = {
        name: UNFIT_NAME if UNFIT.search(name) else glance(file)
        for name, file in progress(list(files.items()), "looking at images")
    }
    left_out = {shown_name(name): one for name, one in found.items() if isinstance(one, str)}
    records = [
        ImageRecord(name, SOURCE, files[name], *one)
        for name, one in found.items() if not isinstance(one, str)
    ]  # fmt: skip
    if not records:
        name, reason = next(iter(left_out.items()))
        raise DataError(f"no image can be used ({len(left_out)} tried; {name}: {reason})",
                        where=path, remedy="give images that are whole, such as JPEG")  # fmt: skip
    return Pool(records, left_out=left_out)


def with_labeled(pool: Pool, known: LabeledImages, where: object, faults: FaultCounts) -> Pool:
    """The pool without these images, which are labeled. Those that are not in the folder are
    counted. Raises DataError where nothing is left to choose, or none is in the folder."""
    called = known.called
    meant = images_meant(called, image_ids(pool.ids), pool.files, where)
    names = set(meant.values())
    for one, name in meant.items():
        if name is None:
            faults.add("labeled image that is not in the folder", str(one.image_id))
    if called and names == {None}:
        raise DataError(
            f"none of the {len(called)} labeled images is in the folder: the file says "
            f"{called[0].image_id!r}, the folder has {pool.ids[0]!r}",
            where=where, remedy="give the folder that has both, labeled images and others "
            "(--images), or leave the labeled ones out",
        )  # fmt: skip
    records = [record for record in pool.records if record.id not in names]
    if not records:
        raise DataError("all images of the folder are labeled", where=where,
                        remedy="give a list of the labeled images alone")  # fmt: skip
    labeled = [record for record in pool.records if record.id in names]
    boxes = {meant[one] or "": count for one, count in zip(called, known.boxes, strict=False)}
    return replace(pool, records=records, labeled=labeled, boxes=boxes)


def with_boxes(
    pool: Pool, table: BoxTable, lowest: float, where: object, faults: FaultCounts
) -> Pool:
    """The pool with what these boxes say of its images. lowest: score of a box that counts.

    Single boxes that cannot be used are left out and counted. Raises DataError where none lies in
    an image of the folder, and where all whose score counts are faulty.
    """
    usable = {record.id: record for record in (*pool.records, *pool.labeled)}
    meant = images_meant(table.called, image_ids([*usable]), pool.files, where)
    names = [meant[one] or "" for one in table.called]
    if names and not any(names):
        first = table.called[0]
        raise DataError(
            f"none of the {len(names)} boxes lies in an image of the folder: the file says "
            f"{first.file_name or first.image_id!r}, the folder has {next(iter(usable))!r}",
            where=where, remedy="call images by the names of their files, or add file_name to each "
            "entry",
        )  # fmt: skip
    of_boxes = FaultCounts()
    rows = _that_count(table, [usable.get(name) for name in names], lowest, of_boxes)
    if not len(rows) and not (table.scores < lowest).all():
        raise DataError(
            "none of the boxes can be used: " + "; ".join(of_boxes.lines()), where=where,
            remedy="give x1, y1, x2, y2 in pixels of the upright image, and a class and a score "
            "for each box",
        )  # fmt: skip
    faults.merge(of_boxes)
    best_first = rows[np.argsort(-table.scores[rows], kind="stable")]
    of_image: dict[str, list[int]] = {name: [] for name in usable}
    for row in best_first.tolist():
        of_image[names[row]].append(row)
    return replace(pool, outputs={name: table.outputs(own) for name, own in of_image.items()})


def _that_count(
    table: BoxTable, records: Sequence[ImageRecord | None], lowest: float, faults: FaultCounts
) -> np.ndarray:
    """The rows of the boxes that can be used, the others counted by the first reason that holds.
    records: of the image of each box."""
    boxes = table.boxes
    sizes = np.array([(r.width, r.height) if r else (0, 0) for r in records]).reshape(-1, 2)
    outside = (boxes[:, 2:] <= 0) | (boxes[:, :2] >= sizes)
    wrong = {
        "box of an image that is not in the folder": np.array([r is None for r in records], bool),
        "box with a value that is not finite, or too large": ~table.is_finite,
        "box without a class": table.labels < 0,
        "box without area": (boxes[:, 2:] <= boxes[:, :2]).any(axis=1),
        "box outside its image": outside.any(axis=1),
        "box listed twice": table.is_repeated([r.id if r else "" for r in records]),
        f"box with a score below {lowest:g} (score_threshold)": table.scores < lowest,
    }
    kept = np.ones(len(boxes), bool)
    for reason, holds in wrong.items():
        _count(faults, reason, table.called, kept & holds)
        kept &= ~holds
    beyond = np.maximum(-boxes[:, :2], boxes[:, 2:] - sizes).max(axis=1, initial=0)
    _count(faults, BEYOND, table.called, kept & (beyond > TO_THE_EDGE))
    return np.flatnonzero(kept)


def _count(faults: FaultCounts, reason: str, called: Sequence[Called], holds: np.ndarray) -> None:
    """Counts the boxes for which the reason holds, by what their images are called."""
    found = Counter(str(called[row].image_id) for row in np.flatnonzero(holds).tolist())
    for name, count in found.items():
        faults.add(reason, name, count)
