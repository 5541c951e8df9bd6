"""The documents of a run folder: what each holds, and the one place where they are parsed.

A document is a dict as JSON has it, checked when it is read: whoever gets one can rely on its
fields. Fields that an earlier version did not write are NotRequired; a document of a newer version
is refused, because nobody knows what its fields mean.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from miaod_nb.errors import RunFolderError
from miaod_nb.runs.files import RunFolder

VERSION = 2  # of the documents that this code writes
_strict = with_config(ConfigDict(strict=True, extra="allow", allow_inf_nan=False))
_exact = with_config(ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))


@_strict
class ListDigest(TypedDict):
    """How many images a list had when the run began, and the SHA-256 (hex) of their ids and sizes
    in order: lines of "id WxH"."""

    images: int
    sha256: str


@_strict
class Data(TypedDict):
    """What decides results of the data: the classes, and of each list the digest of its images,
    which stand in pool.parquet; earlier versions wrote their "id WxH" here. gray: which values of
    deep gray images are black and white."""

    classes: list[str]
    pool: NotRequired[list[str] | ListDigest]
    test: NotRequired[list[str] | ListDigest]
    imported: NotRequired[list[str]]
    gray: NotRequired[list[float]]


@_strict
class Identity(TypedDict):
    """What decides the results: settings by name, and the data."""

    data: Data


@_strict
class CardFields(TypedDict):
    """The card of a strategy, see `Card`."""

    name: str
    label: str
    words: str
    reason: str
    paper: NotRequired[str]
    ranks_by: NotRequired[str | None]
    passes_over: NotRequired[bool]
    columns: NotRequired[list[str]]
    observes_labeled: NotRequired[bool]
    labels_all: NotRequired[bool]
    trains_adversarially: NotRequired[bool]
    weighted: NotRequired[bool]
    settings: NotRequired[list[str]]
    look: NotRequired[str]
    explained_by: NotRequired[str]


@_strict
class Described(TypedDict):
    """config.json: the settings, where the data lay last, and what decides the results. card: of
    the strategy."""

    settings: dict[str, Any]
    identity: Identity
    data_root: NotRequired[str]
    card: NotRequired[CardFields]
    version: NotRequired[int]


@_strict
class ImportedCycle(TypedDict):
    """Ids of the labeled images of a cycle and of its unlabeled sample. reasons: why each of the
    last labeled ones was chosen, most wanted first."""

    labeled: list[str]
    unlabeled_sample: list[str]
    reasons: NotRequired[list[str]]


@_strict
class Imported(TypedDict):
    """imported.json: the sets that a run takes over, of its first cycles. origin: "labels" for what
    was labeled before the run began, or the initial_strategy that chose; question: of what it chose
    (hex)."""

    cycles: list[ImportedCycle]
    origin: NotRequired[str]
    question: NotRequired[str]


@_strict
class SelectedImage(TypedDict):
    """A row of a selection. rank: from 1; index: of the image in the pool; score: None where the
    strategy ranks by none; reason: why it was chosen, in words; cost: what its label is expected to
    cost, where the budget is not in images."""

    rank: int
    id: str
    index: int
    score: float | None
    reason: str
    note: NotRequired[str]
    cost: NotRequired[float]


@_exact
class Estimate(TypedDict):
    """How many boxes images are expected to have, see `BoxEstimate`."""

    factor: float
    base: float
    error: float | None
    images: int
    of_which: str


@_exact
class Work(TypedDict):
    """How long people work at an image and at a box of it, see `Seconds`."""

    image: float
    box: float
    answers: int


@_strict
class Cost(TypedDict):
    """What the labels of a batch are expected to cost. amount, unit: of the budget, in boxes or
    minutes; expected: of the whole batch."""

    amount: float
    unit: Literal["boxes", "minutes"]
    estimate: Estimate
    seconds: Work
    expected: float


@_strict
class Selection(TypedDict):
    """selection.json: the images that a cycle chose, most wanted first.

    pool, scored: how many images were not labeled, and how many of these were scored. set_aside:
    how many people skipped or deferred. asked_for: how many are in it because people want them,
    not the strategy. remarks: what is to be said of the whole batch, such as a class target that
    it does not meet. card: of the strategy. budget: how many images it may have at most. cost: what
    they are expected to cost, where the budget is not in images.
    """

    cycle: int
    strategy: str
    budget: int
    pool: int
    scored: int
    selected: list[SelectedImage]
    set_aside: NotRequired[dict[str, int]]
    asked_for: NotRequired[int]
    cost: NotRequired[Cost]
    remarks: NotRequired[list[str]]
    card: NotRequired[CardFields]
    version: NotRequired[int]


@_strict
class Fault(TypedDict):
    """How often something was met in images or labels, and in which first."""

    count: int
    examples: list[str]


@_strict
class About(TypedDict):
    """What the metrics of a cycle are of."""

    cycle: int
    strategy: str
    labeled_images: int
    evaluated_on: str
    training: NotRequired[str]
    trained_images: NotRequired[int]
    labeled_percent: NotRequired[float]
    seed: NotRequired[int | None]


@_strict
class Metrics(TypedDict):
    """metrics.json of a cycle: every metric by its full name, from 0 to 1."""

    about: About
    metrics: dict[str, float]
    exclusions: dict[str, Fault]


@_strict
class CycleLabels(TypedDict):
    """labels.json of a cycle: the labels that it trains on.

    images: how many of them; sha256: of their labels; code: digest of the code that trains. Of all
    images that were asked for so far, those held out among them: labeled: how many have labels;
    empty: how many of these show nothing; asked: ids of the others; boxes: objects by class;
    ignored: those among them that are marked difficult or crowd.
    """

    images: int
    sha256: str
    labeled: NotRequired[int]
    empty: NotRequired[int]
    asked: NotRequired[list[str]]
    boxes: NotRequired[dict[str, int]]
    ignored: NotRequired[dict[str, int]]
    code: NotRequired[str]


def read_document(folder: RunFolder, name: str, kind: Any) -> Any:
    """The document of that name, of one of the kinds above or another type such as list[str].

    Raises RunFolderError naming the file, and the first field that is missing or wrong.
    """
    content = folder.load_json(name)
    where = folder.path(name)
    version = content.get("version", 1) if isinstance(content, Mapping) else 1
    if isinstance(version, int) and version > VERSION:
        raise RunFolderError(
            f"the file was written by a newer version of miaod (version {version} of the file, "
            f"this one reads up to {VERSION})", where=where,
            remedy="install the version that wrote it: pip install --upgrade miaod_nb",
        )  # fmt: skip
    try:
        _adapter(kind).validate_python(content)
        return content  # in the order in which its fields were written
    except ValidationError as error:
        first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    fault = "is missing" if first["type"] == "missing" else f"is wrong ({first['msg'].lower()})"
    raise RunFolderError(
        f"the file does not describe what it should: {field or 'its content'} {fault}",
        where=f"{where}, field {field}" if field else where,
        remedy="restore it from a copy, or choose another run_dir",
    )


@lru_cache(maxsize=32)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
