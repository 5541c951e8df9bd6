"""Detections as a file in COCO's results format, and back.

The file is a list with one entry a box: `image_id`, `category_id`, `bbox` (x, y, width, height in
pixels of the image) and `score`. Beside it lies `categories.json`, which names the categories.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from miaod_nb.boxes import Detections
from miaod_nb.errors import DataError
from miaod_nb.runs.files import RunFolder
from miaod_nb.trained.image_names import Called, ImageId, images_meant

PREDICTIONS, CATEGORIES = "predictions.json", "categories.json"
Categories = Mapping[int, str]  # name by id, in the order of the classes
_TOO_LARGE = 1e9  # for any number of a file
FORMAT = (
    '[{"image_id": "000001", "category_id": 1, "bbox": [x, y, width, height], "score": 0.9}, ...]'
)


def save_predictions(
    folder: RunFolder,
    detections: Mapping[str, Detections],
    image_ids: Mapping[str, ImageId],
    categories: Categories,
) -> None:
    """Writes `predictions.json`, entries as `to_entries` has them, and `categories.json`."""
    folder.save_json(CATEGORIES, [{"id": key, "name": name} for key, name in categories.items()])
    folder.save_json(PREDICTIONS, to_entries(detections, image_ids, categories))


def to_entries(
    detections: Mapping[str, Detections], image_ids: Mapping[str, ImageId], categories: Categories
) -> list[dict[str, Any]]:
    """One entry a box, images in the order of `detections` (by image id), best box first.

    image_ids: what the file calls each image, by its id here.
    """
    numbers = list(categories)
    return [
        {
            "image_id": image_ids[name],
            "category_id": numbers[label],
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": score,
        }
        for name, found in detections.items()
        for (x1, y1, x2, y2), score, label in zip(
            found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
        )
    ]


def read_entries(
    path: Path, image_ids: Mapping[str, ImageId], files: Mapping[str, Path], categories: Categories
) -> tuple[dict[str, Detections], list[ImageId]]:
    """Detections of each of these images, and how the file calls the images of all other boxes.

    image_ids: what a file of ours calls each image; files: where it lies. Files of other programs
    are understood too: see `images_meant`. Raises DataError naming the first entry that cannot be
    used, or that might mean two images.
    """
    labels = {category: label for label, category in enumerate(categories)}
    parsed = []
    for position, entry in enumerate(read_list(path, FORMAT)):
        try:
            parsed.append(_parse(entry, labels))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise wrong_entry(path, f"entry {position}", error, FORMAT) from None
    meant = images_meant((one.called for one in parsed), image_ids, files, path)
    rows: dict[str, list[tuple[list[float], float, int]]] = {name: [] for name in image_ids}
    others = []
    for one in parsed:
        name = meant[one.called]
        if name is None:
            others.append(one.called.image_id)
        else:
            rows[name].append((one.box, one.score, one.label))
    return {name: _to_detections(found) for name, found in rows.items()}, others


def categories_beside(path: Path) -> dict[int, str]:
    """The categories that a prediction file speaks of, in order of their ids. Raises DataError."""
    beside = path.with_name(CATEGORIES)
    wanted = '[{"id": 1, "name": "dog"}, ...]'
    categories: dict[int, str] = {}
    for position, entry in enumerate(read_list(beside, wanted)):
        try:
            number = int(entry["id"])
            if number in categories:
                raise ValueError(f"the id {number} stands before already")
            categories[number] = str(entry["name"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise wrong_entry(beside, f"entry {position}", error, wanted) from None
    if not categories:
        raise DataError("there is no category", where=beside, remedy=f"write them as {wanted}")
    return categories


def list_beside(path: Path) -> str:
    """The image list that predictions were made for, as the `metrics.json` beside them says it;
    without that file, `test`. Raises DataError."""
    beside = RunFolder(path.parent)
    if not beside.exists("metrics.json"):
        return "test"
    document = beside.load_json("metrics.json")
    about = document.get("about") if isinstance(document, dict) else None
    name = about.get("list", "test") if isinstance(about, dict) else "test"
    if not name or not isinstance(name, str):
        raise DataError(
            "the predictions are of images that a run held out of its train list, and no list "
            "names them" if name == "" else f"list = {name!r} is no name of an image list",
            where=beside.path("metrics.json"),
            remedy="write the ids of these images into a list of the data set and name it "
            "(list_name, --list)",
        )  # fmt: skip
    return name


class _Entry(NamedTuple):
    called: Called
    label: int
    box: list[float]
    score: float


def _parse(entry: Any, labels: Mapping[int, int]) -> _Entry:
    if entry["category_id"] not in labels:
        raise ValueError(f"the category {entry['category_id']!r} is not in {CATEGORIES}")
    if not isinstance(entry["image_id"], str | int):
        raise ValueError("image_id is neither a text nor a whole number")
    if not isinstance(entry["bbox"], list) or len(entry["bbox"]) != 4:
        raise ValueError("bbox is no list of four numbers")
    x, y, width, height = (float(value) for value in entry["bbox"])
    score = float(entry["score"])
    if not all(abs(value) < _TOO_LARGE for value in (x, y, width, height, score)):
        raise ValueError("a number is not finite, or too large")
    if min(width, height) < 0:
        raise ValueError("a side is negative")
    called = Called(entry["image_id"], str(entry.get("file_name", "")))
    box = [x, y, x + width, y + height]
    return _Entry(called, labels[entry["category_id"]], box, score)


def _to_detections(rows: Sequence[tuple[list[float], float, int]]) -> Detections:
    return Detections(
        boxes=np.array([box for box, _, _ in rows], np.float32).reshape(-1, 4),
        scores=np.array([score for _, score, _ in rows], np.float32),
        labels=np.array([label for _, _, label in rows], np.int64),
    )


def read_list(path: Path, wanted: str) -> list[Any]:
    """The list in a JSON file. wanted: how it is written, for the user. Raises DataError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # as Windows may write it
    except FileNotFoundError:
        raise DataError("the file is missing", where=path, remedy=f"write it as {wanted}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise wrong_entry(path, "the file", error, wanted) from None
    if not isinstance(content, list):
        raise wrong_entry(path, "the file", ValueError("it is not a list"), wanted)
    return content


def wrong_entry(path: Path, what: str, error: Exception, wanted: str) -> DataError:
    """The error for an entry of a file. what: its place, in words; wanted: as `read_list`."""
    reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
    return DataError(f"{what} cannot be used: {reason}", where=path,
                     remedy=f"write it as {wanted}")  # fmt: skip
