"""Zip archives, as label tools write them: their text files in a temporary folder."""

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from miaod_nb.errors import DataError, disk_fault

TEXTS = (".json", ".xml", ".txt", ".yaml", ".yml", ".names", ".data")
MOST = 4 << 30  # bytes of texts in an archive: more is no export of labels


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The file or folder itself; of an archive, a folder that is there for a while: its texts, and
    an empty file for each picture. Raises DataError for one that cannot be unpacked, or that would
    write elsewhere."""
    if path.suffix.lower() != ".zip" or not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="miaod-") as place:
        folder = Path(place) / path.name
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(archive, folder, path)
        except OSError as error:
            fault, remedy = disk_fault(error)
            raise DataError(
                f"the archive cannot be unpacked ({fault})", where=path, remedy=remedy
            ) from None
        except (
            zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError,
        ) as error:  # fmt: skip
            raise DataError(
                f"the archive is damaged or locked: {error}", where=path,
                remedy="export it again, or unpack it and name the folder",
            ) from None  # fmt: skip
        yield folder


def _unpack(archive: zipfile.ZipFile, folder: Path, path: Path) -> None:
    folder.mkdir()
    members = [one for one in archive.infolist() if not one.is_dir()]
    if sum(one.file_size for one in members if _is_text(one)) > MOST:
        raise DataError("the archive holds more than 4 GB of text", where=path,
                        remedy="unpack it, look into it, and name the folder")  # fmt: skip
    for one in members:
        target = folder / one.filename
        if ".." in PurePosixPath(one.filename.replace("\\", "/")).parts or not (
            target.resolve().is_relative_to(folder.resolve())
        ):
            raise DataError(
                f"the archive holds '{one.filename}', which leads out of the folder", where=path,
                remedy="do not trust it; export the labels again",
            )  # fmt: skip
        target.parent.mkdir(parents=True, exist_ok=True)
        if _is_text(one):
            with archive.open(one) as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy)
        else:
            target.touch()


def _is_text(member: zipfile.ZipInfo) -> bool:
    return PurePosixPath(member.filename).suffix.lower() in TEXTS
