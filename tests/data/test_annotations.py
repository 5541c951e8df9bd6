"""Annotations: what is counted, what is refused, and who opens them."""

from pathlib import Path

import numpy as np
import pytest

from miaod_nb.data.images import load_image
from miaod_nb.data.labels import Oracle, audit, refuse_misspelled_classes, to_objects
from miaod_nb.data.layouts.voc import read_voc, voc_box
from miaod_nb.data.records import AnnotationFault, FaultCounts, ImageRecord, Labels, RawObject
from miaod_nb.data.sources import Source, open_source, scan_list
from miaod_nb.errors import DataError


def _opened(root: Path, list_name: str = "trainval") -> tuple[Source, list[ImageRecord]]:
    """A data set, and the images of a list in which nothing is wrong."""
    source, faults = open_source(root), FaultCounts()
    records = scan_list(source, list_name, faults)
    assert faults.as_dict() == {}
    return source, records


def _record(width: int = 64, height: int = 48) -> ImageRecord:
    return ImageRecord("x", "07", Path("x.jpg"), width, height)


def _faults(faults: FaultCounts) -> dict[str, int]:
    return {reason: entry["count"] for reason, entry in faults.as_dict().items()}


# ------------------------------------------------------------------------------------- annotations


def test_annotation_without_size_and_with_parts_and_foreign_filename(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(
        "<annotation><filename>other.png</filename><object><name> dog </name>"
        "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part><difficult>1</difficult>"
        "<bndbox><ymax>40</ymax><xmin>1</xmin><ymin>2</ymin><xmax>3e1</xmax></bndbox>"
        "</object></annotation>"
    )
    expected = Labels([RawObject("dog", (0, 1, 29, 39), difficult=True)], from_1=True)
    assert read_voc(path) == expected


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
        ('<?xml version="1.0" encoding="martian"?><annotation/>', "encoding martian is not read"),
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
        read_voc(path)


def test_bytes_that_are_no_text_are_a_fault(tmp_path):
    (tmp_path / "a.xml").write_bytes(bytes(range(256)))
    with pytest.raises(AnnotationFault, match="not well-formed"):
        read_voc(tmp_path / "a.xml")


def test_missing_annotation(tmp_path):
    assert read_voc(tmp_path / "a.xml") is None


# ----------------------------------------------------------------------------------------- objects


def _objects(*boxes, classes=("dog",), name="dog"):
    faults = FaultCounts()
    raw = [RawObject(name, voc_box(box)) for box in boxes]
    return to_objects(raw, classes, _record(), faults), _faults(faults)


def test_voc_boxes_are_truncated_and_lowered_by_one():
    objects, faults = _objects((1, 1, 64, 48), (10.9, 5.2, 20.9, 15.0))
    assert objects.boxes.tolist() == [[0, 0, 63, 47], [9, 4, 19, 14]]
    assert objects.boxes.dtype == np.float32 and objects.labels.dtype == np.int64
    assert faults == {}


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((5, 5, 5, 20), "box smaller than a pixel"),
        ((5, 5, 20, 5), "box smaller than a pixel"),
        ((5.1, 5, 5.9, 20), "box smaller than a pixel"),
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


def test_boxes_of_less_than_a_pixel_are_kept_as_far_as_their_sides_can_be_told() -> None:
    faults = FaultCounts()
    boxes = [(5, 5, 5.5, 5.25), (5, 5, 5 + 1e-9, 9), (5, 5, 5 + 1e-300, 9)]
    objects = to_objects([RawObject("dog", box) for box in boxes], ["dog"], _record(), faults)
    assert objects.boxes.tolist() == [[5, 5, 5.5, 5.25]]
    assert _faults(faults) == {"box smaller than a pixel": 2}


def test_marks_and_areas_stay_with_their_objects() -> None:
    raw = [
        RawObject("dog", (0, 0, 9, 9), crowd=True, area=50.5),
        RawObject("dog", (5, 5, 5, 5), difficult=True),
        RawObject("cat", (-9, 0, 9, 9)),
        RawObject("cat", (1, 1, 9, 9), difficult=True, area=0.0),
    ]
    objects = to_objects(raw, ["cat", "dog"], _record(), FaultCounts())
    assert objects.labels.tolist() == [1, 0, 0]
    assert objects.crowd.tolist() == [True, False, False]
    assert objects.difficult.tolist() == [False, False, True]
    assert objects.ignored.tolist() == [True, False, True]
    assert objects.area.tolist() == [50.5, 81.0, 64.0]  # the others: of the box, clipped


def test_exact_duplicates_need_the_same_class():
    box = (2.0, 2.0, 9.0, 9.0)
    raw = [RawObject(name, box) for name in ("dog", "cat", "dog")]
    faults = FaultCounts()
    objects = to_objects(raw, ["cat", "dog"], _record(), faults)
    assert objects.labels.tolist() == [1, 0]
    assert _faults(faults) == {"exact duplicate box": 1}


def test_image_without_objects_is_background():
    objects, faults = _objects()
    assert objects.boxes.shape == (0, 4) and objects.labels.shape == objects.difficult.shape == (0,)
    assert objects.labels.dtype == np.int64 and objects.difficult.dtype == bool
    assert objects.crowd.shape == objects.area.shape == (0,)
    assert faults == {"image without objects": 1}


def test_other_classes_are_left_out_and_counted():
    objects, faults = _objects((2, 2, 9, 9), (3, 3, 9, 9), classes=("cat",))
    assert len(objects.boxes) == 0
    assert faults["object of a class left out by `classes`"] == 2


# ------------------------------------------------------------------------------------------ oracle


def test_oracle_opens_only_what_it_is_asked_for(year):
    (year / "Annotations/000001.xml").write_text("broken")
    (year / "Annotations/000003.xml").unlink()
    oracle, faults = Oracle(*_opened(year)), FaultCounts()
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
    source, (record, *_) = _opened(year)
    found = Oracle(source, [record]).read([record.id], ["disc", "square"], FaultCounts())
    objects = found[record.id]
    image = load_image(record.image_path).float()
    assert objects.labels[0] == 1
    x1, y1, x2, y2 = objects.boxes[0].astype(int)
    inside = image[:, y1 + 2 : y2 - 1, x1 + 2 : x2 - 1].flatten(1)
    assert inside[0].median() > 200 and inside[2].median() < 80  # the square's red


def test_class_names_are_found_in_the_labels(year):
    oracle = Oracle(*_opened(year))
    assert oracle.class_names(oracle.records, FaultCounts()) == ["disc", "square"]
    assert oracle.class_names([], FaultCounts()) == []


def test_a_class_that_is_new_joins_behind_the_others(year):
    oracle = Oracle(*_opened(year))
    first = oracle.read(oracle.records, ["square", "disc"], FaultCounts())
    objects, classes = oracle.read_growing(oracle.records, ["square"], FaultCounts())
    assert classes == ("square", "disc")
    assert {i: one.labels.tolist() for i, one in objects.items()} == {
        i: one.labels.tolist() for i, one in first.items()
    }


def test_a_class_without_a_box_that_can_be_used_does_not_join(year, voc_xml):
    oracle = Oracle(*_opened(year))
    first = next(iter(oracle.records))
    boxes = [("ghost", (5, 5, 5, 5)), ("hare", (2, 2, 20, 20))]
    (year / f"Annotations/{first}.xml").write_text(voc_xml(boxes))
    faults = FaultCounts()
    _, classes = oracle.read_growing([first], ["square"], faults)
    assert classes == ("square", "hare") and list(faults.as_dict()) == ["box smaller than a pixel"]


@pytest.mark.parametrize("known", ["Disc", "DISC ", "dis_c", "di-sc"])
def test_another_spelling_of_a_class_is_refused_with_its_file(year, known):
    oracle = Oracle(*_opened(year))
    with pytest.raises(DataError, match="'disc' is another spelling") as error:
        oracle.read_growing(oracle.records, ["square", known], FaultCounts())
    assert str(error.value.where).endswith(".xml") and f"'{known}'" in error.value.remedy


def test_a_misspelled_class_is_refused_and_one_that_may_turn_up_is_not(year):
    with pytest.raises(DataError, match="'discs'") as error:
        refuse_misspelled_classes(["square", "discs"], ["disc", "square"], year)
    assert "'disc'" in error.value.remedy
    for named in (["square"], ["square", "crab"], ["disc", "discs", "square"]):
        refuse_misspelled_classes(named, ["disc", "square"], year)
    with pytest.raises(DataError, match="no label has the class 'crab'"):  # none of them
        refuse_misspelled_classes(["crab", "fish"], ["disc", "square"], year)
    with pytest.raises(DataError, match="'discs'"):
        audit(*_opened(year), ["square", "discs"])


def test_audit_counts_images_and_objects_of_each_class(year, voc_xml):
    box, other = (2, 2, 9, 9), (3, 3, 30, 30)
    texts = [
        voc_xml([("disc", box), ("disc", other), ("square", other)]),
        voc_xml([("disc", box), ("disc", (5, 5, 5, 9))]).replace("<difficult>0", "<difficult>1"),
        voc_xml([]),
        "",
    ]
    for number, text in enumerate(texts, start=1):
        text = text.replace("size>", "other>")
        (year / f"Annotations/00000{number}.xml").write_text(text)
    table, faults = audit(*_opened(year), None)
    assert table.loc["disc"].tolist() == [2, 3, 1]
    assert table.loc["square"].tolist() == [1, 1, 0]
    assert _faults(faults) == {
        "box smaller than a pixel": 1,
        "image without objects": 1,
        "annotation malformed: empty file": 1,
    }
    assert audit(*_opened(year), ["square"])[0].index.tolist() == ["square"]


# -------------------------------------------------------------------------------------- real packs


def test_bccd_has_the_published_counts(packs):
    for list_name, images, counts, zero in (
        ("trainval", 292, {"RBC": 3348, "WBC": 301, "Platelets": 292}, 2),
        ("test", 72, {"RBC": 805, "WBC": 71, "Platelets": 69}, 0),
    ):
        source, records = _opened(packs / "bccd", list_name)
        table, faults = audit(source, records, None)
        assert len(records) == images
        assert table["objects"].to_dict() == counts
        assert faults.count("box smaller than a pixel") == zero


def test_voc2012_animals_has_the_published_counts(packs):
    source, records = _opened(packs / "voc2012-animals-320")
    table, faults = audit(source, records, None)
    assert len(records) == 1697 and faults.as_dict() == {}
    assert len(table) == 18 and table["objects"].sum() == 3625
    assert table.loc[["dog", "sheep"], ["images", "objects"]].values.tolist() == [
        [634, 765],
        [171, 509],
    ]
