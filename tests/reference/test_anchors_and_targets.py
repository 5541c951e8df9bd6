"""Anchors, valid flags, matching and box deltas against the authors' implementation."""

import numpy as np
import torch

from miaod_nb.detector.anchors import anchor_grid, base_anchors, clip_boxes, decode, encode
from miaod_nb.detector.matching import BACKGROUND, match

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


def cases(golden, tag: str) -> list[str]:
    return [k.split("/")[1] for k in golden.files if k.startswith(tag) and k.endswith("/gt_inds")]


def test_matching_of_every_case(load_golden):
    golden = load_golden("assign.npz")
    names = cases(golden, "retina")
    assert names
    anchors = torch.from_numpy(golden["retina/anchors"])
    for case in names:
        boxes = torch.from_numpy(golden[f"retina/{case}/gt_boxes"])
        matched = match(anchors, boxes).numpy()
        np.testing.assert_array_equal(matched, golden[f"retina/{case}/gt_inds"], case)
        if f"retina/{case}/pos_inds" in golden.files:
            positive = np.flatnonzero(matched > BACKGROUND)
            np.testing.assert_array_equal(positive, golden[f"retina/{case}/pos_inds"], case)


def test_encode(load_golden):
    golden = load_golden("assign.npz")
    anchors = torch.from_numpy(golden["retina/anchors"])
    names = [c for c in cases(golden, "retina") if f"retina/{c}/pos_inds" in golden.files]
    assert names
    for case in names:
        positive = torch.from_numpy(golden[f"retina/{case}/pos_inds"]).long()
        owner = torch.from_numpy(golden[f"retina/{case}/gt_inds"])[positive] - 1
        boxes = torch.from_numpy(golden[f"retina/{case}/gt_boxes"])[owner]
        expected = torch.from_numpy(golden[f"retina/{case}/encode_targets"])
        torch.testing.assert_close(encode(anchors[positive], boxes), expected, rtol=0, atol=1e-5)


def test_decode_and_clip(load_golden):
    golden = load_golden("assign.npz")
    anchors = torch.from_numpy(golden["retina/anchors"])
    boxes = decode(anchors, torch.from_numpy(golden["retina/deltas"]))
    expected = torch.from_numpy(golden["retina/decode"])
    torch.testing.assert_close(boxes, expected, rtol=1e-6, atol=1e-3)
    h, w = map(int, golden["retina/decode_clip_hw"])
    clipped = torch.from_numpy(golden["retina/decode_clip"])
    torch.testing.assert_close(clip_boxes(boxes, (h, w)), clipped, rtol=1e-6, atol=1e-3)
