"""What files of label tools say, as they write them; numbers by hand."""

import json
from pathlib import Path

import pytest
from PIL import Image

from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.errors import DataError
from miaod_nb.labeling.importing import format_of, read_labels
from miaod_nb.labeling.ingest.format import LESS
from miaod_nb.labeling.names import Images

A, B = "cam1/0001", "b"
UNSURE = "nothing tells whether anybody looked (--complete says that all were looked at)"


@pytest.fixture
def images(tmp_path):
    """Two images of 400 x 200; the second lies on its side in its file."""
    found = {}
    for image_id, orientation, size in ((A, 1, (400, 200)), (B, 6, (200, 400))):
        path, exif = tmp_path / f"photos/{image_id}.jpg", Image.Exif()
        exif[0x0112] = orientation
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(path, exif=exif)
        found[image_id] = ImageRecord(image_id, "s", path, 400, 200, orientation)
    return Images(found)


@pytest.fixture
def read(images, tmp_path):
    """States, boxes and counts that files say, of text by name; `name`: which of them is named."""

    def read(files: dict[str, object], name: str = "", complete: bool = False):
        for file, content in files.items():
            path = tmp_path / "back" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        path, faults = tmp_path / "back" / name, FaultCounts()
        found, boxes = read_labels(path, format_of(path), images, complete, faults)
        counts = {reason: entry["count"] for reason, entry in faults.as_dict().items()}
        given = {i: [(one.name, one.box) for one in some] for i, some in boxes.items()}
        return {i: one.state for i, one in found.items()}, given, counts

    return read


# --------------------------------------------------------------------------------------------- CVAT


def cvat(*inside: str, name: str = "cam1/0001.jpg", size: str = 'width="400" height="200"') -> str:
    image = f'<image id="0" name="{name}" {size}>{"".join(inside)}</image>'
    empty = '<image id="1" name="b.jpg" width="400" height="200"></image>'
    return f"<?xml version='1.0' encoding='utf-8'?><annotations>{image}{empty}</annotations>"


def box(source: str = "manual", **more: object) -> str:
    sides = {"xtl": 100, "ytl": 50, "xbr": 180, "ybr": 90, **more}
    said = " ".join(f'{key}="{value}"' for key, value in sides.items())
    return f'<box label="disc" source="{source}" {said}></box>'


def test_cvat_lists_every_image(read):
    file = {"annotations.xml": cvat(box())}
    states, boxes, counts = read(file, "annotations.xml")
    assert states == {A: "labeled", B: "untouched"}
    assert boxes == {A: [("disc", (100, 50, 180, 90))]} and counts == {UNSURE: 1}
    assert read(file, "annotations.xml", complete=True)[0] == {A: "labeled", B: "labeled"}


@pytest.mark.parametrize("source", ["file", "auto"])
def test_uploaded_boxes_of_cvat_need_the_users_word(read, source):
    file = {"annotations.xml": cvat(box(source), box(source))}
    assert read(file)[0] == {A: "untouched", B: "untouched"}
    assert len(read(file, complete=True)[1][A]) == 2
    assert read({"annotations.xml": cvat(box(source), box("semi-auto"))})[0][A] == "labeled"


def test_other_shapes_of_cvat(read):
    _, boxes, counts = read({"annotations.xml": cvat(
        box(rotation="90.00"), '<polygon label="disc" points="10,20;40,20;30,60"/>',
        '<ellipse label="disc" cx="1" cy="1"/>', '<tag label="dark"/>', box(xtl="left"),
    )})  # fmt: skip
    assert boxes[A] == [("disc", pytest.approx((120, 30, 160, 110))), ("disc", (10, 20, 40, 60))]
    assert counts == {
        "rotated box: the upright box around it is taken": 1,
        "polygon: the upright box around it is taken": 1,
        "shape that is no box (ellipse)": 1, "tag: it is no box": 1,
        "box without a label or numbers": 1, UNSURE: 1,
    }  # fmt: skip


def test_an_image_of_which_no_shape_can_be_used_does_not_show_nothing(read):
    ellipse = {"annotations.xml": cvat('<ellipse label="disc" source="manual" cx="1" cy="1"/>')}
    assert read(ellipse, "annotations.xml", complete=True)[0] == {A: "untouched", B: "labeled"}
    assert read({"b.json": beside(shape("circle"))}, "b.json")[0] == {B: "untouched"}


def test_a_video_of_cvat_is_refused(read):
    track = '<annotations><track id="0" label="disc"><box frame="0"/></track></annotations>'
    with pytest.raises(DataError, match="annotations of a video"):
        read({"annotations.xml": track})


def test_entities_are_refused(read):
    bomb = '<!DOCTYPE x [<!ENTITY a "b">]><annotations>&a;</annotations>'
    with pytest.raises(DataError, match="cannot be read as XML"):
        read({"annotations.xml": bomb})


# ---------------------------------------------------------------------------- COCO of several tools


def coco(info=None, **more):
    return {
        "info": info or {},
        "images": [{"id": 1, "file_name": "images/cam1/0001.jpg", "width": 400, "height": 200},
                   {"id": 2, "file_name": "b.jpg", "width": 400, "height": 200}],
        "categories": [{"id": 1, "name": "disc"}, {"id": 2, "name": "ring"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 2, "bbox": [10, 20, 30.5, 40]}],
        **more,
    }  # fmt: skip


def test_coco_does_not_tell_who_looked(read):
    states, boxes, counts = read({"result.json": coco()})
    assert states == {A: "labeled", B: "untouched"} and counts == {UNSURE: 1}
    assert boxes == {A: [("ring", (10, 20, 40.5, 60))]}
    assert read({"result.json": coco()}, complete=True)[1][B] == []


def test_the_project_that_roboflow_lists_is_no_class(read):
    project = [{"id": 0, "name": "ring", "supercategory": "none"},
               {"id": 1, "name": "disc", "supercategory": "ring"},
               {"id": 2, "name": "ring", "supercategory": "ring"}]  # fmt: skip
    name = f"0001_jpg.rf.{'0a' * 16}.jpg"
    listed = [{"id": 1, "file_name": name, "width": 200, "height": 100}]
    _, boxes, counts = read(
        {"train/_annotations.coco.json": coco(categories=project, images=listed)}
    )
    assert boxes == {A: [("ring", (20, 40, 81, 120))]}  # it was made half as large
    assert counts == {"annotation of the picture in another size, boxes scaled": 1}


def test_sizes_in_label_studios_coco_are_not_believed(read):
    turned = [{"id": 1, "file_name": "../photos/b.jpg", "width": 200, "height": 400}]
    _, boxes, counts = read({"result.json": coco({"contributor": "Label Studio"}, images=turned)})
    assert boxes == {B: [("ring", (10, 20, 40.5, 60))]}
    assert counts == {LESS: 1}


def test_boxes_of_the_stored_picture_are_turned(read):
    stored = [{"id": 1, "file_name": "b.jpg", "width": 200, "height": 400}]
    _, boxes, counts = read({"result.json": coco(images=stored)})
    assert boxes == {B: [("ring", (340, 10, 380, 40.5))]}  # clockwise: x = 400 - y, y = x
    assert counts == {"boxes of the picture before it was turned (EXIF), turned too": 1}


def test_an_image_that_coco_lists_twice_has_the_labels_of_one(read):
    twice = [{"id": number, "file_name": "cam1/0001.jpg"} for number in (0, 1)]
    states, boxes, counts = read({"result.json": coco(images=twice)}, complete=True)
    assert states == {A: "labeled"} and len(boxes[A]) == 1
    assert counts["image returned more than once: the newest labels count"] == 1


def test_turned_boxes_in_cvats_coco(read):
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [100, 50, 80, 40],
           "attributes": {"rotation": 90.0}}  # fmt: skip
    _, boxes, counts = read({"instances_default.json": coco(annotations=[box])})
    assert boxes[A] == [("disc", pytest.approx((120, 30, 160, 110)))]
    assert counts["rotated box: the upright box around it is taken"] == 1


# ------------------------------------------------------------------------ labelme and X-AnyLabeling


def shape(kind="rectangle", points=((10, 20), (40, 60)), label="disc"):
    return {"label": label, "points": [list(one) for one in points], "shape_type": kind}


def beside(*shapes, **more):
    return {"version": "6.3.1", "imagePath": "0001.jpg", "imageData": None, "shapes": [*shapes],
            **more}  # fmt: skip


def test_corners_come_in_any_order(read):
    corners = [(40, 60), (10, 60), (10, 20), (40, 20)]
    _, boxes, counts = read({"cam1/0001.json": beside(shape(points=corners), shape())})
    assert boxes == {A: [("disc", (10, 20, 40, 60))] * 2} and counts == {}


def test_a_saved_file_without_shapes_says_that_nothing_is_there(read):
    assert read({"cam1/0001.json": beside()})[1] == {A: []}
    assert read({"cam1/0001.json": beside()}, "cam1/0001.json")[1] == {A: []}


def test_what_x_anylabeling_refused_is_skipped(read):
    assert read({"b.json": beside(shape(), checked="failed")})[0] == {B: "skipped"}
    assert read({"b.json": beside(shape(), checked=False)})[0] == {B: "labeled"}


def test_other_shapes_of_labelme(read):
    _, boxes, counts = read({"b.json": beside(
        shape("polygon", [(10, 20), (40, 20), (30, 60)]), shape("circle"), shape(label=" "),
        shape("rotation", [(20, 0), (40, 20), (20, 40), (0, 20)]), shape(points=[(1, 2)]),
    )})  # fmt: skip
    assert boxes == {B: [("disc", (10, 20, 40, 60)), ("disc", (0, 0, 40, 40))]}
    assert counts == {
        "polygon: the upright box around it is taken": 1, "shape that is no box (circle)": 1,
        "box without a label": 1, "rotated box: the upright box around it is taken": 1,
        "box without numbers": 1,
    }  # fmt: skip


def test_a_damaged_file_leaves_the_others(read):
    states, _, counts = read({"b.json": beside(shape()), "cam1/0001.json": '{"shapes": ['})
    assert states == {B: "labeled"} and len(counts) == 1
    with pytest.raises(DataError, match="no JSON"):
        read({"c.json": '{"imagePath": "", "shapes": ['}, "c.json")


# --------------------------------------------------------------------------------------------- YOLO

NAMES = {"classes.txt": "disc\nring\n"}


def test_yolo_is_shares_of_the_upright_image(read):
    files = {**NAMES, "labels/cam1/0001.txt": "1 0.5 0.5 0.25 0.5\n", "labels/b.txt": ""}
    assert read(files) == (
        {B: "labeled", A: "labeled"}, {B: [], A: [("ring", (150, 50, 250, 150))]}, {},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("0 0.5 0.5 0.1 0.1 0.9", "annotation with scores: these are predictions, no labels"),
        ("2 0.5 0.5 0.1 0.1", "annotation malformed: class number that has no name"),
        ("0 0.5 0.5 0.1 wide", "annotation malformed: coordinate missing or not a number"),
        (
            "0 0.5 0.5 0.1 0.1 0.2 0.2 0.3",
            "annotation malformed: coordinate missing or not a number",
        ),
    ],
)
def test_an_image_with_a_faulty_row_of_yolo_is_not_labeled(read, row, reason):
    good = "0 0.5 0.5 0.25 0.5\n"
    files = {**NAMES, "b.jpg": "", "b.txt": good + row, "cam1/0001.txt": good}
    states, _, counts = read(files, complete=True)  # nor taken to show nothing
    assert states == {A: "labeled"} and counts == {reason: 1}


def test_outlines_of_yolo_are_counted(read):
    _, boxes, counts = read({**NAMES, "b.txt": "0 0.1 0.2 0.5 0.2 0.3 0.6\n"})
    assert boxes == {B: [("disc", pytest.approx((40, 40, 200, 120)))]}
    assert counts == {"polygon: the upright box around it is taken": 1}


@pytest.mark.parametrize("sign", ["notes.json", "obj.data"])
def test_an_empty_file_of_a_tool_that_writes_it_for_all_needs_the_users_word(read, sign):
    files = {**NAMES, sign: "{}", "labels/0a1b2c3d__b.txt": ""}
    states, _, counts = read(files)
    assert states == {B: "untouched"} and counts[UNSURE] == 1
    assert read(files, complete=True)[1] == {B: []}


def test_yolo_without_class_names_is_not_recognized(read):
    with pytest.raises(DataError, match="not recognized"):
        read({"labels/b.txt": "0 0.5 0.5 0.1 0.1"})


# ----------------------------------------------------------------------------------------- JSON_MIN


def test_label_studios_json_min(read):
    region = {
        "x": 10, "y": 20, "width": 50, "height": 25, "rotation": 0, "rectanglelabels": ["disc"],
        "original_width": 400, "original_height": 200,
    }  # fmt: skip
    about = {"annotator": 7, "annotation_id": 4, "lead_time": 9.5,
             "updated_at": "2026-11-28T06:00:00Z"}  # fmt: skip
    untouched = {"image": "c.jpg", "annotation_id": None}
    states, boxes, counts = read({"min.json": [
        {"image": "/data/upload/1/0badcafe-b.jpg", "id": 1, **about},
        {"image_id": A, "image": "x", "id": 2, "label": [region], **about},
        untouched | {"image_id": "nobody"},
    ]}, "min.json")  # fmt: skip
    assert states == {B: "labeled", A: "labeled"}
    assert boxes == {B: [], A: [("disc", (40, 40, 240, 90))]}
    assert counts == {"image unknown to this run": 1}


# ---------------------------------------------------------------------------------------------- VOC


def voc(corners, *, source="", name="disc"):
    tags = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    sides = "".join(f"<{tag}>{side}</{tag}>" for tag, side in tags)
    return (
        f"<annotation><folder>x</folder>{source}<size><width>400</width><height>200</height></size>"
        f"<object><name>{name}</name><bndbox>{sides}</bndbox></object></annotation>"
    )


MY = "<source><database>MyDatabase</database></source>"
LABEL_IMG = "<path>/a/b.jpg</path><source><database>Unknown</database></source>"


@pytest.mark.parametrize(
    ("corners", "source"),
    [((10, 20, 40, 60), MY), ((10, 20, 40, 60), LABEL_IMG), ((10.0, 20.0, 40.0, 60.0), ""),
     ((11, 21, 40, 60), "<source><database>The VOC2007 Database</database></source>")],
)  # fmt: skip
def test_a_box_of_voc_is_where_its_writer_drew_it(read, corners, source):
    plain = voc(corners, source=source)
    for text in (plain, plain.replace("<annotation>", '<annotation verified="yes">')):
        assert read({"b.xml": text})[1] == {B: [("disc", (10, 20, 40, 60))]}


def test_voc_without_objects_says_that_nothing_is_there(read, tmp_path):
    empty = "<annotation><folder>x</folder></annotation>"
    (tmp_path / "back/JPEGImages/cam1").mkdir(parents=True)
    (tmp_path / "back/JPEGImages/cam1/0001.jpg").touch()
    states, boxes, counts = read({"Annotations/b.xml": empty})
    assert boxes == {B: []} and states == {B: "labeled", A: "untouched"} and counts == {UNSURE: 1}


def test_a_damaged_file_of_voc_leaves_the_others(read):
    files = {"b.xml": voc((1.5, 2, 9, 9)), "cam1/0001.xml": "<annotation><", "cam1/0001.jpg": ""}
    states, _, counts = read(files, complete=True)
    assert states == {B: "labeled"}
    assert counts == {"annotation malformed: not well-formed XML": 1}


# ------------------------------------------------------------------------------- which format it is


def test_two_formats_in_one_folder_have_to_be_told_apart(read, tmp_path):
    files = {**NAMES, "b.txt": "0 0.5 0.5 0.1 0.1", "b.xml": voc((1, 2, 9, 9))}
    with pytest.raises(DataError, match="not recognized") as error:
        read(files)
    assert "--from" in str(error.value)
    assert format_of(Path(tmp_path / "back"), "yolo").name == "yolo"
