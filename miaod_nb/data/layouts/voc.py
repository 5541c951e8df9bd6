"""VOC folders: which images a list names, and the objects of an XML file."""

import codecs
import itertools
import math
import re
import unicodedata
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from miaod_nb.data.images import IMAGE_SUFFIXES, is_image
from miaod_nb.data.records import AnnotationFault, FaultCounts, ImageRecord, Labels, RawObject
from miaod_nb.data.upright import Box
from miaod_nb.errors import DataError, unreadable

SOURCE_NAMES = {"VOC2007": "07", "VOC2012": "12"}  # as the authors' id lists name them
WHOLE = "trainval"  # the list that a folder without lists has: all of its images
SECOND_COLUMN = re.compile(r"\s+(-1|0|1)$")  # of a list of one class: whether the image shows it
XML_SUFFIXES = ["." + "".join(letters) for letters in itertools.product("xX", "mM", "lL")]


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
        """The image's XML file, whatever the case of its suffix."""
        folder = self._year_of[image_id] / "Annotations"
        spelled = [folder / f"{image_id}{suffix}" for suffix in XML_SUFFIXES]
        return next((path for path in spelled if path.exists()), spelled[0])

    def labeled_ids(self) -> set[str]:
        """Those that have an XML file."""
        folders = {year / "Annotations" for year in self._year_of.values()}
        there = {path.with_suffix("") for folder in folders for path in _annotations(folder)}
        return {i for i, year in self._year_of.items() if year / "Annotations" / i in there}

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
    """The list's file in the year; one that is named by its whole path lies there, or is a folder
    with a file a year."""
    place = year / "ImageSets/Main" / list_name
    return place / f"{year.name}.txt" if place.is_dir() else place.with_name(f"{place.name}.txt")


def _list_files(year: Path) -> list[Path]:
    return list((year / "ImageSets/Main").glob("*.txt"))


def _image_files(year: Path) -> dict[str, list[Path]]:
    """The image files of a year, those in folders below too, by the ids that they have. One of a
    format that is not read counts where no other has its id."""
    files: dict[str, list[Path]] = {}
    folder = year / "JPEGImages"
    for path in sorted(folder.rglob("*"), key=lambda path: (not _is_read(path), path)):
        if is_image(path) and path.is_file():  # a link may lead nowhere
            found = files.setdefault(path.relative_to(folder).with_suffix("").as_posix(), [])
            if _is_read(path) or not found:
                found.append(path)
    return dict(sorted(files.items(), key=lambda item: item[1]))


def _is_read(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _annotations(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() == ".xml")


def _ids_in(path: Path, files: Collection[str]) -> list[str]:
    """The ids in a list file, one a line; of a folder, all. files: ids of the images that are
    there. Raises DataError for a list that cannot be read, or is no text."""
    if path.is_dir():
        return list(files)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        lines = content.decode(_encoding_of(content)).splitlines()
    except UnicodeDecodeError:
        raise DataError("the list is no UTF-8 text", where=path,
                        remedy="save it as UTF-8") from None  # fmt: skip
    alike = {_folded(name): name for name in files}
    return [_id_of(line.strip(), files, alike) for line in lines if line.strip()]


def _encoding_of(content: bytes) -> str:
    """UTF-8, or the UTF-16 that Windows writes, with or without its mark."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zero = content[:2].find(b"\0")
    return {0: "utf-16-be", 1: "utf-16-le"}.get(zero, "utf-8-sig")


def _folded(name: str) -> str:
    """The name in one case and one Unicode form."""
    return unicodedata.normalize("NFC", name).casefold()


def _id_of(line: str, files: Container[str], alike: Mapping[str, str]) -> str:
    """The id that a line means: the first of its readings that an image is called; else the line
    without a second column.

    It may hold blanks. What a list of one class says in its second column, folders up to that of
    the images, and a suffix are cut off; the case of letters and their Unicode form do not matter
    where no image is spelled so. alike: ids by their folded form.
    """
    name = SECOND_COLUMN.sub("", line)
    inside = name.replace("\\", "/").rpartition("JPEGImages/")[2]
    stem = str(Path(inside).with_suffix("")) if is_image(Path(inside)) else inside
    readings = (line, name, inside, stem)
    exact = next((reading for reading in readings if reading in files), None)
    folded = (alike[_folded(reading)] for reading in readings if _folded(reading) in alike)
    return exact or next(folded, name)


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
    for path in sorted((year / "JPEGImages").rglob("*")):
        if not path.is_dir() and not is_image(path):
            faults.add("file that is no image", path.name)
    folder = year / "Annotations"
    for path in sorted(_annotations(folder)):
        if path.relative_to(folder).with_suffix("").as_posix() not in files:
            faults.add("annotation of an image that is not there", path.name)


# ------------------------------------------------------------------------------------- annotations

DECLARED = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([\w.-]+)""")
# What is meant by those that name the first: larger sets of the same letters, and what Windows
# writes under a wrong name.
MEANT = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "utf-16": "utf-8"}


def read_voc(path: Path) -> Labels | None:
    """The objects of a VOC XML file, unchecked but for being complete and numeric; None: there is
    no such file.

    Raises AnnotationFault for a file that is empty, not well-formed, no VOC annotation or holds
    entity definitions, and for an object without a name or a numeric box.
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
        root = ElementTree.fromstring(_text_of(content))
    except DefusedXmlException:
        raise AnnotationFault("annotation malformed: entity definitions are refused") from None
    except (ElementTree.ParseError, ValueError):  # the latter: bytes that are no letters
        raise AnnotationFault("annotation malformed: not well-formed XML") from None
    if root.tag != "annotation":
        raise AnnotationFault("annotation malformed: its root is not <annotation>")
    sign = _sign_of_0(root)
    notes = [f"annotation taken to count pixels from 0: {sign}"] if sign else []
    objects = [_read_object(element, bool(sign)) for element in root.findall("object")]
    if any(len(boxes) > 1 for boxes in objects):
        notes.append("annotation with several boxes in one object, each taken for an object")
    found = list(itertools.chain(*objects))
    return Labels(found, _size_in(root), notes=tuple(notes), from_1=not sign)


def _text_of(content: bytes) -> str | bytes:
    """The XML decoded as it declares; as it is where the parser finds that out by itself."""
    declared = DECLARED.match(content)
    if declared is None:
        return content
    encoding = declared[1].decode().lower()
    try:
        return content.decode(MEANT.get(encoding, encoding))
    except LookupError:
        raise AnnotationFault(
            f"annotation malformed: the encoding {encoding} is not read, save it as UTF-8"
        ) from None


def _size_in(root: Any) -> tuple[int, int] | None:
    """Width and height that the annotation gives its picture, if they can be read."""
    try:
        width, height = int(root.findtext("size/width")), int(root.findtext("size/height"))
    except (TypeError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _sign_of_0(root: Any) -> str:
    """What tells that an annotation counts pixels from 0, as most label tools do; "": nothing, so
    it counts from 1, as VOC's own files do."""
    folder, database = root.findtext("folder") or "", root.findtext("source/database") or ""
    if folder in SOURCE_NAMES or database.startswith("The VOC"):  # some of these have fractions
        return ""
    corners = root.findall("object/bndbox/*")
    signs = {
        "a coordinate has a decimal point": any("." in (one.text or "") for one in corners),
        "a coordinate is 0": any((one.text or "").strip() == "0" for one in corners),
        "it is Label Studio's": database == "MyDatabase",
        "it is CVAT's": root.find("object/attributes") is not None,
        "it is labelImg's": database == "Unknown" and root.find("path") is not None,
        "it is panlabel's": folder == "JPEGImages" and root.find("source") is None,
        "it is pylabel's": [one.tag for one in corners[:4]] == ["xmin", "xmax", "ymin", "ymax"],
    }
    return next((sign for sign, is_there in signs.items() if is_there), "")


def voc_box(corners: Iterable[float]) -> Box:
    """The 0-based box of corners that count pixels from 1: truncated to whole numbers and lowered
    by 1, all four of them, as the authors do."""
    x1, y1, x2, y2 = (float(int(value) - 1) for value in corners)
    return x1, y1, x2, y2


def _read_object(element: Any, from_0: bool) -> list[RawObject]:
    """The object, as often as it has boxes."""
    name = (element.findtext("name") or "").strip()
    if not name:
        raise AnnotationFault("annotation malformed: object without a name")
    difficult = (element.findtext("difficult") or "").strip() == "1"
    boxes = [_corners(box) for box in element.findall("bndbox")]
    if not boxes:
        raise AnnotationFault("annotation malformed: object without a box")
    return [RawObject(name, box if from_0 else voc_box(box), difficult) for box in boxes]


def _corners(box: Any) -> Box:
    try:
        x1, y1, x2, y2 = (float(box.findtext(tag)) for tag in ("xmin", "ymin", "xmax", "ymax"))
    except (TypeError, ValueError):
        raise AnnotationFault("annotation malformed: coordinate missing or not a number") from None
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        raise AnnotationFault("annotation malformed: coordinate missing or not a number")
    return x1, y1, x2, y2
