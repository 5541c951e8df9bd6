"""The image cache: what it gives is what the files hold, each decoded once, in every process."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from miaod_nb.data import cache
from miaod_nb.data.cache import ImageCache
from miaod_nb.data.images import load_image
from miaod_nb.data.records import ImageRecord
from miaod_nb.errors import DataError

SIZES = [(512, 512), (40, 30), (512, 341)]  # 768 KiB, 3.5 KiB, 512 KiB


@pytest.fixture
def records(tmp_path: Path) -> list[ImageRecord]:
    rng = np.random.default_rng(0)
    made = []
    for i, (width, height) in enumerate(SIZES):
        path = tmp_path / f"{i}.png"
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        made.append(ImageRecord(str(i), "x", path, width, height))
    return made


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The names of the files that were decoded."""
    names: list[str] = []

    def load(path: Path, gray: None) -> torch.Tensor:
        names.append(path.name)
        return load_image(path, gray)

    monkeypatch.setattr(cache, "load_image", load)
    return names


def test_images_are_decoded_once(records, decoded):
    images = ImageCache(records, 2)
    for _ in range(2):
        for record in records:
            assert torch.equal(images.load(record), load_image(record.image_path))
    assert decoded == ["0.png", "1.png", "2.png"]


def test_what_does_not_fit_is_decoded_each_time(records, decoded):
    images = ImageCache(records, 1)  # the first two
    for _ in range(3):
        for record in records:
            assert torch.equal(images.load(record), load_image(record.image_path))
    assert decoded.count("2.png") == 3 and len(decoded) == 5


def test_a_changed_image_changes_nothing_in_the_cache(records):
    images = ImageCache(records, 2)
    images.load(records[1]).zero_()
    images.load(records[1]).zero_()
    assert torch.equal(images.load(records[1]), load_image(records[1].image_path))


def test_another_process_finds_what_one_decoded(records, decoded):
    images = ImageCache(records, 2)
    images.load(records[0])
    other = pickle.loads(pickle.dumps(images))
    assert torch.equal(other.load(records[0]), load_image(records[0].image_path))
    other.load(records[1])
    images.load(records[1])
    assert decoded == ["0.png", "1.png"]


def test_without_space_images_are_decoded_each_time(records, decoded, monkeypatch, capsys):
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "posix_fallocate", refuse)
    images = ImageCache(records, 2)
    images.load(records[1])
    images.load(records[1])
    assert decoded == ["1.png", "1.png"]
    assert "No space left" in capsys.readouterr().out


def test_a_broken_file_is_an_error_each_time(records):
    images = ImageCache(records, 2)
    records[1].image_path.write_bytes(b"no image")
    for _ in range(2):
        with pytest.raises(DataError):
            images.load(records[1])


def test_the_file_ends_with_the_cache(records):
    images = ImageCache(records, 2)
    path = Path(images._path)
    assert path.exists()
    del images
    assert not path.exists()


def test_a_killed_process_leaves_nothing_behind(tmp_path):
    code = (
        "import os; from miaod_nb.data.cache import ImageCache\n"
        "images = ImageCache((), 1); print('made', flush=True); os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert ended.returncode == -9 and ended.stdout == b"made\n"
    assert list(tmp_path.iterdir()) == []
