"""What a strategy sees in the images of a batch, checked to be what its card promises."""

from torch import Tensor

from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import TrainingError
from miaod_nb.runs.card import PER_CLASS
from miaod_nb.selection.protocol import Strategy


def observe(model: DetectionModel, batch: UnlabeledBatch, strategy: Strategy) -> dict[str, Tensor]:
    """What the strategy sees in the images of a batch: its card's columns, (B, ...) each. Raises
    TrainingError for other columns, and for values that are not of these images."""
    card, found = strategy.card, strategy.observe(model, batch)
    fault = "" if set(found) == set(card.columns) else f"it gives {', '.join(found) or 'nothing'}"
    for name, values in found.items():
        expected = [len(batch), model.num_classes][: 1 + (name == PER_CLASS)]
        if list(values.shape[: len(expected)]) != expected:
            fault = fault or f"{name} has the shape {list(values.shape)}, expected {expected}"
    if fault:
        raise TrainingError(
            f"the strategy '{card.name}' does not see what its card promises: {fault}",
            where=f"{type(strategy).__module__}.{type(strategy).__qualname__}.observe",
            remedy="mend it: `observe` returns a tensor (B, ...) for each of the card's columns, "
            + ", ".join(card.columns),
        )
    for name, values in found.items():
        finite = values.reshape(len(batch), -1).isfinite().all(dim=1).tolist()
        if not all(finite):
            raise TrainingError(
                f"the {name} of an image is not a finite number (strategy '{card.name}')",
                where=batch.ids[finite.index(False)],
                remedy="the training diverged: lower learning_rate or set clip_norm, and use a "
                "new run_dir; or mend a strategy of your own",
            )
    return found
