"""CDAL-CS: images that mix up classes in ways that no labeled image does."""

import math
from dataclasses import dataclass

import numpy as np

from miaod_nb.progress import progress
from miaod_nb.runs.card import Card
from miaod_nb.selection.k_center import k_center_greedy
from miaod_nb.selection.outputs import Outputs, OutputStrategy
from miaod_nb.selection.protocol import Candidates, Choice
from miaod_nb.wording import number_text

LEAST = 1e-6  # a probability that is below counts as this, so that logarithms are finite


@dataclass(frozen=True)
class Cdal(OutputStrategy):
    """k-center greedy on contextual diversity, from all labeled images on.

    An image is what `mixture_of` says, two are as far apart as `mixture_distances` says: 0 where
    they share no predicted class. In the paper this means chosen last; here such a center does not
    count for an image: one whose predicted classes no labeled image has comes first, and of several
    the one with the most predicted classes. So does the first of all where nothing is labeled (the
    release draws it). Images without boxes come last. Of equal ones the first by id.
    Time grows with the predicted classes of the pool times labeled and chosen images.
    """

    card = Card(
        name="cdal", label="CDAL-CS",
        words="those in which classes are mixed up unlike in anything labeled or chosen before",
        reason="its mixture of classes is farthest from what is labeled",
        paper="Agarwal et al., ECCV 2020", columns=("mixture",), observes_labeled=True,
    )  # fmt: skip

    def see(self, outputs: Outputs) -> dict[str, np.ndarray]:
        return {"mixture": mixture_of(outputs).ravel()}

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        column = pool.columns["mixture"]
        mixtures, centers = map(_unraveled, (column, pool.labeled.get("mixture", column[:0])))
        classes = mixtures.any(axis=2).sum(axis=1)  # how many are predicted in each image
        order = np.lexsort((pool.ids, -classes))
        rows, nearest = _ClassRows(mixtures[order]), np.where(classes[order] > 0, np.inf, 0.0)
        for center in progress(centers, "comparing with what is labeled"):
            nearest = np.minimum(nearest, rows.distances(center, np.inf))
        taken, distances = k_center_greedy(
            nearest, lambda point: rows.distances(mixtures[order[point]], np.inf), budget
        )
        places = order[taken]
        reasons = map(self._reason, distances, classes[places].tolist())
        return Choice([pool.ids[place] for place in places], reasons=list(reasons))

    def _reason(self, distance: float, classes: int) -> str:
        if not classes:
            return "nothing is found in it, so that it cannot be compared: left for the last"
        if math.isinf(distance):
            return "nothing labeled or chosen before has one of its predicted classes"
        return f"{self.card.reason} (distance {number_text(distance)})"


def mixture_of(outputs: Outputs) -> np.ndarray:
    """How an image mixes up classes: float64 (C, C + 1), row c the mean of what the detector says
    at the boxes of class c, weighted by its entropy; 0 without such boxes.

    The paper's probabilities sum to one. Here what the scores of the classes leave to one belongs
    to the background, the last column, and where they sum to more, as sigmoids may, all are divided
    by their sum. Where the detector is sure of all boxes of a class, these count alike.
    """
    scores = outputs.every_score
    rest = np.maximum(1 - scores.sum(axis=1, keepdims=True), 0)
    probs = np.concatenate([scores, rest], axis=1)
    probs /= probs.sum(axis=1, keepdims=True)
    logs = np.log(probs, out=np.zeros_like(probs), where=probs > 0)
    entropies = -(probs * logs).sum(axis=1)
    mixture = np.zeros((outputs.num_classes, probs.shape[1]))
    for label in np.unique(outputs.found.labels):
        own = outputs.found.labels == label
        weights = entropies[own] if entropies[own].any() else None
        mixture[label] = np.average(probs[own], axis=0, weights=weights)
    return mixture


def mixture_distances(mixtures: np.ndarray, one: np.ndarray) -> np.ndarray:
    """The contextual diversity of images and one image: float64 (N,), 0 from an image to itself.

    mixtures: (N, C, D); one: (C, D); rows of zeros do not exist. The mean over the rows that exist
    in both of 0.5 (KL(a || b) + KL(b || a)); 0 where there is none.
    """
    return _ClassRows(mixtures).distances(one, 0.0)


class _ClassRows:
    """The rows that exist of the matrices of N images, by class."""

    def __init__(self, mixtures: np.ndarray) -> None:
        self.count = len(mixtures)
        exists = np.asarray(mixtures.any(axis=2))
        self.images = [np.flatnonzero(exists[:, c]) for c in range(mixtures.shape[1])]
        self.rows = [_with_logs(mixtures[own, c]) for c, own in enumerate(self.images)]

    def distances(self, one: np.ndarray, unlike: float) -> np.ndarray:
        """As `mixture_distances`; unlike: the distance where no row exists in both."""
        total, shared = np.zeros(self.count), np.zeros(self.count)
        for c in np.flatnonzero(one.any(axis=1)):
            (probs, logs), (p, log) = self.rows[c], _with_logs(one[c])
            total[self.images[c]] += 0.5 * ((probs - p) * (logs - log)).sum(axis=1)
            shared[self.images[c]] += 1
        return np.divide(total, shared, out=np.full(self.count, unlike), where=shared > 0)


def _with_logs(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    probs = np.maximum(rows.astype(np.float64), LEAST)
    return probs, np.log(probs)


def _unraveled(column: np.ndarray) -> np.ndarray:
    """The column (N, C (C + 1)) as matrices: (N, C, C + 1)."""
    classes = math.isqrt(column.shape[1])
    return column.reshape(-1, classes, classes + 1)
