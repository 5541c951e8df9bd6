"""Which image of a run a label tool means, whatever it made of the file's name."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from miaod_nb.data.records import FaultCounts, ImageRecord

# What tools put before or behind the name of a file that they store.
_DRESSED = (
    re.compile(r"^[0-9a-f]{8}(?:-|__)(?P<name>.+)$"),  # Label Studio: uploads, exported pictures
    re.compile(r"^(?P<name>.+)_(?:jpe?g|png|bmp|webp)\.rf\.[0-9A-Za-z]+\.\w+$"),  # Roboflow
)


class Images:
    """The images of a run's pool by all names that tools may have for them.

    A name fits an image whose id it is, with or without a suffix; whose id is the end of its path;
    or, where tools cut folders off, whose own name it is, if only one image is called so. Blanks
    that became underscores, and prefixes of tools, are seen through.
    """

    def __init__(self, records: Mapping[str, ImageRecord]) -> None:
        self._records = records
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for image_id in records:
            self._by_name[_plain(PurePosixPath(image_id).name)].append(image_id)

    def __getitem__(self, image_id: str) -> ImageRecord:
        return self._records[image_id]

    def find(self, name: str, faults: FaultCounts) -> ImageRecord | None:
        """The image that is called so; None, and counted, where there is none or several are."""
        fitting = next((found for one in _readings(name) if (found := self._fitting(one))), [])
        if len(fitting) == 1:
            return self._records[fitting[0]]
        faults.add("file name that several images have" if fitting else "image unknown to this run",
                   name)  # fmt: skip
        return None

    def _fitting(self, name: str) -> list[str]:
        parts = PurePosixPath(name).parts
        for start in range(len(parts)):  # the longest end of the path that is an id
            end = "/".join(parts[start:])
            for candidate in (end, _without_suffix(end)):
                if candidate in self._records:
                    return [candidate]
        own = parts[-1] if parts else ""
        return self._by_name.get(_plain(_without_suffix(own))) or self._by_name[_plain(own)]


def _readings(name: str) -> Iterable[str]:
    """What a name may mean: itself; the path in an address; the name that a tool dressed."""
    name = name.replace("\\", "/")
    yield name
    try:
        address = urlsplit(name)
    except ValueError:  # no address
        return
    for path in (*parse_qs(address.query).get("d", ()), unquote(address.path)):
        yield path
        folder, own = str(PurePosixPath(path).parent), PurePosixPath(path).name
        for pattern in _DRESSED:
            if match := pattern.match(own):
                yield f"{folder}/{match['name']}".removeprefix("./")


def _without_suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and "/" not in suffix and stem else name


def _plain(name: str) -> str:
    """The name without what uploading changes."""
    return re.sub(r"[\s+]", "_", name)
