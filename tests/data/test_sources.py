"""Image lists and pixels: what is refused, what is counted, what is read."""

import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from miaod_nb.data import sources
from miaod_nb.data.images import load_image
from miaod_nb.data.labels import Oracle
from miaod_nb.data.layouts.coco import CocoSource
from miaod_nb.data.layouts.voc import listed_ids
from miaod_nb.data.records import FaultCounts, ImageRecord, Labels
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.errors import DataError


def _scan(root: Path, list_name: str = "trainval") -> tuple[list[ImageRecord], FaultCounts]:
    faults = FaultCounts()
    return scan_list(open_source(root), list_name, faults), faults


def _set_list(year: Path, text: str, name: str = "trainval") -> None:
    (year / f"ImageSets/Main/{name}.txt").write_text(text)


# ------------------------------------------------------------------------------------------- lists


def test_scan_reads_ids_in_list_order_and_sizes_from_the_images(year):
    _set_list(year, "000003\n\n000001  1\n000002 -1\n")
    records, faults = _scan(year)
    assert [record.id for record in records] == ["000003", "000001", "000002"]
    assert [(r.width, r.height) for r in records] == [(64, 48), (64, 48), (48, 64)]
    assert {record.source for record in records} == {"07"}
    assert faults.as_dict() == {}


def test_listed_ids_are_those_of_all_years_usable_or_not(year, make_voc):
    """Sorted by year; a year without the list is skipped."""
    make_voc(year.parent / "VOC2012", num_trainval=2, num_test=0, prefix="2012_")
    _set_list(year, "000003 1\n\nnowhere -1\n")
    for root, expected in (
        (year.parent, ["000003", "nowhere", "2012_000001", "2012_000002"]),
        (year, ["000003", "nowhere"]),
    ):
        assert listed_ids(root, "trainval") == expected
    (year / "ImageSets/Main/trainval.txt").unlink()
    assert listed_ids(year.parent, "trainval") == ["2012_000001", "2012_000002"]
    with pytest.raises(DataError, match="there is no image list 'trainval' in VOC layout"):
        listed_ids(year, "trainval")


def test_ids_may_hold_blanks_and_dots_and_end_in_a_number(year):
    """A second column is cut off where it is one: -1, 0 or 1, and no image is called so."""
    names = ["my photo", "barn.v2", "cow 1", "cow", "street 12", "a  b"]
    for shade, name in enumerate(names):
        Image.new("L", (40, 40), shade).save(year / f"JPEGImages/{name}.jpg")
    _set_list(year, "".join(f"{name}\n" for name in names))
    records, faults = _scan(year)
    assert [record.id for record in records] == names == listed_ids(year, "trainval")
    assert faults.as_dict() == {}
    _set_list(year, " my photo  -1\nbarn.v2 0\ncow 1 1\n000001\t1\n")
    assert [r.id for r in _scan(year)[0]] == ["my photo", "barn.v2", "cow 1", "000001"]


def test_names_of_files_in_a_list_mean_the_images_without_suffix(year):
    _set_list(year, "000001.jpg -1\n000002.JPG\nnowhere.jpg 1\n")
    records, faults = _scan(year)
    assert [record.id for record in records] == ["000001", "000002"]
    assert faults.as_dict()["listed image missing"]["examples"] == ["nowhere.jpg"]


def test_size_in_the_annotation_does_not_matter(year, voc_xml):
    (year / "Annotations/000001.xml").write_text(voc_xml([], width=9999, height=1))
    assert (_scan(year)[0][0].width, _scan(year)[0][0].height) == (64, 48)


def test_pool_needs_no_annotations(year):
    before = _scan(year)[0]
    shutil.rmtree(year / "Annotations")
    assert _scan(year)[0] == before


def test_devkit_joins_years_in_order_and_skips_a_year_without_the_list(tmp_path, make_voc):
    make_voc(tmp_path / "VOC2012", num_trainval=2, num_test=1, prefix="b")
    make_voc(tmp_path / "VOC2007", num_trainval=2, num_test=1, prefix="a")
    make_voc(tmp_path / "extra", num_trainval=2, num_test=1, prefix="c")
    (tmp_path / "extra/ImageSets/Main/trainval.txt").unlink()
    records, _ = _scan(tmp_path)
    assert [(r.source, r.id) for r in records] == [
        ("07", "a000001"), ("07", "a000002"), ("12", "b000001"), ("12", "b000002"),
    ]  # fmt: skip
    assert [r.source for r in _scan(tmp_path, "test")[0]] == ["07", "12", "extra"]


def test_missing_root_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such data folder") as error:
        _scan(tmp_path / "nowhere")
    assert error.value.where == tmp_path / "nowhere"


class FolderSource(CocoSource):
    """A layout of one's own: a folder of photos, all of them labeled as empty."""

    layout, needs = "photo folder", "photos"

    @classmethod
    def found_in(cls, data_root):
        return cls(data_root) if any(data_root.glob("*.jpg")) else None

    def list_file(self, name):
        return next(self.root.glob("*.jpg"))

    def images(self, list_name, faults):
        paths = sorted(self.root.glob("*.jpg"))
        return [ImageRecord(path.stem, list_name, path) for path in paths]

    def labels(self, image_id):
        return Labels([])


def test_a_layout_is_one_class_and_one_entry(year, monkeypatch):
    photos = year / "JPEGImages"
    assert open_source(photos).layout == "image folder"
    monkeypatch.setattr(sources, "LAYOUTS", [*sources.LAYOUTS, FolderSource])
    source, faults = open_source(photos), FaultCounts()
    records = scan_list(source, "all", faults)
    assert len(records) == 6 and records[0].width == 64
    found = Oracle(source, records).read([records[0].id], ["dog"], faults)
    assert len(found[records[0].id].boxes) == 0
    assert faults.as_dict() == {"image without objects": {"count": 1, "examples": ["000001"]}}


def test_folder_of_another_layout_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(
        DataError, match="neither in VOC layout nor in COCO layout nor in YOLO layout"
    ) as error:
        _scan(tmp_path)
    assert "JPEGImages" in error.value.remedy and "annotations/instances_" in error.value.remedy


def test_missing_list_is_refused_and_the_others_are_named(year):
    _set_list(year, "", name="dog_trainval")
    with pytest.raises(DataError, match="'train'") as error:
        _scan(year, "train")
    assert error.value.where == year / "ImageSets/Main/train.txt"
    assert error.value.remedy.endswith("test, trainval, dog_trainval")


def test_missing_list_is_accepted_when_not_required(year):
    assert scan_list(open_source(year), "val", FaultCounts(), required=False) == []


@pytest.mark.parametrize("text", ["", "nothing\nthere\n"])
def test_list_without_usable_image_is_refused(year, text):
    _set_list(year, text)
    with pytest.raises(DataError, match="can be used"):
        _scan(year)


def test_damaged_and_missing_images_are_counted(year):
    images = year / "JPEGImages"
    data = (images / "000001.jpg").read_bytes()
    (images / "cut.jpg").write_bytes(data[: len(data) // 2])
    (images / "empty.jpg").write_bytes(b"")
    (images / "text.jpg").write_text("not an image")
    Image.new("RGB", (200, 31)).save(images / "flat.png")
    for name, width, height in (("bomb", 60000, 60000), ("nothing", 0, 100)):
        _write_png_header(images / f"{name}.png", width, height)
    _set_list(year, "000001\ncut\nempty\ntext\nflat\nbomb\nnothing\ngone\n000001\ngone\n")
    records, faults = _scan(year)
    assert [record.id for record in records] == ["000001"]
    assert faults.count("image truncated") == 1
    assert faults.as_dict()["image of more than 268 million pixels"]["examples"] == ["bomb"]
    assert faults.as_dict()["image unreadable"]["examples"] == ["empty", "text", "nothing"]
    assert faults.count("image with a side under 32 px") == 1
    assert faults.count("listed image missing") == 2
    assert faults.count("listed twice") == 1


def _write_png_header(path: Path, width: int, height: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)


def test_side_of_32_px_is_enough(year):
    Image.new("L", (32, 32)).save(year / "JPEGImages/small.png")
    _set_list(year, "small")
    assert [record.id for record in _scan(year)[0]] == ["small"]


@pytest.mark.parametrize("suffix", [".JPG", ".jpeg", ".Png"])
def test_image_suffixes(year, suffix):
    Image.new("RGB", (40, 40)).save(
        year / f"JPEGImages/a.b{suffix}", "PNG" if suffix == ".Png" else "JPEG"
    )
    _set_list(year, "a.b")
    assert _scan(year)[0][0].image_path.name == f"a.b{suffix}"


def test_two_images_with_one_id_are_refused(tmp_path, make_voc):
    make_voc(tmp_path / "VOC2007", num_trainval=2)
    make_voc(tmp_path / "VOC2012", num_trainval=2, seed=1)
    with pytest.raises(DataError, match="'000001'") as error:
        _scan(tmp_path)
    assert "VOC2007" in error.value.where and "VOC2012" in error.value.where


def test_two_files_of_one_id_in_one_folder_are_refused(year):
    Image.new("RGB", (40, 40)).save(year / "JPEGImages/000001.png")
    with pytest.raises(DataError, match="two different images"):
        _scan(year)


def test_one_file_reached_through_two_years_is_listed_twice(tmp_path, make_voc):
    year = make_voc(tmp_path / "VOC2007", num_trainval=2)
    (tmp_path / "linked").symlink_to(year)
    records, faults = _scan(tmp_path)
    assert len(records) == faults.count("listed twice") == 2


# ------------------------------------------------------------------------------------------ pixels


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGB", "png"), ("L", "png"), ("1", "png"), ("P", "png"), ("LA", "png"), ("RGBA", "png"),
     ("I;16", "png"), ("CMYK", "jpg")],
)  # fmt: skip
def test_every_mode_becomes_rgb(tmp_path, mode, suffix):
    path = tmp_path / f"image.{suffix}"
    if mode == "I;16":
        Image.fromarray(np.full((33, 40), 255 * 256, dtype=np.uint16)).save(path)
    else:
        Image.new("RGB", (40, 33), "white").convert(mode).save(path)
    image = load_image(path)
    assert image.dtype == torch.uint8 and image.shape == (3, 33, 40)
    assert image.min() >= 254


def test_16_bit_gray_keeps_its_shades(tmp_path):
    shades = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(shades).save(tmp_path / "gray.png")
    image = load_image(tmp_path / "gray.png")
    assert (image[0].numpy() == np.arange(256).reshape(16, 16)).all()


def test_palette_with_transparency_keeps_its_colors(tmp_path, recwarn):
    palette = Image.new("P", (40, 33), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(tmp_path / "p.png", transparency=bytes([0, 255]))
    assert load_image(tmp_path / "p.png")[:, 0, 0].tolist() == [10, 20, 30]
    assert not recwarn.list


def test_unreadable_image_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    with pytest.raises(DataError) as error:
        load_image(tmp_path / "broken.jpg")
    assert error.value.where == tmp_path / "broken.jpg"


def test_link_that_leads_nowhere_is_a_missing_image(make_voc, tmp_path):
    root = make_voc(tmp_path / "VOC2007")
    image = root / "JPEGImages/000001.jpg"
    image.unlink()
    image.symlink_to(tmp_path / "moved.jpg")
    faults = FaultCounts()
    assert len(scan_list(open_source(root), "trainval", faults)) == 11
    assert faults.count("listed image missing") == 1
