"""What a strategy sees in the images of a batch, checked to be what its card promises."""

import torch
from torch import Tensor

from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.detector.model import DetectionModel
from miaod_nb.detector.remembering import remembering
from miaod_nb.errors import TrainingError
from miaod_nb.plugins import own_code_explained, place_of
from miaod_nb.runs.card import PER_CLASS
from miaod_nb.selection.protocol import Strategy, behind

REMEDY = (
    "mend it: `observe` returns a tensor of numbers for each of the card's columns, (B,) or "
    "(B, D), and (B, C) for per_class"
)


def observe(model: DetectionModel, batch: UnlabeledBatch, strategy: Strategy) -> dict[str, Tensor]:
    """What the strategy sees in the images of a batch: its card's columns, float32, (B,) or (B, D)
    each. Raises TrainingError for other columns, and for values that are not of these images."""
    card, whose = strategy.card, f"the strategy '{strategy.card.name}'"
    with own_code_explained(whose, type(behind(strategy)), REMEDY, TrainingError):
        found = strategy.observe(remembering(model, batch.images), batch)
    place = f"{place_of(behind(strategy))}.observe"
    fault = _fault_of(found, strategy, len(batch), model.num_classes)
    if fault:
        raise TrainingError(f"{whose} does not see what its card promises: {fault}",
                            where=place, remedy=REMEDY)  # fmt: skip
    values = {name: found[name].to(torch.float32) for name in card.columns}
    for name, column in values.items():
        finite = column.reshape(len(batch), -1).isfinite().all(dim=1).tolist()
        if not all(finite):
            raise TrainingError(
                f"the {name} of an image is not a finite number (strategy '{card.name}')",
                where=batch.ids[finite.index(False)],
                remedy="the training diverged: lower learning_rate or set clip_norm, and use a "
                f"new run_dir; or mend a strategy of your own ({place})",
            )
    return values


def _fault_of(found: object, strategy: Strategy, images: int, classes: int) -> str:
    """What is wrong with what a strategy returned, in words; "" if nothing is."""
    card = strategy.card
    if not isinstance(found, dict):
        return f"it gives {type(found).__name__}, no dict"
    if set(found) != set(card.columns):
        return f"it gives {', '.join(map(str, found)) or 'nothing'}"
    for name, values in found.items():
        if not isinstance(values, Tensor):
            return f"{name} is {type(values).__name__}, no tensor"
        if values.layout != torch.strided or values.is_complex() or values.is_meta:
            return f"{name} is no dense tensor of real numbers"
        shape = list(values.shape)
        expected = [images, classes] if name == PER_CLASS else [images]
        most = 1 if name == card.ranks_by else 2
        if shape[: len(expected)] != expected or len(shape) > max(most, len(expected)):
            return f"{name} has the shape {shape}, expected {expected}"
        if 0 in shape:
            return f"{name} is empty"
    return ""
