"""Images of a size or shape that is far from that of the others, or from the detector's."""

from collections.abc import Sequence

import numpy as np

from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize
from miaod_nb.doctor.examined import Examined
from miaod_nb.doctor.finding import Example, Finding, Severity, size_text

FAR = 4  # times larger or smaller than the median; cameras of one series differ by less
LONG = 4  # times that one side is longer than the other


def size_findings(examined: Examined) -> list[Finding]:
    """Images whose size or shape stands out, with how much."""
    images = examined.images
    records = [*images.pool, *images.test]
    sizes = np.array([[one.width, one.height] for one in records], np.float64)
    side = np.sqrt(sizes.prod(axis=1))
    median = float(np.median(side))
    fitted = InputSize.of(images.config)
    shrunk = sizes.max(axis=1) / [max(fitted.fitted(one.width, one.height)) for one in records]
    others = f"than the others (median {median:.0f} px, the root of the area)"
    findings = [
        _finding(records, side >= FAR * median, f"image {FAR} times larger {others} or more",
                 "cut it into tiles, if its objects are as large as in the others"),
        _finding(records, side * FAR <= median, f"image {FAR} times smaller {others} or more",
                 "look whether it is a thumbnail; its objects are enlarged"),
        _finding(records, sizes.max(axis=1) >= LONG * sizes.min(axis=1),
                 f"image {LONG} times longer than wide or more",
                 "cut it into pieces: fitted to image_size it has few pixels on the short side"),
        _finding(records, shrunk >= FAR, f"image that image_size={size_text(images.config)} "
                 f"makes {FAR} times smaller or more",
                 "raise image_size, or cut tiles, if objects are small in it"),
    ]  # fmt: skip
    return [one for one in findings if one.count]


def _finding(records: Sequence[ImageRecord], places: np.ndarray, what: str, remedy: str) -> Finding:
    examples = [
        Example(records[i].id, records[i], f"{records[i].width} x {records[i].height} px")
        for i in np.flatnonzero(places).tolist()
    ]
    return Finding(Severity.NOTE, what, len(examples), remedy, examples)
