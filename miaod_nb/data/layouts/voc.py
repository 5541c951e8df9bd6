"""VOC folders: which images a list names, and the objects of an XML file."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from miaod_nb.data.records import AnnotationFault, FaultCounts, Listed, RawObject
from miaod_nb.errors import ConfigError, DataError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
SOURCE_NAMES = {"VOC2007": "07", "VOC2012": "12"}  # as the authors' id lists name them


@dataclass(frozen=True)
class VocLayout:
    """A data root that is a VOC year folder or holds several, sorted by name."""

    years: tuple[Path, ...]

    @classmethod
    def found_in(cls, data_root: Path) -> "VocLayout | None":
        """The layout of this folder; None when it is another one."""
        if (data_root / "ImageSets/Main").is_dir():
            return cls((data_root,))
        years = sorted(path.parent.parent for path in data_root.glob("*/ImageSets/Main"))
        return cls(tuple(years)) if years else None

    def has_list(self, name: str) -> bool:
        return any(_list_path(year, name).is_file() for year in self.years)

    def list_file(self, name: str) -> Path:
        """Where the list of that name is looked for first."""
        return _list_path(self.years[0], name)

    def list_names(self) -> list[str]:
        """Names of the lists that are there, those of one class (VOC has sixty) last."""
        lists = [path for year in self.years for path in (year / "ImageSets/Main").glob("*.txt")]
        names = {path.stem for path in lists}
        return sorted(names, key=lambda name: ("_" in name, name))

    def image_place(self, name: str) -> str:
        """Where the images of a list belong, in words."""
        return f"{self.years[0] / 'JPEGImages'}, as <id>.jpg"

    def listed(self, name: str, faults: FaultCounts) -> list[Listed]:
        """The images that the list names, in its order, one year after the other.

        Missing and repeated ones are counted. Raises DataError when one id stands for two
        different images.
        """
        found: dict[str, Listed] = {}
        for year in self.years:
            if _list_path(year, name).is_file():
                _add_listed(found, year, name, faults)
        return list(found.values())

    def with_objects(self, listed: list[Listed], faults: FaultCounts) -> list[Listed]:
        raise ConfigError(
            "images without objects cannot be left out of a data set in VOC layout: their "
            "annotations would have to be opened, which the pool's must not be",
            where="empty_images = drop",
            remedy="set empty_images=keep, or leave these images out of the list",
        )


def listed_ids(data_root: Path, name: str) -> list[str]:
    """The ids in a list of a data root in VOC layout, one year after the other, whether or not
    their images can be used. Raises DataError when there is no such list."""
    layout = VocLayout.found_in(data_root)
    if layout is None or not layout.has_list(name):
        raise DataError(
            f"there is no image list '{name}' in VOC layout",
            where=data_root,
            remedy="give the folder with VOC2007 and VOC2012, or set train_list to a list that is "
            "there",
        )
    paths = [_list_path(year, name) for year in layout.years]
    return [image_id for path in paths if path.is_file() for image_id in _ids_in(path)]


def _ids_in(path: Path) -> list[str]:
    lines = path.read_text("utf-8-sig", errors="replace").splitlines()
    return [line.split()[0] for line in lines if line.strip()]  # a class list has a second column


def _list_path(year: Path, list_name: str) -> Path:
    return year / "ImageSets/Main" / f"{list_name}.txt"


def _add_listed(listed: dict[str, Listed], year: Path, list_name: str, faults: FaultCounts) -> None:
    """Appends what this year's list names to `listed`, counting missing and repeated images."""
    files: dict[str, list[Path]] = {}
    for path in sorted((year / "JPEGImages").glob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.exists():  # a link may lead nowhere
            files.setdefault(path.stem, []).append(path)
    source = SOURCE_NAMES.get(year.name, year.name)
    for image_id in _ids_in(_list_path(year, list_name)):
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
            annotation = year / "Annotations" / f"{image_id}.xml"
            listed[image_id] = Listed(image_id, source, paths[0], annotation)


# ------------------------------------------------------------------------------------- annotations


def read_voc(path: Path) -> list[RawObject]:
    """The objects of a VOC XML file, unchecked but for being complete and numeric.

    Raises AnnotationFault for a file that is missing, empty, not well-formed or holds entity
    definitions, and for an object without a name or a numeric box.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise AnnotationFault("annotation missing") from None
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
    return [_read_object(element) for element in root.findall("object")]


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
