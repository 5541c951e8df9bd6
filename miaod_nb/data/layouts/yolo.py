"""YOLO data sets: a data.yaml that names classes and lists, images in folders or in lists of paths,
and a text file an image in the folder `labels` beside each folder `images`."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from miaod_nb.data.images import IMAGE_SUFFIXES
from miaod_nb.data.layouts.label_files import names_in, read_text, read_yaml, read_yolo
from miaod_nb.data.records import FaultCounts, ImageRecord, Labels
from miaod_nb.errors import DataError

LISTS = ("train", "val", "test")
FILES = ("data.yaml", "data.yml", "dataset.yaml")


class YoloSource:
    """A data root with a data.yaml, or the file itself. An image's id is its path below the folder
    that all images of the data set have in common, without suffix."""

    layout = "YOLO"
    needs = "data.yaml with names and train, and the images that it names"

    def __init__(self, path: Path) -> None:
        self._path, content = path, read_yaml(path)
        self._places = {name: content[name] for name in LISTS if content.get(name)}
        self._base = path.parent / str(content.get("path") or "")
        if not self._base.is_dir():  # of the machine on which it was made
            self._base = path.parent
        self._names = names_in(path)
        if not self._names:
            raise DataError(
                "the file does not name the classes", where=path,
                remedy="write names: [first, second, ...], in the order of their numbers",
            )  # fmt: skip
        self._known: dict[str, Path] = {}

    @classmethod
    def found_in(cls, data_root: Path) -> "YoloSource | None":
        """The data set in this folder, or that this file describes; None for another layout."""
        paths = [data_root] if data_root.is_file() else [data_root / name for name in FILES]
        path = next(
            (one for one in paths if one.suffix in (".yaml", ".yml") and one.is_file()), None
        )
        return cls(path) if path and "train" in read_yaml(path) else None

    def list_names(self) -> list[str]:
        """Names of the lists that the file has."""
        return list(self._places)

    def list_file(self, name: str) -> Path:
        """The file, where it has that list."""
        return self._path if name in self._places else self._path.parent / f"{name}.txt"

    def image_place(self, name: str) -> str:
        """Where the images of a list belong, in words."""
        return f"the folder that {self._path} names for '{name}'"

    def images(self, list_name: str, faults: FaultCounts) -> list[ImageRecord]:
        """The images of a list, not opened. Raises DataError when one id stands for two images."""
        paths = self._listed(list_name, faults)
        found: dict[str, Path] = {}
        for path in paths:
            image_id = _id_of(path)
            if image_id in found and found[image_id] != path:
                raise DataError(
                    f"two different images have the id '{image_id}'",
                    where=f"{found[image_id]} and {path}", remedy="rename or remove one of them",
                )  # fmt: skip
            if image_id in found:
                faults.add("listed twice", image_id)
            found[image_id] = path
        self._known = found
        return [ImageRecord(image_id, list_name, path) for image_id, path in found.items()]

    def labels(self, image_id: str) -> Labels | None:
        """The objects in the image's text file; an empty one: nothing is there."""
        return read_yolo(self.labels_at(image_id), self._names, self._known[image_id])

    def labels_at(self, image_id: str) -> Path:
        """The image's text file."""
        return _labels_of(self._known[image_id])

    def labeled_ids(self) -> Collection[str]:
        """Those that have a text file."""
        return {image_id for image_id in self._known if self.labels_at(image_id).is_file()}

    def annotated(self) -> None:
        """Not told: the pool's annotations would have to be opened."""
        return None

    def classes(self) -> Mapping[str, int]:
        """The names of data.yaml, by their numbers."""
        return {name: number for number, name in enumerate(self._names)}

    def result_id(self, image_id: str) -> str:
        """What result files name the image by."""
        return image_id

    def _listed(self, name: str, faults: FaultCounts) -> list[Path]:
        """The image files of a list: of folders, or of text files with a path a line."""
        places = self._places[name]
        found: list[Path] = []
        for place in places if isinstance(places, list) else [places]:
            path = self._found(str(place))
            if path.is_dir():
                found += [one for one in sorted(path.rglob("*")) if _is_image(one)]
            elif path.is_file():
                for line in filter(None, map(str.strip, read_text(path).splitlines())):
                    image = path.parent / line if line.startswith("./") else self._base / line
                    if _is_image(image):
                        found.append(image)
                    else:
                        faults.add("listed image missing", line)
            else:
                raise DataError(f"the images of '{name}' are not there", where=path,
                                remedy=f"correct `{name}` in {self._path}")  # fmt: skip
        return found

    def _found(self, place: str) -> Path:
        """Where a place of the file is: some tools write one that begins a folder too high."""
        path = self._base / place
        beside = self._base / place.removeprefix("../")
        return beside if not path.exists() and beside.exists() else path


def _id_of(path: Path) -> str:
    """The path behind the last folder `images`, or the file's name, without suffix and without
    steps back, which would lead an export out of its folder."""
    parts = Path(os.path.normpath(path)).with_suffix("").parts
    places = [place for place, part in enumerate(parts[:-1]) if part == "images"]
    return "/".join(parts[places[-1] + 1 :]) if places else parts[-1]


def _labels_of(image: Path) -> Path:
    """The text file of an image: in `labels` in place of the last folder `images`, else beside."""
    parts = list(image.with_suffix(".txt").parts)
    places = [place for place, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return Path(*parts)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
