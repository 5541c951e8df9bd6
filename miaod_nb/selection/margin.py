"""Margin: images with detections that could be one class or another."""

from dataclasses import dataclass

import numpy as np

from miaod_nb.runs.card import Card
from miaod_nb.selection.outputs import DOUBTFUL, Outputs, OutputStrategy, aggregate_by_class


@dataclass(frozen=True)
class Margin(OutputStrategy):
    """One minus the distance between the scores of a detection's two best classes: mean, largest
    or sum of an image's.

    An image without detections has 0. With one class, or where a program gives only the best
    class's score, the second is the background's: 1 - score. Scheffer et al., IDA 2001, for
    classifiers; here for detections.
    """

    card = Card(
        name="margin", label="margin",
        words="those with detections that could be two things",
        reason="its detections are between two classes", paper="Scheffer et al., IDA 2001",
        ranks_by="score", columns=("score", "per_class", DOUBTFUL),
        settings=("instance_aggregate",),
    )  # fmt: skip

    def see(self, outputs: Outputs) -> dict[str, np.ndarray]:
        closeness = 1.0 - margins(outputs)
        return aggregate_by_class(closeness, outputs, self.config.instance_aggregate)


def margins(outputs: Outputs) -> np.ndarray:
    """How far each box's best class is above what is next: float64 (N,) in [0, 1]."""
    scores = outputs.found.scores.astype(np.float64)
    if outputs.class_scores is None or outputs.num_classes == 1:
        return np.abs(2.0 * scores - 1.0)
    first, second = np.sort(outputs.every_score, axis=1)[:, :-3:-1].T
    return first - second
