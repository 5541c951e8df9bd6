"""A second stage for any strategy: of the images that it wants most, those unlike one another."""

from collections.abc import Callable, Sequence

import numpy as np

from miaod_nb.selection.k_medoids import k_medoids
from miaod_nb.selection.protocol import Positions


def most_wanted(ids: Sequence[str], values: np.ndarray, count: int) -> Positions:
    """Positions of the `count` highest values (N,), the highest first, of equal ones by id: so the
    order of the images changes nothing."""
    return np.lexsort((np.asarray(ids), -values))[:count]


def unlike_one_another(
    ids: Sequence[str], candidates: Positions,
    distances_of: Callable[[Positions], np.ndarray], count: int, rng: np.random.Generator,
) -> dict[int, float]:  # fmt: skip
    """`count` of the candidates, or all if there are fewer, as medoids of what they are like: by
    position how far the nearest other one is, infinite if there is none.

    ids: of all images; candidates: positions of some, in any order. distances_of: from one another
    of images at positions, (M, M), symmetric. Chance decides where k-medoids begins.
    """
    ordered = np.array(sorted(candidates.tolist(), key=lambda place: ids[place]), dtype=np.int64)
    if not len(ordered):
        return {}
    distances = distances_of(ordered)
    taken = k_medoids(distances, count, int(rng.integers(len(ordered))))
    among = distances[np.ix_(taken, taken)].astype(np.float64)
    np.fill_diagonal(among, np.inf)
    return dict(
        zip(ordered[taken].tolist(), among.min(axis=1, initial=np.inf).tolist(), strict=True)
    )
