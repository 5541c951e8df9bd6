"""Situations that people really have, one test a kind; docs/cases.md says what is done about each.

The object is red, in a picture of noise; its box is computed by hand.
"""

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.font_manager import fontManager, get_font
from PIL import Image

from miaod_nb import plots
from miaod_nb.boxes import Detections
from miaod_nb.config import make_config
from miaod_nb.data.files import image_files, records_of_files
from miaod_nb.data.images import load_image
from miaod_nb.data.labels import Oracle, audit, to_objects
from miaod_nb.data.records import FaultCounts, ImageRecord, RawObject
from miaod_nb.data.sources import Source, open_source, scan_list
from miaod_nb.errors import DataError
from miaod_nb.evaluation import COCO_AP, VOC07_AP, VOC12_AP, evaluate
from miaod_nb.experiment.preparing import Sources, prepare
from miaod_nb.plots import letters
from miaod_nb.trained.prediction_files import read_entries

BOX = [10, 10, 40, 40]
CORNERS = (11, 11, 41, 41)  # of BOX, as VOC writes it
SIZE = (96, 64)
TURNED = "photo turned upright (EXIF)"
FROM_0 = "annotation taken to count pixels from 0: "


def picture(box: Any = BOX, size: tuple[int, int] = SIZE, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(60, 120, (size[1], size[0], 3), dtype=np.uint8)
    x1, y1, x2, y2 = box
    noise[y1:y2, x1:x2] = (230, 60, 40)
    return Image.fromarray(noise)


def bndbox(corners: Any) -> str:
    tags = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    return "<bndbox>" + "".join(f"<{tag}>{side}</{tag}>" for tag, side in tags) + "</bndbox>"


def xml(*boxes: Any, size: Any = None, name: str = "cat", head: str = "") -> str:
    """A VOC annotation of one object, with all these boxes."""
    told = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    inside = f"<name>{name}</name><difficult>0</difficult>{''.join(map(bndbox, boxes))}"
    return f"<annotation>{head}{told}<object>{inside}</object></annotation>"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (tmp_path / "voc" / folder).mkdir(parents=True)
    return tmp_path / "voc"


def add(
    root: Path, name: str, text: str | bytes = "", image: Image.Image | None = None, **options: Any
) -> None:
    """An image file of a VOC folder, and its annotation; name: with the suffix."""
    path = root / "JPEGImages" / name
    path.parent.mkdir(exist_ok=True)
    (image or picture(seed=len(list(path.parent.iterdir())))).save(path, **options)
    annotation = root / "Annotations" / Path(name).with_suffix(".xml")
    annotation.parent.mkdir(exist_ok=True)
    if text:
        annotation.write_bytes(text if isinstance(text, bytes) else text.encode())


def set_list(root: Path, *lines: str, encoding: str = "utf-8", name: str = "trainval") -> None:
    text = "".join(f"{line}\r\n" for line in lines)
    (root / f"ImageSets/Main/{name}.txt").write_bytes(text.encode(encoding))


def coco(root: Path, names: list[str], change: Any = None, **sides: int) -> Path:
    """A COCO folder without images: each has BOX."""
    document: dict[str, Any] = {
        "images": [{"id": i, "file_name": name, **sides} for i, name in enumerate(names)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [10, 10, 30, 30]}
            for i in range(len(names))
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    if change:
        change(document)
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / "annotations/trainval.json").write_text(json.dumps(document))
    return root


def opened(root: Path) -> tuple[Source, list[ImageRecord]]:
    source = open_source(root)
    return source, scan_list(source, "trainval", FaultCounts())


def read(root: Path, name: str = "trainval") -> tuple[dict[str, list[Any]], dict[str, int]]:
    """The boxes of the images of a list by id, and what was counted."""
    source, faults = open_source(root), FaultCounts()
    records = scan_list(source, name, faults)
    oracle, ids = Oracle(source, records), [record.id for record in records]
    classes = list(source.classes()) or oracle.class_names(ids, FaultCounts()) or ["cat"]
    found = oracle.read(ids, classes, faults)
    counts = {reason: one["count"] for reason, one in faults.as_dict().items()}
    return {i: np.round(one.boxes.tolist(), 4).tolist() for i, one in found.items()}, counts


# ---------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
@pytest.mark.parametrize("is_stored", [False, True])
def test_photos_are_turned_in_every_format_that_says_how(root, suffix, is_stored):
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = picture((8, 60, 38, 90), (64, 96))
    box, size = ((61, 27, 91, 57), (96, 64)) if is_stored else ((9, 61, 39, 91), (64, 96))
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    add(root, f"a.{suffix}", xml(box, size=size), stored, exif=exif.tobytes())
    set_list(root, "a")
    boxes, counts = read(root)
    assert boxes == {"a": [[8, 60, 38, 90]]} and counts[TURNED] == 1
    assert len(counts) == 1 + is_stored
    image = load_image(root / f"JPEGImages/a.{suffix}").int()
    assert image.shape == (3, 96, 64)
    assert ((image[0] - image[1])[60:90, 8:38] > 100).float().mean() > 0.95


@pytest.mark.parametrize("name", ["a.jpg", "a.JPG", "a.PnG", "a.bmp", "a.tif", "a.webp", "a.jfif"])
def test_every_format_that_pillow_reads(root, tmp_path, name):
    add(root, name, xml(CORNERS))
    set_list(root, "a")
    assert read(root) == ({"a": [BOX]}, {})
    (root / "JPEGImages/notes.txt").write_text("no picture")
    assert [record.id for record in records_of_files(image_files(root).items())[0]] == [
        f"JPEGImages/{name}"
    ]


def test_a_format_that_is_not_read_is_named(root):
    add(root, "a.jpg", xml(CORNERS))
    (root / "JPEGImages/b.heic").write_bytes(b"something")
    set_list(root, "a", "b")
    reason = "image of a format that is not read"
    assert read(root)[1] == {reason: 1}
    assert records_of_files(image_files(root / "JPEGImages").items())[1] == {"b.heic": reason}
    assert read(root / "JPEGImages")[1] == {reason: 1, "annotation missing": 1}


def test_deep_gray_is_scaled_by_the_range_of_the_data_set(root):
    """Thermal values: 29000 + 2500 times 0.25 to 0.5 behind, 0.9 in the object."""
    ramp = np.tile(np.linspace(0.25, 0.5, 96), (64, 1))
    ramp[10:40, 10:40] = 0.9
    even = np.full((64, 96), 0.5)
    even[0, :2] = 0.45, 0.55
    for name, values in (("hot", ramp), ("even", even)):
        add(
            root,
            f"{name}.png",
            xml(CORNERS),
            Image.fromarray((29000 + 2500 * values).astype("<u2")),
        )
    set_list(root, "hot", "even")
    faults = FaultCounts()
    hot, other = scan_list(open_source(root), "trainval", faults)
    assert hot.gray == other.gray == (29625, 31250)
    shown = load_image(hot.image_path, hot.gray)[0]
    assert shown[20, 20] == 255 and shown[50].min() == 0 and shown[50].max() == 98
    assert load_image(other.image_path, other.gray)[0, 50, 50] == 98  # an equal temperature
    assert [entry["count"] for entry in faults.as_dict().values()] == [2]
    cold = Image.fromarray((31000 + 40 * ramp).astype("<u2"))
    add(root, "cold.png", xml(CORNERS), cold)
    set_list(root, "hot", "cold")
    _, counts = read(root)
    assert counts["deep gray image with less than an eighth of these values"] == 1


@pytest.mark.parametrize(("kind", "values"), [("int32", (0, 200)), ("float32", (0, 1))])
def test_deep_gray_of_other_kinds(root, kind, values):
    image = np.full((64, 96), values[0], kind)
    image[:, 48:] = values[1]
    add(root, "a.tif", xml(CORNERS), Image.fromarray(image))
    set_list(root, "a")
    (record,) = scan_list(open_source(root), "trainval", FaultCounts())
    shown = load_image(record.image_path, record.gray)[0, 0]
    assert shown[:48].max() == 0 and shown[48:].min() == 255


def test_test_images_are_as_gray_as_those_of_the_pool(root):
    for number, most in enumerate((4000, 4000, 4000, 2000)):
        image = np.zeros((64, 96), np.uint16)
        image[:, number:] = most
        add(root, f"{number}.png", xml(CORNERS), Image.fromarray(image))
    set_list(root, "1", "2", "0")
    set_list(root, "3", name="test")
    config = make_config("tiny", {"initial": 1, "budget": 1})
    dataset = prepare(config, Sources.open(root))
    assert dataset.gray == dataset.test[0].gray == (0, 4000)
    assert dataset.identity["gray"] == [0, 4000]
    assert load_image(dataset.test[0].image_path, dataset.test[0].gray).max() == 128


def test_large_photos_are_read_and_bombs_are_not(root, recwarn):
    add(root, "phone.png", xml(CORNERS), Image.new("1", (12000, 9000)))
    add(root, "bomb.png", xml(CORNERS), Image.new("1", (30000, 20000)))
    set_list(root, "phone", "bomb")
    boxes, counts = read(root)
    assert boxes == {"phone": [BOX]}
    assert counts == {"image of more than 268 million pixels": 1}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_shows_through_is_laid_on_white(root, mode):
    image = Image.new("RGBA", (64, 64), (200, 0, 0, 0))
    image.paste((200, 0, 0, 255), (16, 16, 48, 48))
    image = image.convert(mode)
    add(root, "a.png", xml(CORNERS), image)
    set_list(root, "a")
    assert read(root)[1] == {"image that shows something through, laid on white": 1}
    shown = load_image(root / "JPEGImages/a.png")
    assert shown[:, 0, 0].tolist() == [255, 255, 255]
    assert shown[1, 32, 32] < 100


def test_equal_files_are_counted_within_a_list_and_between_pool_and_test(root):
    for number in range(6):
        add(root, f"{number}.jpg", xml(CORNERS))
    for copy, first in (("copy", "1"), ("other", "2")):
        content = (root / f"JPEGImages/{first}.jpg").read_bytes()
        (root / f"JPEGImages/{copy}.jpg").write_bytes(content)
        (root / f"Annotations/{copy}.xml").write_text(xml(CORNERS))
    set_list(root, "0", "1", "2", "3", "copy")
    set_list(root, "4", "5", "other", name="test")
    assert read(root)[1] == {"file that is byte for byte another one of the list": 2}
    config = make_config("tiny", {"initial": 2, "budget": 1})
    dataset = prepare(config, Sources.open(root))
    assert dataset.test_faults.count("file that is byte for byte an image of the pool") == 1


# ------------------------------------------------------------------------------------- annotations


@pytest.mark.parametrize("layout", ["voc", "coco"])
def test_labels_of_another_size_are_scaled_or_left_out(root, tmp_path, layout):
    said = {"half": (48, 32), "same": SIZE, "none": None, "swapped": (64, 96), "other": (60, 59),
            "dummy": (1, 1)}  # fmt: skip
    for name, size in said.items():
        corners = (6, 6, 21, 21) if name == "half" else CORNERS
        add(root, f"{name}.jpg", xml(corners, size=size))
    set_list(root, *said)
    if layout == "coco":

        def tell(document):
            for image, size in zip(document["images"], said.values(), strict=True):
                image |= dict(zip(("width", "height"), size or (0, 0), strict=True))
            document["annotations"][0]["bbox"] = [5, 5, 15, 15]

        folder = coco(tmp_path / "coco", [f"{name}.jpg" for name in said], tell)
        (folder / "images").symlink_to(root / "JPEGImages")
        root = folder
    boxes, counts = read(root)
    assert boxes == {name: [BOX] for name in said if name != "other"}
    assert counts == {
        "annotation of the picture in another size, boxes scaled": 1,
        "annotation with width and height swapped, boxes used as they are": 1,
        "annotation of a picture of another shape": 1,
        "annotation with a size that its boxes leave, used as they are": 1,
    }


def test_several_boxes_in_one_object_are_objects_each(root):
    part = f"<part><name>head</name>{bndbox((1, 1, 9, 9))}</part>"
    text = xml((11, 11, 31, 41), (36, 11, 56, 41), (61, 11, 81, 41))
    add(root, "a.jpg", text.replace("</object>", f"{part}</object>"))
    set_list(root, "a")
    boxes, counts = read(root)
    assert boxes == {"a": [[10, 10, 30, 40], [35, 10, 55, 40], [60, 10, 80, 40]]}
    assert counts == {"annotation with several boxes in one object, each taken for an object": 1}


@pytest.mark.parametrize("text", ["<annotations/>", "<html><object/></html>", "<Annotation/>"])
def test_foreign_xml_is_malformed_never_background(root, text):
    add(root, "a.jpg", text)
    set_list(root, "a")
    assert read(root) == ({}, {"annotation malformed: its root is not <annotation>": 1})


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("utf-8", "图片"), ("utf-16", "图片"), ("gb2312", "图片"), ("gbk", "图片"),
     ("shift_jis", "写真"), ("big5", "圖片"), ("euc-kr", "고양이"), ("iso-8859-1", "Flügel")],
)  # fmt: skip
def test_xml_in_every_encoding_that_it_declares(root, encoding, text):
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n'
    content = (head + xml(CORNERS, name=text)).encode(encoding)
    add(root, "a.jpg", content)
    set_list(root, "a")
    assert read(root) == ({"a": [BOX]}, {})
    assert audit(*opened(root), None)[0].index.tolist() == [text]


def test_without_a_label_the_reasons_are_told(root):
    for number in range(4):
        add(root, f"{number}.jpg", "<annotation>")
    set_list(root, "0", "1", "2", "3")
    with pytest.raises(DataError, match="no label to begin with.*2 x annotation malformed: not w"):
        prepare(make_config("tiny", {"initial": 2, "budget": 1}), Sources.open(root))


def test_suffixes_of_annotations_in_any_case(root):
    for name, suffix in (("a", "xml"), ("b", "XML"), ("c", "Xml")):
        add(root, f"{name}.jpg")
        (root / f"Annotations/{name}.{suffix}").write_text(xml(CORNERS))
    set_list(root, "a", "b", "c")
    assert read(root) == ({"a": [BOX], "b": [BOX], "c": [BOX]}, {})
    source = open_source(root)
    scan_list(source, "trainval", FaultCounts())
    assert set(source.labeled_ids()) == {"a", "b", "c"}


SOURCE = "<source><database>{}</database></source>"
WRITERS = {  # of the box [10, 20, 40, 60]: numbers and marks; what is read; how it is told
    "VOC": ((11, 21, 40, 60), SOURCE.format("The VOC2007 Database"), (10, 20, 39, 59), ""),
    "VOC2012": ((11.6, 21, 40, 60), "<folder>VOC2012</folder>", (10, 20, 39, 59), ""),
    "supervision": ((11, 21, 41, 61), SOURCE.format("roboflow.ai"), (10, 20, 40, 60), ""),
    "hotcoco": ((11, 21, 40, 60), "<folder>Annotations</folder>", (10, 20, 39, 59), ""),
    "datumaro": (("10.0", "20.0", "40.0", "60.0"), SOURCE.format("Unknown"), (10, 20, 40, 60),
                 "a coordinate has a decimal point"),
    "whole image": ((0, 0, 96, 64), "", (0, 0, 96, 64), "a coordinate is 0"),
    "panlabel": ((10, 20, 40, 60), "<folder>JPEGImages</folder>", (10, 20, 40, 60),
                 "it is panlabel's"),
    "Label Studio": ((10, 20, 40, 60), SOURCE.format("MyDatabase"), (10, 20, 40, 60),
                     "it is Label Studio's"),
    "labelImg": ((10, 20, 40, 60), f"<path>a</path>{SOURCE.format('Unknown')}", (10, 20, 40, 60),
                 "it is labelImg's"),
}  # fmt: skip


@pytest.mark.parametrize("writer", WRITERS)
def test_files_that_count_from_0_are_told_from_those_that_count_from_1(root, writer):
    corners, head, box, sign = WRITERS[writer]
    add(root, "a.jpg", xml(corners, head=head))
    set_list(root, "a")
    assert read(root) == ({"a": [list(box)]}, {FROM_0 + sign: 1} if sign else {})


@pytest.mark.parametrize("pixels_from, box", [(1, [9, 19, 39, 59]), (0, [10, 20, 40, 60])])
def test_a_setting_tells_where_no_sign_does(root, pixels_from, box):
    for name in "abc":
        add(root, f"{name}.jpg", xml((10, 20, 40, 60)))
    set_list(root, "a", "b")
    set_list(root, "c", name="test")
    settings = {"initial": 1, "budget": 1, "voc_pixels_from": pixels_from}
    dataset, faults = prepare(make_config("tiny", settings), Sources.open(root)), FaultCounts()
    ids = [record.id for record in dataset.pool]
    found = {**dataset.oracle.read(ids, ["cat"], faults), **dataset.test_objects}
    assert {i: one.boxes.tolist() for i, one in found.items()} == {i: [box] for i in "abc"}
    told = FROM_0 + "voc_pixels_from says so"
    assert (faults.count(told), dataset.test_faults.count(told)) == (
        (0, 0) if pixels_from else (2, 1)
    )
    assert dataset.oracle.pixels_short(ids) == pixels_from


def test_the_order_of_pylabel_is_a_sign(root):
    text = "<xmin>10</xmin><xmax>40</xmax><ymin>20</ymin><ymax>60</ymax>"
    object_ = f"<object><name>cat</name><bndbox>{text}</bndbox></object>"
    add(root, "a.jpg", f"<annotation>{object_}</annotation>")
    set_list(root, "a")
    assert read(root) == ({"a": [[10, 20, 40, 60]]}, {FROM_0 + "it is pylabel's": 1})


def test_fractions_are_kept(root):
    for side in (8, 16, 40):
        add(root, f"{side}.jpg", xml((10.8, 10.8, 10.8 + side, 10.8 + side)))
    set_list(root, "8", "16", "40")
    boxes, _ = read(root)
    assert boxes == {
        "8": [[10.8, 10.8, 18.8, 18.8]], "16": [[10.8, 10.8, 26.8, 26.8]],
        "40": [[10.8, 10.8, 50.8, 50.8]],
    }  # fmt: skip


def test_coordinates_that_are_parts_of_one_are_multiplied(root, tmp_path):
    add(root, "a.jpg", xml((0.25, 0.125, 0.5, 0.75)))
    set_list(root, "a")
    expected = {"a": [[24, 8, 48, 48]]}
    reason = "coordinates that are parts of one, multiplied by the size"
    boxes, counts = read(root)
    assert boxes == expected and counts[reason] == 1

    def parts(document):
        document["annotations"][0] |= {"bbox": [0.25, 0.125, 0.25, 0.625], "area": 0.15625}

    folder = coco(tmp_path / "coco", ["a.jpg"], parts)
    (folder / "images").symlink_to(root / "JPEGImages")
    assert read(folder) == (expected, {reason: 1})


def test_boxes_of_one_pixel_are_not_called_inverted(root):
    text = xml((6, 6, 6, 6), (2, 2, 1, 1), (20, 20, 10, 10), CORNERS)
    add(root, "a.jpg", text)
    set_list(root, "a")
    boxes, counts = read(root)
    assert boxes == {"a": [BOX]}
    assert counts["box smaller than a pixel"] == 2 and counts["inverted box"] == 1


@pytest.mark.parametrize(
    ("area", "used", "counted"),
    [(0, 900, 1), (1.0, 900, 1), (-1, 900, 0), (None, 900, 0), (700, 700, 0), (2000, 900, 1)],
)
def test_areas_that_are_placeholders_give_way_to_the_box(root, tmp_path, area, used, counted):
    def tell(document):
        document["annotations"][0]["area"] = area

    folder = coco(tmp_path / "coco", ["a.jpg"], tell)
    (folder / "images").mkdir()
    picture().save(folder / "images/a.jpg")
    source, faults = open_source(folder), FaultCounts()
    records = scan_list(source, "trainval", faults)
    found = Oracle(source, records).read(["a"], ["cat"], faults)["a"]
    assert found.area.tolist() == [used]
    assert faults.count("area that does not fit its box, that of the box taken") == counted


def test_marks_that_nobody_reads_are_counted(root, tmp_path):
    def mark(document):
        document["annotations"][0]["ignore"] = 1
        document["annotations"][1]["iscrowd"] = "1"
        del document["annotations"][0]["id"]

    folder = coco(tmp_path / "coco", ["a.jpg", "b.jpg"], mark)
    (folder / "images").mkdir()
    for number, name in enumerate("ab"):
        picture(seed=number).save(folder / f"images/{name}.jpg")
    boxes, counts = read(folder)
    assert boxes == {"a": [BOX], "b": [BOX]}
    assert counts == {
        "mark `ignore`, not used (as in pycocotools)": 1,
        "mark `iscrowd` that is neither 0 nor 1, taken for 0": 1,
        "annotation without an id": 1,
    }


def test_spellings_of_one_class_are_named(root):
    names = ["Person", "person", "traffic light", "traffic  light", "caf\u00e9", "cafe\u0301"]
    for number, name in enumerate(names):
        add(root, f"{number}.jpg", xml(CORNERS, name=name))
    set_list(root, *map(str, range(6)))
    table, faults = audit(*opened(root), None)
    assert len(table) == 6
    assert faults.count("class that is another one in another spelling") == 3
    dataset = prepare(make_config("tiny", {"initial": 5, "budget": 1}), Sources.open(root))
    assert dataset.faults.count("class that is another one in another spelling") >= 2


# ----------------------------------------------------------------------------------- names of files


def test_names_may_hold_blanks(root):
    for name in ("photo (1)", "img0", "img0 (copy)"):
        add(root, f"{name}.jpg", xml(CORNERS))
    set_list(root, "photo (1)", "img0 (copy)")
    assert list(read(root)[0]) == ["photo (1)", "img0 (copy)"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_lists_as_windows_writes_them(root, encoding):
    add(root, "img0.jpg", xml(CORNERS))
    set_list(root, "img0", encoding=encoding)
    assert read(root) == ({"img0": [BOX]}, {})


def test_a_list_that_is_no_text_is_refused(root):
    add(root, "a.jpg", xml(CORNERS))
    set_list(root, "a", "图片文件", encoding="gbk")
    with pytest.raises(DataError, match="no UTF-8 text"):
        read(root)


@pytest.mark.parametrize(
    "line",
    ["barn.v2", "barn.v2.jpg", "barn.v2.JPG -1", "JPEGImages/barn.v2.jpg", "Barn.V2",
     r"C:\data\JPEGImages\barn.v2.jpg 1", "/content/voc/JPEGImages/barn.v2.jpg"],
)  # fmt: skip
def test_lists_may_have_suffixes_folders_and_any_case(root, line):
    add(root, "barn.v2.jpg", xml(CORNERS))
    set_list(root, line)
    assert read(root) == ({"barn.v2": [BOX]}, {})


def test_forms_of_unicode_do_not_matter_in_a_list(root):
    add(root, "cafe\u0301.jpg", xml(CORNERS))
    set_list(root, "caf\u00e9")
    assert list(read(root)[0].values()) == [[BOX]]


def test_images_may_lie_in_folders(root):
    ids = ["cam1/frame", "cam2/frame"]
    for number, name in enumerate(ids):
        x = 5 + 20 * number
        image = picture((x, 10, x + 30, 40), seed=number)
        add(root, f"{name}.jpg", xml((x + 1, 11, x + 31, 41)), image)
    set_list(root, *ids, name="default")
    assert read(root, "default") == (
        {"cam1/frame": [[5, 10, 35, 40]], "cam2/frame": [[25, 10, 55, 40]]}, {},
    )  # fmt: skip
    assert set(read(root, "default")[0]) == set(ids)
    (root / "ImageSets/Main/default.txt").unlink()
    (root / "ImageSets/Main").rmdir()
    (root / "ImageSets").rmdir()
    assert list(read(root)[0]) == ids  # without lists, all of them


NAMES = {  # file_name; where the file is; whether that is told
    "images/a.jpg": ("images/a.jpg", False),
    r"images\a.jpg": ("images/a.jpg", False),
    "train/a.jpg": ("train/a.jpg", False),
    "a.JPG": ("images/trainval/a.jpg", True),
    "a": ("images/a.jpg", True),
    "elsewhere/a.jpg": ("images/a.jpg", True),
    "/data/local-files/?d=images/a.jpg": ("images/a.jpg", False),
    "/data/upload/1/1234abcd-a.jpg": ("images/a.jpg", True),
    "/data/upload/1/1234abcd__a.jpg": ("images/a.jpg", True),
}


@pytest.mark.parametrize("name", NAMES)
def test_file_names_as_other_tools_write_them(tmp_path, name):
    place, is_told = NAMES[name]
    folder = coco(tmp_path / "coco", [name])
    (folder / place).parent.mkdir(parents=True)
    picture().save(folder / place)
    boxes, counts = read(folder)
    assert boxes == {"a": [BOX]}
    assert counts == ({"image found by its name, not where file_name says": 1} if is_told else {})


def test_a_file_name_that_might_mean_two_files_is_refused(tmp_path):
    folder = coco(tmp_path / "coco", ["a"])
    for number, name in enumerate(("one", "two")):
        (folder / "images" / name).mkdir(parents=True)
        picture(seed=number).save(folder / f"images/{name}/a.jpg")
    with pytest.raises(DataError, match="two files might be meant") as error:
        read(folder)
    assert "one/a.jpg" in error.value.where and "two/a.jpg" in error.value.where


def test_missing_images_are_shown_as_the_file_names_them(tmp_path):
    folder = coco(tmp_path / "coco", ["train/a.jpg"])
    with pytest.raises(DataError, match=r"1 x listed image missing \(train/a.jpg\)"):
        read(folder)


@pytest.mark.parametrize("order", [1, -1])
def test_an_image_named_twice_has_the_boxes_of_both(tmp_path, order):
    def twice(document):
        document["images"] = [
            {"id": 0, "file_name": "a.jpg", "width": None, "height": None},
            {"id": 1, "file_name": "a.jpg", "width": 96, "height": 64},
        ][::order]
        document["annotations"][0]["image_id"] = 1

    folder = coco(tmp_path / "coco", ["a.jpg"], twice)
    (folder / "images").mkdir()
    picture().save(folder / "images/a.jpg")
    assert read(folder) == ({"a": [BOX]}, {"listed twice": 1})
    (folder / "annotations").rename(folder / "labels")  # a folder of images, with a COCO file
    assert list(read(folder)[0].values()) == [[BOX]]


def test_a_folder_that_is_not_there_is_told_from_the_nearest(root):
    with pytest.raises(DataError) as error:
        open_source(root.with_name("vco"))
    assert error.value.remedy.startswith(f"did you mean {root}? ")
    with pytest.raises(DataError) as error:
        image_files(root / "JPEGImage")
    assert error.value.remedy.startswith(f"did you mean {root / 'JPEGImages'}? ")


# ------------------------------------------------------------------------------------- predictions


@pytest.mark.parametrize(
    "entry",
    [{"image_id": 12}, {"image_id": "12"}, {"image_id": "000012"}, {"image_id": "000012.jpg"},
     {"image_id": 999, "file_name": "000012.jpg"}, {"image_id": 7}, {"image_id": "7"}],
)  # fmt: skip
def test_predictions_of_other_programs_find_their_images(tmp_path, entry):
    files = {name: Path(f"{name}.jpg") for name in ("000012", "b_7")}
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps([entry | {"category_id": 1, "bbox": BOX, "score": 0.9}]))
    numbers = {"000012": 7, "b_7": 8} if entry["image_id"] in (7, "7") else {i: i for i in files}
    found, others = read_entries(path, numbers, files, {1: "cat"})
    assert [len(found[name]) for name in files] == [1, 0] and not others


def test_predictions_that_might_mean_two_images_are_refused(tmp_path):
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps([{"image_id": 7, "category_id": 1, "bbox": BOX, "score": 0.9}]))
    files = {"7": Path("7.jpg"), "07": Path("07.jpg")}
    with pytest.raises(DataError, match="two images of the list might be meant by 7: 7 and 07"):
        read_entries(path, {name: name for name in files}, files, {1: "cat"})


# ----------------------------------------------------------------------------------------- figures


def test_names_are_drawn_in_a_font_that_has_their_letters():
    known: dict[str, set[int]] = {}
    for font in fontManager.ttflist:
        known.setdefault(font.name, set()).update(get_font(font.fname).get_charmap())
    others = known["STIXGeneral"] - known["DejaVu Sans"]
    letter = next(chr(code) for code in sorted(others) if chr(code).isprintable())
    with plots.style():
        assert plots.drawable(f"cat {letter}") == f"cat {letter}"
        assert any(ord(letter) in known.get(name, ()) for name in plt.rcParams["font.family"])


def test_letters_that_no_font_has_are_numbers_so_that_names_stay_apart(monkeypatch, capsys):
    first = [font for font in fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(letters, "fontManager", SimpleNamespace(ttflist=first))
    monkeypatch.setattr(letters, "SAID", [])
    letters._family_with.cache_clear()
    assert plots.drawable("直剪 2") == "[76F4][526A] 2"
    assert plots.drawable("猫") == "[732B]"
    letters._family_with.cache_clear()
    assert "install a font" in capsys.readouterr().out


# ----------------------------------------------------------------------------------------- metrics


def metrics(*found: Any) -> Mapping[str, float]:
    """Of one object of 100 x 100 pixels an image; found: the box of a detection, or None."""
    truth = RawObject("cat", (0, 0, 100, 100))
    record = ImageRecord("a", "", Path(), 200, 200)
    objects = [to_objects([truth], ["cat"], record, FaultCounts()) for _ in found]
    detections = [
        Detections(
            np.array([box or ()], np.float32).reshape(-1, 4),
            np.full(int(bool(box)), 0.9, np.float32),
            np.zeros(int(bool(box)), np.int64),
        )
        for box in found
    ]
    return evaluate(detections, objects, ["cat"]).metrics


def test_numbers_that_users_compare():
    box = (0, 0, 100, 100)
    for count, voc07, voc12 in ((3, 0.273, 0.3), (6, 0.545, 0.6), (7, 0.636, 0.7)):
        values = metrics(*[box] * count, *[None] * (10 - count))
        assert values[VOC07_AP] == pytest.approx(voc07, abs=5e-4)
        assert values[VOC12_AP] == pytest.approx(voc12)
    assert metrics(*[box] * 3, *[None] * 7)["COCO AP50"] == pytest.approx(0.307, abs=5e-4)
    for iou, ap in ((0.55, 0.2), (0.6, 0.3), (0.8, 0.7), (0.85, 0.8), (29 * 39 / 1200, 0.9)):
        assert metrics((0, 0, 100 * iou, 100))[COCO_AP] == pytest.approx(ap)


# -------------------------------------------------------------------------------------- the page


def test_the_page_tells_of_every_test_here():
    here = Path(__file__)
    page = (here.parents[2] / "docs/cases.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", page)
    for file in {file for file, _ in named}:
        tree = ast.parse((here.parents[2] / file).read_text())
        tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert {name for where, name in named if where == file} <= tests
    mine = {name for name in globals() if name.startswith("test_")}
    told = {name for file, name in named if file == "tests/data/test_cases.py"}
    assert mine - told == {"test_the_page_tells_of_every_test_here"}
