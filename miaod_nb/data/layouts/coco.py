"""COCO data sets: which images a list names, which classes, and their labels."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from miaod_nb.data.images import is_image
from miaod_nb.data.layouts.coco_file import CocoFile, Entry, size_of
from miaod_nb.data.records import FaultCounts, ImageRecord, Labels
from miaod_nb.errors import DataError

PREFIX = "instances_"


class _Entry(NamedTuple):
    """What the file says of an image: its numbers (an image may stand there twice) and size."""

    numbers: list[int]
    size: tuple[int, int] | None


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
        """The images of the list's file, in its order, not opened; missing and repeated ones are
        counted, and annotations that belong to none of them. Raises DataError for a file that is
        not COCO's, has two images of one id, or a name that two files might be meant by."""
        self._file, self._entries = self.list_file(list_name), {}
        self._content.count_strays(faults)
        places = self._places(list_name, faults)
        several: dict[Path | str, list[Entry]] = {}  # by the file, or by the name of a missing one
        for image in self._content.images.values():
            name: str = image["file_name"]
            several.setdefault(places.get(name) or name, []).append(image)
        ids = [Path(place).stem for place in several]
        if len(set(ids)) < len(ids):
            ids = [str(images[0]["id"]) for images in several.values()]
        records = []
        for image_id, (place, images) in zip(ids, several.items(), strict=True):
            name = images[0]["file_name"]
            if images[1:]:
                faults.add("listed twice", name, len(images) - 1)
            if isinstance(place, Path):
                sizes = filter(None, map(size_of, images))
                numbers = [image["id"] for image in images]
                self._entries[image_id] = _Entry(numbers, next(sizes, None))
                records.append(ImageRecord(image_id, Path(list_name).name, place))
            elif _leads_out(name):
                faults.add("file name leads out of the data folder", name)
            else:
                faults.add("listed image missing", name)
        return records

    def labels(self, image_id: str) -> Labels | None:
        """The image's annotations. A file that has some, but none of this image, cannot say whether
        it was labeled: that is not certain then."""
        content, entry = self._content, self._entries[image_id]
        if not content.annotations or content.images.keys().isdisjoint(entry.numbers):
            return None
        objects = [one for number in entry.numbers for one in content.objects(number)]
        notes = [note for number in entry.numbers for note in content.notes(number)]
        return Labels(objects, entry.size, bool(objects), notes)

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
        """The file's categories by their numbers, whether or not an object has them; {} before a
        list was asked for."""
        if self._file == self.root:
            return {}
        return {name: number for number, name in self._content.categories.items()}

    def result_id(self, image_id: str) -> int:
        """The image's number, which result files name it by."""
        return self._entries[image_id].numbers[0]

    @property
    def _content(self) -> CocoFile:
        """The file as it is now: read once, and again when it was changed."""
        self._read = CocoFile.read(self._file, self._read)
        return self._read

    def _image_folders(self, name: str) -> list[Path]:
        return [self.root / name, self.root / "images" / name, self.root / "images"]

    def _places(self, list_name: str, faults: FaultCounts) -> dict[str, Path]:
        """The image files by the names that the list has for them, without those that are missing.

        One that is not where its name says, as other tools write it, is the only other file of the
        folder that is called so without suffix, folder, case and Label Studio's mark; counted.
        """
        folders = [*self._image_folders(list_name), self.root]
        names = list(dict.fromkeys(image["file_name"] for image in self._content.images.values()))
        found = {name: path for name in names if (path := _at(folders, name))}
        if len(found) < len(names):
            folder = next(filter(Path.is_dir, folders))
            others: dict[str, list[Path]] = {}
            for path in sorted(filter(is_image, folder.rglob("*"))):
                if path not in found.values():
                    others.setdefault(path.stem.casefold(), []).append(path)
            for name in names:
                near = [] if name in found else others.get(_bare(name), [])
                if near[1:]:
                    raise DataError(
                        f"two files might be meant by the image name {name!r}",
                        where=f"{near[0]} and {near[1]}",
                        remedy="write into file_name where it lies, from the data folder",
                    )
                if near:
                    found[name] = near[0]
                    faults.add("image found by its name, not where file_name says", name)
        return found


def _at(folders: Sequence[Path], name: str) -> Path | None:
    """The file of that name, also as Windows and Label Studio write it, in the first folder that
    has it."""
    spelled = (name, _slashes(name))
    paths = (folder / one for one in spelled if not _leads_out(one) for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def _slashes(name: str) -> str:
    """The name with slashes, and without what Label Studio puts before a local file."""
    return name.replace("\\", "/").rpartition("?d=")[2]


def _bare(name: str) -> str:
    """What a file is called, whatever its folder, suffix, case and the mark of an upload."""
    stem = PurePosixPath(_slashes(name)).stem.casefold()
    return re.sub("^[0-9a-f]{8}(-|__)", "", stem)


def _leads_out(file_name: str) -> bool:
    """Whether it is absolute or climbs with `..`; links inside the data folder are the user's."""
    return Path(file_name).is_absolute() or ".." in Path(file_name).parts
