"""What all who show or compare a strategy know of it, as run folders keep it."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

PER_CLASS = "per_class"  # the column of a strategy that has a part for each class
BOXES = "box_sum"  # the column that counts boxes, where the budget is not in images
RESERVED = ("id", "index")  # columns of the table of scores besides those of the strategy
NAME = re.compile(r"[A-Za-z][\w.+-]{0,39}", re.ASCII)
LONGEST_LABEL = 60


@dataclass(frozen=True)
class Card:
    """What all who show or compare a strategy know of it.

    label: its name in figures. words: which images it wants, one sentence for people. reason: why
    an image was chosen. paper: where it was published. look: the slot of the palette that is
    reserved for it; "": the next free one.
    ranks_by: the column whose highest values it wants; None: it looks at several images together,
    or at none. passes_over: it may take lower values before higher ones for reasons of its own,
    such as images that look alike. columns: what `observe` says of every image; () if it looks at
    none. `per_class` (B, C) becomes a column for each class. observes_labeled: the columns of
    labeled images too. labels_all: every label at once, the ceiling. trains_adversarially: what
    training=auto means. weighted: it is one with weighted_selection=true.
    settings: fields of the configuration that its choice alone reads. explained_by: what views keep
    of an image's anchors that is its score: "discrepancy", "entropy"; "": neither.
    """

    name: str
    label: str
    words: str
    reason: str
    paper: str = ""
    ranks_by: str | None = None
    passes_over: bool = False
    columns: tuple[str, ...] = ()
    observes_labeled: bool = False
    labels_all: bool = False
    trains_adversarially: bool = False
    weighted: bool = False
    settings: tuple[str, ...] = ()
    look: str = ""
    explained_by: str = ""

    def training_of(self, setting: str) -> str:
        """What the setting `training` means for it: "mi_aod", or "label_set" alone."""
        of_auto = "mi_aod" if self.trains_adversarially else "label_set"
        return of_auto if setting == "auto" else setting

    @property
    def implied(self) -> dict[str, Any]:
        """Settings that a run with it has whatever they were."""
        return {"weighted_selection": True} if self.weighted else {}

    @property
    def behavior(self) -> dict[str, Any]:
        """What others do by it, besides naming it."""
        names = (
            "columns",
            "ranks_by",
            "passes_over",
            "observes_labeled",
            "labels_all",
            "trains_adversarially",
        )
        return {name: getattr(self, name) for name in names}

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        lists = {"columns": list(self.columns), "settings": list(self.settings)}
        return asdict(self) | lists

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The card that `as_dict` wrote, by a later version perhaps."""
        known: dict[str, Any] = {
            name: tuple(values[name]) if isinstance(values[name], list) else values[name]
            for name in {one.name for one in fields(cls)} & values.keys()
        }
        return cls(**known)


def fault_of(card: Card) -> str:
    """What makes a card unusable, in words; "" if nothing does."""
    for field in ("name", "label", "words", "reason"):
        text = getattr(card, field)
        if not isinstance(text, str) or not text.strip():
            return f"{field} = {text!r} is no text"
    if not NAME.fullmatch(card.name):
        return f"name = {card.name!r} is not a letter and up to 39 letters, digits, or one of _.+-"
    if len(card.label) > LONGEST_LABEL:
        return f"label has more than {LONGEST_LABEL} letters"
    columns = card.columns
    if not isinstance(columns, tuple) or not all(isinstance(c, str) and c for c in columns):
        return f"columns = {columns!r} is no tuple of names"
    taken = [c for c in columns if c in RESERVED or c.startswith("class ") or columns.count(c) > 1]
    if taken:
        return f"the column '{taken[0]}' is there already"
    if card.ranks_by is not None and card.ranks_by not in set(columns) - {PER_CLASS}:
        return f"ranks_by = {card.ranks_by!r} is none of its columns with one number an image"
    return "observes_labeled needs columns" if card.observes_labeled and not columns else ""
