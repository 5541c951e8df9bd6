"""What prediction files call images, and which image they mean by it."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from miaod_nb.errors import DataError
from miaod_nb.progress import say

ImageId = str | int


class Called(NamedTuple):
    """What a file calls an image. file_name: what it says beside the id; "" where nothing."""

    image_id: ImageId
    file_name: str = ""


def image_ids(names: Sequence[str]) -> dict[str, str]:
    """What a prediction file of ours calls each of these image files: its name without the suffix,
    as data sets have it, or with it where another file would be called the same."""
    stems = {name: PurePosixPath(name).with_suffix("").as_posix() for name in names}
    counts = Counter([*stems.values(), *names])
    return {name: stem if counts[stem] == 1 else name for name, stem in stems.items()}


def images_meant(
    called: Iterable[Called], image_ids: Mapping[str, ImageId], files: Mapping[str, Path],
    where: object,
) -> dict[Called, str | None]:  # fmt: skip
    """The image that is meant each time; None: none of the list.

    image_ids: what a file of ours calls each image, by its id here; files: where it lies. Files of
    other programs are understood too: see `_ways`; it is said which way was taken. where: the file
    that calls them so. Raises DataError where two images might be meant.
    """
    every = list(dict.fromkeys(called))
    way = max(_ways(image_ids, files), key=lambda way: way.count(every))
    if not way.count(every):
        way = _from_elsewhere(every, files)
    by_file = _by(lambda name: files[name].name, files)
    tells_folders = any("/" in str(one.image_id) for one in every)
    by_stem = {} if tells_folders else _by(lambda name: files[name].stem, files)
    by_number = {} if tells_folders else _by(lambda name: _number(image_ids[name]), files)
    found: dict[Called, str | None] = {}
    for one in every:
        meant = _by_file_name(one.file_name, files, by_file)
        alike = by_stem.get(_composed(one.image_id)) or by_number.get(_plain(one.image_id), [])
        if not meant and alike[1:]:  # b may be below/b without its folder, 7 may be below/007
            meant = alike
        meant = meant or way.meant(one.image_id)
        if meant[1:]:
            raise DataError(
                f"two images of the list might be meant by {one.image_id!r}: "
                f"{meant[0]} and {meant[1]}",
                where=where,
                remedy="give the entries the ids of the list (in a folder: the paths in it), or "
                "each its file_name",
            )
        found[one] = meant[0] if meant else None
    _refuse_merged(found, where)
    if way.words and any(found.values()):
        say(f"  {getattr(where, 'name', where)} calls images by {way.words}")
    return found


def _refuse_merged(found: Mapping[Called, str | None], where: object) -> None:
    """Raises DataError where an image would be two: train/a.jpg and val/a.jpg by their names."""
    file_name_of: dict[str, str] = {}
    for one, name in found.items():
        if name and one.file_name and file_name_of.setdefault(name, one.file_name) != one.file_name:
            raise DataError(
                f"{file_name_of[name]!r} and {one.file_name!r} might both mean {name}", where=where,
                remedy="give the folder above, whose paths tell them apart, or leave the entries "
                "of other folders out",
            )  # fmt: skip


def _by_file_name(
    file_name: str, files: Mapping[str, Path], by_file: Mapping[ImageId, Sequence[str]]
) -> Sequence[str]:
    """The images that a file_name may mean: that of this whole name, else those called so in any
    folder."""
    if file_name in files:
        return [file_name]
    return by_file.get(_composed(_slashed(file_name).name), []) if file_name else []


class _Way(NamedTuple):
    """How a file may call images. names: those that a key may mean; key: that of an `image_id`.
    words: for the user; "" for files of ours."""

    words: str
    names: Mapping[ImageId, Sequence[str]]
    key: Callable[[ImageId], ImageId]

    def meant(self, image_id: ImageId) -> Sequence[str]:
        return self.names.get(_composed(self.key(image_id)), [])

    def count(self, every: Iterable[Called]) -> int:
        """How many of these mean an image."""
        return sum(bool(self.meant(one.image_id)) for one in every)


def _ways(image_ids: Mapping[str, ImageId], files: Mapping[str, Path]) -> list[_Way]:
    """By our id or number, by the number as text, by the file's name, by that without suffix,
    numbers without leading zeros, as ultralytics does, or by where the file lies."""
    ours = _by(lambda name: name, files) | _by(lambda name: image_ids[name], files)
    return [
        _Way("", ours, lambda image_id: image_id),
        _Way("numbers as text", _by(lambda name: _plain(image_ids[name]), files), _plain),
        _Way("the names of their files", _by(lambda name: files[name].name, files), str),
        _Way("the names of their files without suffix",
             _by(lambda name: _plain(files[name].stem), files), _plain),
        _Way("the paths of their files", _by(lambda name: os.path.abspath(files[name]), files),
             lambda image_id: os.path.abspath(str(image_id))),
    ]  # fmt: skip


def _from_elsewhere(every: Sequence[Called], files: Mapping[str, Path]) -> _Way:
    """By the path that a file has on another machine, or from another working folder: its longest
    end that is an id or a name here. Nothing where two end alike: they may be of two folders."""
    names = _by(lambda name: files[name].name, files) | _by(lambda name: name, files)

    def end(image_id: ImageId) -> ImageId:
        parts = _slashed(str(image_id)).parts
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((one for one in ends if _composed(one) in names), image_id)

    differ = len({end(one.image_id) for one in every}) == len(every)
    return _Way("the ends of their paths", names if differ else {}, end)


def _by(key: Callable[[str], ImageId], names: Iterable[str]) -> dict[ImageId, list[str]]:
    found: dict[ImageId, list[str]] = {}
    for name in names:
        found.setdefault(_composed(key(name)), []).append(name)
    return found


def _last(image_id: ImageId) -> ImageId:
    """The last part of a path, also of Windows; a number as it is."""
    return (
        PurePosixPath(image_id.replace("\\", "/")).name if isinstance(image_id, str) else image_id
    )


def _slashed(path: str) -> PurePosixPath:
    """A path, perhaps of Windows."""
    return PurePosixPath(path.replace("\\", "/"))


def _composed(name: ImageId) -> ImageId:
    """The same name with an umlaut as one character, which macOS writes as two."""
    return unicodedata.normalize("NFC", name) if isinstance(name, str) else name


def _number(image_id: ImageId) -> ImageId:
    """The number that the last part of an id of ours spells, else that part."""
    return _plain(str(image_id).rpartition("/")[2])


def _plain(name: ImageId) -> ImageId:
    """A number where the name spells one."""
    return int(name) if str(name).isdecimal() else name
