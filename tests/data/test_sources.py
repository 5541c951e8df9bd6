"""Image lists and annotations: what is refused, what is counted, what is read."""

import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from miaod_nb.data.sources import (
    AnnotationFault,
    FaultCounts,
    ImageRecord,
    Oracle,
    RawObject,
    audit,
    load_image,
    read_annotation,
    refuse_absent_classes,
    scan_list,
    to_objects,
)
from miaod_nb.errors import DataError


@pytest.fixture
def year(tmp_path, make_voc) -> Path:
    return make_voc(tmp_path / "VOC2007", num_trainval=4, num_test=2)


def _scan(root: Path, list_name: str = "trainval") -> tuple[list[ImageRecord], FaultCounts]:
    faults = FaultCounts()
    return scan_list(root, list_name, faults), faults


def _set_list(year: Path, text: str, name: str = "trainval") -> None:
    (year / f"ImageSets/Main/{name}.txt").write_text(text)


def _record(width: int = 64, height: int = 48) -> ImageRecord:
    return ImageRecord("x", "07", Path("x.jpg"), Path("x.xml"), width, height)


def _faults(faults: FaultCounts) -> dict[str, int]:
    return {reason: entry["count"] for reason, entry in faults.as_dict().items()}


# ------------------------------------------------------------------------------------ fault counts


def test_faults_are_counted_with_few_examples():
    first, second = FaultCounts(), FaultCounts()
    for number in range(9):
        first.add("zero-area box", f"image{number}")
    second.add("zero-area box", "image1", n=2)
    second.add("inverted box", "image7")
    first.merge(second)
    assert first.count("zero-area box") == 11
    assert first.count("never met") == 0
    assert first.as_dict()["zero-area box"]["examples"] == [f"image{i}" for i in range(5)]
    assert json.loads(json.dumps(first.as_dict())) == first.as_dict()
    assert first.lines() == [
        "11 x zero-area box (image0, image1, image2, image3, image4, ...)",
        "1 x inverted box (image7)",
    ]
    assert second.count("zero-area box") == 2  # merging leaves the other as it was


# ------------------------------------------------------------------------------------------- lists


def test_scan_reads_ids_in_list_order_and_sizes_from_the_images(year):
    _set_list(year, "000003\n\n000001  1\n000002 -1\n")
    records, faults = _scan(year)
    assert [record.id for record in records] == ["000003", "000001", "000002"]
    assert [(r.width, r.height) for r in records] == [(64, 48), (64, 48), (48, 64)]
    assert {record.source for record in records} == {"07"}
    assert records[0].annotation_path == year / "Annotations/000003.xml"
    assert faults.as_dict() == {}


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


def test_folder_of_another_layout_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="VOC layout") as error:
        _scan(tmp_path)
    assert "JPEGImages" in error.value.remedy


def test_missing_list_is_refused_and_the_others_are_named(year):
    _set_list(year, "", name="dog_trainval")
    with pytest.raises(DataError, match="'train'") as error:
        _scan(year, "train")
    assert error.value.where == year / "ImageSets/Main/train.txt"
    assert error.value.remedy.endswith("test, trainval, dog_trainval")


def test_missing_list_is_accepted_when_not_required(year):
    assert scan_list(year, "val", FaultCounts(), required=False) == []


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
    assert faults.as_dict()["image with impossible dimensions"]["examples"] == ["bomb"]
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
    palette.save(tmp_path / "p.png", transparency=bytes([0, 128]))
    assert load_image(tmp_path / "p.png")[:, 0, 0].tolist() == [10, 20, 30]
    assert not recwarn.list


def test_image_is_not_turned_by_its_exif_entry(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48)).save(tmp_path / "turned.jpg", exif=exif)
    assert load_image(tmp_path / "turned.jpg").shape == (3, 48, 64)


def test_unreadable_image_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    with pytest.raises(DataError) as error:
        load_image(tmp_path / "broken.jpg")
    assert error.value.where == tmp_path / "broken.jpg"


# ------------------------------------------------------------------------------------- annotations


def test_annotation_without_size_and_with_parts_and_foreign_filename(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(
        "<annotation><filename>other.png</filename><object><name> dog </name>"
        "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part><difficult>1</difficult>"
        "<bndbox><ymax>40</ymax><xmin>1.9</xmin><ymin>2</ymin><xmax>3e1</xmax></bndbox>"
        "</object></annotation>"
    )
    assert read_annotation(path) == [RawObject("dog", (1.9, 2.0, 30.0, 40.0), True)]


BOMB = (
    '<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]>'
    "<annotation><object><name>&y;</name></object></annotation>"
)
OBJECT = "<annotation><object>{}</object></annotation>"
BOX = "<name>dog</name><bndbox><xmin>{}</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty file"),
        (" \n", "empty file"),
        ("<annotation><object>", "not well-formed"),
        ('<?xml version="1.0" encoding="martian"?><annotation/>', "not well-formed"),
        ("annotation: none", "not well-formed"),
        (BOMB, "entity"),
        (OBJECT.format("<bndbox/>"), "without a name"),
        (OBJECT.format("<name> </name>"), "without a name"),
        (OBJECT.format("<name>dog</name>"), "without a box"),
        (OBJECT.format("<name>dog</name><bndbox><xmin>1</xmin></bndbox>"), "not a number"),
        (OBJECT.format(BOX.format("left")), "not a number"),
        (OBJECT.format(BOX.format("nan")), "not a number"),
        (OBJECT.format(BOX.format("-inf")), "not a number"),
        (OBJECT.format(BOX.format("")), "not a number"),
    ],
)
def test_faulty_annotation(tmp_path, text, reason):
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(AnnotationFault, match=f"annotation malformed: .*{reason}"):
        read_annotation(path)


def test_bytes_that_are_no_text_are_a_fault(tmp_path):
    (tmp_path / "a.xml").write_bytes(bytes(range(256)))
    with pytest.raises(AnnotationFault, match="not well-formed"):
        read_annotation(tmp_path / "a.xml")


def test_missing_annotation(tmp_path):
    with pytest.raises(AnnotationFault, match="^annotation missing$"):
        read_annotation(tmp_path / "a.xml")


# ----------------------------------------------------------------------------------------- objects


def _objects(*boxes, classes=("dog",), name="dog"):
    faults = FaultCounts()
    raw = [RawObject(name, box, False) for box in boxes]
    return to_objects(raw, classes, _record(), faults), _faults(faults)


def test_voc_boxes_are_truncated_and_lowered_by_one():
    objects, faults = _objects((1, 1, 64, 48), (10.9, 5.2, 20.9, 15.0))
    assert objects.boxes.tolist() == [[0, 0, 63, 47], [9, 4, 19, 14]]
    assert objects.boxes.dtype == torch.float32 and objects.labels.dtype == torch.int64
    assert faults == {}


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((5, 5, 5, 20), "zero-area box"),
        ((5, 5, 20, 5), "zero-area box"),
        ((5.1, 5, 5.9, 20), "zero-area box"),
        ((20, 5, 10, 20), "inverted box"),
        ((5, 20, 20, 10), "inverted box"),
        ((70, 5, 90, 20), "box outside the image"),
        ((-30, 5, 0, 20), "box outside the image"),
        ((64, 5, 90, 20), "box outside the image"),  # one pixel would remain
        ((5, 1e300, 20, 2e300), "box outside the image"),
    ],
)
def test_useless_boxes_are_dropped_and_counted(box, reason):
    objects, faults = _objects(box, (2, 2, 9, 9))
    assert objects.boxes.tolist() == [[1, 1, 8, 8]]
    assert faults == {reason: 1}


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((0, 1, 10, 10), [0, 0, 9, 9]),  # a data set that counts from 0
        ((-7, -7, 1000, 1e300), [0, 0, 64, 48]),
        ((63, 5, 90, 20), [62, 4, 64, 19]),
    ],
)
def test_boxes_that_reach_over_the_edge_are_clipped_and_counted(box, clipped):
    objects, faults = _objects(box)
    assert objects.boxes.tolist() == [clipped]
    assert faults == {"box clipped to the image": 1}


def test_exact_duplicates_need_the_same_class():
    box = (2.0, 2.0, 9.0, 9.0)
    raw = [RawObject(name, box, False) for name in ("dog", "cat", "dog")]
    faults = FaultCounts()
    objects = to_objects(raw, ["cat", "dog"], _record(), faults)
    assert objects.labels.tolist() == [1, 0]
    assert _faults(faults) == {"exact duplicate box": 1}


def test_image_without_objects_is_background():
    objects, faults = _objects()
    assert objects.boxes.shape == (0, 4) and objects.labels.shape == objects.difficult.shape == (0,)
    assert objects.labels.dtype == torch.int64 and objects.difficult.dtype == torch.bool
    assert faults == {"image without objects": 1}


def test_other_classes_are_left_out_and_counted():
    objects, faults = _objects((2, 2, 9, 9), (3, 3, 9, 9), classes=("cat",))
    assert len(objects.boxes) == 0
    assert faults["object of a class left out by `classes`"] == 2


# ------------------------------------------------------------------------------------------ oracle


def test_oracle_opens_only_what_it_is_asked_for(year):
    (year / "Annotations/000001.xml").write_text("broken")
    (year / "Annotations/000003.xml").unlink()
    records, _ = _scan(year)
    oracle, faults = Oracle(records), FaultCounts()
    assert oracle.opened == []
    objects = oracle.read(["000002"], ["square", "disc"], faults)
    assert oracle.opened == ["000002"] and list(objects) == ["000002"]
    objects = oracle.read(["000004", "000003", "000002", "000001"], ["square", "disc"], faults)
    assert oracle.opened == ["000002", "000004", "000003", "000001"]
    assert list(objects) == ["000004", "000002"]
    assert _faults(faults) == {
        "image without objects": 1,
        "annotation missing": 1,
        "annotation malformed: not well-formed XML": 1,
    }


def test_oracle_reads_what_was_drawn(year):
    record = _scan(year)[0][0]
    objects = Oracle([record]).read([record.id], ["disc", "square"], FaultCounts())[record.id]
    image = load_image(record.image_path).float()
    assert objects.labels[0] == 1
    x1, y1, x2, y2 = objects.boxes[0].int().tolist()
    inside = image[:, y1 + 2 : y2 - 1, x1 + 2 : x2 - 1].flatten(1)
    assert inside[0].median() > 200 and inside[2].median() < 80  # the square's red


def test_class_names_are_found_in_the_labels(year):
    records, _ = _scan(year)
    assert Oracle(records).class_names(r.id for r in records) == ["disc", "square"]
    assert Oracle(records).class_names([]) == []


def test_unknown_class_is_refused_when_classes_were_found(year):
    records, _ = _scan(year)
    ids = [record.id for record in records]
    with pytest.raises(DataError, match="'disc'") as error:
        Oracle(records).read(ids, ["square", "disk"], FaultCounts(), refuse_unknown=True)
    assert str(error.value.where).endswith(".xml")
    assert "classes" in error.value.remedy and "'disk'" in error.value.remedy


def test_class_that_no_label_has_is_refused(year):
    with pytest.raises(DataError, match="'discs'") as error:
        refuse_absent_classes(["square", "discs"], ["disc", "square"], year)
    assert "'disc'" in error.value.remedy
    refuse_absent_classes(["square"], ["disc", "square"], year)
    with pytest.raises(DataError, match="'discs'"):
        audit(_scan(year)[0], ["square", "discs"])


def test_audit_counts_images_and_objects_of_each_class(year, voc_xml):
    box, other = (2, 2, 9, 9), (3, 3, 30, 30)
    texts = [
        voc_xml([("disc", box), ("disc", other), ("square", other)]),
        voc_xml([("disc", box), ("disc", (5, 5, 5, 9))]).replace("<difficult>0", "<difficult>1"),
        voc_xml([]),
        "",
    ]
    for number, text in enumerate(texts, start=1):
        (year / f"Annotations/00000{number}.xml").write_text(text)
    table, faults = audit(_scan(year)[0], None)
    assert table.loc["disc"].tolist() == [2, 3, 1]
    assert table.loc["square"].tolist() == [1, 1, 0]
    assert _faults(faults) == {
        "zero-area box": 1,
        "image without objects": 1,
        "annotation malformed: empty file": 1,
    }
    assert audit(_scan(year)[0], ["square"])[0].index.tolist() == ["square"]


# -------------------------------------------------------------------------------------- real packs


def test_bccd_has_the_published_counts(packs):
    for list_name, images, counts, zero in (
        ("trainval", 292, {"RBC": 3348, "WBC": 301, "Platelets": 292}, 2),
        ("test", 72, {"RBC": 805, "WBC": 71, "Platelets": 69}, 0),
    ):
        records, faults = _scan(packs / "bccd", list_name)
        table, label_faults = audit(records, None)
        assert len(records) == images and faults.as_dict() == {}
        assert table["objects"].to_dict() == counts
        assert label_faults.count("zero-area box") == zero


def test_voc2012_animals_has_the_published_counts(packs):
    records, faults = _scan(packs / "voc2012-animals-320")
    table, label_faults = audit(records, None)
    assert len(records) == 1697 and faults.as_dict() == label_faults.as_dict() == {}
    assert len(table) == 18 and table["objects"].sum() == 3625
    assert table.loc[["dog", "sheep"], ["images", "objects"]].values.tolist() == [
        [634, 765],
        [171, 509],
    ]
