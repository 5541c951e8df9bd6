"""BADGE: images that would change the detector much, and in different ways."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from miaod_nb.config import Config
from miaod_nb.progress import progress
from miaod_nb.runs.card import Card
from miaod_nb.selection.box_features import Seen, refuse_detectors_without, see_boxes
from miaod_nb.selection.k_center import euclidean
from miaod_nb.selection.protocol import Candidates, Choice
from miaod_nb.wording import number_text

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel

OF_EQUAL = "would change the detector as one chosen before does, and nothing else is left"
OF_EMPTY = "nothing was found in it, and nothing else is left"


@dataclass(frozen=True)
class Badge:
    """k-means++ on the gradients that the detector's last layer would get if its own most confident
    labels were true.

    Ash et al., ICLR 2020, for classifiers; here the gradients of an image's boxes are summed. One
    without boxes has none, and is chosen only when nothing else is left. Time grows with the pool
    times the budget times classes times features, memory with the pool times the latter two.
    """

    config: Config
    card = Card(
        name="badge", label="BADGE",
        words="those that would change the detector most, each in another way",
        reason="would change the detector in a way that no image chosen before does",
        paper="Ash et al., ICLR 2020", columns=("embedding",),
    )  # fmt: skip

    def __post_init__(self) -> None:
        refuse_detectors_without(self.config, self.card.name)

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        import torch

        rows = [gradient_embedding(seen) for seen in see_boxes(model, batch, self.config)]
        return {"embedding": torch.from_numpy(np.stack(rows))}

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        embeddings = pool.columns["embedding"]
        has_gradient = (embeddings != 0).any(axis=1)
        places = sorted(range(len(pool.ids)), key=pool.ids.__getitem__)  # whatever their order is
        distances = draw_apart(embeddings, [p for p in places if has_gradient[p]], budget, rng)
        left = sorted((p for p in places if p not in distances), key=lambda p: not has_gradient[p])
        reasons = [
            *(self._reason(number, distance) for number, distance in enumerate(distances.values())),
            *(OF_EQUAL if has_gradient[p] else OF_EMPTY for p in left),
        ]
        taken = [*distances, *left][:budget]
        return Choice([pool.ids[p] for p in taken], reasons=reasons[:budget])

    def _reason(self, number: int, distance: float) -> str:
        if number == 0:
            return f"would change the detector most (gradient of length {number_text(distance)})"
        return f"{self.card.reason} (distance {number_text(distance)})"


def gradient_embedding(seen: Seen) -> np.ndarray:
    """The gradient of an image's boxes, each as if its label were true, with respect to the last
    layer's weights: float32 (C * F,), class by class.

    Of a box it is (p - y) x features: p is its score of each class, y 1 for its label and else 0.
    """
    outputs = seen.outputs
    errors = outputs.every_score  # (N, C)
    errors[np.arange(len(outputs)), outputs.found.labels] -= 1
    return (errors.T @ seen.features).ravel().astype(np.float32)


def draw_apart(
    points: np.ndarray, among: Sequence[int], count: int, rng: np.random.Generator
) -> dict[int, float]:
    """Up to `count` of the points (N, F) that are `among` them, as k-means++ draws its centers
    (Arthur and Vassilvitskii, SODA 2007), and how far each is from the nearest before.

    The first is, as in BADGE's release, the longest, and its distance that from 0. Each next one is
    drawn with a probability that grows with its squared distance to the nearest center, so that
    none is drawn that is equal to a center: there may be fewer than `count`.
    """
    taken: dict[int, float] = {}
    places = np.asarray(among, dtype=np.int64)
    lengths = euclidean(points, np.zeros(points.shape[1]))[places]
    nearest = np.full(len(places), np.inf)
    for _ in progress(range(min(count, len(places))), "choosing"):
        if not nearest.any():
            break
        squares = nearest**2
        chosen = rng.choice(len(places), p=squares / squares.sum()) if taken else lengths.argmax()
        taken[int(places[chosen])] = float(nearest[chosen] if taken else lengths[chosen])
        nearest = np.minimum(nearest, euclidean(points, points[places[chosen]])[places])
    return taken
