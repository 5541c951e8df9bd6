"""What the viewer's script is given of an image, from values made by hand."""

import base64
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from miaod_nb.boxes import Detections
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector.anchors import anchor_grid, base_anchors
from miaod_nb.inspection.values import AnchorValues
from miaod_nb.views.payload import anchor_panel, photo

# Two levels of one anchor a cell: 2 x 3 cells of 8 pixels, and 1 x 2 of 16.
GRID = anchor_grid(
    [(2, 3), (1, 2)], (8, 16), [base_anchors(8, 2, 1, [1.0]), base_anchors(16, 2, 1, [1.0])]
)
DISCREPANCY = np.array([0, 1, 2, 3, 4, 5, 8, 7], dtype=np.float32) / 8


def array(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=kind)


@pytest.fixture
def values() -> AnchorValues:
    top = np.argsort(-DISCREPANCY).astype(np.int32)
    probs = np.linspace(0, 1, 16, dtype=np.float16).reshape(8, 2)
    return AnchorValues(
        id="a", size=(16, 24), grid=GRID, discrepancy=DISCREPANCY,
        weight=np.ones(8, dtype=np.float16), weighted=DISCREPANCY[::-1].copy() / 10, top=top,
        boxes=np.zeros((8, 4), dtype=np.float32), probs_1=probs, probs_2=1 - probs,
        weights=2 * probs,
        detections=Detections(
            np.array([[1, 2, 3.26, 4]], np.float32), np.array([0.91234], np.float32), np.array([1])
        ),
    )  # fmt: skip


@pytest.fixture
def panel(values):
    return anchor_panel(values, ["cat", "dog"], "l2", weighted=False)


def test_maps_are_shares_of_the_largest_value(panel):
    first, second = (array(text, "u1") for text in panel["maps"]["discrepancy"])
    assert panel["scales"]["discrepancy"] == 1
    assert first.tolist() == [0, 32, 64, 96, 128, 159]
    assert second.tolist() == [255, 223]


def test_weighted_values_are_relative_to_the_number_of_anchors_of_their_level(panel, values):
    details = array(panel["details"]["weighted"], "<f4")
    order = values.top
    expected = values.weighted[order] * np.where(order < 6, 6, 2)
    np.testing.assert_allclose(details, expected, rtol=1e-6)


def test_cells_on_padding_do_not_set_the_scale(values):
    uneven = replace(values, discrepancy=np.array([1, 2, 9, 4, 5, 8, 3, 9], dtype=np.float32))
    narrow = anchor_panel(replace(uneven, size=(16, 16)), ["cat", "dog"], "l2", weighted=False)
    assert narrow["scales"]["discrepancy"] == 5
    first, second = (array(text, "u1") for text in narrow["maps"]["discrepancy"])
    assert first.tolist() == [51, 102, 255, 204, 255, 255] and second.tolist() == [153, 255]


def test_levels_say_where_every_anchor_lies(panel):
    for anchor in range(8):
        level = panel["levels"][anchor >= 6]
        cell = anchor % 6
        x, y = cell % level["shape"][1], cell // level["shape"][1]
        shift = np.array([x, y, x, y]) * level["stride"]
        np.testing.assert_allclose(level["base"][0] + shift, GRID.boxes[anchor], atol=0.01)
        assert level["first"] == [0, 0]


def test_details_are_those_of_the_most_uncertain_anchors(panel, values):
    details = panel["details"]
    assert array(details["anchors"], "<i4").tolist() == [6, 7, 5, 4, 3, 2, 1, 0]
    assert array(details["discrepancy"], "<f4")[0] == 1
    assert details["per_class"] == 8 and details["weight_scale"] == 2
    for name, unit in (("probs_1", 1), ("probs_2", 1), ("weights", 2)):
        shares = array(details[name], "<u2").reshape(8, 2) / 65535 * unit
        np.testing.assert_allclose(shares, getattr(values, name), atol=2e-5)


def test_a_weighted_score_orders_its_anchors_by_weighted_values(values):
    details = anchor_panel(values, ["cat", "dog"], "l2", weighted=True)["details"]
    assert array(details["anchors"], "<i4").tolist() == [1, 0, 2, 3, 4, 5, 6, 7]


def test_detections_carry_the_names_of_their_classes(panel):
    assert panel["detections"] == {
        "boxes": [[1.0, 2.0, 3.3, 4.0]], "scores": [0.912], "labels": [1], "names": ["dog"],
    }  # fmt: skip


def test_an_image_that_disagrees_nowhere_has_empty_maps(values):
    flat = replace(values, discrepancy=np.zeros(8, dtype=np.float32))
    panel = anchor_panel(flat, ["cat", "dog"], "l2", weighted=False)
    assert panel["scales"]["discrepancy"] == 0
    assert not array(panel["maps"]["discrepancy"][0], "u1").any()


def test_large_photos_are_made_smaller(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (2000, 1000), "red").save(path)
    address = photo(ImageRecord("a", "VOC", path, 2000, 1000))
    content = base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))
    (tmp_path / "b.jpg").write_bytes(content)
    with Image.open(tmp_path / "b.jpg") as small:
        assert small.size == (800, 400)
