"""Anchors, valid flags, matching and box deltas against the authors' implementation."""

import numpy as np
import pytest
import torch

from miaod_nb.detector.anchors import anchor_grid, base_anchors, clip_boxes, decode, encode
from miaod_nb.detector.matching import BACKGROUND, match
from miaod_nb.detector.retinanet import RetinaNet
from miaod_nb.detector.ssd import ANCHOR_SIDES, SSD300, ssd_base_anchors
from miaod_nb.detector.ssd import STRIDES as SSD_STRIDES

DETECTORS = {"retina": RetinaNet, "ssd": SSD300}

STRIDES = (8, 16, 32, 64, 128)
RATIOS = (0.5, 1.0, 2.0)


def authors_bases() -> list[torch.Tensor]:
    return [base_anchors(stride, 4.0, 3, RATIOS) for stride in STRIDES]


def test_base_anchors(load_golden):
    golden = load_golden("anchors.npz")
    expected = torch.from_numpy(golden["retina/base_anchors"])
    torch.testing.assert_close(torch.stack(authors_bases()), expected, rtol=0, atol=1e-5)


def test_grids_and_valid_flags(load_golden):
    golden = load_golden("anchors.npz")
    sizes = [k.split("/")[0] for k in golden.files if k.startswith("retina_") and "/anchors" in k]
    assert sizes
    for size in sizes:
        feature_sizes = [tuple(map(int, hw)) for hw in golden[f"{size}/featmap_sizes"]]
        grid = anchor_grid(feature_sizes, STRIDES, authors_bases())
        expected = torch.from_numpy(golden[f"{size}/anchors"])
        torch.testing.assert_close(grid.boxes, expected, rtol=0, atol=1e-5)
        assert list(grid.level_sizes) == golden[f"{size}/num_per_level"].tolist()
        h, w = map(int, golden[f"{size}/valid_pad_shape"][:2])
        np.testing.assert_array_equal(
            grid.valid_mask((h, w)).numpy(), golden[f"{size}/valid_flags"]
        )


def test_ssd_anchors(load_golden):
    golden = load_golden("anchors.npz")
    bases = [ssd_base_anchors(level) for level in range(len(SSD_STRIDES))]
    for level, (base, stride) in enumerate(zip(bases, SSD_STRIDES, strict=True)):
        expected = torch.from_numpy(golden[f"ssd300/base_anchors/L{level}"])
        torch.testing.assert_close(base + stride / 2, expected, rtol=0, atol=1e-4)
    feature_sizes = [tuple(map(int, hw)) for hw in golden["ssd300/featmap_sizes"]]
    grid = anchor_grid(feature_sizes, SSD_STRIDES, bases, SSD300.anchor_offset)
    expected = torch.from_numpy(golden["ssd300/anchors"])
    torch.testing.assert_close(grid.boxes, expected, rtol=0, atol=1e-4)
    assert list(grid.level_sizes) == golden["ssd300/num_per_level"].tolist()
    assert ANCHOR_SIDES[:-1] == tuple(golden["ssd300/base_sizes"].tolist())


def cases(golden, tag: str) -> list[str]:
    return [k.split("/")[1] for k in golden.files if k.startswith(tag) and k.endswith("/gt_inds")]


@pytest.mark.parametrize("tag", DETECTORS)
def test_matching_of_every_case(load_golden, tag):
    golden = load_golden("assign.npz")
    names = cases(golden, tag)
    assert names
    anchors = torch.from_numpy(golden[f"{tag}/anchors"])
    for case in names:
        boxes = torch.from_numpy(golden[f"{tag}/{case}/gt_boxes"])
        matched = match(anchors, boxes, how=DETECTORS[tag].matching).numpy()
        np.testing.assert_array_equal(matched, golden[f"{tag}/{case}/gt_inds"], case)
        if f"{tag}/{case}/pos_inds" in golden.files:
            positive = np.flatnonzero(matched > BACKGROUND)
            np.testing.assert_array_equal(positive, golden[f"{tag}/{case}/pos_inds"], case)


@pytest.mark.parametrize("tag", DETECTORS)
def test_encode(load_golden, tag):
    golden = load_golden("assign.npz")
    anchors = torch.from_numpy(golden[f"{tag}/anchors"])
    names = [c for c in cases(golden, tag) if f"{tag}/{c}/pos_inds" in golden.files]
    assert names
    for case in names:
        positive = torch.from_numpy(golden[f"{tag}/{case}/pos_inds"]).long()
        owner = torch.from_numpy(golden[f"{tag}/{case}/gt_inds"])[positive] - 1
        boxes = torch.from_numpy(golden[f"{tag}/{case}/gt_boxes"])[owner]
        expected = torch.from_numpy(golden[f"{tag}/{case}/encode_targets"])
        found = encode(anchors[positive], boxes, DETECTORS[tag].delta_stds)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("tag", DETECTORS)
def test_decode_and_clip(load_golden, tag):
    golden = load_golden("assign.npz")
    anchors = torch.from_numpy(golden[f"{tag}/anchors"])
    deltas = torch.from_numpy(golden[f"{tag}/deltas"])
    boxes = decode(anchors, deltas, DETECTORS[tag].delta_stds)
    expected = torch.from_numpy(golden[f"{tag}/decode"])
    torch.testing.assert_close(boxes, expected, rtol=1e-6, atol=1e-3)
    h, w = map(int, golden[f"{tag}/decode_clip_hw"])
    clipped = torch.from_numpy(golden[f"{tag}/decode_clip"])
    torch.testing.assert_close(clip_boxes(boxes, (h, w)), clipped, rtol=1e-6, atol=1e-3)
