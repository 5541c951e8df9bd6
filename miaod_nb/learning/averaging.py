"""A stage whose gradients are averaged over the processes that have a part of each batch."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.detector.model import DetectionModel
from miaod_nb.learning.stages import Stage, Terms


def averaged(stage: Stage) -> Stage:
    """The stage with gradients averaged over its processes; itself where there is one."""
    return stage if stage.processes.count == 1 else _AveragedStage(stage)


class _AveragedStage:
    """As the stage, for one model, whose trained parts must not change any more."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.processes = stage, stage.processes
        self.name, self.uses_unlabeled = stage.name, stage.uses_unlabeled
        self._modules: dict[type, DistributedDataParallel] = {}  # by kind of batch

    def trained_parts(self, parts: Sequence[str]) -> tuple[str, ...]:
        return self.stage.trained_parts(parts)

    def loss_terms(self, model: DetectionModel, batch: LabeledBatch | UnlabeledBatch) -> Terms:
        if type(batch) not in self._modules:
            losses = _LossTerms(self.stage, model, _reached(self.stage, model, batch))
            self._modules[type(batch)] = DistributedDataParallel(losses)
        return self._modules[type(batch)](batch)


class _LossTerms(nn.Module):
    """A stage as a module: a batch in, loss terms out. It has only the parameters that such a batch
    reaches: the gradient of the others stays None in every process, and nobody looks for them."""

    def __init__(
        self, stage: Stage, model: DetectionModel, parameters: Sequence[nn.Parameter]
    ) -> None:
        super().__init__()
        self.reached = nn.ParameterList(parameters)
        self._stage, self._model = stage, (model,)  # not as a part of this module

    def forward(self, batch: LabeledBatch | UnlabeledBatch) -> Terms:
        return self._stage.loss_terms(*self._model, batch)


def _reached(
    stage: Stage, model: DetectionModel, batch: LabeledBatch | UnlabeledBatch
) -> list[nn.Parameter]:
    """The parameters that train and that get a gradient from a batch of this kind."""
    trained = [p for p in model.parameters() if p.requires_grad]
    quality = model.class_quality  # which the same batch changes again when it trains
    total = torch.stack(list(stage.loss_terms(model, batch).values())).sum()
    model.class_quality = quality
    gradients = torch.autograd.grad(total, trained, allow_unused=True)
    return [p for p, gradient in zip(trained, gradients, strict=True) if gradient is not None]
