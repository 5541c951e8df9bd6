"""Loose image files become records, each under a name of its own; damaged ones are named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from miaod_nb.data.files import image_files, records_of_files
from miaod_nb.errors import DataError


def save_image(path: Path, width: int = 40, height: int = 33) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), 90, dtype=np.uint8)).save(path)
    return path


def test_a_folder_means_its_images_and_those_below(tmp_path):
    names = ["a.jpg", "a.png", "below/a.JPEG"]
    for name in names:
        save_image(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.jpg").mkdir()
    assert image_files(tmp_path) == {name: tmp_path / name for name in names}


def test_the_folder_of_results_is_passed_over(tmp_path):
    save_image(tmp_path / "a.png")
    save_image(tmp_path / "out/images/a.png")
    assert list(image_files(tmp_path, but_not_in=tmp_path / "out")) == ["a.png"]


def test_a_single_file_of_any_name(tmp_path):
    path = save_image(tmp_path / "scan.bmp")
    assert image_files(path) == {"scan.bmp": path}


@pytest.mark.parametrize(
    ("name", "words"), [("", "no image in this folder"), ("missing", "no such image or folder")]
)
def test_nothing_there(tmp_path, name, words):
    with pytest.raises(DataError, match=words):
        image_files(tmp_path / name)


def test_records_have_the_size_of_the_image_and_damaged_files_their_reason(tmp_path):
    good = save_image(tmp_path / "good.png")
    torn = save_image(tmp_path / "torn.png", 300, 300)
    torn.write_bytes(torn.read_bytes()[:200])
    (tmp_path / "text.jpg").write_text("no image")
    files = image_files(tmp_path)
    records, left_out = records_of_files(files.items())
    (record,) = records
    assert (record.id, record.image_path, record.width, record.height) == ("good.png", good, 40, 33)
    assert left_out.keys() == {"torn.png", "text.jpg"}
    assert left_out["text.jpg"] == "image unreadable"
