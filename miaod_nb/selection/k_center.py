"""k-center greedy: points that leave no other point far from all of them.

Sener and Savarese, ICLR 2018. Each next point is the one farthest from its nearest center, or the
one that is farthest for what it costs. Distances to nearest centers only shrink, so an old one is a
bound from above: `k_center` looks again only at points whose bound is among the highest (as lazy
greedy algorithms do: Minoux, 1978), and its result is that of looking at all.
"""

from collections.abc import Callable

import numpy as np

from miaod_nb.progress import progress

ROWS = 2048  # whose differences are in memory at once
CENTERS = 1024  # to which a block of points is compared at once
LOOKED_AT = 256  # points with the highest bounds that are looked at again together
SEEN_TOGETHER = 128  # centers by which such points may differ in how many they have seen


def k_center_greedy(
    nearest: np.ndarray, distances_to: Callable[[int], np.ndarray], count: int,
    costs: np.ndarray | None = None,
) -> tuple[list[int], list[float]]:  # fmt: skip
    """`count` points one after the other, each the farthest from its nearest center for its cost,
    and how far; then it is a center itself. Of equally wanted ones the first. For any distance.

    nearest: (N,), the distance of each point to its nearest center; infinite if there is none.
    distances_to: of all points to one of them, (N,); asked once for every point that is taken.
    costs: (N,) above 0, what each point costs; None: all the same.
    """
    nearest, taken, distances = nearest.astype(np.float64), [], []
    for _ in progress(range(min(count, len(nearest))), "choosing"):
        point = int(_worth(nearest, costs).argmax())
        taken.append(point)
        distances.append(float(nearest[point]))
        nearest = np.minimum(nearest, distances_to(point))
        nearest[taken] = -np.inf  # not again, also when all others are as near as 0
    return taken, distances


def k_center(
    points: np.ndarray, centers: np.ndarray, count: int, costs: np.ndarray | None = None
) -> tuple[list[int], list[float]]:
    """As `k_center_greedy` with `euclidean` distances, to the last digit, but faster.

    points: finite (N, F). centers: (K, F), those that are there already. Memory grows with N and
    with (K + count) x F.
    """
    search, taken, distances = _Search(points, centers, count), [], []
    starts = range(0, len(points), ROWS) if len(centers) else ()
    for start in progress(starts, "comparing with what is labeled"):
        search.compare(np.arange(start, min(start + ROWS, len(points))))
    for _ in progress(range(min(count, len(points))), "choosing"):
        point = search.farthest(costs)
        taken.append(point)
        distances.append(float(search.most[point]))
        search.take(point)
    return taken, distances


def euclidean(points: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Distances of the points (N, F) to a center (F,): float64 (N,), each computed by itself, so
    that it does not depend on the others."""
    parts = [points[start : start + ROWS] for start in range(0, len(points), ROWS)]
    squares = [((part.astype(np.float64) - center) ** 2).sum(axis=1) for part in parts]
    return np.sqrt(np.concatenate([np.zeros(0), *squares]))


def _worth(nearest: np.ndarray, costs: np.ndarray | None) -> np.ndarray:
    return nearest if costs is None else nearest / costs


def _highest(worth: np.ndarray, first: int) -> np.ndarray:
    """LOOKED_AT points that are worth the most, or all of them, and `first` once more."""
    count = min(LOOKED_AT, len(worth))
    return np.append(np.argpartition(worth, -count)[-count:], first)


class _Search:
    """How far each point is from its nearest center, as exactly as it matters.

    most: (N,), its distance to one of the centers. exact: whether none of the first `seen` centers
    is nearer. known: how many centers there are.
    """

    def __init__(self, points: np.ndarray, centers: np.ndarray, count: int) -> None:
        self.points, self.known = points, len(centers)
        self.centers = np.empty((len(centers) + min(count, len(points)), points.shape[1]))
        self.centers[: self.known] = centers
        self.most = np.full(len(points), np.inf)
        self.exact = np.ones(len(points), dtype=bool)
        self.seen = np.zeros(len(points), dtype=np.int64)
        # |a|^2 + |b|^2 - 2 ab and the sum of squared differences differ by less than this share of
        # |a|^2 + |b|^2, in whatever order a library adds.
        self.error = 4 * (points.shape[1] + 4) * np.finfo(np.float64).eps

    def farthest(self, costs: np.ndarray | None) -> int:
        """The point that is farthest from its nearest center for its cost; its `most` is exact."""
        while True:
            worth = _worth(self.most, costs)
            point = int(worth.argmax())
            if self.seen[point] < self.known:
                self.look_at(_highest(worth, point))
            elif not self.exact[point]:
                self.measure(np.flatnonzero(worth == worth[point])[:LOOKED_AT])
            else:
                return point

    def take(self, point: int) -> None:
        """Makes the point a center."""
        self.centers[self.known] = self.points[point]
        self.known += 1
        self.most[point] = -np.inf

    def look_at(self, rows: np.ndarray) -> None:
        """Shows these points the centers that they have not seen."""
        ages = self.seen[rows] // SEEN_TOGETHER
        for age in np.unique(ages):
            self.compare(rows[ages == age])

    def compare(self, rows: np.ndarray) -> None:
        """Compares each of these points with every center that one of them has not seen."""
        points = self.points[rows].astype(np.float64)
        squares = (1 - self.error) * (points**2).sum(axis=1)
        for start in range(int(self.seen[rows].min()), self.known, CENTERS):
            centers = self.centers[start : min(start + CENTERS, self.known)]
            least = (1 - self.error) * (centers**2).sum(axis=1) - 2 * (points @ centers.T)
            near = least.argmin(axis=1)
            distances = np.sqrt(((points - centers[near]) ** 2).sum(axis=1))
            least[np.arange(len(rows)), near] = np.inf
            others = np.sqrt(np.maximum(least.min(axis=1) + squares, 0))
            most = self.most[rows] = np.minimum(self.most[rows], distances)
            self.exact[rows] = (self.exact[rows] & (others >= most)) | (most == 0)
        self.seen[rows] = self.known

    def measure(self, rows: np.ndarray) -> None:
        """Settles by all distances where rounding leaves several centers that may be nearest."""
        for row in rows[~self.exact[rows]]:
            distances = euclidean(self.centers[: self.known], self.points[row])
            self.most[row] = distances.min()
            self.exact[row] = True
