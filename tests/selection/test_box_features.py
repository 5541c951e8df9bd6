"""What each box of an image looks like to the detector, and the row of numbers it is kept as."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from miaod_nb.boxes import Detections
from miaod_nb.config import make_config
from miaod_nb.detector import build_detector
from miaod_nb.detector.detections import levels_of
from miaod_nb.errors import ConfigError
from miaod_nb.selection.box_features import MOST_BOXES, BoxSets, Seen, pack, read_at, see_boxes
from miaod_nb.selection.outputs import Outputs, outputs_of
from miaod_nb.selection.registry import build_strategy
from tests.tiny import lively_detector, noise, unlabeled

CONFIG = make_config("tiny", {"score_threshold": 0.3, "nms_candidates": 20})


def seen(count: int, features: int = 3) -> Seen:
    """An image with so many boxes, all numbers different."""
    scores = np.linspace(0.9, 0.1, count, dtype=np.float32)
    found = Detections(np.zeros((count, 4), np.float32), scores, np.arange(count) % 5)
    values = np.arange(count * features, dtype=np.float32).reshape(count, features)
    return Seen(Outputs(found, 5), values)


@pytest.mark.parametrize("count", [0, 1, 7, MOST_BOXES, MOST_BOXES + 20])
def test_what_is_packed_comes_out_again(count):
    images = [seen(count), seen(2)]
    sets = BoxSets.unpack(np.stack([pack(one) for one in images]))
    assert sets.features.shape == (2, MOST_BOXES, 3) and sets.labels.dtype == np.int64
    for i, image in enumerate(images):
        kept = min(len(image.outputs), MOST_BOXES)
        np.testing.assert_array_equal(sets.scores[i, :kept], image.outputs.found.scores[:kept])
        np.testing.assert_array_equal(sets.labels[i, :kept], image.outputs.found.labels[:kept])
        np.testing.assert_array_equal(sets.features[i, :kept], image.features[:kept])
        assert not sets.scores[i, kept:].any() and not sets.features[i, kept:].any()


def test_a_map_is_read_between_its_cells():
    values = torch.tensor([[[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]]])  # (1, 2, 3)
    cells = torch.tensor([[0.0, 0.0], [2.0, 1.0], [0.25, 0.0], [1.5, 0.5], [-3.0, 0.0], [9.0, 9.0]])
    expected = [0.0, 12.0, 0.25, 6.5, 0.0, 12.0]
    torch.testing.assert_close(read_at(values, cells)[:, 0], torch.tensor(expected))
    single = torch.tensor([[[7.0]]])
    assert read_at(single, torch.tensor([[0.0, 0.0], [0.4, -2.0]]))[:, 0].tolist() == [7.0, 7.0]


def test_the_level_of_a_box():
    found = levels_of(torch.tensor([0, 29, 30, 49, 50, 53]), (30, 20, 4))
    assert found.tolist() == [0, 0, 1, 1, 2, 2]


@torch.no_grad()
def test_boxes_are_those_of_the_detector_and_features_those_of_their_level():
    """Where every level's map holds its number and the cell's column, so do the features."""
    model, batch = lively_detector(), unlabeled(noise())
    expected = outputs_of(model, batch, CONFIG)
    plain = see_boxes(model, batch, CONFIG)
    assert sum(map(len, expected)) > 5
    classified = model.classified

    def numbered(features):
        maps, logits = classified(features)
        columns = [torch.arange(one.shape[3]).expand(one[:, :1].shape).float() for one in maps]
        levels = [torch.full_like(column, i) for i, column in enumerate(columns)]
        return [torch.cat(pair, dim=1) for pair in zip(levels, columns, strict=True)], logits

    model.classified = numbered
    for image, own, what in zip(see_boxes(model, batch, CONFIG), plain, expected, strict=True):
        np.testing.assert_array_equal(own.outputs.found.boxes, what.found.boxes)
        np.testing.assert_array_equal(own.outputs.class_scores, what.class_scores)
        assert own.features.shape == (len(what), 16) and own.features.any()
        levels, columns = image.features.T
        assert set(levels) <= {0, 1, 2} and len(set(levels)) > 1
        centers = what.found.boxes[:, [0, 2]].mean(axis=1)
        last = np.array([64 / stride - 1 for stride in model.strides])[levels.astype(int)]
        cells = np.minimum(centers / np.array(model.strides)[levels.astype(int)], last)
        np.testing.assert_allclose(columns, cells, atol=1e-4)


@torch.no_grad()
def test_padding_beside_an_image_is_not_read():
    """Of 64 columns of pixels 50 are of the image, and 7, 4 and 2 columns of cells."""
    model, batch = lively_detector(), unlabeled(noise(1))
    classified = model.classified

    def marked(features):
        maps, logits = classified(features)
        for values, own in zip(maps, (7, 4, 2), strict=True):
            values[..., :own], values[..., own:] = 1.0, 1000.0
        return maps, logits

    model.classified = marked
    (image,) = see_boxes(model, replace(batch, image_sizes=((64, 50),)), CONFIG)
    assert image.outputs.found.boxes[:, 2].max() == 50
    np.testing.assert_allclose(image.features, 1.0, rtol=1e-6)


@pytest.mark.parametrize("name", ["ppal", "badge"])
def test_ssd_has_no_features_of_one_kind(name):
    with pytest.raises(ConfigError, match=f"{name} compares boxes") as found:
        build_strategy(make_config("voc0712_ssd", {"strategy": name}))
    assert "detector = ssd300" in str(found.value) and "coreset" in str(found.value)


@torch.no_grad()
def test_a_detector_without_such_maps_says_so():
    config = make_config("tiny", {"detector": "ssd300", "backbone_weights": "none",
                                  "backbone_channels": 4})  # fmt: skip
    with pytest.raises(ConfigError, match="detector: SSD300"):
        see_boxes(build_detector(config, 2), unlabeled(noise(1, 300, 300)), config)
