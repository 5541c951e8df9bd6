"""What people made of the boxes that a detector suggested: its honest score on its own batch."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from miaod_nb.boxes import pairwise_iou
from miaod_nb.labeling.exchange import ReturnedBox, Suggestion

SAME = 1.0  # pixels by which the sides of a box may differ that nobody moved: tools round
FOLLOWED = 0.5  # IoU from which on a returned box is taken for a suggested one that was moved


@dataclass(frozen=True)
class Agreement:
    """How many suggested boxes were accepted as they are, moved, given another class (moved or
    not), deleted; and how many boxes people added."""

    accepted: int = 0
    moved: int = 0
    renamed: int = 0
    deleted: int = 0
    added: int = 0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def suggested(self) -> int:
        """How many boxes were suggested."""
        return self.accepted + self.moved + self.renamed + self.deleted

    @property
    def right(self) -> int:
        """How many of these show an object of their class."""
        return self.accepted + self.moved

    def lines(self) -> list[str]:
        """The same in words; [] where nothing was suggested."""
        if not self.suggested:
            return []
        objects = self.right + self.renamed + self.added
        words = ", ".join(f"{getattr(self, one.name)} {one.name}" for one in fields(self))
        return [
            f"suggested boxes: {words}",
            f"of {self.suggested} suggested boxes {self.right} were right, and of {objects} "
            f"objects they show {self.right}",
        ]


def compare(suggested: Sequence[Suggestion], returned: Sequence[ReturnedBox]) -> Agreement:
    """What became of the boxes of an image. Boxes are paired by their overlap, the largest first,
    those of one class before others of that overlap."""
    if not suggested or not returned:
        return Agreement(deleted=len(suggested), added=len(returned))
    before, after = (np.array([one.box for one in boxes]) for boxes in (suggested, returned))
    overlaps = pairwise_iou(before, after)
    same_class = np.array([[a.name == b.name for b in returned] for a in suggested])
    found, pairs = Agreement(), 0
    order = np.lexsort((~same_class.ravel(), -overlaps.ravel()))
    free_before, free_after = set(range(len(suggested))), set(range(len(returned)))
    for place in order.tolist():
        one, other = divmod(place, len(returned))
        if overlaps[one, other] < FOLLOWED:
            break
        if one not in free_before or other not in free_after:
            continue
        free_before.remove(one)
        free_after.remove(other)
        pairs += 1
        stayed = bool(np.abs(before[one] - after[other]).max() <= SAME)
        if not same_class[one, other]:
            found += Agreement(renamed=1)
        else:
            found += Agreement(accepted=1) if stayed else Agreement(moved=1)
    return found + Agreement(deleted=len(suggested) - pairs, added=len(returned) - pairs)
