"""What people drew in the notebook itself, on the run's own canvas: one file a batch."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from miaod_nb.data.records import FaultCounts
from miaod_nb.errors import DataError, unreadable
from miaod_nb.labeling.exchange import Returned, ReturnedBox
from miaod_nb.labeling.ingest.format import Format, start_of
from miaod_nb.labeling.names import Images

_CHECKED = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DrawnBox(BaseModel):
    """A box on the canvas, in pixels of the upright image; score: of a suggested box that nobody
    touched, None for all others."""

    model_config = _CHECKED

    name: Annotated[str, Field(min_length=1)]
    box: tuple[float, float, float, float]
    score: float | None
    origin: Literal["accepted", "changed", "drawn"]


class Drawing(BaseModel):
    """What was made of an image.

    state: "done" also where nothing is there, "begun" where boxes were changed and nobody said yet
    that it is done, "waits" where all of it was taken back. note: why it is skipped. seconds: with
    the image open, without idle ones. time: of the last change, seconds since 1970.
    """

    model_config = _CHECKED

    state: Literal["waits", "begun", "done", "skip"]
    boxes: tuple[DrawnBox, ...]
    note: str
    seconds: float
    time: float


class Drawings(BaseModel):
    """The file: what was made of the images of a cycle's batch, by id. run: its fingerprint."""

    model_config = _CHECKED

    tool: Literal["miaod-notebook"]
    run: str
    cycle: int
    images: dict[str, Drawing]


def fits(path: Path) -> bool:
    """Whether it is such a file."""
    return path.suffix.lower() == ".json" and '"tool": "miaod-notebook"' in start_of(path)


def read(path: Path, images: Images, faults: FaultCounts) -> list[Returned]:
    """What was made of each image."""
    drawings = read_drawings(path)
    return [_returned(name, one, drawings.run, faults) for name, one in drawings.images.items()]


def read_drawings(path: Path) -> Drawings:
    """The file as it is checked. Raises DataError."""
    try:
        return Drawings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the whole file"
        raise DataError(
            f"this is not what the notebook writes: {field}: {first['msg'].lower()}", where=path,
            remedy="mend that place, or put the file elsewhere and draw again",
        ) from None  # fmt: skip


def _returned(name: str, one: Drawing, run: str, faults: FaultCounts) -> Returned:
    if one.state == "skip":
        return Returned(name, "skipped", time=one.time, run=run, note=one.note)
    if one.state != "done":
        if one.state == "begun":
            faults.add("begun and not done", name)
        return Returned(name, "untouched", run=run)
    boxes = [ReturnedBox(box.name, box.box, box.origin) for box in one.boxes]
    return Returned(name, "labeled", boxes, seconds=one.seconds, time=one.time, run=run)


FORMAT = Format("notebook", "the notebook (JSON)", fits, read)
