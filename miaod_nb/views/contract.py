"""What Python and the scripts of the views share, written once: `source` in base.py hands SHARED to
the scripts as CONTRACT, and the types below name the keys of what the scripts are given."""

from typing import Any, Literal, NotRequired, TypedDict

import matplotlib

from miaod_nb.inspection.table import SHOWN_SCORE
from miaod_nb.plots.pictures import BOX_LINES, FAR_FROM_ZERO
from miaod_nb.selection.choosing import ASIDE

Box = list[float]  # x1, y1, x2, y2 in pixels of the upright image as resized
Layer = Literal["discrepancy", "weight", "weighted"]

LAYERS: dict[str, str] = {
    "discrepancy": "discrepancy",
    "weight": "instance weight",
    "weighted": "re-weighted",
}
AGGREGATES: dict[str, str] = {
    "mean": "mean of the k most uncertain anchors",
    "max": "the most uncertain anchor",
    "sum": "sum over all anchors",
}
# What may be decided about an image, with its mark, state, key, button and what the button does.
ACTIONS: dict[str, dict[str, str]] = {
    "accept": {"mark": "✓", "word": "accepted", "key": "a", "text": "Accept",
               "hint": "keep it in the batch"},
    "skip": {"mark": "✕", "word": ASIDE["skip"], "key": "s", "text": "Skip",
             "hint": "not in this batch and in no later one"},
    "defer": {"mark": "→", "word": ASIDE["defer"], "key": "d", "text": "Defer",
              "hint": "not in this batch, perhaps in a later one"},
}  # fmt: skip
# What became of an image on the canvas of the annotator.
DRAWING: dict[str, dict[str, str]] = {
    "waits": {"mark": "○", "word": "waits"},
    "begun": {"mark": "…", "word": "begun"},
    "done": {"mark": "✓", "word": "done"},
    "skip": {"mark": "✕", "word": ASIDE["skip"]},
}
UNDECIDED = {"mark": "○", "word": "undecided"}
DASHES = {"-": [], "--": [6, 4], "-.": [8, 3, 2, 3]}  # lengths, in widths of a thin line

SHARED: dict[str, Any] = {
    "shownScore": SHOWN_SCORE,
    "farFromZero": FAR_FROM_ZERO,
    "boxes": {
        role: {"color": color, "dash": DASHES[dash], "width": width}
        for role, (color, dash, width) in BOX_LINES.items()
    },
    "uncertainty": matplotlib.colormaps["cividis"](range(256), bytes=True)[:, :3].tolist(),
    "layers": LAYERS,
    "aggregates": AGGREGATES,
    "actions": ACTIONS,
    "undecided": UNDECIDED,
    "drawing": DRAWING,
}


# ------------------------------------------------------------------------------------ the board


class Alike(TypedDict):
    """Another image of the batch that looks alike to the detector."""

    id: str
    rank: int
    similarity: float


class Found(TypedDict):
    """A detection on a card."""

    box: Box
    score: float
    label: str


class Disputed(TypedDict):
    """A place that drove the score: its share, and what the two classifiers say there."""

    box: Box
    share: float
    first: str
    second: str


class Seen(TypedDict):
    """What the detector sees in an image. size: (H, W). fault: why it cannot be looked at. reason:
    why it was chosen, as selection.json has it; where: the boxes that its score is about, in words,
    or ""."""

    fault: str
    size: list[int]
    detections: list[Found]
    places: list[Disputed]
    reason: str
    where: str


class Card(Seen):
    """An image of a batch on the board; score None: its strategy scores none."""

    rank: int
    id: str
    score: float | None
    alike: list[Alike]


class Decided(TypedDict):
    """What holds for an image; action "": nothing was decided."""

    action: str
    note: str


class Aside(TypedDict):
    """An image outside the batch about which was decided: a small picture, a data URL, or the
    fault, why there is none."""

    source: str
    fault: str


class Event(Decided):
    """The n-th decision that the script tells of."""

    id: str
    n: int


class Mix(TypedDict):
    """Objects of a class: how many are predicted in the batch, and how many are labeled."""

    name: str
    batch: int
    labeled: int


class Doubtful(TypedDict):
    """A label that may be wrong, or that is missing: the part of its image around it, a data URL
    ("": its file is gone), of `size` (H, W) pixels, in which the boxes are; None: there is none."""

    id: str
    score: float
    what: str
    source: str
    size: list[int]
    label: Box | None
    predicted: Box | None


# ----------------------------------------------------------------------------------- the viewer


class Listed(TypedDict):
    """An image that the viewer can show. classes: the part of each in the score."""

    id: str
    rank: int | None
    score: float | None
    labeled: bool
    selected: bool
    classes: NotRequired[list[float | None] | None]
    disagreement: NotRequired[float | None]


class Level(TypedDict):
    """A feature level. shape: (h, w) cells; first: center of the first cell; base: its anchors."""

    shape: list[int]
    stride: int
    first: list[float]
    base: list[Box]


class Detected(TypedDict):
    """The detections of an image, a list for each of their properties."""

    boxes: list[Box]
    scores: list[float]
    labels: list[int]
    names: list[str]


class Details(TypedDict):
    """The numbers of the T most uncertain anchors, those first that the score averages first.

    anchors: int32 (T,), places in the grid; a layer: float32 (T,); probs_1, probs_2 and weights:
    uint16 (per_class, C), shares of 1 and of weight_scale. Arrays are base64 texts.
    """

    anchors: str
    discrepancy: str
    weight: str
    weighted: str
    per_class: int
    weight_scale: float
    probs_1: str
    probs_2: str
    weights: str


class AnchorPanel(TypedDict):
    """What a detector says of an image's anchors.

    maps: for each layer and level uint8 (h, w), the largest of a cell's anchors, 255 standing for
    the layer's `scales` or more. norm: as `uncertainty_norm`.
    """

    num_anchors: int
    norm: str
    levels: list[Level]
    scales: dict[str, float]
    maps: dict[str, list[str]]
    detections: Detected
    details: Details


class Standing(TypedDict):
    """Where an image stands among `pool` images: score and rank as recorded; for each k its mean,
    its rank among the `ranked` inspected images and the count of its own anchors."""

    state: str
    score: float | None
    rank: int | None
    pool: int | None
    ranks: list[int] | None
    ranked: int
    means: list[float]
    counts: list[int]


class Panel(AnchorPanel, Standing):
    """A cycle's view of an image."""

    title: str


class Truth(TypedDict):
    """The objects of a labeled image."""

    boxes: list[Box]
    names: list[str]


class Payload(TypedDict):
    """All that is needed to show an image. size: (H, W); image: a data URL; truth: None for an
    image that is not labeled."""

    id: str
    size: list[int]
    image: str
    truth: Truth | None
    panels: list[Panel]


# -------------------------------------------------------------------------------- the annotator


class Drawn(TypedDict):
    """A box on the canvas, in pixels of the upright image. score: of a suggested box that nobody
    touched, None for others; origin: "accepted" (not touched), "changed" or "drawn"."""

    name: str
    box: Box
    score: float | None
    origin: str


class Made(TypedDict):
    """What was made of an image; state: a key of DRAWING. note: why it is skipped."""

    state: str
    boxes: list[Drawn]
    note: str
    seconds: float


class Stroke(Made):
    """The n-th change that the script tells of."""

    id: str
    n: int


class ToLabel(TypedDict):
    """An image of the batch, with what is suggested. size: (H, W) of the upright image."""

    id: str
    rank: int
    reason: str
    size: list[int]
    suggested: list[Drawn]


class Shown(TypedDict):
    """The picture of an image, a data URL, or the fault, why there is none."""

    id: str
    source: str
    fault: str


# -------------------------------------------------------------------------- space and what-if


class Point(TypedDict):
    """An image on the map; kind: pool, labeled or selected. score None: it was not scored."""

    id: str
    x: float
    y: float
    score: float | None
    kind: str


class Picture(TypedDict):
    """The picture of an image, a data URL."""

    id: str
    source: str


class Wish(TypedDict):
    """The n-th thing that the script wants to be done with what is encircled; action: "skip",
    "accept", or "undo" for the last one."""

    n: int
    action: str


class Changed(TypedDict):
    """An image that comes in or falls out, and its ranks; None where it has none."""

    id: str
    before: int | None
    after: int | None


class Replayed(TypedDict):
    """How a batch differs from the run's own; ids: the batch, kept: how many stay."""

    added: list[Changed]
    dropped: list[Changed]
    ids: list[str]
    kept: int
    jaccard: float


class Options(TypedDict):
    """What can be set: labels by strategy, counts of anchors, the largest budget in images.

    costs: what the run's own batch is expected to cost, by unit. added: the values that settings
    have when they are on. run: how the run itself has all. scope: among which images is chosen.
    """

    strategies: dict[str, str]
    ks: list[int]
    anchors: int
    most: int
    costs: dict[str, int]
    added: dict[str, Any]
    run: dict[str, Any]
    scope: str
