"""Anchors by hand: their sides, their order, which are valid, and deltas there and back."""

import math

import pytest
import torch

from miaod_nb.detector.anchors import (
    AnchorGrid,
    anchor_grid,
    base_anchors,
    clip_boxes,
    decode,
    encode,
)

INNER, OUTER = [-1.0, -1.0, 1.0, 1.0], [-2.0, -4.0, 2.0, 4.0]


def two_levels() -> AnchorGrid:
    """2 x 3 cells of stride 8 and one of stride 16, two anchors each: 14 anchors."""
    return anchor_grid([(2, 3), (1, 1)], [8, 16], [torch.tensor([INNER, OUTER])] * 2)


def test_base_anchors_of_one_stride():
    found = base_anchors(stride=8, scale=4.0, scales_per_octave=1, ratios=(0.25, 1.0, 4.0))
    expected = [[-32, -8, 32, 8], [-16, -16, 16, 16], [-8, -32, 8, 32]]  # area 32 x 32 each
    torch.testing.assert_close(found, torch.tensor(expected).float())


def test_base_anchors_are_ratio_major_and_not_rounded():
    found = base_anchors(stride=8, scale=4.0, scales_per_octave=2, ratios=(1.0, 4.0))
    larger = 16 * math.sqrt(2)
    expected = torch.tensor([16, larger, 8, larger / 2])  # half widths
    torch.testing.assert_close(found[:, 2], expected)
    torch.testing.assert_close(found[:, 3], expected * torch.tensor([1, 1, 4, 4]))
    torch.testing.assert_close(found[:, :2], -found[:, 2:])


def test_grid_is_ordered_by_level_row_column_base():
    grid = two_levels()
    expected = [
        [x + base[0], y + base[1], x + base[2], y + base[3]]
        for rows, columns, stride in ((2, 3, 8), (1, 1, 16))
        for y in range(0, rows * stride, stride)
        for x in range(0, columns * stride, stride)
        for base in (INNER, OUTER)
    ]
    torch.testing.assert_close(grid.boxes, torch.tensor(expected))
    assert grid.boxes[11].tolist() == [14.0, 4.0, 18.0, 12.0]  # level 0, row 1, column 2, base 1
    assert grid.level_sizes == (12, 2)
    assert grid.anchors_per_cell == (2, 2)


@pytest.mark.parametrize(
    ("padded_size", "cells"),
    [
        ((16, 24), [[1, 1, 1, 1, 1, 1], [1]]),
        ((8, 24), [[1, 1, 1, 0, 0, 0], [1]]),
        ((9, 16), [[1, 1, 0, 1, 1, 0], [1]]),  # a cell that is covered in part belongs
        ((1, 1), [[1, 0, 0, 0, 0, 0], [1]]),
        ((0, 0), [[0, 0, 0, 0, 0, 0], [0]]),
    ],
)
def test_valid_mask(padded_size, cells):
    expected = torch.tensor(sum(cells, [])).bool().repeat_interleave(2)
    assert torch.equal(two_levels().valid_mask(padded_size), expected)


def test_encode_by_hand():
    anchor = torch.tensor([10.0, 10.0, 30.0, 20.0])
    box = torch.tensor([20.0, 0.0, 60.0, 10.0])  # center (40, 5), 40 x 10
    expected = torch.tensor([20 / 20, -10 / 10, math.log(2), 0.0])
    torch.testing.assert_close(encode(anchor, box), expected)


def test_decode_undoes_encode():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(2, 50, 2, generator=generator) * 100
    sizes = torch.rand(2, 50, 2, generator=generator) * 60 + 2
    anchors, boxes = torch.cat([corners, corners + sizes], dim=-1)
    torch.testing.assert_close(decode(anchors, encode(anchors, boxes)), boxes, rtol=0, atol=1e-3)


def test_decode_bounds_the_size_both_ways_but_not_the_place():
    anchor = torch.tensor([[0.0, 0.0, 32.0, 32.0]])
    found = decode(anchor, torch.tensor([[5.0, 0.0, 99.0, -99.0]]))
    half_w, half_h = 16 * 1000 / 16, 16 * 16 / 1000
    expected = torch.tensor([[176 - half_w, 16 - half_h, 176 + half_w, 16 + half_h]])
    torch.testing.assert_close(found, expected)


def test_clip_boxes_takes_height_before_width():
    boxes = torch.tensor([[-5.0, -5.0, 200.0, 200.0], [10.0, 20.0, 30.0, 40.0]])
    expected = torch.tensor([[0.0, 0.0, 100.0, 50.0], [10.0, 20.0, 30.0, 40.0]])
    assert torch.equal(clip_boxes(boxes, (50, 100)), expected)
