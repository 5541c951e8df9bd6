"""Photos that a camera held sideways has stored: turned as people see them, with their boxes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageOps

from miaod_nb.data.checked import CheckedImages
from miaod_nb.data.files import records_of_files
from miaod_nb.data.images import load_image
from miaod_nb.data.labels import Oracle
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.data.upright import TURNS, upright_box
from tests.coco import change, write_coco

SIZE, BOX = (60, 120), (8, 60, 38, 90)  # of the upright picture, and of what is red in it


def take_photo(path: Path, orientation: int | None, size: tuple[int, int] = SIZE) -> None:
    """Writes a photo as a camera stores it that was held so."""
    picture = Image.new("RGB", size, (0, 90, 0))
    picture.paste((250, 0, 0), BOX)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
        turn = TURNS.get(orientation)
        back = {6: 8, 8: 6}.get(orientation, orientation)
        picture = picture.transpose(TURNS[back]) if turn is not None else picture
    picture.save(path, exif=exif, quality=100, subsampling=0)


def is_red_inside(image: torch.Tensor, box: Any) -> bool:
    """Whether the box holds what is red, all of it and nothing else."""
    red = (image[0].int() - image[1].int() > 100).numpy()
    x1, y1, x2, y2 = (round(float(side)) for side in box)
    inside = np.zeros_like(red)
    inside[y1:y2, x1:x2] = True
    return bool((red == inside).mean() > 0.99)


def read(root: Path) -> tuple[ImageRecord, list[list[float]], dict[str, int]]:
    """The only image of the train list, its boxes, and what was counted."""
    source, faults = open_source(root), FaultCounts()
    (record,) = scan_list(source, "trainval", faults)
    objects = Oracle(source, [record]).read([record.id], ["disc"], faults)[record.id]
    counts = {reason: entry["count"] for reason, entry in faults.as_dict().items()}
    return record, objects.boxes.tolist(), counts


@pytest.fixture
def voc(year: Path, voc_xml):
    """Makes one photo the pool of a VOC data set; its annotation is of a picture of that size."""

    def make(orientation: int | None, box: Any, size: tuple[int, int] | None) -> Path:
        take_photo(year / "JPEGImages/photo.jpg", orientation)
        corners = tuple(side + 1 for side in box)  # VOC counts from 1
        width, height = size or (0, 0)
        text = voc_xml([("disc", corners)], width=width, height=height)
        (year / "Annotations/photo.xml").write_text(text)
        (year / "ImageSets/Main/trainval.txt").write_text("photo\n")
        return year

    return make


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [SIZE, None])
def test_a_photo_is_as_people_see_it(voc, orientation, size):
    record, boxes, counts = read(voc(orientation, BOX, size))
    assert (record.width, record.height) == SIZE and boxes == [list(BOX)]
    with Image.open(record.image_path) as stored:
        assert record.stored_size == stored.size
        expected = np.array(ImageOps.exif_transpose(stored))
    image = load_image(record.image_path)
    assert image.is_contiguous() and (image.permute(1, 2, 0).numpy() == expected).all()
    assert is_red_inside(image, BOX)
    assert counts == ({"photo turned upright (EXIF)": 1} if orientation > 1 else {})


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_of_the_picture_as_it_is_stored_are_turned_with_it(voc, orientation):
    mask = Image.new("L", SIZE)
    mask.paste(255, BOX)
    stored = mask.transpose(TURNS[{6: 8, 8: 6}.get(orientation, orientation)]).getbbox()
    record, boxes, counts = read(voc(orientation, stored, (120, 60)))
    assert (record.width, record.height) == SIZE
    assert boxes == [list(BOX)]
    assert is_red_inside(load_image(record.image_path), boxes[0])
    assert counts == {
        "photo turned upright (EXIF)": 1,
        "boxes of the picture before it was turned (EXIF), turned too": 1,
    }


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_turned_box_covers_what_it_covered(orientation):
    stored = Image.new("RGB", (120, 60))
    stored.paste((255, 0, 0), (60, 10, 90, 35))
    turned = stored.transpose(TURNS[orientation])
    box = upright_box((60, 10, 90, 35), orientation, stored.size)
    assert is_red_inside(torch.from_numpy(np.array(turned)).permute(2, 0, 1), box)


@pytest.mark.parametrize("is_of_stored", [False, True])
def test_coco_files_are_turned_likewise(voc, tmp_path, is_of_stored):
    root = write_coco(tmp_path / "coco", voc(6, BOX, None), ["trainval"])
    size = (120, 60) if is_of_stored else SIZE
    x1, y1, x2, y2 = BOX
    box = [y1, SIZE[0] - x2, y2 - y1, x2 - x1] if is_of_stored else [x1, y1, x2 - x1, y2 - y1]

    def edit(document):
        document["images"][0] |= dict(zip(("width", "height"), size, strict=True))
        document["annotations"][0]["bbox"] = box

    change(root, edit)
    record, boxes, counts = read(root)
    assert (record.width, record.height) == SIZE and boxes == [list(BOX)]
    assert counts["photo turned upright (EXIF)"] == 1 and len(counts) == 1 + is_of_stored


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\x00\x00", b"Exif\x00\x00MM\x00*\xff\xff\xff\xff", b"x"]
)
def test_a_damaged_exif_entry_turns_nothing(tmp_path, exif):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg", exif=exif)
    assert load_image(tmp_path / "a.jpg").shape == (3, 48, 64)


@pytest.mark.parametrize("orientation", [0, 9, 700])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg", exif=exif)
    assert load_image(tmp_path / "a.jpg").shape == (3, 48, 64)


def test_photos_that_belong_to_no_data_set_are_turned_too(tmp_path):
    take_photo(tmp_path / "a.jpg", 6)
    (record,), left_out = records_of_files([("a.jpg", tmp_path / "a.jpg")])
    assert (record.width, record.height) == SIZE and not left_out


def test_sizes_of_earlier_versions_are_not_taken_for_upright_ones(voc):
    """Their tables do not tell how an image was turned."""
    root = voc(6, BOX, None)
    source, checked = open_source(root), CheckedImages(root)
    (record,) = scan_list(source, "trainval", FaultCounts(), checked=checked)
    old = checked.table.drop(columns="orientation").assign(width=120, height=60)
    again = scan_list(source, "trainval", FaultCounts(), checked=CheckedImages(root, old))
    assert again == [record]


def test_known_photos_are_still_counted(voc, tmp_path):
    root = voc(6, BOX, None)
    source, checked = open_source(root), CheckedImages(root)
    records = scan_list(source, "trainval", FaultCounts(), checked=checked)
    checked.table.to_parquet(tmp_path / "images.parquet")
    known, faults = CheckedImages(root, pd.read_parquet(tmp_path / "images.parquet")), FaultCounts()
    assert scan_list(source, "trainval", faults, checked=known) == records
    assert faults.count("photo turned upright (EXIF)") == 1
