"""What people and tools answered about a run's images: JSON lines in a file that only grows."""

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from miaod_nb.data.records import Labels, RawObject
from miaod_nb.errors import DataError, RunFolderError
from miaod_nb.runs.files import RunFolder

ANSWERS = "labels/answers.jsonl"
_CHECKED = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class AnsweredObject(BaseModel):
    """An object that somebody marked: class name, box (xyxy, pixels of the upright image, in the
    frame of the run's other labels), and the marks as in RawObject."""

    model_config = _CHECKED

    name: Annotated[str, Field(min_length=1)]
    box: tuple[float, float, float, float]
    difficult: bool = False
    crowd: bool = False


class Answer(BaseModel):
    """One line of the file: all objects of an image, none if nothing is there.

    by: who answered. source: from where it came, a tool or a file. time: seconds since 1970.
    seconds: that the work took, where it is known. imported: the import that brought it; "" for a
    line of another origin.
    """

    model_config = _CHECKED

    id: Annotated[str, Field(min_length=1)]
    objects: tuple[AnsweredObject, ...]
    by: str
    source: str
    time: float
    seconds: float | None = None
    imported: str = ""


class Undo(BaseModel):
    """A line that takes the answers of an import before it back."""

    model_config = _CHECKED

    undo: Annotated[str, Field(min_length=1)]
    time: float


class LabelStore:
    """The answers in a run folder; of several about one image the last one holds that no later
    line takes back.

    A line that a crash left torn is passed over. What is asked of it raises RunFolderError naming
    the line and the field for a line of another kind.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._stamp: tuple[int, int] | None = None  # of the file when its answers were read
        self._answers: dict[str, Answer] = {}

    def labels(self, image_id: str) -> Labels | None:
        """What was answered last; None: nothing yet."""
        answer = self.answers().get(image_id)
        if answer is None:
            return None
        return Labels([RawObject(o.name, o.box, o.difficult, o.crowd) for o in answer.objects])

    def labels_at(self, image_id: str) -> Path:
        """The file of the answers."""
        return self._folder.path(ANSWERS)

    def answer(self, answers: Iterable[Answer], pool: Container[str]) -> None:
        """Takes answers over, each whole or, after a crash, not at all. pool: ids of the images
        that the run may ask for. Raises DataError for another one; nothing is written then."""
        lines = []
        for answer in answers:
            if answer.id not in pool:
                raise DataError(
                    f"this run has no image '{answer.id}' to label",
                    where=answer.source,
                    remedy="answer for images of the run's pool, by the ids that its selection "
                    "names; the labels of a test list stand with its data",
                )
            lines.append(answer.model_dump_json())
        if lines:
            self._folder.append_line(ANSWERS, "\n".join(lines))

    def all_answers(self) -> list[Answer]:
        """Every answer in order, also those that do not hold any more."""
        if not self._folder.exists(ANSWERS):
            return []
        return [line for line in self._read() if isinstance(line, Answer)]

    def undo(self, undo: Undo) -> None:
        """Takes the answers of an import back: what was answered before holds again."""
        self._folder.append_line(ANSWERS, undo.model_dump_json())

    def answers(self) -> Mapping[str, Answer]:
        """The answers that hold, by the ids of their images, the oldest first."""
        path = self._folder.path(ANSWERS)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return {}
        stamp = status.st_mtime_ns, status.st_size
        if stamp != self._stamp:
            self._answers = _that_hold(self._read())
            self._stamp = stamp
        return self._answers

    def _read(self) -> Iterator[Answer | Undo]:
        lines = self._folder.load_text(ANSWERS).split("\n")
        for number, line in enumerate(lines, start=1):
            try:
                parsed = json.loads(line)
            except (ValueError, RecursionError):  # torn, empty, or no answer by far
                continue
            is_undo = isinstance(parsed, dict) and "undo" in parsed
            try:
                yield (Undo if is_undo else Answer).model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(map(str, first["loc"])) or "the whole line"
                raise RunFolderError(
                    f"this is not an answer: {field}: {first['msg'].lower()}",
                    where=f"{self._folder.path(ANSWERS)}, line {number}",
                    remedy="mend or remove that line",
                ) from None


def _that_hold(lines: Iterable[Answer | Undo]) -> dict[str, Answer]:
    """The last answer about each image, without those that a later line takes back."""
    answers: list[Answer] = []
    for line in lines:
        if isinstance(line, Answer):
            answers.append(line)
        else:
            answers = [one for one in answers if one.imported != line.undo]
    held: dict[str, Answer] = {}
    for answer in answers:
        held.pop(answer.id, None)  # so that the newest stands last
        held[answer.id] = answer
    return held
