"""The batch of a cycle: what a strategy chooses when people have set some images aside."""

import numpy as np
from numpy.typing import NDArray

from miaod_nb.selection.strategies import Strategy

Positions = NDArray[np.int64]


def choose_around(
    strategy: Strategy, values: np.ndarray, budget: int, rng: np.random.Generator,
    barred: np.ndarray, present: np.ndarray | None = None,
) -> tuple[Positions, Positions]:  # fmt: skip
    """Positions of the chosen images, most wanted first, and the rank of each, from 1.

    values: float (N,). barred: bool (N,), images not to choose: those that the strategy wants next
    take their places. A rank counts barred images too, so that an image keeps its rank whatever is
    decided about others. present: bool (N,), the only images that may take a place; None: any.
    """
    first = np.asarray(strategy.choose(values, budget, rng)[::-1], dtype=np.int64)
    if not barred[first].any() and present is None:
        return first, np.arange(1, len(first) + 1)
    rest = np.setdiff1d(np.arange(len(values)), first)
    if len(rest):
        rest = rest[strategy.choose(values[rest], len(rest), rng)[::-1]]
    order = np.concatenate([first, rest])
    allowed = ~barred[order]
    if present is not None:
        allowed[len(first) :] &= present[rest]
    places = np.flatnonzero(allowed)[:budget]
    return order[places], places + 1
