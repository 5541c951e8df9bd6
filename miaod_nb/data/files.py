"""Image files that belong to no data set, as image records."""

from collections.abc import Iterable
from pathlib import Path

from miaod_nb.data.images import check_image, gray_range, is_image
from miaod_nb.data.records import UNFIT, UNFIT_NAME, ImageRecord, Range, shown_name
from miaod_nb.errors import DataError, nearest_path
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
                        remedy=f"{nearest_path(path)}correct the path")  # fmt: skip
    passed_over = but_not_in.resolve() if but_not_in else None
    found = {
        file.relative_to(path).as_posix(): file
        for file in sorted(path.rglob("*"))
        if is_image(file)
        and file.is_file()
        and not (passed_over and file.resolve().is_relative_to(passed_over))
    }
    if not found:
        raise DataError(
            "there is no image in this folder",
            where=path,
            remedy="put image files there, for example .jpg, .png or .tif",
        )
    return found


def records_of_files(
    files: Iterable[tuple[str, Path]], gray: Range | None = None
) -> tuple[list[ImageRecord], dict[str, str]]:
    """The usable images, and why each other one is left out, by name.

    Every image is decoded once, so that a damaged one is met here. `id` is the name. gray: the
    range of deep gray images where it is not that of these.
    """
    paths = dict(files)
    found = {
        name: UNFIT_NAME if UNFIT.search(name) else check_image(paths[name])
        for name in progress(list(paths), "checking images")
    }
    left_out = {shown_name(name): one for name, one in found.items() if isinstance(one, str)}
    usable = {name: one for name, one in found.items() if not isinstance(one, str)}
    gray = gray or gray_range(usable.values())
    records = [
        ImageRecord(
            name, SOURCE, paths[name], one.width, one.height, one.orientation, one.digest, gray
        )
        for name, one in usable.items()
    ]
    return records, left_out
