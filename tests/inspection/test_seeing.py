"""One image as a detector sees it, and as it trains on it."""

import numpy as np
import pytest
import torch
from PIL import Image

from miaod_nb.boxes import Objects
from miaod_nb.config import make_config
from miaod_nb.data.batches import LabeledBatch
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector import build_detector
from miaod_nb.inspection import seeing as views
from miaod_nb.learning.stages import LabelSet, Method

CONFIG = make_config("tiny", {"image_size": (96, 64)})


@pytest.fixture
def record(tmp_path):
    """An image of 48 x 40 pixels, which the configuration enlarges to 77 x 64: left half red."""
    image = np.full((40, 48, 3), 90, dtype=np.uint8)
    image[:, :24, 0] = 200
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    return ImageRecord("a", "VOC", path, 48, 40)


@pytest.fixture(scope="module")
def model():
    return build_detector(CONFIG, num_classes=2)


def test_a_view_shows_the_resized_image_without_its_padding(model, record):
    seen = views.view(model, record, CONFIG)
    assert seen.image.shape == (64, 77, 3) and seen.image.dtype == np.uint8
    assert seen.size == (64, 77)
    assert (abs(seen.image[:, 2:34].astype(int) - [200, 90, 90]) <= 1).all()
    assert len(seen.instances) == len(seen.weights) == len(seen.grid.boxes)


def test_pixels_are_those_of_the_file(record):
    image = views.pixels(record)
    assert image.shape == (40, 48, 3) and image[0, 0].tolist() == [200, 90, 90]


def test_objects_of_a_batch_are_in_pixels_of_the_resized_image(model, record):
    boxes = np.array([[0, 0, 24, 40], [12, 10, 48, 20], [0, 0, 5, 5]], np.float32)
    objects = Objects(boxes, np.array([1, 0, 1]), np.array([False, False, True]))
    batch = views.labeled_batch(model, record, objects, CONFIG)
    assert isinstance(batch, LabeledBatch) and batch.ids == ("a",)
    expected = [[0, 0, 38.5, 64], [19.25, 16, 77, 32]]  # the difficult one is not trained on
    torch.testing.assert_close(batch.boxes[0], torch.tensor(expected))
    assert batch.labels[0].tolist() == [1, 0]


def test_an_image_without_objects_can_be_trained_on(model, record):
    none = Objects(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, bool))
    batch = views.labeled_batch(model, record, none, CONFIG)
    assert batch.boxes[0].shape == (0, 4)
    terms = LabelSet(Method.of(CONFIG)).loss_terms(model, batch)
    assert terms["box"] == 0 and terms["classification"] > 0
