"""The words about the band of a learning curve: over seeds, on how many images."""

import pytest

from miaod_nb.evaluation.band import band_in_words, band_warning

MANY, FEW = "test list (1729 images)", "test list (72 images)"
HELD_OUT = "holdout (612 of the first labeled images, never trained on)"
UNKNOWN = "test list of the authors' code (from its log)"


@pytest.mark.parametrize("evaluated_on, images", [
    (MANY, "these 1729 test images"), (FEW, "these 72 test images"),
    (HELD_OUT, "these 612 held-out images"), (UNKNOWN, "these test images"),
    ("", "these test images"), ("2012 (b) list (9 images)", "these 9 test images"),
])  # fmt: skip
def test_the_band_is_over_seeds_on_so_many_images(evaluated_on, images):
    assert band_in_words(evaluated_on) == (
        f"95 % confidence interval of the mean over seeds, on {images}"
    )


def test_few_images_and_a_holdout_are_warned_of():
    assert "other images than these 72 may move" in band_warning(FEW)
    assert "other images than these 612 may move" in band_warning(HELD_OUT)
    assert band_warning("test list (499 images)") and not band_warning("test list (500 images)")
    assert not band_warning(MANY) and not band_warning(UNKNOWN)
