"""A folder of images with labels of any format, and YOLO data sets: what is found, what is said."""

import errno
import json
import os
import shutil
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from miaod_nb.data.files import image_files, records_of_files
from miaod_nb.data.labels import Oracle
from miaod_nb.data.layouts.folder import DESCRIPTION
from miaod_nb.data.layouts.voc import WHOLE
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.errors import DataError
from tests.experiment.disk import at_opening

IMAGES = ("cam1/a.jpg", "cam1/b.PNG", "cam2/deep/a.jpg", "c d.jpg")
BOX = (10.0, 20.0, 40.0, 44.0)  # of every labeled object, in a picture of 80 x 64
XML = """<annotation><object><name>cat</name><bndbox><xmin>11</xmin><ymin>21</ymin><xmax>41</xmax>
<ymax>45</ymax></bndbox></object></annotation>"""
YOLO = "1 0.3125 0.5 0.375 0.375\n"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for shade, name in enumerate(IMAGES, start=90):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((64, 80, 3), shade, np.uint8)).save(folder / name)
    (folder / "notes.md").write_text("mine")
    return folder


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def described(tmp_path: Path, photos: Path, labels: Path) -> Path:
    path = tmp_path / DESCRIPTION
    path.write_text(json.dumps({"images": str(photos), "labels": str(labels)}))
    return path


def coco(name: str) -> str:
    x1, y1, x2, y2 = BOX
    return json.dumps({
        "images": [{"id": 7, "file_name": name, "width": 80, "height": 64},
                   {"id": 8, "file_name": "gone.jpg"}],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 2,
                         "bbox": [x1, y1, x2 - x1, y2 - y1]}],
    })  # fmt: skip


def labeled(root: Path) -> tuple[dict[str, list], dict]:
    """What the labeled images of a data root show, and the faults on the way."""
    source, faults = open_source(root), FaultCounts()
    records = scan_list(source, source.list_names()[0], faults)
    oracle = Oracle(source, records)
    ids = sorted(source.labeled_ids())
    names = list(source.classes()) or oracle.class_names(ids, FaultCounts())
    found = oracle.read(ids, names, faults)
    return {
        i: [(names[k], tuple(box)) for box, k in zip(o.boxes.tolist(), o.labels, strict=True)]
        for i, o in found.items()
    }, faults.as_dict()  # fmt: skip


def test_all_images_below_a_folder_are_the_pool(photos):
    source, faults = open_source(photos), FaultCounts()
    records = scan_list(source, "trainval", faults)
    assert [r.id for r in records] == ["c d", "cam1/a", "cam1/b", "cam2/deep/a"]
    assert {(r.width, r.height) for r in records} == {(80, 64)} and faults.as_dict() == {}
    assert source.labeled_ids() == () and source.labels("cam1/a") is None


def test_what_systems_and_notebooks_hide_is_no_image_and_no_label(photos):
    for name in (".ipynb_checkpoints/a-checkpoint.jpg", "cam1/._a.jpg", ".thumbs/a.jpg"):
        (photos / name).parent.mkdir(exist_ok=True)
        shutil.copy(photos / "cam1/a.jpg", photos / name)
    write(photos, {"cam1/._a.xml": "x", "cam1/a.xml": XML, "cam1/notes.txt": ""})
    source, faults = open_source(photos), FaultCounts()
    assert len(scan_list(source, "trainval", faults)) == len(IMAGES)
    assert (
        set(source.labeled_ids()) == {"cam1/a"}
        and faults.count("annotation of an image that is not there") == 0
    )


@pytest.mark.parametrize("beside", [True, False], ids=["beside the images", "in their own folder"])
@pytest.mark.parametrize(
    ("files", "strays"),
    [
        ({"cam1/b.xml": XML, "c d.xml": XML, "gone.xml": XML}, 1),
        ({"cam1/b.txt": YOLO, "c d.txt": YOLO, "gone.txt": YOLO, "classes.txt": "dog\ncat\n"}, 1),
        ({"cam1/b.txt": YOLO, "c d.txt": YOLO, "data.yaml": "names: {0: dog, 1: cat}\n"}, 0),
        ({"all.json": coco("photos/cam1/b.PNG")}, 1),
    ],
    ids=["voc", "yolo", "yolo with data.yaml", "coco"],
)
def test_labels_of_each_format_are_found(photos, tmp_path, files, strays, beside):
    folder = write(photos if beside else tmp_path / "labels", files)
    root = photos if beside else described(tmp_path, photos, folder)
    found, faults = labeled(root)
    expected = {"cam1/b", "c d"} if len(files) > 1 else {"cam1/b"}
    assert found == dict.fromkeys(expected, [("cat", pytest.approx(BOX))])
    counted = {name: one["count"] for name, one in faults.items()}
    assert counted == ({"annotation of an image that is not there": 1} if strays else {})


def test_a_label_file_in_another_folder_is_found_by_its_own_name(photos, tmp_path):
    labels = write(tmp_path / "labels", {"b.xml": XML, "a.xml": XML})
    found, faults = labeled(described(tmp_path, photos, labels))
    assert set(found) == {"cam1/b"}  # two images are called a
    assert faults["annotation whose name several images have"]["examples"] == ["a"]


def test_an_empty_yolo_file_says_that_nothing_is_there(photos):
    write(photos, {"c d.txt": "", "classes.txt": "dog"})
    found, faults = labeled(photos)
    assert found == {"c d": []} and faults["image without objects"]["count"] == 1


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("1 0.3125 0.5 0.375 0.375 0.9",
         "annotation with scores: these are predictions, no labels"),
        ("2 0.3125 0.5 0.375 0.375", "annotation malformed: class number that has no name"),
        ("0.5 0.3125 0.5 0.375 0.375", "annotation malformed: class number that has no name"),
        ("1 0.3125 0.5 0.375 0.375\n1 a b c d",
         "annotation malformed: coordinate missing or not a number"),
        ("1 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9",
         "annotation malformed: coordinate missing or not a number"),
    ],
)  # fmt: skip
def test_yolo_rows_that_are_no_labels_are_counted(photos, row, fault):
    write(photos, {"c d.txt": row, "cam1/a.txt": YOLO, "classes.txt": "dog\ncat"})
    found, faults = labeled(photos)
    assert set(found) == {"cam1/a"}
    assert faults == {fault: {"count": 1, "examples": ["c d"]}}


def test_a_yolo_polygon_becomes_the_box_around_it(photos):
    corners = "1 0.125 0.5 0.3 0.3125 0.5 0.6 0.2 0.6875"
    write(photos, {"c d.txt": corners, "classes.txt": "dog\ncat"})
    assert labeled(photos)[0] == {"c d": [("cat", pytest.approx(BOX))]}


def test_yolo_shares_are_of_the_upright_photo(photos):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.full((80, 64, 3), 90, np.uint8)).save(photos / "turned.jpg", exif=exif)
    write(photos, {"turned.txt": YOLO, "classes.txt": "dog\ncat"})
    assert labeled(photos)[0] == {"turned": [("cat", pytest.approx(BOX))]}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.xml": XML, "b.txt": YOLO, "classes.txt": "cat"}, r"VOC XML \(1\), YOLO \(1\)"),
        ({"a.json": coco("a"), "b.json": coco("b")}, r"COCO \(2\)"),
        ({"a.txt": YOLO}, "nothing says what the class numbers"),
        ({"a.txt": YOLO, "classes.txt": "cat\ncat"}, "does not name each class once"),
        ({"a.txt": YOLO, "data.yaml": "names: {1: cat}"}, "does not name each class once"),
        ({"a.txt": YOLO, "data.yaml": "names: ["}, "no YAML"),
        ({"a.txt": YOLO, "data.yaml": "names: " + "[" * 500}, "no YAML"),
        ({"a.txt": YOLO, "data.yaml": "a: &a [x, y]\nnames: [*a, *a]"}, "refers to another one"),
    ],
)
def test_labels_that_can_be_read_in_two_ways_or_none_are_refused(photos, files, words):
    write(photos, files)
    with pytest.raises(DataError, match=words):
        open_source(photos)


def test_two_images_of_one_id_are_refused(photos):
    shutil.copy(photos / "cam1/a.jpg", photos / "cam1/a.jpeg")
    with pytest.raises(DataError, match="two different images have the id 'cam1/a'"):
        labeled(photos)


@pytest.mark.parametrize("text", ["", "[]", '{"images": "/nowhere", "labels": "/nowhere"}', "{"])
def test_a_description_that_leads_nowhere_is_refused(tmp_path, text):
    (tmp_path / DESCRIPTION).write_text(text)
    with pytest.raises(DataError, match="does not name|no such folder"):
        open_source(tmp_path / DESCRIPTION)


# ------------------------------------------------------------------------------ YOLO data sets


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """A YOLO data set with two images to train on, one labeled, and one to validate."""
    folder = tmp_path / "yolo"
    for shade, name in enumerate(("train/a b.jpg", "train/c.jpg", "val/d.jpg"), start=90):
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((64, 80, 3), shade, np.uint8)).save(path)
    return write(folder, {
        "data.yaml": "train: images/train\nval: images/val\nnames: [dog, cat]\n",
        "labels/train/a b.txt": YOLO, "labels/val/d.txt": YOLO,
    })  # fmt: skip


@pytest.mark.parametrize("how", ["folder", "file", "list", "path of another machine"])
def test_a_yolo_data_set_is_read(yolo, how):
    text = (yolo / "data.yaml").read_text()
    if how == "list":
        write(
            yolo, {"train.txt": "./images/train/a b.jpg\nimages/train/c.jpg\n./images/gone.jpg\n"}
        )
        text = text.replace("train: images/train", "train: train.txt")
    if how == "path of another machine":
        text = "path: /home/somebody/yolo\n" + text.replace("images/train", "../images/train")
    write(yolo, {"data.yaml": text})
    found, faults = labeled(yolo / "data.yaml" if how == "file" else yolo)
    assert found == {"train/a b": [("cat", pytest.approx(BOX))]}
    assert faults.keys() == ({"listed image missing"} if how == "list" else set())
    source = open_source(yolo)
    assert (source.layout, source.list_names()) == ("YOLO", ["train", "val"])
    assert dict(source.classes()) == {"dog": 0, "cat": 1}
    assert [r.id for r in scan_list(source, "val", FaultCounts())] == ["val/d"]


def test_a_yolo_data_set_whose_images_are_elsewhere_says_so(yolo):
    shutil.move(yolo / "images", yolo / "pictures")
    with pytest.raises(DataError, match="the images of 'train' are not there"):
        labeled(yolo)


def test_no_id_of_a_yolo_list_leads_out_of_a_folder(yolo):
    """An export would put the image there."""
    shutil.copy(yolo / "images/train/c.jpg", yolo.parent / "outside.jpg")
    lines = "images/../../outside.jpg\n./images/train/../val/d.jpg\n"
    write(yolo, {"train.txt": lines, "data.yaml": "train: train.txt\nnames: [cat]\n"})
    found = scan_list(open_source(yolo), "train", FaultCounts())
    assert [one.id for one in found] == ["outside", "val/d"]


def test_names_that_no_list_can_hold_are_counted(photos):
    for name in ("a\nb", os.fsdecode(b"\xff")):
        shutil.copy(photos / "cam1/a.jpg", photos / f"{name}.jpg")
    source, faults = open_source(photos), FaultCounts()
    before = {record.id for record in scan_list(source, WHOLE, faults)}
    assert not before & {"a\nb", os.fsdecode(b"\xff")}
    counted = faults.as_dict()["image whose name holds a line break or bytes that are no text"]
    assert counted == {"count": 2, "examples": [r"a\nb", r"\udcff"]}
    files = image_files(photos)
    records, left_out = records_of_files(files.items())
    assert len(records) == len(files) - 2 and {r"a\nb.jpg", r"\udcff.jpg"} <= left_out.keys()


@pytest.mark.parametrize("name", ["cam1/a.txt", "data.yaml", "coco.json"])
def test_a_file_of_labels_that_may_not_be_read_is_named(photos, name):
    files = {"coco.json": coco("cam1/a.jpg")}
    if name != "coco.json":
        files = {"cam1/a.txt": YOLO, "data.yaml": "names: [dog, cat]"}
    write(photos, files)

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    for number in count(1):
        with at_opening(photos / name, number, refuse) as openings:
            try:
                open_source(photos)
            except DataError as error:
                assert error.where == photos / name and error.remedy == "make it readable"
                assert "cannot be read (no permission to read it)" in error.what
        if len(openings) < number:
            break
    assert number > 1
