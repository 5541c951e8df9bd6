"""MI-AOD: images on whose anchors the two classifiers disagree most."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from miaod_nb.config import Config
from miaod_nb.runs.card import Card
from miaod_nb.selection.protocol import Candidates, Choice, choose_highest
from miaod_nb.selection.uncertainty import image_uncertainty, most_uncertain

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.head import Predictions
    from miaod_nb.detector.model import DetectionModel


@dataclass(frozen=True)
class MiAod:
    """Disagreement of the two classifiers, mean over the `top_k` most uncertain anchors.

    It compares sigmoids of the outputs, a background output included (the authors' code), or the
    softmax over all of them (`uncertainty_scores`).
    """

    config: Config
    card = Card(
        name="mi_aod", label="MI-AOD",
        words="those on whose anchors two classifiers disagree most",
        reason="the two classifiers disagree most on its anchors",
        paper="Yuan et al., CVPR 2021", ranks_by="score", columns=("score", "per_class"),
        trains_adversarially=True, settings=("weighted_selection", "uncertainty_norm"),
        look="mi_aod", explained_by="discrepancy",
    )  # fmt: skip

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        towers = ("classifier_1", "classifier_2", *(("mil_classifier",) if self.weights else ()))
        per_output = self._averaged(model(batch.images, towers))  # (B, A, K)
        instances = per_output.mean(dim=-1)  # (B, A)
        picked = most_uncertain(instances, self.config.top_k)  # (B, k)
        per_class = per_output[..., : model.num_classes]
        of_classes = per_class.gather(1, picked[..., None].expand(-1, -1, model.num_classes))
        return {
            "score": image_uncertainty(instances, self.config.top_k),
            "per_class": of_classes.mean(dim=1),
        }

    @property
    def weights(self) -> bool:
        """Whether instances count by their MIL score."""
        return self.card.weighted or self.config.weighted_selection

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        return choose_highest(pool, "score", budget)

    def instance_uncertainty(self, predictions: "Predictions") -> "Tensor":
        """How uncertain each anchor is: (B, A)."""
        return self._averaged(predictions).mean(dim=-1)

    def differences(self, predictions: "Predictions") -> "Tensor":
        """How far the classifiers differ at each anchor and output, not weighted: (B, A, K)."""
        from miaod_nb.learning.losses import discrepancy_loss

        logits_1, logits_2 = predictions.need("logits_1", "logits_2")
        probs_1, probs_2 = (self._probabilities(logits) for logits in (logits_1, logits_2))
        return discrepancy_loss(probs_1, probs_2, self.config.uncertainty_norm)

    def _averaged(self, predictions: "Predictions") -> "Tensor":
        """The differences, weighted if asked for: (B, A, K)."""
        from miaod_nb.detector.mil import competing_groups, instance_class_scores

        difference = self.differences(predictions)
        if not self.weights:
            return difference
        logits_1, logits_2, mil_logits = predictions.need("logits_1", "logits_2", "mil_logits")
        groups = competing_groups(predictions.grid.level_sizes, self.config.mil_softmax)
        return difference * instance_class_scores(
            logits_1, logits_2, mil_logits, groups, self.config.mil_instance_score
        )

    def _probabilities(self, logits: "Tensor") -> "Tensor":
        softmax = self.config.uncertainty_scores == "softmax"
        return logits.softmax(dim=-1) if softmax else logits.sigmoid()


class MiAodWeighted(MiAod):
    """MI-AOD whose image uncertainty weights instances by their MIL score, as its training does:
    `weighted_selection=true` under a name of its own."""

    card = replace(
        MiAod.card, name="mi_aod_weighted", label="MI-AOD weighted",
        words="those on whose anchors two classifiers disagree most, where an object seems to be",
        reason="the two classifiers disagree most on its anchors, weighted by their MIL score",
        weighted=True, look="",
    )  # fmt: skip
