"""Image files that belong to no data set, as image records."""

from collections.abc import Iterable
from pathlib import Path

from miaod_nb.data.layouts.voc import IMAGE_SUFFIXES
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.sources import check_image
from miaod_nb.errors import DataError
from miaod_nb.progress import progress

SOURCE = "files"


def image_files(path: Path, but_not_in: Path | None = None) -> dict[str, Path]:
    """The images that a path means, by the names they are called: one file, or those of a folder
    and the folders below, sorted. but_not_in: a folder that is passed over.

    Raises DataError where there is none.
    """
    if path.is_file():
        return {path.name: path}
    if not path.is_dir():
        raise DataError("there is no such image or folder", where=path,
                        remedy="correct the path")  # fmt: skip
    passed_over = but_not_in.resolve() if but_not_in else None
    found = {
        file.relative_to(path).as_posix(): file
        for file in sorted(path.rglob("*"))
        if file.suffix.lower() in IMAGE_SUFFIXES
        and file.is_file()
        and not (passed_over and file.resolve().is_relative_to(passed_over))
    }
    if not found:
        raise DataError(
            "there is no image in this folder",
            where=path,
            remedy=f"put files there that end in {', '.join(IMAGE_SUFFIXES)}",
        )
    return found


def records_of_files(files: Iterable[tuple[str, Path]]) -> tuple[list[ImageRecord], dict[str, str]]:
    """The usable images, and why each other one is left out, by name.

    Every image is decoded once, so that a damaged one is met here. `id` is the name.
    """
    records, left_out = [], {}
    for name, path in progress(list(files), "checking images"):
        found = check_image(path)
        if isinstance(found, str):
            left_out[name] = found
        else:
            records.append(ImageRecord(name, SOURCE, path, *found))
    return records, left_out
