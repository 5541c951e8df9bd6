"""A text file an image, as YOLO has them: an empty one says that nothing is there, unless the tool
that wrote it writes one for every image."""

from collections.abc import Sequence
from pathlib import Path

from miaod_nb.data.layouts.label_files import NAME_FILES, class_names, is_yolo, read_yolo
from miaod_nb.data.records import AnnotationFault, FaultCounts
from miaod_nb.labeling.exchange import Returned, ReturnedBox
from miaod_nb.labeling.ingest.format import LESS, Format, files_in, name_of, pictures_without
from miaod_nb.labeling.names import Images

SUGGESTED = "predictions"  # the folder of an export that holds no labels


def fits(path: Path) -> bool:
    """Whether text files here are YOLO's, and one names its classes."""
    folder = path if path.is_dir() else path.parent
    named = any(
        (place / name).is_file() for place in (folder, folder.parent) for name in NAME_FILES
    )
    return named and bool(_files(path))


def _files(path: Path) -> list[Path]:
    return [one for one in files_in(path, ".txt")
            if is_yolo(one) and SUGGESTED not in one.relative_to(path).parts]  # fmt: skip


def read(path: Path, images: Images, faults: FaultCounts) -> list[Returned]:
    """What each file says of its image; of pictures without a file, nothing."""
    folder = path if path.is_dir() else path.parent
    names = class_names(folder)
    if is_vague := (folder / "notes.json").is_file():
        faults.add(LESS, path.name)
    is_vague |= (folder / "obj.data").is_file()  # CVAT's
    files = _files(path)
    returned = [_in_file(file, names, is_vague, images, faults) for file in files]
    return [*filter(None, returned), *pictures_without(path, files, images)]


def _in_file(
    path: Path, names: Sequence[str], is_vague: bool, images: Images, faults: FaultCounts
) -> Returned | None:
    """What a file says; None where it cannot be used."""
    name = name_of(path)
    image = images.find(name, FaultCounts())  # its faults are the importer's to count
    if image is None:
        return Returned(name, "untouched")
    try:
        labels = read_yolo(path, names, image.image_path)
    except AnnotationFault as fault:
        faults.add(str(fault), image.id)
        return None
    except OSError:
        faults.add("image that cannot be opened", image.id)
        return None
    if outlines := sum(len(row.split()) > 5 for row in path.read_text("utf-8-sig").splitlines()):
        faults.add("polygon: the upright box around it is taken", image.id, outlines)
    boxes = [ReturnedBox(one.name, one.box) for one in labels.objects] if labels else []
    return Returned(name, "listed" if is_vague and not boxes else "labeled", boxes)


FORMAT = Format("yolo", "YOLO", fits, read)
