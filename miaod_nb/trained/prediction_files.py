"""Detections as a file in COCO's results format, and back.

The file is a list with one entry a box: `image_id`, `category_id`, `bbox` (x, y, width, height in
pixels of the image) and `score`. Beside it lies `categories.json`, which names the categories.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from miaod_nb.boxes import Detections
from miaod_nb.errors import DataError
from miaod_nb.progress import say
from miaod_nb.runs.files import RunFolder

PREDICTIONS, CATEGORIES = "predictions.json", "categories.json"
ImageId = str | int
Categories = Mapping[int, str]  # name by id, in the order of the classes
_TOO_LARGE = 1e9  # for any number of a file
_FORMAT = (
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
    are understood too: see `_ways`. Raises DataError naming the first entry that cannot be used,
    or that might mean two images.
    """
    labels = {category: label for label, category in enumerate(categories)}
    parsed = []
    for position, entry in enumerate(_read_list(path, _FORMAT)):
        try:
            parsed.append(_parse(entry, labels))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _wrong(path, f"entry {position}", error, _FORMAT) from None
    way = max(
        _ways(image_ids, files),
        key=lambda way: sum(way.key(one.image_id) in way.names for one in parsed),
    )
    by_file = _by(lambda name: files[name].name, files)
    rows: dict[str, list[tuple[list[float], float, int]]] = {name: [] for name in image_ids}
    others = []
    for one in parsed:
        meant = by_file.get(one.file_name) or way.names.get(way.key(one.image_id), [])
        if meant[1:]:
            raise DataError(
                f"two images of the list might be meant by {one.image_id!r}: "
                f"{meant[0]} and {meant[1]}",
                where=path,
                remedy="give the entries the ids of the list, or each its file_name",
            )
        if meant:
            rows[meant[0]].append((one.box, one.score, one.label))
        else:
            others.append(one.image_id)
    if way.words and len(others) < len(parsed):
        say(f"  {path.name} calls images by {way.words}")
    return {name: _to_detections(found) for name, found in rows.items()}, others


class _Way(NamedTuple):
    """How a file may call images. names: those that a key may mean; key: that of an `image_id`.
    words: for the user; "" for files of ours."""

    words: str
    names: Mapping[ImageId, Sequence[str]]
    key: Callable[[ImageId], ImageId]


def _ways(image_ids: Mapping[str, ImageId], files: Mapping[str, Path]) -> list[_Way]:
    """By our id or number, by the number as text, by the file's name, or by that without suffix,
    numbers without leading zeros, as ultralytics does."""
    ours = _by(lambda name: name, files) | _by(lambda name: image_ids[name], files)
    return [
        _Way("", ours, lambda image_id: image_id),
        _Way("numbers as text", _by(lambda name: _plain(image_ids[name]), files), _plain),
        _Way("the names of their files", _by(lambda name: files[name].name, files), str),
        _Way("the names of their files without suffix",
             _by(lambda name: _plain(files[name].stem), files), _plain),
    ]  # fmt: skip


def _by(key: Callable[[str], ImageId], names: Iterable[str]) -> dict[ImageId, list[str]]:
    found: dict[ImageId, list[str]] = {}
    for name in names:
        found.setdefault(key(name), []).append(name)
    return found


def _plain(name: ImageId) -> ImageId:
    """A number where the name spells one."""
    return int(name) if str(name).isdecimal() else name


def categories_beside(path: Path) -> dict[int, str]:
    """The categories that a prediction file speaks of, in order of their ids. Raises DataError."""
    beside = path.with_name(CATEGORIES)
    wanted = '[{"id": 1, "name": "dog"}, ...]'
    categories = {}
    for position, entry in enumerate(_read_list(beside, wanted)):
        try:
            categories[int(entry["id"])] = str(entry["name"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _wrong(beside, f"entry {position}", error, wanted) from None
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
    image_id: ImageId
    file_name: str
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
    file_name = PurePosixPath(str(entry.get("file_name", ""))).name
    box = [x, y, x + width, y + height]
    return _Entry(entry["image_id"], file_name, labels[entry["category_id"]], box, score)


def _to_detections(rows: Sequence[tuple[list[float], float, int]]) -> Detections:
    return Detections(
        boxes=np.array([box for box, _, _ in rows], np.float32).reshape(-1, 4),
        scores=np.array([score for _, score, _ in rows], np.float32),
        labels=np.array([label for _, _, label in rows], np.int64),
    )


def _read_list(path: Path, wanted: str) -> list[Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError("the file is missing", where=path, remedy=f"write it as {wanted}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(path, "the file", error, wanted) from None
    if not isinstance(content, list):
        raise _wrong(path, "the file", ValueError("it is not a list"), wanted)
    return content


def _wrong(path: Path, what: str, error: Exception, wanted: str) -> DataError:
    reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
    return DataError(f"{what} cannot be used: {reason}", where=path,
                     remedy=f"write it as {wanted}")  # fmt: skip
