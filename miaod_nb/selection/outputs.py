"""What any detector says of an image, and strategies that need nothing else of it.

Such strategies rank images by the boxes of our detectors and by those of other programs alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NoReturn

import numpy as np

from miaod_nb.boxes import Detections
from miaod_nb.config import Config
from miaod_nb.errors import ConfigError
from miaod_nb.runs.card import Card
from miaod_nb.selection.protocol import Candidates, Choice, choose_highest

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel

DOUBTFUL = "doubtful_boxes"  # the column: class and score of an image's most doubtful boxes
NAMED = 3  # of them

AGGREGATES: dict[str, Callable[[np.ndarray], float]] = {
    "max": np.max,
    "mean": np.mean,
    "sum": np.sum,
}


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a detector says of an image: N boxes, best first, of C classes.

    boxes: in pixels. class_scores: float (N, C) in [0, 1], what it says of every class at each box;
    they need not sum to one. None where a program gives the score of the best class alone.
    """

    found: Detections
    num_classes: int
    class_scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.found)

    @property
    def every_score(self) -> np.ndarray:
        """`class_scores`, or where these are not known the score of the box's class and 0 for all
        others: float64 (N, C)."""
        if self.class_scores is not None:
            return self.class_scores.astype(np.float64)
        scores = np.zeros((len(self), self.num_classes))
        scores[np.arange(len(self)), self.found.labels] = self.found.scores
        return scores


class NeedsOurDetector(ConfigError):
    """A strategy looks into a detector of ours where there are only boxes of another program."""


@dataclass(frozen=True, eq=False)
class ForeignDetector:
    """A detector of another program as strategies find it in the place of ours, for one batch.

    told: what it says of the batch's images. looks: what these look like to a network that knows
    no classes, float32 (B, F), computed when it is asked for. All else it refuses.
    """

    told: Sequence[Outputs]
    num_classes: int
    looks: Callable[[], np.ndarray]
    strides = (1,)  # of the one feature level, whose only cell is the image

    def features(self, images: "Tensor") -> "list[Tensor]":
        import torch

        return [torch.from_numpy(self.looks())[:, :, None, None]]

    def __call__(self, *_: object) -> NoReturn:
        raise NeedsOurDetector(
            "the strategy looks into a detector of ours, and there are only boxes of another one",
            where="strategy", remedy="choose one that needs boxes and scores alone",
        )  # fmt: skip

    def __getattr__(self, name: str) -> NoReturn:
        self()


@dataclass(frozen=True)
class OutputStrategy(ABC):
    """A strategy that goes by the boxes of an image and their scores. `see` says what it sees."""

    config: Config
    card: ClassVar[Card]

    @abstractmethod
    def see(self, outputs: Outputs) -> dict[str, np.ndarray]:
        """The card's columns of one image: a number each, or a vector."""

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        return self.seen(outputs_of(model, batch, self.config))

    def seen(self, outputs: Sequence[Outputs]) -> "dict[str, Tensor]":
        """The card's columns of several images, (B, ...) each."""
        import torch

        rows = [self.see(one) for one in outputs]
        return {
            name: torch.as_tensor(np.stack([np.asarray(row[name], np.float32) for row in rows]))
            for name in self.card.columns
        }

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        choice = choose_highest(pool, "score", budget)
        if DOUBTFUL not in pool.columns:  # scored by an earlier version
            return choice
        boxes_of = dict(zip(pool.ids, pool.columns[DOUBTFUL], strict=True))
        reasons = [self._doubts(boxes_of[i], pool.classes) for i in choice.ids]
        return Choice(choice.ids, reasons=reasons)

    def _doubts(self, doubtful: np.ndarray, classes: Sequence[str]) -> str:
        """The card's reason with the boxes that it is about."""
        boxes = [(int(label), score) for label, score in doubtful.reshape(-1, 2) if label >= 0]
        names = [f"{classes[c] if classes else f'class {c}'} {score:.2f}" for c, score in boxes]
        told = f"{self.card.reason}: {', '.join(names)}"
        return told if names else "the detector finds nothing in it"


def outputs_of(
    model: "DetectionModel | ForeignDetector", batch: "UnlabeledBatch", config: Config
) -> list[Outputs]:
    """What a detector says of the images of a batch; boxes in pixels of the input of ours, or of
    the images for one of another program. Those who look at a batch together find the boxes once.
    """
    from miaod_nb.detector.remembering import Remembering

    if isinstance(model, ForeignDetector):
        return list(model.told)
    if isinstance(model, Remembering):
        return model.once("outputs", batch.images, lambda: _outputs_of(model, batch, config))
    return _outputs_of(model, batch, config)


def _outputs_of(model: "DetectionModel", batch: "UnlabeledBatch", config: Config) -> list[Outputs]:
    from miaod_nb.detector.detections import DetectionSettings, detect

    predictions = model(batch.images, ("classifier_1", "regressor"))
    unscaled, settings = [(1.0, 1.0)] * len(batch), DetectionSettings.of(config)
    found = detect(predictions, batch.image_sizes, unscaled, settings)
    return [
        Outputs(image.as_arrays(), model.num_classes, image.class_scores.cpu().numpy())
        for image in found
        if image.class_scores is not None  # `detect` keeps them
    ]


def aggregate_by_class(values: np.ndarray, outputs: Outputs, how: str) -> dict[str, np.ndarray]:
    """The `score` of an image from the values (N,) of its boxes, and `per_class` (C,) from those
    of each class: 0 without boxes. how: a name in AGGREGATES. DOUBTFUL (2 * NAMED,): class and
    score of the boxes with the highest values, one after the other; -1 where there is none."""
    labels = outputs.found.labels

    def together(some: np.ndarray) -> float:
        return float(AGGREGATES[how](some)) if len(some) else 0.0

    per_class = [together(values[labels == c]) for c in range(outputs.num_classes)]
    best = np.argsort(-values, kind="stable")[:NAMED]
    doubtful = np.full((NAMED, 2), -1.0)
    doubtful[: len(best)] = np.stack([labels[best], outputs.found.scores[best]], axis=1)
    return {
        "score": np.array(together(values)), "per_class": np.array(per_class),
        DOUBTFUL: doubtful.ravel(),
    }  # fmt: skip
