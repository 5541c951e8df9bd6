"""PPAL: images that are uncertain in classes that are hard, and unlike one another."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from miaod_nb.config import Config
from miaod_nb.runs.card import Card
from miaod_nb.selection.box_features import BoxSets, pack, refuse_detectors_without, see_boxes
from miaod_nb.selection.diverse import most_wanted, unlike_one_another
from miaod_nb.selection.entropy import binary_entropy
from miaod_nb.selection.matching_distance import matching_distances
from miaod_nb.selection.outputs import Outputs
from miaod_nb.selection.protocol import Candidates, Choice
from miaod_nb.wording import number_text

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel

GOING_ON = 4  # times the budget enter the second stage
STEEPNESS, STRENGTH = 0.3, 0.2  # the paper's alpha and beta
SMALLEST, LONGEST = 16.0, 5.0  # side of a box in pixels of the input, and its aspect


@dataclass(frozen=True)
class Ppal:
    """First the images with the most uncertainty, where hard classes count more; of these, four
    times the budget, the ones that stand for what the others are like.

    Yang et al., CVPR 2024. An image without uncertain boxes is chosen only when nothing else is
    left. Memory grows with the pool times what is kept of up to 100 boxes an image, and with the
    square of four times the budget.
    """

    config: Config
    card = Card(
        name="ppal", label="PPAL",
        words="those with the most uncertainty in classes that are hard, unlike one another",
        reason="uncertain in hard classes, and unlike the others chosen",
        paper="Yang et al., CVPR 2024", ranks_by="score", passes_over=True,
        columns=("score", "per_class", "best_boxes"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        refuse_detectors_without(self.config, self.card.name)

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        import torch

        weights = class_weights(model.class_quality[0].cpu().numpy())
        seen = see_boxes(model, batch, self.config)
        parts = np.stack([calibrated_uncertainty(one.outputs, weights) for one in seen])
        rows = np.stack([pack(one) for one in seen])
        found = {"score": parts.sum(axis=1), "per_class": parts, "best_boxes": rows}
        return {name: torch.from_numpy(values) for name, values in found.items()}

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        scores = pool.columns["score"]
        order = most_wanted(pool.ids, scores, len(scores))
        uncertain = order[scores[order] > 0]
        distances = unlike_one_another(
            pool.ids, uncertain[: GOING_ON * budget],
            lambda places: matching_distances(BoxSets.unpack(pool.columns["best_boxes"][places])),
            budget, rng,
        )  # fmt: skip
        rest = order[len(uncertain) :][: budget - len(distances)].tolist()
        taken = [place for place in order.tolist() if place in distances] + rest
        reasons = [_reason(float(scores[place]), distances.get(place)) for place in taken]
        return Choice([pool.ids[place] for place in taken], reasons=reasons)


def class_weights(quality: np.ndarray) -> np.ndarray:
    """How much the uncertainty of each class counts, from how well it was found in training:
    (C,) in [0, 1] -> (C,), from 1 for what is found perfectly to 1.2."""
    hardness = (math.exp(1 / STEEPNESS) - 1) * (1 - quality.astype(np.float64)) + 1
    return 1 + STEEPNESS * STRENGTH * np.log(hardness)


def calibrated_uncertainty(outputs: Outputs, weights: np.ndarray) -> np.ndarray:
    """The summed entropy of an image's boxes, times the weights (C,) of their classes, as parts of
    the classes: (C,). Boxes that are tiny or long and thin do not count."""
    found = outputs.found
    values = weights[found.labels] * binary_entropy(found.scores) * _counts(found.boxes)
    return np.bincount(found.labels, values, minlength=outputs.num_classes)


def _counts(boxes: np.ndarray) -> np.ndarray:
    """Which boxes (N, 4) are neither tiny nor long and thin."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    longer, shorter = np.maximum(width, height), np.minimum(width, height)
    return (np.sqrt(width * height) > SMALLEST) & (longer < LONGEST * shorter)


def _reason(score: float, nearest: float | None) -> str:
    if nearest is None:
        return "nothing uncertain was found in it, and nothing else is left"
    unlike = f", and unlike the others chosen: its nearest is {number_text(nearest)} away"
    return f"uncertain ({number_text(score)})" + (unlike if math.isfinite(nearest) else "")
