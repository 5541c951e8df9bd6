"""Label files that lie in any folder, in VOC XML, YOLO's text or COCO's JSON: which of them belongs
to which image, and what it says."""

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import yaml

from miaod_nb.data.layouts.coco_file import CocoFile, size_of
from miaod_nb.data.layouts.voc import read_voc
from miaod_nb.data.records import AnnotationFault, FaultCounts, Labels, RawObject
from miaod_nb.data.upright import upright_size
from miaod_nb.errors import DataError, unreadable

NAME_FILES = ("classes.txt", "obj.names", "data.yaml", "data.yml", "dataset.yaml")


class LabelFiles(Protocol):
    """The labels of a folder in one format. Images are named by id and file."""

    form: str  # its name, in words

    def match(self, images: Mapping[str, Path], faults: FaultCounts) -> None:
        """Takes the images that labels are looked up for; labels of others are counted."""

    def labels(self, image_id: str) -> Labels | None:
        """See LabelReader."""

    def labels_at(self, image_id: str) -> Path:
        """See LabelReader."""

    def labeled_ids(self) -> Collection[str]:
        """Ids of the images that have labels."""

    def annotated(self) -> Collection[str] | None:
        """See Source."""

    def classes(self) -> Sequence[str]:
        """The class names that are declared."""


def find_labels(folder: Path) -> LabelFiles | None:
    """The labels in a folder and the folders below; None where there are none. Raises DataError for
    labels in several formats, and for YOLO's without class names."""
    files = files_below(folder)
    found: dict[str, list[Path]] = {
        "VOC XML": [path for path in files if path.suffix.lower() == ".xml"],
        "YOLO": [path for path in files if is_yolo(path)],
        "COCO": [path for path in files if is_coco(path)],
    }
    if not any(path.stat().st_size for path in found["YOLO"]) and not _names_file(folder):
        found["YOLO"] = []  # empty notes of somebody's
    found = {form: paths for form, paths in found.items() if paths}
    if len(found) > 1 or len(found.get("COCO", ())) > 1:
        counts = ", ".join(f"{form} ({len(paths)})" for form, paths in found.items())
        raise DataError(
            f"labels of several formats or files lie in one folder: {counts}", where=folder,
            remedy="put those that are meant into a folder of their own and name it",
        )  # fmt: skip
    if "VOC XML" in found:
        return VocFiles(folder, found["VOC XML"])
    if "YOLO" in found:
        return YoloFiles(folder, found["YOLO"], class_names(folder))
    return CocoLabels(found["COCO"][0]) if found else None


class _FilePerImage:
    """Label files that are called as their images: in the same folder, below another one, or by
    the file's own name, where only one image and one label file have it."""

    form = ""
    suffix = ""

    def __init__(self, folder: Path, files: Iterable[Path]) -> None:
        self.folder = folder
        self._files = {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}
        self._images: Mapping[str, Path] = {}
        self._file_of: dict[str, Path] = {}

    def match(self, images: Mapping[str, Path], faults: FaultCounts) -> None:
        """See LabelFiles."""
        self._images = images
        self._file_of = {i: self._files[i] for i in images if i in self._files}
        rest = {i: p for i, p in self._files.items() if i not in images}
        own = _by_own_name(images)
        for own_name, names in _by_own_name(rest).items():
            ids = own.get(own_name, [])
            if len(names) == len(ids) == 1 and ids[0] not in self._file_of:
                self._file_of[ids[0]] = rest[names[0]]
            else:
                reason = "annotation of an image that is not there"
                if ids:
                    reason = "annotation whose name several images have"
                for name in names:
                    faults.add(reason, name)

    def labels_at(self, image_id: str) -> Path:
        """See LabelReader."""
        return self._file_of.get(image_id, self.folder / f"{image_id}{self.suffix}")

    def labeled_ids(self) -> Collection[str]:
        """See LabelFiles."""
        return self._file_of.keys()

    def annotated(self) -> None:
        """Not told: the pool's annotations would have to be opened."""
        return None

    def classes(self) -> Sequence[str]:
        """None are declared."""
        return ()


class VocFiles(_FilePerImage):
    """VOC XML files."""

    form, suffix = "VOC XML", ".xml"

    def labels(self, image_id: str) -> Labels | None:
        """See LabelReader."""
        return read_voc(self.labels_at(image_id))


class YoloFiles(_FilePerImage):
    """YOLO's text files: a row an object, its class by number; an empty file: nothing is there."""

    form, suffix = "YOLO", ".txt"

    def __init__(self, folder: Path, files: Iterable[Path], names: Sequence[str]) -> None:
        super().__init__(folder, files)
        self._names = names

    def labels(self, image_id: str) -> Labels | None:
        """See LabelReader."""
        return read_yolo(self.labels_at(image_id), self._names, self._images[image_id])

    def classes(self) -> Sequence[str]:
        """Those of data.yaml or classes.txt."""
        return self._names


class CocoLabels:
    """A COCO file for images that lie anywhere: by the end of their `file_name`."""

    form = "COCO"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = CocoFile.read(path)
        self._numbers_of: dict[str, list[int]] = {}  # an image may stand there twice

    def match(self, images: Mapping[str, Path], faults: FaultCounts) -> None:
        """See LabelFiles."""
        self._content.count_strays(faults)
        self._numbers_of, own = {}, _by_own_name(images)
        for number, entry in self._content.images.items():
            name = PurePosixPath(entry["file_name"].replace("\\", "/"))
            ends = ["/".join(name.parts[k:]) for k in range(len(name.parts))]
            stem = next((end for one in ends if (end := without_suffix(one)) in images), None)
            alike = own.get(without_suffix(name.name), [])
            if stem is None and len(alike) == 1:
                stem = alike[0]
            if stem is None:
                reason = "annotation whose name several images have"
                faults.add(reason if alike else "annotation of an image that is not there",
                           entry["file_name"])  # fmt: skip
            else:
                self._numbers_of.setdefault(stem, []).append(number)
                if len(self._numbers_of[stem]) > 1:
                    faults.add("listed twice", entry["file_name"])

    def labels(self, image_id: str) -> Labels | None:
        """See LabelReader; without an annotation it is not certain that anybody looked."""
        self._content = CocoFile.read(self._path, self._content)
        content, numbers = self._content, self._numbers_of.get(image_id, [])
        if not numbers or not content.annotations:
            return None
        objects = [one for number in numbers for one in content.objects(number)]
        notes = [note for number in numbers for note in content.notes(number)]
        sizes = filter(None, (size_of(content.images[number]) for number in numbers))
        return Labels(objects, next(sizes, None), bool(objects), notes)

    def labels_at(self, image_id: str) -> Path:
        """The file."""
        return self._path

    def labeled_ids(self) -> Collection[str]:
        """Those that have an annotation; of others nobody knows."""
        return self.annotated()

    def annotated(self) -> Collection[str]:
        """Ids of the images that have an annotation, whatever it says."""
        known = self._content.annotations.keys()
        return {i for i, numbers in self._numbers_of.items() if not known.isdisjoint(numbers)}

    def classes(self) -> Sequence[str]:
        """The file's categories, in the order of their numbers."""
        return list(self._content.categories.values())


# ------------------------------------------------------------------------------------------- YOLO


def is_yolo(path: Path) -> bool:
    """Whether a text file is one of YOLO's: empty, or its first row has five numbers or more."""
    if path.suffix.lower() != ".txt" or path.name in NAME_FILES:
        return False
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            first = next((line for line in file if line.strip()), "")
    except FileNotFoundError:  # gone by now
        return False
    except OSError as error:
        raise unreadable(path, error) from None
    return not first or (len(first.split()) >= 5 and all(map(_is_number, first.split())))


def read_yolo(path: Path, names: Sequence[str], image: Path) -> Labels | None:
    """The objects of a text file in pixels of the upright image, a row an object: class, center x,
    y, width, height as shares of the image, or class and corners of a polygon, around which the
    box is taken; None: there is no such file. Raises AnnotationFault."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise AnnotationFault("annotation unreadable") from None
    rows = [line.split() for line in text.splitlines() if line.strip()]
    size = upright_size(image) if rows else None
    return Labels([_yolo_object(row, names, size) for row in rows if size], size)


def _yolo_object(row: Sequence[str], names: Sequence[str], size: tuple[int, int]) -> RawObject:
    if not all(map(_is_number, row)):
        raise AnnotationFault("annotation malformed: coordinate missing or not a number")
    number, *shares = map(float, row)
    if number not in range(len(names)):
        raise AnnotationFault("annotation malformed: class number that has no name")
    if len(shares) == 5:
        raise AnnotationFault("annotation with scores: these are predictions, no labels")
    if len(shares) == 4:
        x, y, width, height = shares
        xs, ys = (x - width / 2, x + width / 2), (y - height / 2, y + height / 2)
    elif len(shares) >= 6 and len(shares) % 2 == 0:
        xs, ys = tuple(shares[::2]), tuple(shares[1::2])  # type: ignore[assignment]
    else:
        raise AnnotationFault("annotation malformed: coordinate missing or not a number")
    box = min(xs) * size[0], min(ys) * size[1], max(xs) * size[0], max(ys) * size[1]
    return RawObject(names[int(number)], box)


def class_names(folder: Path) -> list[str]:
    """The class names that YOLO's labels count by: of data.yaml, classes.txt or obj.names in the
    folder or the one above. Raises DataError."""
    path = _names_file(folder)
    if path is None:
        raise DataError(
            "nothing says what the class numbers of these YOLO labels mean", where=folder,
            remedy=f"put a file there that names them: {', '.join(NAME_FILES[:3])}",
        )  # fmt: skip
    names = names_in(path)
    if not names or len(set(names)) < len(names):
        raise DataError("the file does not name each class once", where=path,
                        remedy="write each name once, in the order of the numbers")  # fmt: skip
    return names


def _names_file(folder: Path) -> Path | None:
    places = [above / name for above in (folder, folder.parent) for name in NAME_FILES]
    return next((place for place in places if place.is_file()), None)


def names_in(path: Path) -> list[str]:
    """The class names in a file: a line each, or `names` of a YAML file as a list or by number."""
    text = read_text(path)
    if path.suffix == ".txt" or path.suffix == ".names":
        return [line.strip() for line in text.splitlines() if line.strip()]
    names = read_yaml(path).get("names")
    if isinstance(names, Mapping):
        numbers = {int(key): value for key, value in names.items() if str(key).isdecimal()}
        if list(sorted(numbers)) != list(range(len(names))):
            return []
        names = [numbers[key] for key in sorted(numbers)]
    return [str(name).strip() for name in names] if isinstance(names, list) else []


def read_yaml(path: Path) -> Mapping[str, Any]:
    """The mapping in a YAML file. Raises DataError, also where parts refer to others: a few lines
    may stand for more than any memory holds."""
    text = read_text(path)
    try:
        has_references = any(isinstance(one, yaml.AliasEvent) for one in yaml.parse(text))
        content = None if has_references else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise DataError(f"the file is no YAML ({first})", where=path, remedy="mend it") from None
    if has_references:
        raise DataError("a part of the file refers to another one (*name)", where=path,
                        remedy="write out what is meant")  # fmt: skip
    return content if isinstance(content, Mapping) else {}


def read_text(path: Path) -> str:
    """The text of a file. Raises DataError."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError:
        raise DataError("the file is no UTF-8 text", where=path,
                        remedy="save it as UTF-8") from None  # fmt: skip


# ---------------------------------------------------------------------------------------- helpers


def files_below(folder: Path) -> list[Path]:
    """The files in a folder and the folders below, sorted, without hidden ones: what systems and
    notebooks put there is nobody's image or label."""
    return sorted(
        path for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )  # fmt: skip


def is_coco(path: Path) -> bool:
    """Whether a JSON file is COCO's: an object with a list of images."""
    if path.suffix.lower() != ".json":
        return False
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, Mapping) and isinstance(content.get("images"), list)


def without_suffix(name: str) -> str:
    """The name of a file without its suffix."""
    return str(PurePosixPath(name).with_suffix("")) if PurePosixPath(name).name else name


def _by_own_name(names: Iterable[str]) -> dict[str, list[str]]:
    """Paths by their last part."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(PurePosixPath(name).name, []).append(name)
    return found


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
