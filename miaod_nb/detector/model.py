"""What every detection model has in common, and what the rest of the package knows of one."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from miaod_nb.data.batches import LabeledBatch
from miaod_nb.detector.anchors import UNIT_STDS, AnchorGrid, Stds, anchor_grid
from miaod_nb.detector.class_quality import no_quality, quality_seen, updated
from miaod_nb.detector.detection_losses import focal_loss, l1_box_loss
from miaod_nb.detector.head import TOWERS, Predictions
from miaod_nb.detector.matching import RETINA_MATCHING, DetectionTargets, detection_targets
from miaod_nb.errors import ConfigError
from miaod_nb.processes import ALONE, Processes

OUTPUT_NAMES = {
    "classifier_1": "logits_1",
    "classifier_2": "logits_2",
    "mil_classifier": "mil_logits",
    "regressor": "box_deltas",
}


class DetectionModel(nn.Module):
    """Images in, `Predictions` out, from a grid of anchors; the base of every detector.

    A subclass builds `head` (features and tower names in, outputs by tower name out) and says in
    the class attributes what it does otherwise than RetinaNet. The backbone's first
    `frozen_stages` stages (the stem belongs to the first) never train, and every BatchNorm uses its
    stored statistics, in training too.

    num_classes: C; pixel_mean, pixel_std: how images are normalized, RGB in [0, 1]; strides: of the
    levels, in pixels; bases: the anchors of one cell, centered on the origin, (K, 4) a level.
    backbone: a module that says `pixel_mean`, `pixel_std` and its `stages()`, in the order of the
    data.

    class_quality: how well each class is found in training, a record of `class_quality.py`. It is
    no part of the weights, and stands beside them in files.
    """

    parts: tuple[str, ...] = ("backbone", *TOWERS)  # what a training stage can train or freeze
    has_background = False  # whether classifiers have one more output, the last, for "no object"
    matching = RETINA_MATCHING
    delta_stds: Stds = UNIT_STDS
    anchor_offset = 0.0  # of a cell's center, in strides
    # The authors' lambda x images of a batch x levels / outputs of a classifier.
    discrepancy_strength = 0.5 * 2 * 5 / 20
    # Whether weight decay and momentum move trainable parameters that a batch does not reach.
    fills_zero_gradients = True
    autocast = False  # whether convolutions compute in bfloat16
    memory_format = torch.contiguous_format  # of images and of the convolutions' weights
    class_quality: Tensor
    head: nn.Module
    backbone: nn.Module
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]

    def __init__(
        self, backbone: Any, num_classes: int, strides: Sequence[int],
        bases: Sequence[Tensor], frozen_stages: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_classes = num_classes
        self.pixel_mean, self.pixel_std = backbone.pixel_mean, backbone.pixel_std
        self.strides = tuple(strides)
        self.backbone = backbone
        for i, base in enumerate(bases):
            self.register_buffer(f"base_anchors_{i}", base, persistent=False)
        self.register_buffer("class_quality", no_quality(num_classes), persistent=False)
        stages = backbone.stages()[:frozen_stages]
        self._frozen = {p for stage in stages for m in stage for p in m.parameters()}

    @property
    def num_outputs(self) -> int:
        """Outputs of a classifier: the classes, and the background if the detector has it."""
        return self.num_classes + self.has_background

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def is_compiled(self) -> bool:
        """Whether `compile` was called; a copy is not."""
        return self._compiled_call_impl is not None

    def train(self, mode: bool = True) -> "DetectionModel":
        """Training mode for all but the BatchNorms."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def laid_out(self, memory_format: torch.memory_format) -> Self:
        """This model, from now on with its convolutions in `memory_format`; results are equal up to
        rounding."""
        self.memory_format = memory_format
        return self.to(memory_format=memory_format)

    def part(self, name: str) -> nn.Module:
        """The submodule of a name in `parts`."""
        return self.get_submodule(f"head.{name}" if name in TOWERS else name)

    def train_only(self, parts: Collection[str]) -> None:
        """Lets only these of `parts` train (frozen backbone stages never do)."""
        for name in self.parts:
            for parameter in self.part(name).parameters():
                parameter.requires_grad_(name in parts and parameter not in self._frozen)

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature levels of normalized images (B, 3, H, W): L x (B, channels, h, w)."""
        return self.backbone(images.contiguous(memory_format=self.memory_format))

    def grid(self, feature_sizes: Sequence[tuple[int, int]]) -> AnchorGrid:
        """The anchors of feature levels of these (h, w)."""
        bases = [self.get_buffer(f"base_anchors_{i}") for i in range(len(self.strides))]
        return anchor_grid(feature_sizes, self.strides, bases, self.anchor_offset)

    def predict(self, features: Sequence[Tensor], towers: Sequence[str] = TOWERS) -> Predictions:
        """What the named towers say about feature levels."""
        outputs = self.head(features, towers)
        full = {
            OUTPUT_NAMES[name]: output.float() if output.dtype == torch.bfloat16 else output
            for name, output in outputs.items()
        }
        return Predictions(
            self.grid([(f.shape[-2], f.shape[-1]) for f in features]), **full,
            has_background=self.has_background, delta_stds=self.delta_stds,
        )  # fmt: skip

    def forward(self, images: Tensor, towers: Sequence[str] = TOWERS) -> Predictions:
        """Predictions for normalized images (B, 3, H, W) from the named towers.

        With `autocast` convolutions compute in bfloat16; predictions are float32 all the same, so
        losses and scores lose nothing.
        """
        with self.autocasting():
            return self.predict(self.features(images), towers)

    def autocasting(self) -> torch.autocast:
        """The precision that convolutions compute in, for a `with` block."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast)

    def classified(self, features: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """What the last layer of classifier 1 reads on each feature level, (B, F, h, w) with one F
        for all, and the logits (B, A, K) that it makes of it. Raises ConfigError for a detector
        that has no such maps."""
        raise ConfigError(
            "the strategy compares boxes by what the last layer of a classifier reads, and this "
            "detector has no maps of one kind there",
            where=f"detector: {type(self).__name__}",
            remedy="choose another strategy such as coreset, or set detector=retinanet",
        )

    def detection_terms(
        self, predictions: Predictions, batch: LabeledBatch, processes: Processes = ALONE
    ) -> dict[str, Tensor]:
        """Detection loss of a labeled batch, the mean over both classifiers (paper, l_det).

        processes: which have the other parts of the batch; then the mean of their terms is the loss
        of the whole batch. `class_quality` is brought up to date.
        """
        logits_1, logits_2, deltas = predictions.need("logits_1", "logits_2", "box_deltas")
        targets = detection_targets(
            predictions.grid, batch.boxes, batch.labels, batch.padded_sizes, self.num_classes,
            self.matching, self.delta_stds,
        )  # fmt: skip
        targets = replace(targets, num_positive=processes.mean(targets.num_positive))
        seen = quality_seen(predictions, targets)
        self.class_quality = updated(self.class_quality, processes.mean(seen))
        loss_1 = self.classification_loss(logits_1, targets)
        loss_2 = self.classification_loss(logits_2, targets)
        return {"classification": (loss_1 + loss_2) / 2, "box": self.box_loss(deltas, targets)}

    def classification_loss(self, logits: Tensor, targets: DetectionTargets) -> Tensor:
        """Of one classifier's logits (B, A, K): scalar."""
        return focal_loss(logits, targets)

    def box_loss(self, box_deltas: Tensor, targets: DetectionTargets) -> Tensor:
        """Of box deltas (B, A, 4): scalar."""
        return l1_box_loss(box_deltas, targets)
