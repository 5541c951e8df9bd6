"""What every file here says of its label tool."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from miaod_nb.data.records import FaultCounts
from miaod_nb.labeling.exchange import Returned
from miaod_nb.labeling.names import Images


@dataclass(frozen=True)
class Format:
    """What a label tool gives back.

    name: what commands call it; label: its own name. fits: whether a file or folder is of this
    format, by a glance. read: what it says of each image, faults counted; raises DataError for one
    that cannot be read at all. The images tell sizes where a file has only fractions of them.
    tells_empty: whether it tells an image that shows nothing from one that nobody looked at.
    """

    name: str
    label: str
    fits: Callable[[Path], bool]
    read: Callable[[Path, Images, FaultCounts], Sequence[Returned]]
    tells_empty: bool
