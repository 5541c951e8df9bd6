"""COCO data sets: which images a list names, which classes, and their labels."""

from pathlib import Path
from typing import Any, NamedTuple

from miaod_nb.data.layouts.coco_file import CocoFile
from miaod_nb.data.records import FaultCounts, ImageRecord, Labels

PREFIX = "instances_"


class _Entry(NamedTuple):
    """What the file says of an image: its numbers (an image may stand there twice) and size."""

    numbers: list[int]
    size: tuple[Any, Any]


class CocoSource:
    """A data root with COCO files in `annotations`: instances_<list>.json or <list>.json.

    An image's id is its file's name without suffix, or, unless these all differ, its COCO id.
    """

    layout = "COCO"
    needs = "annotations/instances_<list>.json and the images in <list> or images"

    def __init__(self, root: Path) -> None:
        self.root = root
        self._file = root  # of the list that was asked for last; its images and content:
        self._entries: dict[str, _Entry] = {}
        self._read: CocoFile | None = None

    @classmethod
    def found_in(cls, data_root: Path) -> "CocoSource | None":
        """The data set in this folder; None when it has another layout."""
        return cls(data_root) if any((data_root / "annotations").glob("*.json")) else None

    def list_file(self, name: str) -> Path:
        """Where the list of that name is, or would have to be."""
        folder = self.root / "annotations"
        plain, prefixed = folder / f"{name}.json", folder / f"{PREFIX}{name}.json"
        return plain if plain.is_file() and not prefixed.is_file() else prefixed

    def list_names(self) -> list[str]:
        """Names of the lists that are there, those of COCO's instances first."""
        stems = [path.stem for path in (self.root / "annotations").glob("*.json")]
        stems.sort(key=lambda stem: (not stem.startswith(PREFIX), stem))
        return list(dict.fromkeys(stem.removeprefix(PREFIX) for stem in stems))

    def image_place(self, name: str) -> str:
        """Where the images of a list belong, in words."""
        return f"{' or '.join(map(str, self._image_folders(name)))}, under their file_name"

    def images(self, list_name: str, faults: FaultCounts) -> list[ImageRecord]:
        """The images of the list's file, in its order, not opened; missing and repeated ones and
        those with a path out of the data folder are counted, and annotations that belong to none
        of them. Raises DataError for a file that is not COCO's or has two images of one id."""
        self._file, self._entries = self.list_file(list_name), {}
        self._content.count_strays(faults)
        entries = self._by_file_name(faults)
        stems = [Path(name).stem for name in entries]
        if len(set(stems)) < len(stems):
            stems = [str(entry.numbers[0]) for entry in entries.values()]
        records = []
        for image_id, (file_name, entry) in zip(stems, entries.items(), strict=True):
            if _leads_out(file_name):
                faults.add("file name leads out of the data folder", image_id)
            elif (path := self._image_path(list_name, file_name)) is None:
                faults.add("listed image missing", image_id)
            else:
                self._entries[image_id] = entry
                records.append(ImageRecord(image_id, Path(list_name).name, path))
        return records

    def labels(self, image_id: str) -> Labels | None:
        """The image's annotations. A file that has some, but none of this image, cannot say whether
        it was labeled: that is not certain then."""
        content, entry = self._content, self._entries[image_id]
        if not content.annotations or content.images.keys().isdisjoint(entry.numbers):
            return None
        objects = [one for number in entry.numbers for one in content.objects(number)]
        return Labels(objects, entry.size, certain=bool(objects))

    def labels_at(self, image_id: str) -> Path:
        """The file of the list, which holds the labels of all its images."""
        return self._file

    def labeled_ids(self) -> set[str]:
        """Those that have an annotation; of others nobody knows."""
        return self.annotated()

    def annotated(self) -> set[str]:
        """Ids of the images that have an annotation, whatever it says."""
        with_some = self._content.annotations.keys() if self._entries else set()
        return {i for i, e in self._entries.items() if not with_some.isdisjoint(e.numbers)}

    def classes(self) -> dict[str, int]:
        """The file's categories by their numbers, whether or not an object has them."""
        return {name: number for number, name in self._content.categories.items()}

    def result_id(self, image_id: str) -> int:
        """The image's number, which result files name it by."""
        return self._entries[image_id].numbers[0]

    @property
    def _content(self) -> CocoFile:
        """The file as it is now: read once, and again when it was changed."""
        self._read = CocoFile.read(self._file, self._read)
        return self._read

    def _by_file_name(self, faults: FaultCounts) -> dict[str, _Entry]:
        """What the file says of each image file; one that stands there twice is counted."""
        found: dict[str, _Entry] = {}
        for number, image in self._content.images.items():
            file_name = image["file_name"]
            if file_name in found:
                faults.add("listed twice", file_name)
                found[file_name].numbers.append(number)
            else:
                size = image.get("width"), image.get("height")  # if they are told
                found[file_name] = _Entry([number], size)
        return found

    def _image_folders(self, name: str) -> list[Path]:
        return [self.root / name, self.root / "images" / name, self.root / "images"]

    def _image_path(self, name: str, file_name: str) -> Path | None:
        paths = (folder / file_name for folder in self._image_folders(name))
        return next((path for path in paths if path.is_file()), None)


def _leads_out(file_name: str) -> bool:
    """Whether it is absolute or climbs with `..`; links inside the data folder are the user's."""
    return Path(file_name).is_absolute() or ".." in Path(file_name).parts
