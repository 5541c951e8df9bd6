"""Faster arithmetic: bf16 stays near float32, and the detector compiles as one graph."""

import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounter

from miaod_nb.config import make_config
from miaod_nb.detector import build_detector
from miaod_nb.detector.folding import fold
from miaod_nb.learning.stages import LabelSet, Method
from miaod_nb.runs.machine import prepare_torch
from miaod_nb.selection.registry import STRATEGIES
from tests.tiny import labeled, lively_detector, noise, tiny_detector, unlabeled

NAMES = ("logits_1", "logits_2", "mil_logits", "box_deltas")


def test_bf16_predictions_are_float32_and_near():
    model = lively_detector()
    exact = model(noise())
    model.autocast = True
    near = model(noise())
    for name in NAMES:
        (a,), (b,) = exact.need(name), near.need(name)
        assert b.dtype == torch.float32 and not torch.equal(a, b)
        assert (a - b).abs().max() < 0.03 * a.abs().max()


def test_bf16_losses_are_near_and_reach_every_parameter():
    model = lively_detector()
    stage = LabelSet(Method())
    exact = stage.loss_terms(model, labeled(noise()))
    model.autocast = True
    near = stage.loss_terms(model, labeled(noise()))
    for name, value in exact.items():
        torch.testing.assert_close(near[name], value, rtol=0.05, atol=0.01)
    sum(near.values()).backward()
    for parameter in model.parameters():
        assert parameter.grad is None or parameter.grad.dtype == torch.float32


@torch.inference_mode()
def test_bf16_selects_nearly_the_same_of_200_images():
    config = make_config("tiny", {"top_k": 0.09})
    model, scores = lively_detector(), []
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(200, 3, 64, 64, generator=generator) * torch.linspace(0.5, 1.5, 200).view(
        -1, 1, 1, 1
    )
    for autocast in (False, True):
        model.autocast = autocast
        scores.append(STRATEGIES["mi_aod"](config).observe(model, unlabeled(images))["score"])
    best = [set(np.argsort(values.numpy())[-10:]) for values in scores]
    assert len(best[0] & best[1]) >= 9


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_the_setting_decides(precision):
    config = make_config("tiny", {"precision": precision})
    assert build_detector(config, 2).autocast == (precision == "bf16")
    before = torch.backends.fp32_precision, torch.get_num_threads()
    try:
        prepare_torch(config, torch.device("cpu"))
        expected = "tf32" if precision == "tf32" else "ieee"
        # Convolutions of CUDA compute in tf32 unless they are told not to.
        assert torch.backends.cudnn.conv.fp32_precision == expected
        assert torch.backends.cuda.matmul.fp32_precision == expected
    finally:
        torch.backends.fp32_precision = before[0]
        torch.set_num_threads(before[1])


@pytest.mark.slow
def test_the_detector_is_one_graph_for_images_of_any_size():
    model, plain = tiny_detector(), tiny_detector()
    graphs = CompileCounter()
    model.compile(backend=graphs, fullgraph=True)
    for size in ((64, 64), (64, 96), (96, 64), (96, 128), (128, 160)):
        ours, theirs = model(noise(2, *size)), plain(noise(2, *size))
        for name in NAMES:
            torch.testing.assert_close(ours.need(name), theirs.need(name))
    assert graphs.frame_count <= 3  # the first size, then any


def test_a_folded_copy_is_compiled_too():
    assert not fold(tiny_detector()).is_compiled
    assert fold(tiny_detector(compile=True)).is_compiled
