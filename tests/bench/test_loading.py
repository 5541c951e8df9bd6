"""The loader is measured on pictures that resemble photos."""

import pytest
import torch
from PIL import Image

from miaod_nb.bench import loading
from miaod_nb.bench.loading import loader_rates, write_pictures
from miaod_nb.config import make_config
from tests.tiny import tiny_detector


def test_pictures_are_as_large_as_photos(tmp_path):
    records = write_pictures(tmp_path, 2, (500, 375))
    assert sorted(tmp_path.iterdir()) == [record.image_path for record in records]
    for record in records:
        assert Image.open(record.image_path).size == (record.width, record.height) == (500, 375)
        assert 60e3 < record.image_path.stat().st_size < 200e3  # a photo of VOC has about 85 kB


@pytest.mark.parametrize("workers", [0, 2])
def test_rates_without_workers_and_with_the_configured_ones(monkeypatch, workers):
    monkeypatch.setattr(loading, "PICTURES", 4)
    rates = loader_rates(make_config("tiny", {"workers": workers}), tiny_detector(), (64, 48))
    assert [rate.workers for rate in rates] == sorted({0, workers})
    assert all(rate.first > 0 and rate.second > 0 for rate in rates)


def test_the_loader_gives_augmented_batches_of_all_pictures(monkeypatch, tmp_path):
    seen = []

    def watched(batches, description):
        for batch in batches:
            seen.append(batch)
            yield batch

    monkeypatch.setattr(loading, "progress", watched)
    monkeypatch.setattr(loading, "PICTURES", 5)
    loader_rates(make_config("tiny"), tiny_detector(), (64, 48))
    batches = [batch for batch in seen if not isinstance(batch, int)]
    images = [batch.images for batch in batches]
    assert all(image.shape == (2, 3, 64, 64) for image in images)
    assert all(len(boxes) == 1 for batch in batches for boxes in batch.boxes)
    first, second = batches[:3], batches[3:]
    for passed in (first, second):
        assert {i for batch in passed for i in batch.ids} == {f"{n:04d}" for n in range(5)}
    assert not torch.equal(
        torch.cat([b.images for b in first]), torch.cat([b.images for b in second])
    )
