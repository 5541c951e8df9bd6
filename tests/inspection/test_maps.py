"""Anchor values on the pixels they stand for: computed by hand on tiny grids."""

import numpy as np
import pytest
import torch

from miaod_nb.detector.anchors import anchor_grid, base_anchors
from miaod_nb.inspection.maps import anchor_map, top_anchors

BASES = [base_anchors(2, 1.0, 1, (1.0, 4.0)), base_anchors(8, 1.0, 1, (1.0, 4.0))]  # K = 2


@pytest.fixture
def fine():
    """One level, 2 x 3 cells of stride 2, so cells are centered on (0, 2) x (0, 2, 4)."""
    return anchor_grid([(2, 3)], [2], BASES[:1])


def test_pixels_between_cell_centers_are_interpolated_and_the_best_anchor_counts(fine):
    values = torch.zeros(2, 3, 2)
    values[0, :, 1] = torch.tensor([0.0, 0.4, 0.8])  # the larger of the two anchors of each cell
    values[0, :, 0] = torch.tensor([-1.0, 0.1, 0.5])
    found = anchor_map(values.flatten(), fine, (4, 6))
    # Pixel centers 0.5, 1.5 ... are at 0.25, 0.75 ... cells; beyond the last center nothing falls.
    first_row = np.array([0.25 * 0.4, 0.75 * 0.4, 0.5, 0.7, 0.8, 0.8])
    down = np.array([0.75, 0.25, 0.0, 0.0])[:, None]  # the second row of cells is 0
    np.testing.assert_allclose(found, down * first_row, atol=1e-6)


def test_levels_are_joined_by_their_largest_value_and_cropped_to_the_image():
    grid = anchor_grid([(4, 4), (1, 1)], [2, 8], BASES)  # 8 x 8 pixels, of which 5 x 7 are image
    values = torch.full((34,), 0.1)
    values[32:] = torch.tensor([0.3, 0.2])  # the single cell of the coarse level
    values[2 * 5] = 0.9  # cell (row 1, column 1), centered on (2, 2)
    found = anchor_map(values, grid, (5, 7))
    assert found.shape == (5, 7) and found.dtype == np.float32
    assert found[4:].min() == found.max(where=found < 0.5, initial=0) == pytest.approx(0.3)
    assert found[1, 1] == pytest.approx(0.1 + 0.8 * 0.75 * 0.75)
    assert found[1, 1] == found[2, 2] == found.max()  # symmetric around the center of the cell


def test_a_constant_stays_constant_and_gradients_are_let_go(fine):
    values = torch.full((12,), 0.7, requires_grad=True)
    np.testing.assert_allclose(anchor_map(values, fine, (3, 5)), 0.7, rtol=1e-6)


def test_an_array_is_as_good_as_a_tensor(fine):
    values = torch.rand(12, generator=torch.Generator().manual_seed(0))
    as_array = anchor_map(values.numpy(), fine, (4, 6))
    np.testing.assert_array_equal(as_array, anchor_map(values, fine, (4, 6)))


def test_values_of_another_grid_are_refused(fine):
    with pytest.raises(RuntimeError):
        anchor_map(torch.zeros(11), fine, (4, 6))


def test_top_anchors_come_largest_first_and_clipped(fine):
    values = torch.zeros(12)
    values[0], values[8] = 0.5, 0.9  # square anchors of cells (0, 0) and (1, 1)
    found = top_anchors(values, fine, (4, 6), 2)
    np.testing.assert_allclose(found, [[1, 1, 3, 3], [0, 0, 1, 1]])


def test_anchors_outside_the_image_do_not_take_part(fine):
    values = torch.arange(12.0)  # the last cells have the largest values
    found = top_anchors(values, fine, (4, 2), 99)  # the last column begins at x = 3
    assert 0 < len(found) < 12
    assert (found[:, 2:] > found[:, :2]).all()
    assert found.max() <= 4 and found[:, 2].max() <= 2
