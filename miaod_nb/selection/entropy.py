"""Entropy: images whose detections the detector is least sure of."""

from dataclasses import dataclass

import numpy as np

from miaod_nb.runs.card import Card
from miaod_nb.selection.outputs import DOUBTFUL, Outputs, OutputStrategy, aggregate_by_class


@dataclass(frozen=True)
class Entropy(OutputStrategy):
    """Binary entropy of detection scores: the largest, the mean or the sum of an image's.

    An image without detections has entropy 0.
    """

    card = Card(
        name="entropy", label="entropy",
        words="those with the highest entropy of the detector's scores",
        reason="its detections have the highest entropy",
        ranks_by="score", columns=("score", "per_class", DOUBTFUL), settings=("entropy_aggregate",),
        look="entropy", explained_by="entropy",
    )  # fmt: skip

    def see(self, outputs: Outputs) -> dict[str, np.ndarray]:
        entropies = binary_entropy(outputs.found.scores)
        return aggregate_by_class(entropies, outputs, self.config.entropy_aggregate)


def binary_entropy(probs: np.ndarray) -> np.ndarray:
    """-p ln p - (1 - p) ln(1 - p), in nats, 0 at p = 0 and 1: float64, same shape as `probs`."""
    p = np.asarray(probs, np.float64)
    first, second = (q * np.log(q, out=np.zeros_like(q), where=q > 0) for q in (p, 1 - p))
    return np.asarray(-first - second)
