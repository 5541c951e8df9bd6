"""The three stages of a cycle: which parts train, and which loss terms count.

A stage knows nothing of loaders, optimizers or schedules; the loop knows nothing of losses. Where
several processes have a part of the batch each, the mean of their terms is that of the whole batch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from miaod_nb.config import Config
from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.detector.head import Predictions
from miaod_nb.detector.mil import (
    competing_groups,
    image_class_scores,
    instance_class_scores,
    pseudo_image_labels,
)
from miaod_nb.detector.model import DetectionModel
from miaod_nb.learning import losses
from miaod_nb.processes import ALONE, Processes

Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Method:
    """What the losses depend on; see the fields of the same names in Config."""

    discrepancy_weight: float | str = 0.5
    discrepancy_norm: str = "l1"
    mil_instance_score: str = "max_class"
    mil_softmax: str = "level"
    trained_layers: str = "code"

    @classmethod
    def of(cls, config: Config) -> "Method":
        """The method that a configuration asks for."""
        return cls(**{name: getattr(config, name) for name in cls.__dataclass_fields__})

    def weight(self, model: DetectionModel, images: int) -> float:
        """Lambda in batches of so many images, over all processes.

        The unlabeled term is a mean over a classifier's outputs and a sum over images and, in each,
        over groups of anchors whose instance weights sum to 1; the detection loss is a mean over
        positive anchors. "auto" keeps the sum as strong as the authors' lambda makes it.
        """
        if not isinstance(self.discrepancy_weight, str):
            return self.discrepancy_weight
        groups = 1 if self.mil_softmax == "image" else len(model.strides)
        return model.discrepancy_strength * model.num_outputs / (images * groups)

    def instance_and_image_scores(self, predictions: Predictions) -> tuple[Tensor, Tensor]:
        """MIL scores of anchors (B, A, C) and of images (B, C)."""
        logits_1, logits_2, mil_logits = predictions.need("logits_1", "logits_2", "mil_logits")
        groups = competing_groups(predictions.grid.level_sizes, self.mil_softmax)
        scores = instance_class_scores(
            logits_1, logits_2, mil_logits, groups, self.mil_instance_score
        )
        return scores, image_class_scores(scores, groups)


class Stage(Protocol):
    """One training stage."""

    @property
    def name(self) -> str: ...

    @property
    def uses_unlabeled(self) -> bool: ...

    @property
    def processes(self) -> Processes: ...

    def trained_parts(self, parts: Sequence[str]) -> tuple[str, ...]:
        """Which of the detector's parts train, by name."""
        ...

    def loss_terms(self, model: DetectionModel, batch: LabeledBatch | UnlabeledBatch) -> Terms:
        """The scalars whose sum is minimized on this batch: only what counts."""
        ...


CLASSIFIERS = ("classifier_1", "classifier_2")


@dataclass(frozen=True)
class LabelSet:
    """Learn from labeled images: detection and image classification, all parts train."""

    method: Method
    name: str = "label_set"
    uses_unlabeled: bool = False
    processes: Processes = ALONE

    def trained_parts(self, parts: Sequence[str]) -> tuple[str, ...]:
        return tuple(parts)

    def loss_terms(self, model: DetectionModel, batch: LabeledBatch | UnlabeledBatch) -> Terms:
        assert isinstance(batch, LabeledBatch), "the label-set stage sees labeled images only"
        predictions = model(batch.images)
        _, image_scores = self.method.instance_and_image_scores(predictions)
        present = losses.image_labels(batch.labels, model.num_outputs)
        return model.detection_terms(predictions, batch, self.processes) | {
            "image_classification": losses.image_classification_loss(image_scores, present)
        }


@dataclass(frozen=True)
class Minimize:
    """Bring the classifiers to agree on unlabeled images, by better features (paper, eq. of
    minimizing instance uncertainty with re-weighting); the classifiers stay as they are."""

    method: Method
    name: str = "minimize"
    uses_unlabeled: bool = True
    processes: Processes = ALONE

    def trained_parts(self, parts: Sequence[str]) -> tuple[str, ...]:
        fixed = {*CLASSIFIERS}
        if self.method.trained_layers == "paper":
            fixed.add("regressor")
        return tuple(part for part in parts if part not in fixed)

    def loss_terms(self, model: DetectionModel, batch: LabeledBatch | UnlabeledBatch) -> Terms:
        if isinstance(batch, LabeledBatch):
            return LabelSet(self.method, processes=self.processes).loss_terms(model, batch)
        predictions = model(batch.images, (*CLASSIFIERS, "mil_classifier"))
        instance_scores, image_scores = self.method.instance_and_image_scores(predictions)
        probs_1, probs_2 = predictions.both_probabilities()
        discrepancy = losses.discrepancy_loss(probs_1, probs_2, self.method.discrepancy_norm)
        # The sigmoid of each output, whatever their probabilities are, as in the authors' code.
        logits_1, logits_2 = predictions.need("logits_1", "logits_2")
        pseudo = pseudo_image_labels(logits_1.sigmoid(), logits_2.sigmoid())
        return {
            "discrepancy": self.method.weight(model, len(batch) * self.processes.count)
            * self.processes.count  # a sum over the batch, not a mean
            * losses.weighted_discrepancy_loss(discrepancy, instance_scores),
            "image_classification": losses.pseudo_image_classification_loss(
                image_scores, pseudo, self.processes.all(losses.every_image_labeled(pseudo))
            ),
        }


@dataclass(frozen=True)
class Maximize:
    """Drive the classifiers apart on unlabeled images while both stay right on labeled ones
    (paper, eq. of maximizing instance uncertainty with re-weighting); features stay as they are."""

    method: Method
    name: str = "maximize"
    uses_unlabeled: bool = True
    processes: Processes = ALONE

    def trained_parts(self, parts: Sequence[str]) -> tuple[str, ...]:
        return (*CLASSIFIERS, *(("regressor",) if self.method.trained_layers == "paper" else ()))

    def loss_terms(self, model: DetectionModel, batch: LabeledBatch | UnlabeledBatch) -> Terms:
        if isinstance(batch, LabeledBatch):
            predictions = model(batch.images, (*CLASSIFIERS, "regressor"))
            return model.detection_terms(predictions, batch, self.processes)
        predictions = model(batch.images, (*CLASSIFIERS, "mil_classifier"))
        instance_scores, _ = self.method.instance_and_image_scores(predictions)
        probs_1, probs_2 = predictions.both_probabilities()
        discrepancy = losses.discrepancy_loss(probs_1, probs_2, self.method.discrepancy_norm)
        return {
            "agreement": self.method.weight(model, len(batch) * self.processes.count)
            * self.processes.count
            * losses.weighted_discrepancy_loss(1 - discrepancy, instance_scores)
        }


def fill_zero_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Gives a zero gradient to trainable parameters that a batch did not reach, so that weight
    decay and momentum move them in that step too, as in the authors' code."""
    for parameter in parameters:
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
