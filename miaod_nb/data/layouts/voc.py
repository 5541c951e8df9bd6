"""VOC folders: which images a list names, and the objects of an XML file."""

import math
import os
import re
from collections.abc import Collection, Container, Iterable, Sequence
from pathlib import Path
from typing import Any

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from miaod_nb.data.records import AnnotationFault, FaultCounts, ImageRecord, Labels, RawObject
from miaod_nb.errors import DataError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
SOURCE_NAMES = {"VOC2007": "07", "VOC2012": "12"}  # as the authors' id lists name them
WHOLE = "trainval"  # the list that a folder without lists has: all of its images
SECOND_COLUMN = re.compile(r"\s+(-1|0|1)$")  # of a list of one class: whether the image shows it


class VocSource:
    """A data root that is a VOC year folder or holds several, sorted by name."""

    layout = "VOC"
    needs = (
        "JPEGImages (with Annotations and ImageSets/Main if there are any), or year folders "
        "(VOC2007, VOC2012) with ImageSets/Main"
    )

    def __init__(self, years: Sequence[Path], passed_over: Sequence[Path] = ()) -> None:
        self.years, self.passed_over = years, passed_over  # folders of images without any list
        self._year_of: dict[str, Path] = {}  # of the images of the list that was asked for last

    @classmethod
    def found_in(cls, data_root: Path) -> "VocSource | None":
        """The data set in this folder; None when it has another layout."""
        if (data_root / "ImageSets/Main").is_dir():
            return cls((data_root,))
        years = sorted(path.parent.parent for path in data_root.glob("*/ImageSets/Main"))
        is_coco = any((data_root / "annotations").glob("*.json"))
        if not years and not is_coco and (data_root / "JPEGImages").is_dir():
            return cls((data_root,))
        folders = sorted(path.parent for path in data_root.glob("*/JPEGImages"))
        return cls(years, [one for one in folders if not _list_files(one)]) if years else None

    def list_file(self, name: str) -> Path:
        """Where the list of that name is first, or would have to be: a file, or a folder all of
        whose images it has."""
        return next(iter(self._lists(name).values()), _list_path(self.years[0], name))

    def list_names(self) -> list[str]:
        """Names of the lists that are there, those of one class (VOC has sixty) last."""
        names = {path.stem for year in self.years for path in _list_files(year)}
        if not names and self._lists(WHOLE):
            names = {WHOLE}
        return sorted(names, key=lambda name: ("_" in name, name))

    def image_place(self, name: str) -> str:
        """Where the images of a list belong, in words."""
        return f"{self.years[0] / 'JPEGImages'}, as <id>.jpg"

    def images(self, list_name: str, faults: FaultCounts) -> list[ImageRecord]:
        """The images that the list names, in its order, one year after the other, not opened.

        Missing and repeated ones are counted. Raises DataError when one id stands for two
        different images.
        """
        found: dict[str, ImageRecord] = {}
        for folder in self.passed_over:
            faults.add("folder of images passed over, because it has no lists", folder.name)
        self._year_of = {}
        for year, path in self._lists(list_name).items():
            _add_listed(found, year, path, faults)
            self._year_of |= dict.fromkeys(found.keys() - self._year_of.keys(), year)
        return list(found.values())

    def labels(self, image_id: str) -> Labels | None:
        """The objects in the image's XML file; None: there is no such file."""
        return read_voc(self.labels_at(image_id))

    def labels_at(self, image_id: str) -> Path:
        """The image's XML file."""
        return self._year_of[image_id] / "Annotations" / f"{image_id}.xml"

    def labeled_ids(self) -> set[str]:
        """Those that have an XML file."""
        folders = {year / "Annotations" for year in self._year_of.values()}
        there = {path for folder in folders for path in folder.glob("*.xml")}
        return {i for i in self._year_of if self.labels_at(i) in there}

    def annotated(self) -> None:
        """Not told: the pool's annotations would have to be opened."""
        return None

    def classes(self) -> dict[str, int]:
        """None are declared."""
        return {}

    def result_id(self, image_id: str) -> str:
        """What result files name the image by."""
        return image_id

    def listed_ids(self, list_name: str) -> list[str]:
        """The ids in a list, one year after the other, whether or not their images are there."""
        lists = self._lists(list_name)
        return [i for year, path in lists.items() for i in _ids_in(path, _image_files(year))]

    def _lists(self, name: str) -> dict[Path, Path]:
        """The files of a list by year; a year without it is left out. The images of a single year
        without any list are one."""
        first = self.years[0]
        images = first / "JPEGImages"
        if name == WHOLE and len(self.years) == 1 and images.is_dir() and not _list_files(first):
            return {first: images}
        paths = {year: _list_path(year, name) for year in self.years}
        return {year: path for year, path in paths.items() if path.is_file()}


def listed_ids(data_root: Path, name: str) -> list[str]:
    """The ids in a list of a data root in VOC layout, one year after the other, whether or not
    their images can be used. Raises DataError when there is no such list."""
    source = VocSource.found_in(data_root)
    if source is None or not source.list_file(name).exists():
        raise DataError(
            f"there is no image list '{name}' in VOC layout",
            where=data_root,
            remedy="give the folder with VOC2007 and VOC2012, or set train_list to a list that is "
            "there",
        )
    return source.listed_ids(name)


def _list_path(year: Path, list_name: str) -> Path:
    return year / "ImageSets/Main" / f"{list_name}.txt"


def _list_files(year: Path) -> list[Path]:
    return list((year / "ImageSets/Main").glob("*.txt"))


def _image_files(year: Path) -> dict[str, list[Path]]:
    """The image files of a year by the ids that they have."""
    files: dict[str, list[Path]] = {}
    for path in sorted((year / "JPEGImages").glob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.exists():  # a link may lead nowhere
            files.setdefault(path.stem, []).append(path)
    return files


def _ids_in(path: Path, files: Collection[str]) -> list[str]:
    """The ids in a list file, one a line; of a folder, all. files: ids of the images that are
    there."""
    if path.is_dir():
        return list(files)
    lines = path.read_text("utf-8-sig", errors="replace").splitlines()
    return [_id_of(line.strip(), files) for line in lines if line.strip()]


def _id_of(line: str, files: Container[str]) -> str:
    """The id in a line. It may hold blanks: what a list of one class says in its second column,
    and a suffix that some tools write, are cut off only where no image is called so."""
    name = SECOND_COLUMN.sub("", line)
    if line in files:
        return line
    stem, suffix = os.path.splitext(name)
    has_suffix = name not in files and suffix.lower() in IMAGE_SUFFIXES and stem in files
    return stem if has_suffix else name


def _add_listed(
    listed: dict[str, ImageRecord], year: Path, list_path: Path, faults: FaultCounts
) -> None:
    """Appends what this year's list names to `listed`, counting missing and repeated images."""
    files = _image_files(year)
    if list_path.is_dir():
        _count_others(year, files, faults)
    source = SOURCE_NAMES.get(year.name, year.name)
    for image_id in _ids_in(list_path, files):
        paths = files.get(image_id, [])
        known = [listed[image_id].image_path] if image_id in listed else []
        different = [path for path in paths if not path.samefile((known + paths)[0])]
        if different:
            raise DataError(
                f"two different images have the id '{image_id}'",
                where=f"{(known + paths)[0]} and {different[0]}",
                remedy="rename or remove one of them",
            )
        if known:
            faults.add("listed twice", image_id)
        elif not paths:
            faults.add("listed image missing", image_id)
        else:
            listed[image_id] = ImageRecord(image_id, source, paths[0])


def _count_others(year: Path, files: Container[str], faults: FaultCounts) -> None:
    """Counts what lies in a folder without lists and is no part of it."""
    for path in sorted((year / "JPEGImages").iterdir()):
        if path.is_dir():
            faults.add("folder among the images, not looked into", path.name)
        elif path.suffix.lower() not in IMAGE_SUFFIXES:
            faults.add(f"file that is not {', '.join(IMAGE_SUFFIXES)}", path.name)
    for path in sorted((year / "Annotations").glob("*.xml")):
        if path.stem not in files:
            faults.add("annotation of an image that is not there", path.name)


# ------------------------------------------------------------------------------------- annotations


def read_voc(path: Path) -> Labels | None:
    """The objects of a VOC XML file, unchecked but for being complete and numeric; None: there is
    no such file.

    Raises AnnotationFault for a file that is empty, not well-formed or holds entity definitions,
    and for an object without a name or a numeric box.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AnnotationFault(f"annotation unreadable: {error.strerror}") from None
    if not content.strip():
        raise AnnotationFault("annotation malformed: empty file")
    try:
        root = ElementTree.fromstring(content)
    except DefusedXmlException:
        raise AnnotationFault("annotation malformed: entity definitions are refused") from None
    except (ElementTree.ParseError, ValueError, LookupError):  # the last two: bad encodings
        raise AnnotationFault("annotation malformed: not well-formed XML") from None
    return Labels([_read_object(element) for element in root.findall("object")], _size_in(root))


def _size_in(root: Any) -> tuple[int, int] | None:
    """Width and height that the annotation gives its picture, if they can be read."""
    try:
        return int(root.findtext("size/width")), int(root.findtext("size/height"))
    except (TypeError, ValueError):
        return None


def voc_box(corners: Iterable[float]) -> tuple[float, float, float, float]:
    """A 0-based box. VOC counts pixels from 1: coordinates are truncated to whole numbers and
    lowered by 1, all four of them, as the authors do."""
    x1, y1, x2, y2 = (float(int(value) - 1) for value in corners)
    return x1, y1, x2, y2


def _read_object(element: Any) -> RawObject:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise AnnotationFault("annotation malformed: object without a name")
    box = element.find("bndbox")
    if box is None:
        raise AnnotationFault("annotation malformed: object without a box")
    try:
        corners = [float(box.findtext(tag)) for tag in ("xmin", "ymin", "xmax", "ymax")]
    except (TypeError, ValueError):
        raise AnnotationFault("annotation malformed: coordinate missing or not a number") from None
    if not all(math.isfinite(value) for value in corners):
        raise AnnotationFault("annotation malformed: coordinate missing or not a number")
    difficult = (element.findtext("difficult") or "").strip() == "1"
    return RawObject(name, voc_box(corners), difficult)
