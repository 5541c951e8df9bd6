"""Disagreement of the two classifiers: both norms, by hand and through the strategy."""

import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.data.batches import Sample, UnlabeledBatch, collate
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector import build_detector
from miaod_nb.selection.registry import STRATEGIES
from miaod_nb.selection.uncertainty import instance_uncertainty

PROBS_1 = torch.tensor([[[0.9, 0.2], [0.5, 0.5]]])  # (B, A, C) = (1, 2, 2)
PROBS_2 = torch.tensor([[[0.5, 0.4], [0.5, 0.5]]])
WEIGHTS = torch.tensor([[[0.5, 0.0], [1.0, 1.0]]])


@pytest.mark.parametrize(
    ("norm", "plain", "weighted"),
    [("l2", (0.16 + 0.04) / 2, 0.08 / 2), ("l1", (0.4 + 0.2) / 2, 0.2 / 2)],
)
def test_instance_uncertainty_by_hand(norm: str, plain: float, weighted: float) -> None:
    found = instance_uncertainty(PROBS_1, PROBS_2, norm=norm)
    torch.testing.assert_close(found, torch.tensor([[plain, 0.0]]))
    found = instance_uncertainty(PROBS_1, PROBS_2, WEIGHTS, norm)
    torch.testing.assert_close(found, torch.tensor([[weighted, 0.0]]))


def test_squared_is_the_default_as_in_the_authors_code() -> None:
    squared = instance_uncertainty(PROBS_1, PROBS_2, norm="l2")
    assert torch.equal(instance_uncertainty(PROBS_1, PROBS_2), squared)
    assert make_config("voc0712").uncertainty_norm == "l2"


@pytest.mark.parametrize(("norm", "power"), [("l2", 2), ("l1", 1)])
def test_strategy_scores_images_and_classes_in_the_configured_norm(norm: str, power: int) -> None:
    config = make_config("tiny", {"uncertainty_norm": norm, "top_k": 10**6})
    model = build_detector(config, num_classes=2).eval()
    image = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    batch = collate([Sample("a", image, (64, 64), None)], InputSize(64, 64))
    assert isinstance(batch, UnlabeledBatch)
    with torch.no_grad():
        scores = STRATEGIES["mi_aod"](config).observe(model, batch)
        logits_1, logits_2 = model(batch.images).need("logits_1", "logits_2")
    expected = ((logits_1.sigmoid() - logits_2.sigmoid()).abs() ** power).mean(dim=1)  # (1, 2)
    assert expected.min() > 0
    torch.testing.assert_close(scores["per_class"], expected, atol=0, rtol=1e-5)
    torch.testing.assert_close(scores["score"], expected.mean(dim=1), atol=0, rtol=1e-5)
