"""What a strategy is: a card that describes it, what it sees in images, and what it chooses."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from miaod_nb.runs.card import Card

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel

Positions = NDArray[np.int64]


class Columns(Mapping[str, np.ndarray]):
    """Values of images by column, (N, ...) each, which are read when they are first asked for."""

    def __init__(self, names: Collection[str], read: Callable[[str], np.ndarray]) -> None:
        self._names, self._read = names, read
        self._known: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._known:
            values = self._read(name).view()
            values.flags.writeable = False  # what a strategy sees is what is recorded
            self._known[name] = values
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True, eq=False)
class Candidates:
    """The images that a strategy may choose, in the order of the pool, and those labeled already.

    columns: what it saw in them, (N, ...) each. positions (N,), total: their places among all
    images that are not labeled, and how many these are: people may have set some aside. labeled:
    the columns of the labeled images, if the card asks for them. classes: names, in the order of
    columns with a part for each. whole: the candidates before people set some aside, if they did:
    what is measured by it does not move when they do. costs: what the label of each is expected to
    cost, above 0 (N,), where the budget is not in images.
    """

    ids: Sequence[str]
    columns: Mapping[str, np.ndarray]
    positions: Positions
    total: int
    labeled_ids: Sequence[str] = ()
    labeled: Mapping[str, np.ndarray] = field(default_factory=dict)
    classes: Sequence[str] = ()
    whole: "Candidates | None" = None
    costs: np.ndarray | None = None

    @classmethod
    def of_all(
        cls, ids: Sequence[str], labeled_ids: Sequence[str] = (),
        columns: Mapping[str, np.ndarray] | None = None,
        labeled: Mapping[str, np.ndarray] | None = None, classes: Sequence[str] = (),
    ) -> Self:  # fmt: skip
        """The candidates when nothing is set aside."""
        places = np.arange(len(ids))
        return cls(ids, columns or {}, places, len(ids), labeled_ids, labeled or {}, classes)

    def without(self, barred: Collection[str]) -> "Candidates":
        """All but these images."""
        if not barred:
            return self
        kept = np.flatnonzero([image_id not in barred for image_id in self.ids])
        return Candidates(
            [self.ids[int(place)] for place in kept],
            Columns(self.columns.keys(), lambda name: self.columns[name][kept]),
            self.positions[kept], self.total, self.labeled_ids, self.labeled,
            self.classes, self.whole or self,
            None if self.costs is None else self.costs[kept],
        )  # fmt: skip

    def worth(self, column: str) -> np.ndarray:
        """What a column that ranks images says of each: `worth` of its values, (N,)."""
        return worth(self.columns[column], self.costs)


@dataclass(frozen=True)
class Choice:
    """Ids of the chosen images, most wanted first.

    ranks: of each, from 1, among all that are not labeled; (): 1, 2, ... or, of a strategy that
    ranks by a column, the place in it. reasons: why each was chosen; (): as the card says.
    """

    ids: Sequence[str]
    ranks: Sequence[int] = ()
    reasons: Sequence[str] = ()


class Strategy(Protocol):
    """A rule that says which images to label next."""

    @property
    def card(self) -> Card: ...

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        """The card's columns of the images of a batch, (B, ...) each; batch equals single."""
        ...

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        """As many different images of the pool as `budget` says, or all if there are fewer."""
        ...


def behind(strategy: Strategy) -> Strategy:
    """Whose code it is: of a strategy to which a setting adds something, the `inner` one."""
    inner = getattr(strategy, "inner", None)
    return strategy if inner is None else behind(inner)


def worth(values: np.ndarray, costs: np.ndarray | None) -> np.ndarray:
    """Values (N,), or where images have costs (N,), the values for these: float64. A negative one
    is the lower the more it costs. Each depends on its own image alone, so that the order of the
    others stays when images are set aside."""
    if costs is None:
        return values
    values = values.astype(np.float64)
    return np.where(values < 0, values * costs, values / costs)


def ordered(values: np.ndarray) -> Positions:
    """Positions of the values (N,), the highest first, of equal ones the later."""
    return np.argsort(values, kind="stable")[::-1]


def choose_highest(pool: Candidates, column: str, budget: int) -> Choice:
    """The images with the highest values of a column, for their costs where they have some; of
    equal ones the later."""
    return Choice([pool.ids[int(place)] for place in ordered(pool.worth(column))[:budget]])
