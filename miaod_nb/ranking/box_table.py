"""A table of boxes, checked as a whole: what speaks against single boxes is asked later."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from miaod_nb.boxes import Detections
from miaod_nb.errors import DataError
from miaod_nb.ranking.adapters import COLUMNS
from miaod_nb.ranking.reading import FILE_NAME, SCORES
from miaod_nb.selection.outputs import Outputs
from miaod_nb.trained.image_names import Called

TOO_LARGE = 1e9  # for any number


@dataclass(frozen=True, eq=False)
class BoxTable:
    """N boxes of any images and C classes.

    called: what each box's image is called. boxes: float64 (N, 4), xyxy; scores: float64 (N,);
    labels: int64 (N,), -1 for none. class_scores: float64 (N, C), where they are known.
    """

    called: Sequence[Called]
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    class_scores: np.ndarray | None

    @property
    def is_finite(self) -> np.ndarray:
        """Whether all numbers of a box are finite, and none is too large: bool (N,)."""
        parts = [self.boxes, self.scores[:, None]]
        parts += [] if self.class_scores is None else [self.class_scores]
        return (np.abs(np.hstack(parts)) < TOO_LARGE).all(axis=1)

    def is_repeated(self, images: Sequence[str]) -> np.ndarray:
        """Which boxes stand before already, with class, score and image (N of them): bool (N,)."""
        rows = pd.DataFrame(self.boxes)
        rows = rows.assign(image=images, label=self.labels, score=self.scores)
        return rows.duplicated().to_numpy(bool)

    def outputs(self, rows: Sequence[int]) -> Outputs:
        """These boxes as those of one image."""
        found = Detections(
            self.boxes[rows].astype(np.float32).reshape(-1, 4),
            self.scores[rows].astype(np.float32), self.labels[rows],
        )  # fmt: skip
        known = None if self.class_scores is None else self.class_scores[rows]
        return Outputs(found, len(self.classes), known)


def checked(table: pd.DataFrame, classes: Sequence[str], where: object) -> BoxTable:
    """The table, with the columns of `adapters` and those of `reading`.

    classes: in the order of the class scores; () for those that the table names, sorted. Raises
    DataError for a table of another kind, such as one whose scores are not between 0 and 1.
    """
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise DataError(
            f"the table has no column '{missing[0]}': it has {', '.join(map(str, table))}",
            where=where, remedy=f"give it the columns {', '.join(COLUMNS)}, separated by commas",
        )  # fmt: skip
    numbers = table[[*COLUMNS[1:6]]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    boxes, scores = numbers[:, :4], numbers[:, 4]
    _refuse_other_scales(boxes, scores, where)
    images = [name if isinstance(name, int) else str(name) for name in table["image"].tolist()]
    beside = table[FILE_NAME].fillna("").tolist() if FILE_NAME in table else [""] * len(images)
    every, labels = _labels(table["class"].tolist(), classes, where)
    class_scores = _class_scores(table[SCORES], len(every), where) if SCORES in table else None
    return BoxTable(
        [*map(Called, images, beside)], boxes, scores, labels, every, class_scores
    )  # fmt: skip


def _refuse_other_scales(boxes: np.ndarray, scores: np.ndarray, where: object) -> None:
    """Raises DataError for scores that are no probabilities, and for boxes not in pixels."""
    wrong = scores[(scores < 0) | (scores > 1)]
    if len(wrong):
        raise DataError(
            f"scores are no probabilities: {len(wrong)} are below 0 or above 1, such as "
            f"{float(wrong[0])}", where=where,
            remedy="give scores from 0 to 1: divide percentages by 100, take logits through a "
            "sigmoid",
        )  # fmt: skip
    finite = boxes[np.isfinite(boxes).all(axis=1)]
    if len(finite) and np.abs(finite).max() <= 1:
        raise DataError(
            "boxes are shares of the image, not pixels: none reaches beyond 1", where=where,
            remedy="multiply x by the width of the image, and y by its height",
        )  # fmt: skip


def _labels(
    names: Sequence[object], classes: Sequence[str], where: object
) -> tuple[tuple[str, ...], np.ndarray]:
    """The classes, and the place of each name among them, -1 where there is none: (N,). Raises
    DataError."""
    texts = ["" if pd.isna(name) else str(name) for name in names]
    found = set(texts) - {""}
    every = tuple(classes or sorted(found, key=_by_number) or ["object"])  # one at least
    if twice := [name for name, count in Counter(every).items() if count > 1]:
        raise DataError(f"two classes are called '{twice[0]}'", where=where,
                        remedy="give each category a name of its own")  # fmt: skip
    if unknown := found.difference(every):
        raise DataError(
            f"the class '{min(unknown)}' is none of {', '.join(every)}", where=where,
            remedy="name all classes in their order (--set classes=dog,cat)",
        )  # fmt: skip
    places = {"": -1} | {name: place for place, name in enumerate(every)}
    return every, np.array([places[text] for text in texts], np.int64)


def _by_number(name: str) -> tuple[bool, int, str]:
    """How classes are sorted: numbers by their value, before names."""
    is_number = name.isdecimal()
    return not is_number, int(name) if is_number else 0, name


def _class_scores(lists: pd.Series, num_classes: int, where: object) -> np.ndarray:
    """All class scores of the boxes: (N, C). Raises DataError."""
    remedy = (
        f"give every box a list of {num_classes} numbers from 0 to 1, in the order of the classes "
        "(those of categories.json beside the file, or --set classes=dog,cat)"
    )
    for place, one in enumerate(lists):
        length = len(one) if isinstance(one, list | tuple | np.ndarray) else "no"
        if length != num_classes:
            raise DataError(
                f"box {place} has {length} class scores, and there are {num_classes} classes",
                where=where, remedy=remedy,
            )  # fmt: skip
    try:
        scores = np.array(lists.tolist(), np.float64).reshape(-1, num_classes)
    except (TypeError, ValueError) as error:
        raise DataError(f"class scores are no numbers: {error}", where=where,
                        remedy=remedy) from None  # fmt: skip
    if ((scores < 0) | (scores > 1)).any():
        raise DataError("class scores are no probabilities: some are below 0 or above 1",
                        where=where, remedy=remedy)  # fmt: skip
    return scores
