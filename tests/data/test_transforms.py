"""Resizing and augmentation move images and boxes together and keep boxes inside."""

import numpy as np
import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.data.transforms import InputSize, augment, augmentation_rng, flip, resize

BOXES = torch.tensor([[4.0, 6.0, 20.0, 30.0], [40.0, 10.0, 64.0, 48.0], [0.0, 0.0, 5.0, 5.0]])
LABELS = torch.tensor([0, 1, 2])


def _image(width: int = 64, height: int = 48) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("size", "image_size", "fitted"),
    [
        ((500, 375), (1000, 600), (800, 600)),
        ((375, 500), (1000, 600), (600, 800)),
        ((500, 200), (1000, 600), (1000, 400)),
        ((333, 500), (1000, 600), (600, 901)),  # 900.9 rounds up
        ((64, 48), (64, 64), (64, 48)),
        ((1000, 3), (100, 100), (100, 1)),
    ],
)
def test_fitted_size(size, image_size, fitted):
    assert InputSize(*image_size).fitted(*size) == fitted


def test_padded_side():
    assert [InputSize(64, 64).padded(side) for side in (1, 32, 33, 300)] == [32, 32, 64, 320]
    assert InputSize(300, 300, stretch=True).padded(300) == 300


def test_stretched_images_have_one_size_and_boxes_follow():
    size = InputSize(300, 150, stretch=True)
    assert size.fitted(48, 64) == size.fitted(640, 10) == (300, 150)
    image, boxes = resize(_image(60, 30), torch.tensor([[6.0, 3.0, 60.0, 30.0]]), size)
    assert image.shape == (3, 150, 300)
    torch.testing.assert_close(boxes, torch.tensor([[30.0, 15.0, 300.0, 150.0]]))


def test_a_configuration_says_the_input_size():
    assert InputSize.of(make_config("voc0712")) == InputSize(1000, 600)
    assert InputSize.of(make_config("voc0712_ssd")) == InputSize(300, 300, stretch=True)


def test_resize_scales_boxes_with_the_image():
    image, boxes = resize(_image(), BOXES, InputSize(128, 96))
    assert image.shape == (3, 96, 128) and image.dtype == torch.uint8
    torch.testing.assert_close(boxes, BOXES * 2)


def test_resize_to_the_same_size_changes_nothing():
    image, boxes = resize(_image(), BOXES, InputSize(64, 48))
    assert torch.equal(image, _image()) and torch.equal(boxes, BOXES)


def test_a_box_as_large_as_the_image_stays_so():
    for width in range(33, 300):
        box = torch.tensor([[0.0, 0.0, width, 32.0]])
        blank = torch.zeros(3, 32, width, dtype=torch.uint8)
        image, boxes = resize(blank, box, InputSize(200, 32))
        assert boxes[0].tolist() == [0, 0, image.shape[2], image.shape[1]]


def test_resize_keeps_an_empty_image_empty():
    _, boxes = resize(_image(), torch.zeros(0, 4), InputSize(32, 32))
    assert boxes.shape == (0, 4)


def test_flip_by_hand_and_twice():
    image, boxes = flip(_image(), BOXES)
    assert boxes[0].tolist() == [44, 6, 60, 30]
    assert torch.equal(image[:, :, 0], _image()[:, :, -1])
    again = flip(image, boxes)
    assert torch.equal(again[0], _image()) and torch.equal(again[1], BOXES)


def test_flip_recipe_mirrors_half_of_the_images():
    mirrored = 0
    for epoch in range(200):
        image, boxes, labels = augment(
            _image(), BOXES, LABELS, "flip", augmentation_rng(0, epoch, "a")
        )
        expected = (_image(), BOXES) if torch.equal(image, _image()) else flip(_image(), BOXES)
        assert torch.equal(image, expected[0]) and torch.equal(boxes, expected[1])
        assert labels is LABELS
        mirrored += not torch.equal(image, _image())
    assert 70 < mirrored < 130


def test_boxes_stay_inside_the_image_with_their_labels():
    sizes = set()
    for epoch in range(200):
        image, boxes, labels = augment(
            _image(), BOXES, LABELS, "crop_flip", augmentation_rng(0, epoch, "a")
        )
        height, width = image.shape[-2:]
        assert 1 <= len(boxes) == len(labels) <= 3
        assert (boxes >= 0).all() and (boxes[:, 2:] <= torch.tensor([width, height])).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert 0.48 * 64 * 48 <= width * height <= 64 * 48
        sizes.add((width, height))
    assert len(sizes) > 50


def test_ssd_recipe_keeps_boxes_inside_with_their_labels():
    sizes, kept = set(), set()
    for epoch in range(150):
        image, boxes, labels = augment(
            _image(), BOXES, LABELS, "ssd", augmentation_rng(0, epoch, "a")
        )
        height, width = image.shape[-2:]
        assert image.dtype == torch.uint8 and type(image) is type(boxes) is torch.Tensor
        assert 1 <= len(boxes) == len(labels) <= 3
        assert (boxes >= 0).all() and (boxes[:, 2:] <= torch.tensor([width, height])).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        sizes.add((width, height))
        kept.add(tuple(labels.tolist()))
    assert len(sizes) > 50 and max(w for w, _ in sizes) > 2 * 64 and min(w for w, _ in sizes) < 64
    assert len(kept) > 2


def test_ssd_recipe_makes_large_images_smaller_first():
    image = torch.zeros(3, 30, 6000, dtype=torch.uint8)
    boxes = torch.tensor([[0.0, 0.0, 6000.0, 30.0]])
    for epoch in range(5):
        out, found, _ = augment(image, boxes, LABELS[:1], "ssd", augmentation_rng(0, epoch, "a"))
        assert out.shape[2] <= 4 * 1200 and found[0, 2] <= out.shape[2]


def test_ssd_recipe_draws_from_its_generator_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = augment(_image(), BOXES, LABELS, "ssd", augmentation_rng(0, 3, "a"))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second = augment(_image(), BOXES, LABELS, "ssd", augmentation_rng(0, 3, "a"))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_boxes_follow_their_objects():
    """A red rectangle stays under its box through crop, shrink and flip."""
    image = torch.full((3, 96, 128), 40, dtype=torch.uint8)
    image[0, 30:60, 40:90] = 220
    box = torch.tensor([[40.0, 30.0, 90.0, 60.0]])
    for epoch in range(100):
        out, boxes, _ = augment(
            image, box, torch.tensor([0]), "crop_flip", augmentation_rng(1, epoch, "a")
        )
        redness = out[0].int() - out[2].int()
        red = (redness > redness.max() / 2).nonzero()  # (pixels, 2) as y, x
        found = [*red.amin(0).flip(0).tolist(), *(red.amax(0).flip(0) + 1).tolist()]
        torch.testing.assert_close(
            boxes[0], torch.tensor(found, dtype=torch.float32), atol=1, rtol=0
        )


def test_boxes_follow_their_objects_through_the_ssd_recipe():
    """A white rectangle on black stays under its box; what surrounds a shrunk image is gray."""
    image = torch.zeros(3, 96, 128, dtype=torch.uint8)
    image[:, 30:60, 40:90] = 255
    box = torch.tensor([[40.0, 30.0, 90.0, 60.0]])
    for epoch in range(60):
        out, boxes, _ = augment(
            image, box, torch.tensor([0]), "ssd", augmentation_rng(1, epoch, "a")
        )
        light = out.float().mean(dim=0)
        white = (light > 0.97 * light.max()).nonzero()  # (pixels, 2) as y, x
        found = [*white.amin(0).flip(0).tolist(), *(white.amax(0).flip(0) + 1).tolist()]
        assert boxes[0].tolist() == found


def test_no_crop_loses_every_object():
    corner = torch.tensor([[0.0, 0.0, 3.0, 3.0]])
    for epoch in range(100):
        _, boxes, labels = augment(
            _image(), corner, torch.tensor([4]), "crop_flip", augmentation_rng(0, epoch, "a")
        )
        assert labels.tolist() == [4] and len(boxes) == 1


@pytest.mark.parametrize("recipe", ["crop_flip", "ssd"])
def test_images_without_objects_are_augmented_too(recipe):
    shapes = set()
    for epoch in range(30):
        image, boxes, labels = augment(
            _image(), torch.zeros(0, 4), LABELS[:0], recipe, augmentation_rng(0, epoch, "a")
        )
        assert boxes.shape == (0, 4) and len(labels) == 0
        shapes.add(tuple(image.shape))
    assert len(shapes) > 5


def test_arguments_are_not_changed():
    image, boxes = _image(), BOXES.clone()
    for epoch in range(10):
        augment(image, boxes, LABELS, "crop_flip", augmentation_rng(0, epoch, "a"))
    assert torch.equal(image, _image()) and torch.equal(boxes, BOXES)


def test_unknown_recipe():
    with pytest.raises(ValueError, match="mosaic"):
        augment(_image(), BOXES, LABELS, "mosaic", np.random.default_rng(0))


def test_generator_depends_on_seed_epoch_and_image_alone():
    def draw(*key):
        return augmentation_rng(*key).random()

    base = draw(1, 2, "a")
    assert base == draw(1, 2, "a") == draw(1, (2,), "a")
    others = {
        draw(2, 2, "a"),
        draw(1, 3, "a"),
        draw(1, 2, "b"),
        draw(1, (2, 0), "a"),
        draw(2, 1, "a"),
    }
    assert len(others) == 5 and base not in others
