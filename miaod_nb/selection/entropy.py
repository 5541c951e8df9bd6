"""Entropy: images whose detections the detector is least sure of."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from miaod_nb.config import Config
from miaod_nb.runs.card import Card
from miaod_nb.selection.protocol import Candidates, Choice, choose_highest

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel


@dataclass(frozen=True)
class Entropy:
    """Binary entropy of detection scores: the largest, the mean or the sum of an image's.

    An image without detections has entropy 0.
    """

    config: Config
    card = Card(
        name="entropy", label="entropy",
        words="those with the highest entropy of the detector's scores",
        reason="its detections have the highest entropy",
        ranks_by="score", columns=("score", "per_class"), settings=("entropy_aggregate",),
        look="entropy", explained_by="entropy",
    )  # fmt: skip

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        import torch

        from miaod_nb.detector.detections import DetectionSettings, detect

        predictions = model(batch.images, ("classifier_1", "regressor"))
        unscaled, settings = [(1.0, 1.0)] * len(batch), DetectionSettings.of(self.config)
        found = detect(predictions, batch.image_sizes, unscaled, settings)
        entropies = [binary_entropy(image.scores) for image in found]
        per_class = [
            self._aggregate(of_image[image.labels == c])
            for image, of_image in zip(found, entropies, strict=True)
            for c in range(model.num_classes)
        ]
        score = torch.stack([self._aggregate(of_image) for of_image in entropies])
        return {"score": score, "per_class": torch.stack(per_class).view(len(batch), -1)}

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        return choose_highest(pool, "score", budget)

    def _aggregate(self, entropies: "Tensor") -> "Tensor":
        if len(entropies) == 0:
            return entropies.new_zeros(())
        aggregated: Tensor = getattr(entropies, self.config.entropy_aggregate)()
        return aggregated


def binary_entropy(probs: "Tensor") -> "Tensor":
    """-p ln p - (1 - p) ln(1 - p), in nats, 0 at p = 0 and 1; same shape as `probs`."""
    import torch

    return torch.special.entr(probs) + torch.special.entr(1 - probs)
