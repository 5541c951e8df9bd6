"""The VOC data of the authors' experiments: downloaded and checked by torchvision's own tools."""

import fcntl
import http.client
import ssl
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torchvision.datasets.utils import download_and_extract_archive
from torchvision.datasets.voc import DATASET_YEAR_DICT

from miaod_nb.errors import DataError, disk_fault
from miaod_nb.progress import say

ARCHIVES = {"2007": "trainval", "2007-test": "test", "2012": "trainval"}  # and the list in each
DEVKIT = "VOCdevkit"
LOCK = f".{DEVKIT}.lock"
BY_HAND = (
    "or get the archives from the official pages that data/README.md names, unpack them anywhere, "
    "and give that VOCdevkit as data_root"
)
NETWORK_FAULTS = (
    urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError
)  # fmt: skip


def download_voc(folder: Path) -> Path:
    """`folder/VOCdevkit`, with VOC2007 trainval and test and VOC2012 trainval in it.

    What is missing is downloaded (2.9 GB in all), checked and unpacked; an archive lies in
    `folder` until all of it is unpacked, so that what was cut off is done again by the next call.
    An archive put there by hand is used. A devkit with all three is left alone.
    Raises DataError without network, space or permission, and for a wrong checksum.
    """
    devkit = folder / DEVKIT
    if not _missing(folder):
        return devkit
    with _alone(folder):
        missing = _missing(folder)  # perhaps another process was faster
        for number, name in enumerate(missing, start=1):
            _add(DATASET_YEAR_DICT[name], folder, f"{number} of {len(missing)}")
    return devkit


def _missing(folder: Path) -> list[str]:
    """The archives that are not there, or not wholly unpacked."""
    return [name for name, list_name in ARCHIVES.items() if not _is_there(folder, name, list_name)]


def _is_there(folder: Path, name: str, list_name: str) -> bool:
    archive = DATASET_YEAR_DICT[name]
    year = folder / archive["base_dir"]
    list_path = year / f"ImageSets/Main/{list_name}.txt"
    if (folder / archive["filename"]).exists() or not list_path.is_file():
        return False
    listed = set(list_path.read_text("utf-8").split())
    images = {path.stem for path in (year / "JPEGImages").glob("*.jpg")}
    labels = {path.stem for path in (year / "Annotations").glob("*.xml")}
    return bool(listed) and listed <= images & labels


def _add(archive: dict[str, str], folder: Path, place: str) -> None:
    """Downloads the archive, unless it lies there whole, unpacks and removes it."""
    path, url = folder / archive["filename"], archive["url"]
    say(f"VOC archive {place}: {path.name}, downloaded from {url} and unpacked into {folder}")
    try:
        download_and_extract_archive(
            url, str(folder), filename=path.name, md5=archive["md5"], remove_finished=True
        )
    except NETWORK_FAULTS as fault:
        reason = getattr(fault, "reason", None) or repr(fault)
        raise DataError(
            f"{path.name} cannot be downloaded ({reason})",
            where=url,
            remedy=f"check the network and start again, {BY_HAND}",
        ) from fault
    except OSError as fault:
        what, remedy = disk_fault(fault)
        raise DataError(
            f"{what}: {path.name} cannot be downloaded and unpacked",
            where=folder,
            remedy=f"{remedy} (VOC takes 5 GB while it is unpacked) and start again, {BY_HAND}",
        ) from fault
    except RuntimeError as fault:  # this is what torchvision says of a checksum
        raise DataError(
            f"the download of {path.name} was cut off or is damaged: its checksum is wrong",
            where=path,
            remedy=f"start again to download it anew, {BY_HAND}",
        ) from fault


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps other processes waiting, which would write into the same files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / LOCK, "w")  # noqa: SIM115  (the lock ends when it is closed)
    except OSError as fault:
        what, remedy = disk_fault(fault)
        raise DataError(
            f"{what}: VOC cannot be put here", where=folder, remedy=f"{remedy}, {BY_HAND}"
        ) from fault
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process downloads VOC into {folder}: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
