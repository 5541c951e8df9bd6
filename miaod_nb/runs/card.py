"""What all who show or compare a strategy know of it, as run folders keep it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

PER_CLASS = "per_class"  # the column of a strategy that has a part for each class


@dataclass(frozen=True)
class Card:
    """What all who show or compare a strategy know of it.

    label: its name in figures. words: which images it wants, one sentence for people. reason: why
    an image was chosen. paper: where it was published. look: the slot of the palette that is
    reserved for it; "": the next free one.
    ranks_by: the column whose highest values it wants; None: it looks at several images together,
    or at none. columns: what `observe` says of every image; () if it looks at none. `per_class`
    (B, C) becomes a column for each class. observes_labeled: the columns of labeled images too.
    labels_all: every label at once, the ceiling. trains_adversarially: what training=auto means.
    settings: fields of the configuration that its choice alone reads. explained_by: what views keep
    of an image's anchors that is its score: "discrepancy", "entropy"; "": neither.
    """

    name: str
    label: str
    words: str
    reason: str
    paper: str = ""
    ranks_by: str | None = None
    columns: tuple[str, ...] = ()
    observes_labeled: bool = False
    labels_all: bool = False
    trains_adversarially: bool = False
    settings: tuple[str, ...] = ()
    look: str = ""
    explained_by: str = ""

    def training_of(self, setting: str) -> str:
        """What the setting `training` means for it: "mi_aod", or "label_set" alone."""
        of_auto = "mi_aod" if self.trains_adversarially else "label_set"
        return of_auto if setting == "auto" else setting

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
