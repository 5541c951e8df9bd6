"""Everything that runs on images also runs on CUDA, without waiting for it: checked with fake
tensors, which have a device and a shape but no values. No GPU is needed.

A fake tensor refuses what would have to wait for its values (`.item()`, indexing with booleans,
`if tensor:`), and operations between devices.
"""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from miaod_nb.config import Config, make_config
from miaod_nb.data.batches import LabeledBatch, UnlabeledBatch
from miaod_nb.detector import DETECTORS, detections
from miaod_nb.detector.detections import DetectionSettings, above_threshold, candidates, suppress
from miaod_nb.detector.retinanet import RetinaNet
from miaod_nb.learning.stages import LabelSet, Maximize, Method, Minimize
from miaod_nb.selection.registry import STRATEGIES
from tests.tiny import labeled, unlabeled

NUM_CLASSES = 3
NO_WEIGHTS = {"backbone_weights": "none"}
CASES = {  # preset, settings, input size
    "tiny": ("tiny", {}, (64, 96)),
    "paper_options": (
        "tiny",
        {"discrepancy_norm": "l2", "mil_softmax": "image", "mil_instance_score": "per_class",
         "trained_layers": "paper", "uncertainty_norm": "l1"},
        (64, 64),
    ),
    "efficientnet_lite0": ("voc", NO_WEIGHTS, (256, 320)),
    "resnet50": ("voc0712", NO_WEIGHTS, (608, 800)),
}  # fmt: skip


@pytest.fixture(params=CASES, scope="module")
def built(request):
    """Fake mode, configuration, detector, labeled and unlabeled batch, on CUDA that is not there.

    The batches are made on the CPU and moved as the training loop does it.
    """
    preset, settings, size = CASES[request.param]
    config = make_config(preset, settings)
    with FakeTensorMode() as mode:
        with torch.device("cuda"):
            model = DETECTORS[config.detector](config, NUM_CLASSES)
        images = torch.empty(2, 3, *size)
        batches = labeled(images).to(model.device), unlabeled(images).to(model.device)
    return mode, config, model, *batches


@pytest.fixture
def case(built) -> Iterator[tuple[Config, RetinaNet, LabeledBatch, UnlabeledBatch]]:
    """What was built, in its fake mode."""
    mode, *rest = built
    with mode:
        yield tuple(rest)


def on_cuda(*tensors: Tensor) -> bool:
    return all(tensor.device.type == "cuda" for tensor in tensors)


def test_model_and_batches_are_on_cuda(case):
    _, model, with_targets, without = case
    assert on_cuda(*model.parameters(), *model.buffers(), without.images)
    assert on_cuda(with_targets.images, *with_targets.boxes, *with_targets.labels)


@pytest.mark.parametrize("stage_type", [LabelSet, Minimize, Maximize])
def test_loss_terms(case, stage_type):
    config, model, *batches = case
    stage = stage_type(Method.of(config))
    model.train_only(stage.trained_parts(model.parts))
    for batch in batches if stage.uses_unlabeled else batches[:1]:
        terms = stage.loss_terms(model, batch)
        assert terms and on_cuda(*terms.values())
        assert all(value.shape == () for value in terms.values())


@pytest.mark.parametrize("weighted", [False, True])
@torch.no_grad()
def test_scores_of_images(case, weighted):
    config, model, _, batch = case
    config = config.model_copy(update={"weighted_selection": weighted})
    scores = STRATEGIES["mi_aod"](config).observe(model, batch)
    assert on_cuda(*scores.values())
    assert scores["score"].shape == (2,) and scores["per_class"].shape == (2, NUM_CLASSES)


@torch.no_grad()
def test_candidates_of_detection(case):
    config, model, _, batch = case
    predictions = model(batch.images, ("classifier_1", "regressor"))
    (logits,) = predictions.need("logits_1")
    best = predictions.class_probabilities(logits).amax(dim=2)
    places = candidates(best, predictions.grid.level_sizes, config.nms_candidates)
    assert on_cuda(places)
    kept = sum(min(size, config.nms_candidates) for size in predictions.grid.level_sizes)
    assert places.shape == (2, kept)


@pytest.mark.filterwarnings("ignore:.*create_unbacked_symint.*:FutureWarning")
@pytest.mark.parametrize("max_detections", [3, 100])
def test_suppression(monkeypatch, max_detections):
    """How many boxes there are depends on values, so their number is a symbol here."""
    real = detections.batched_nms

    def of_some_boxes(boxes: Tensor, *arguments: object) -> Tensor:
        torch._check(boxes.shape[0] > 0)  # torchvision asks whether there are any
        return real(boxes, *arguments)

    monkeypatch.setattr(detections, "batched_nms", of_some_boxes)
    settings = DetectionSettings(max_detections=max_detections)
    with FakeTensorMode(shape_env=ShapeEnv()), torch.device("cuda"):
        said = above_threshold(torch.empty(1, 50, NUM_CLASSES), (30, 20), settings)
        found = suppress(torch.empty(50, 4)[said.anchors], said, settings)
    assert on_cuda(found.boxes, found.scores, found.labels)
    assert found.labels.dtype == torch.int64
    assert found.boxes.dim() == 2 and found.boxes.shape[1] == 4


# ---------------------------------------------------------- the check itself can find something


def read_value(x: Tensor) -> float:
    return x.sum().item()


def branch(x: Tensor) -> Tensor:
    return x if (x > 0).any() else -x


def pick(x: Tensor) -> Tensor:
    return x[x > 0]


def mix_devices(x: Tensor) -> Tensor:
    return x + torch.ones(3, device="cpu")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (read_value, DataDependentOutputException),
        (branch, DataDependentOutputException),
        (pick, DynamicOutputShapeException),
        (mix_devices, RuntimeError),
    ],
)
def test_code_that_waits_for_values_is_refused(wrong, error):
    with FakeTensorMode(), pytest.raises(error):
        wrong(torch.empty(3, device="cuda"))
