"""Least confidence: images whose detections have low scores."""

from dataclasses import dataclass

import numpy as np

from miaod_nb.runs.card import Card
from miaod_nb.selection.outputs import DOUBTFUL, Outputs, OutputStrategy, aggregate_by_class


@dataclass(frozen=True)
class LeastConfidence(OutputStrategy):
    """One minus the score of a detection's best class: mean, largest or sum of an image's.

    An image without detections has 0: nothing there is doubtful. Lewis and Gale, SIGIR 1994, for
    classifiers; here for detections.
    """

    card = Card(
        name="least_confidence", label="least confidence",
        words="those whose detections have the lowest scores",
        reason="its detections have the lowest scores", paper="Lewis and Gale, SIGIR 1994",
        ranks_by="score", columns=("score", "per_class", DOUBTFUL),
        settings=("instance_aggregate",),
    )  # fmt: skip

    def see(self, outputs: Outputs) -> dict[str, np.ndarray]:
        doubts = 1.0 - outputs.found.scores.astype(np.float64)
        return aggregate_by_class(doubts, outputs, self.config.instance_aggregate)
