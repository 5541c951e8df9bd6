"""Which pool images to label next: one protocol, one registry line a strategy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from miaod_nb.config import Config
from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.detector.detections import DetectionSettings, ImageDetections, detect
from miaod_nb.detector.head import Predictions
from miaod_nb.detector.mil import competing_groups, instance_class_scores
from miaod_nb.detector.model import DetectionModel
from miaod_nb.selection.uncertainty import disagreement, num_averaged


@dataclass(frozen=True)
class ImageScores:
    """What a strategy thinks of a batch: values (B,), high is worth labeling, and the part of
    each class (B, C), for people to read."""

    values: Tensor
    per_class: Tensor


class Strategy(Protocol):
    """A rule that picks images. `scores_images` says whether it looks at them at all, and
    `labels_all` that it wants every label at once (the ceiling, not a rule)."""

    @property
    def scores_images(self) -> bool: ...

    @property
    def labels_all(self) -> bool: ...

    @property
    def reason(self) -> str: ...

    def score(self, model: DetectionModel, batch: UnlabeledBatch) -> ImageScores:
        """Values of the images of a batch; batch equals single."""
        ...

    def choose(self, values: np.ndarray, budget: int, rng: np.random.Generator) -> np.ndarray:
        """Positions of the `budget` chosen images, least wanted first. values: float (N,)."""
        ...


class _ByScore:
    """The highest values win; of equal ones the later."""

    scores_images = True
    labels_all = False

    def choose(self, values: np.ndarray, budget: int, rng: np.random.Generator) -> np.ndarray:
        return np.argsort(values, kind="stable")[len(values) - budget :]


@dataclass(frozen=True)
class MiAod(_ByScore):
    """Disagreement of the two classifiers, mean over the `top_k` most uncertain anchors.

    scores: "sigmoid" of each output, a background output included (the authors' code), or
    "softmax" over all of them.
    """

    top_k: float
    weighted: bool = False
    mil_instance_score: str = "max_class"
    norm: str = "l2"
    mil_softmax: str = "level"
    scores: str = "sigmoid"
    reason: str = "the two classifiers disagree most on its anchors"

    @classmethod
    def of(cls, config: Config) -> "MiAod":
        """The strategy with the settings of a configuration."""
        return cls(
            config.top_k, config.weighted_selection, config.mil_instance_score,
            config.uncertainty_norm, config.mil_softmax, config.uncertainty_scores,
        )  # fmt: skip

    def score(self, model: DetectionModel, batch: UnlabeledBatch) -> ImageScores:
        towers = ("classifier_1", "classifier_2", *(("mil_classifier",) if self.weighted else ()))
        per_output = self._averaged(model(batch.images, towers))  # (B, A, K)
        instances = per_output.mean(dim=-1)  # (B, A)
        k = num_averaged(self.top_k, instances.shape[1])
        top = instances.topk(k, dim=1, sorted=False)
        per_class = per_output[..., : model.num_classes]
        picked = top.indices[..., None].expand(-1, -1, model.num_classes)
        return ImageScores(top.values.mean(dim=1), per_class.gather(1, picked).mean(dim=1))

    def instance_uncertainty(self, predictions: Predictions) -> Tensor:
        """How uncertain each anchor is: (B, A)."""
        return self._averaged(predictions).mean(dim=-1)

    def differences(self, predictions: Predictions) -> Tensor:
        """How far the classifiers differ at each anchor and output, not weighted: (B, A, K)."""
        logits_1, logits_2 = predictions.need("logits_1", "logits_2")
        probs_1, probs_2 = (self._probabilities(logits) for logits in (logits_1, logits_2))
        return disagreement(probs_1, probs_2, self.norm)

    def _averaged(self, predictions: Predictions) -> Tensor:
        """The differences, weighted if asked for: (B, A, K)."""
        difference = self.differences(predictions)
        if not self.weighted:
            return difference
        logits_1, logits_2, mil_logits = predictions.need("logits_1", "logits_2", "mil_logits")
        groups = competing_groups(predictions.grid.level_sizes, self.mil_softmax)
        return difference * instance_class_scores(
            logits_1, logits_2, mil_logits, groups, self.mil_instance_score
        )

    def _probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=-1) if self.scores == "softmax" else logits.sigmoid()


@dataclass(frozen=True)
class Entropy(_ByScore):
    """Binary entropy of detection scores, `aggregate` over the image: "max", "mean" or "sum".

    An image without detections has entropy 0.
    """

    aggregate: str
    detection_settings: DetectionSettings
    reason: str = "its detections have the highest entropy"

    def score(self, model: DetectionModel, batch: UnlabeledBatch) -> ImageScores:
        predictions = model(batch.images, ("classifier_1", "regressor"))
        unscaled = [(1.0, 1.0)] * len(batch)
        found = detect(predictions, batch.image_sizes, unscaled, self.detection_settings)
        values = torch.stack([self._aggregate(binary_entropy(image.scores)) for image in found])
        per_class = torch.stack([self._per_class(image, model.num_classes) for image in found])
        return ImageScores(values, per_class)

    def _per_class(self, image: ImageDetections, num_classes: int) -> Tensor:
        entropies = binary_entropy(image.scores)
        return torch.stack(
            [self._aggregate(entropies[image.labels == c]) for c in range(num_classes)]
        )

    def _aggregate(self, entropies: Tensor) -> Tensor:
        if len(entropies) == 0:
            return entropies.new_zeros(())
        return getattr(entropies, self.aggregate)()


@dataclass(frozen=True)
class Random:
    """Every pool image is equally likely."""

    scores_images: bool = False
    labels_all: bool = False
    reason: str = "drawn at random"

    def score(self, model: DetectionModel, batch: UnlabeledBatch) -> ImageScores:
        raise TypeError("random selection does not look at images")

    def choose(self, values: np.ndarray, budget: int, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(len(values))[:budget]


@dataclass(frozen=True)
class Full(Random):
    """Every image is labeled from the start: the ceiling that the others are measured against."""

    labels_all: bool = True
    reason: str = "full supervision"


def binary_entropy(probs: Tensor) -> Tensor:
    """-p ln p - (1 - p) ln(1 - p), in nats, 0 at p = 0 and 1; same shape as `probs`."""
    return torch.special.entr(probs) + torch.special.entr(1 - probs)


STRATEGIES: dict[str, Callable[[Config], Strategy]] = {
    "mi_aod": MiAod.of,
    "entropy": lambda c: Entropy(c.entropy_aggregate, DetectionSettings.of(c)),
    "random": lambda c: Random(),
    "full": lambda c: Full(),
}
