"""COCO files: the same as VOC files of the same data, what is refused, and what is counted."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from miaod_nb.data.batches import LabeledBatch, training_loader
from miaod_nb.data.images import load_image
from miaod_nb.data.labels import Oracle, audit
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.data.sources import Source, open_source, scan_list
from miaod_nb.data.transforms import InputSize
from miaod_nb.errors import DataError
from tests.coco import annotation_file, change, subset_of, write_coco

CLASSES = ["disc", "square"]


@pytest.fixture
def coco(tmp_path: Path, year: Path) -> Path:
    """The four trainval images, the last without objects, and the two test images, as COCO."""
    return write_coco(tmp_path / "coco", year)


def _open(root: Path, **options: Any) -> tuple[Source, list[ImageRecord], FaultCounts]:
    source, faults = open_source(root), FaultCounts()
    return source, scan_list(source, "trainval", faults, **options), faults


def _scan(root: Path, **options: Any) -> tuple[list[ImageRecord], FaultCounts]:
    return _open(root, **options)[1:]


def _numbers(root: Path) -> list[str | int]:
    source, records, _ = _open(root)
    return [source.result_id(record.id) for record in records]


def _counts(faults: FaultCounts) -> dict[str, int]:
    return {reason: entry["count"] for reason, entry in faults.as_dict().items()}


def _read(root: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """All objects of the pool, and what was counted on the way to them."""
    return _read_from(*_open(root))


def _read_from(
    source: Source, records: list[ImageRecord], faults: FaultCounts
) -> tuple[dict[str, Any], dict[str, int]]:
    found = Oracle(source, records).read([record.id for record in records], CLASSES, faults)
    return found, _counts(faults)


# --------------------------------------------------------------------------------- the same as VOC


def _assert_same(voc: Path, coco: Path, list_name: str) -> None:
    faults = [FaultCounts(), FaultCounts()]
    sources = [open_source(root) for root in (voc, coco)]
    pairs = [scan_list(one, list_name, f) for one, f in zip(sources, faults, strict=True)]
    for a, b in zip(*pairs, strict=True):
        assert (a.id, a.width, a.height) == (b.id, b.width, b.height)
        assert a.image_path.samefile(b.image_path)
    table, voc_faults = audit(sources[0], pairs[0], None)
    other, coco_faults = audit(sources[1], pairs[1], list(table.index))
    pd.testing.assert_frame_equal(table, other)
    assert voc_faults.as_dict() == coco_faults.as_dict()
    assert faults[0].as_dict() == faults[1].as_dict() == {}
    ids = [record.id for record in pairs[0]]
    oracles = [Oracle(one, records) for one, records in zip(sources, pairs, strict=True)]
    found = [oracle.read(ids, list(table.index), FaultCounts()) for oracle in oracles]
    assert list(found[0]) == list(found[1]) == ids
    for image_id in ids:
        for name in ("boxes", "labels", "difficult", "crowd", "area"):
            a, b = (getattr(of_one[image_id], name) for of_one in found)
            assert a.dtype == b.dtype and np.array_equal(a, b), (image_id, name)


@pytest.mark.parametrize("list_name", ["trainval", "test"])
def test_both_readers_find_the_same_in_drawn_images(year, coco, list_name):
    _assert_same(year, coco, list_name)


def test_both_readers_find_the_same_in_photos(packs, tmp_path):
    year = subset_of(packs / "voc2012-animals-320", tmp_path / "VOC2012", trainval=80, test=20)
    coco = write_coco(tmp_path / "coco", year)
    _assert_same(year, coco, "trainval")
    _assert_same(year, coco, "test")


# -------------------------------------------------------------------------------------- the layout


def test_a_source_knows_the_numbers_of_its_images_and_their_file(coco):
    source, records, faults = _open(coco)
    assert _numbers(coco) == [1000, 1001, 1002, 1003]
    assert {source.labels_at(record.id) for record in records} == {annotation_file(coco)}
    assert {record.source for record in records} == {"trainval"}
    assert faults.as_dict() == {}


def test_images_of_voc_have_no_number_and_a_file_each(year):
    source, records, _ = _open(year)
    assert _numbers(year) == [record.id for record in records]
    assert source.labels_at("000003") == year / "Annotations/000003.xml"


@pytest.mark.parametrize("folder", ["trainval", "images/trainval", "images"])
def test_images_are_found_in_each_place(coco, folder):
    before, _ = _scan(coco)
    shutil.move(coco / "trainval", coco / "moved")
    (coco / folder).parent.mkdir(exist_ok=True)
    shutil.move(coco / "moved", coco / folder)
    records, faults = _scan(coco)
    assert [r.id for r in records] == [r.id for r in before] and faults.as_dict() == {}
    assert records[0].image_path.parent == coco / folder


def test_file_may_have_the_name_of_the_list_alone(coco):
    before = _scan(coco)[0]
    annotation_file(coco).rename(coco / "annotations/trainval.json")
    source, records, _ = _open(coco)
    assert records == before
    assert source.labels_at(records[0].id) == coco / "annotations/trainval.json"


def test_names_of_files_that_are_not_distinct_give_way_to_the_numbers(coco):
    def same_names(document):
        for image, folder in zip(document["images"], "abcd", strict=True):
            image["file_name"] = f"{folder}/photo.jpg"

    for file, folder in zip(sorted((coco / "trainval").iterdir()), "abcd", strict=True):
        (coco / "images" / folder).mkdir(parents=True)
        shutil.copy(file, coco / "images" / folder / "photo.jpg")
    change(coco, same_names)
    assert [record.id for record in _scan(coco)[0]] == ["1000", "1001", "1002", "1003"]


def test_missing_list_is_refused_and_the_others_are_named(coco):
    (coco / "annotations/captions_trainval.json").write_text("{}")
    with pytest.raises(DataError, match="no image list 'train2017'") as error:
        scan_list(open_source(coco), "train2017", FaultCounts())
    assert error.value.where == annotation_file(coco, "train2017")
    assert error.value.remedy.endswith("test, trainval, captions_trainval")
    assert scan_list(open_source(coco), "train2017", FaultCounts(), required=False) == []


def test_missing_images_are_counted(coco):
    (coco / "trainval/000002.jpg").unlink()
    (coco / "trainval/000003.jpg").unlink()
    (coco / "trainval/000003.jpg").write_text("no image")
    records, faults = _scan(coco)
    assert [record.id for record in records] == ["000001", "000004"]
    assert _counts(faults) == {"listed image missing": 1, "image unreadable": 1}


@pytest.mark.parametrize("kind", ["absolute", "climbing", "within"])
def test_file_name_that_leads_out_of_the_data_folder_is_counted(coco, tmp_path, kind):
    outside = shutil.copy(coco / "trainval/000002.jpg", tmp_path / "outside.jpg")
    (coco / "trainval/within").mkdir()
    name = {
        "absolute": str(outside),
        "climbing": "../../outside.jpg",
        "within": "within/../../../outside.jpg",
    }[kind]
    change(coco, lambda d: d["images"][1].update(file_name=name))
    _, faults = _scan(coco)
    assert _numbers(coco) == [1000, 1002, 1003]
    assert _counts(faults) == {"file name leads out of the data folder": 1}


def test_folder_of_images_may_be_a_link(coco, tmp_path):
    shutil.move(coco / "trainval", tmp_path / "elsewhere")
    (coco / "trainval").symlink_to(tmp_path / "elsewhere")
    records, faults = _scan(coco)
    assert len(records) == 4 and faults.as_dict() == {}


def test_folder_without_any_image_is_refused_with_the_places_to_put_them(coco):
    shutil.rmtree(coco / "trainval")
    with pytest.raises(DataError, match="4 x listed image missing") as error:
        _scan(coco)
    assert str(coco / "trainval") in error.value.remedy
    assert str(coco / "images/trainval") in error.value.remedy


def test_file_listed_twice_is_used_once(coco):
    change(coco, lambda d: d["images"].append(d["images"][0] | {"id": 7}))
    _, faults = _scan(coco)
    assert _numbers(coco) == [1000, 1001, 1002, 1003]
    assert _counts(faults) == {"listed twice": 1}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("drop_empty", [False, True])
def test_a_file_listed_twice_has_the_objects_of_both(coco, order, drop_empty):
    """An image that two people labeled stands there twice, the empty answer first."""
    boxes = _read(coco)[0]["000001"].boxes.tolist()

    def twice(document):
        document["images"].append(document["images"][0] | {"id": 7})
        document["images"] = document["images"][::order]

    change(coco, twice)
    found, faults = _read_from(*_open(coco, drop_empty=drop_empty))
    assert boxes and found["000001"].boxes.tolist() == boxes
    assert faults["listed twice"] == 1


# -------------------------------------------------------------------------------------- categories


def test_classes_are_the_categories_in_the_order_of_their_ids(coco):
    assert list(_open(coco)[0].classes().items()) == [("disc", 3), ("square", 5)]
    change(coco, lambda d: d["categories"].append({"id": 1, "name": " zebra "}))
    source, records, _ = _open(coco)
    assert list(source.classes()) == ["zebra", "disc", "square"]
    table = audit(source, records, None)[0]
    assert table.index.tolist() == ["zebra", "disc", "square"]
    assert table.loc["zebra", "objects"] == 0


def test_the_project_that_roboflow_lists_is_no_class(coco):
    project = {"id": 0, "name": "disc", "supercategory": "none"}

    def list_project(document):
        document["categories"] = [project, *(
            {**one, "supercategory": "disc"} for one in document["categories"])]  # fmt: skip

    change(coco, list_project)
    source, _, _ = _open(coco)
    assert source.classes() == {"disc": 3, "square": 5}


def test_voc_declares_no_classes(year):
    assert _open(year)[0].classes() == {}


# ------------------------------------------------------------------------------------------ labels


def test_crowd_and_area_are_read_and_crowds_are_not_trained_on(coco):
    def edit(document):
        first, *_ = document["annotations"]
        first |= {"bbox": [2, 3, 20, 10], "iscrowd": 1, "area": 55.5}
        document["annotations"].append(first | {"id": 99, "iscrowd": 0, "bbox": [5, 6, 7.5, 8.25]})
        del document["annotations"][-1]["area"]

    change(coco, edit)
    objects = _read(coco)[0]["000001"]
    crowd = objects.crowd.tolist().index(True)
    assert objects.boxes[crowd].tolist() == [2, 3, 22, 13] and objects.area[crowd] == 55.5
    assert objects.boxes[-1].tolist() == [5, 6, 12.5, 14.25] and objects.area[-1] == 7.5 * 8.25
    assert not objects.difficult.any() and objects.crowd.sum() == 1
    (batch,) = training_loader(
        [["000001"]], {record.id: record for record in _scan(coco)[0]}, {"000001": objects},
        input_size=InputSize(64, 64), augmentation="flip", seed=0, epoch=0, mean=(0, 0, 0),
        std=(1, 1, 1),
    )  # fmt: skip
    assert isinstance(batch, LabeledBatch)
    assert len(batch.boxes[0]) == len(batch.labels[0]) == len(objects.boxes) - 1


@pytest.mark.parametrize("area", [None, -1, "large", float("nan"), 10**400])
def test_area_that_is_no_area_gives_way_to_that_of_the_box(coco, area):
    change(coco, lambda d: d["annotations"][0].update(bbox=[2, 3, 20, 10], area=area))
    assert _read(coco)[0]["000001"].area[0] == 200


def test_pool_needs_no_annotations(coco):
    before, _ = _scan(coco)
    change(coco, lambda d: d.pop("annotations"))
    source, records, faults = _open(coco)
    assert records == before and faults.as_dict() == {}
    assert _read(coco) == ({}, {"annotation missing": 4})
    assert source.labels(records[0].id) is None


def test_image_without_annotations_beside_others_is_background(coco):
    change(coco, lambda d: d.update(annotations=d["annotations"][:1]))
    found, faults = _read(coco)
    assert [len(objects.boxes) for objects in found.values()] == [1, 0, 0, 0]
    assert faults == {"image without objects": 3}
    source, records, _ = _open(coco)
    labels = [source.labels(record.id) for record in records]
    assert [one is not None and one.certain for one in labels] == [True, False, False, False]


def test_images_without_annotations_are_left_out_when_asked(coco):
    records, faults = _scan(coco, drop_empty=True)
    assert [record.id for record in records] == ["000001", "000002", "000003"]
    assert faults.as_dict() == {
        "image without objects, left out (empty_images=drop)": {"count": 1, "examples": ["000004"]}
    }


def test_nothing_is_left_of_a_file_without_annotations(coco):
    change(coco, lambda d: d.update(annotations=[]))
    with pytest.raises(DataError, match="4 x image without objects, left out"):
        _scan(coco, drop_empty=True)


# --------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([5, 5, 0, 20], "box smaller than a pixel"),
        ([5, 5, 20, 0.0], "box smaller than a pixel"),
        ([20, 5, -10, 15], "inverted box"),
        ([70, 5, 20, 20], "box outside the image"),
        ([1e308, 5, 1e308, 20], "box outside the image"),
        ([5, 5, 1e300, 20], "box clipped to the image"),
        ([float("nan"), 5, 9, 9], "annotation malformed: coordinate missing or not a number"),
        ([5, 5, float("inf"), 9], "annotation malformed: coordinate missing or not a number"),
        ([5, 5, 10**400, 9], "annotation malformed: coordinate missing or not a number"),
        ([5, 5, 9], "annotation malformed: coordinate missing or not a number"),
        (["5", 5, 9, 9], "annotation malformed: coordinate missing or not a number"),
        (None, "annotation malformed: coordinate missing or not a number"),
    ],
)
def test_useless_boxes_are_counted(coco, box, reason):
    entry = {"image_id": 1000, "category_id": 3, "bbox": box}
    change(coco, lambda d: d.update(annotations=[entry | {"id": 1}]))
    found, faults = _read(coco)
    assert faults.pop(reason) == 1
    malformed, clipped = reason.startswith("annotation"), "clipped" in reason
    assert faults == {"image without objects": 3 if malformed or clipped else 4}
    assert ("000001" in found) is not malformed


def test_unknown_category_is_counted(coco):
    change(coco, lambda d: d["annotations"][0].update(category_id=77))
    found, faults = _read(coco)
    assert list(found) == ["000002", "000003", "000004"]
    assert faults["annotation malformed: category that is not in the file"] == 1


def test_annotation_of_an_image_that_is_not_in_the_file_is_counted(coco):
    change(coco, lambda d: d["annotations"].append(d["annotations"][0] | {"id": 50, "image_id": 9}))
    records, faults = _scan(coco)
    assert len(records) == 4
    assert faults.as_dict() == {
        "annotation of an image that is not in the file": {"count": 1, "examples": ["id 50"]}
    }


def test_annotation_id_used_again_is_counted_and_both_objects_are_kept(coco):
    before = _read(coco)[0]["000001"].boxes.tolist()
    box = [1, 2, 30, 30]
    change(coco, lambda d: d["annotations"].append(d["annotations"][0] | {"bbox": box}))
    found, faults = _read(coco)
    assert faults["annotation id used again"] == 1
    assert found["000001"].boxes.tolist() == [*before, [1, 2, 31, 32]]


def test_exact_duplicates_are_counted(coco):
    change(coco, lambda d: d["annotations"].append(d["annotations"][0] | {"id": 50}))
    assert _read(coco)[1]["exact duplicate box"] == 1


def test_truncated_file_is_refused(coco):
    path = annotation_file(coco)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="damaged or cut off: it is no JSON") as error:
        _scan(coco)
    assert error.value.where == path and "again" in error.value.remedy


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[" * 100_000, b"9" * 10_000])
def test_bytes_that_are_no_json_are_refused(coco, content):
    annotation_file(coco).write_bytes(content)
    with pytest.raises(DataError, match="it is no JSON"):
        _scan(coco)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "no list of images"),
        ({"annotations": []}, "no list of images"),
        ({"images": {"1": "a.jpg"}}, "no list of images"),
        ({"images": ["a.jpg"]}, r"images\[0\] has no usable id"),
        ({"images": [{"id": 1}]}, r"images\[0\] has no usable file_name"),
        ({"images": [{"id": "one", "file_name": "a.jpg"}]}, r"images\[0\] has no usable id"),
        ({"images": [], "annotations": {"1": []}}, "its annotations are no list"),
        ({"images": [], "annotations": [{"id": 1}]}, r"annotations\[0\] has no usable image_id"),
        ({"images": [], "categories": [{"id": 1, "name": " "}]}, r"categories\[0\] has no usable"),
        ({"images": [], "categories": [{"id": True, "name": "a"}]}, r"categories\[0\] has no usa"),
    ],
)
def test_file_that_is_not_coco_is_refused(coco, document, fault):
    annotation_file(coco).write_text(json.dumps(document))
    with pytest.raises(DataError, match=f"not a COCO annotation file: .*{fault}") as error:
        _scan(coco)
    assert error.value.where == annotation_file(coco) and "file_name" in error.value.remedy


@pytest.mark.parametrize(
    ("kind", "entry", "fault"),
    [
        ("images", {"id": 1000, "file_name": "new.jpg"}, "2 images have the id 1000"),
        ("categories", {"id": 3, "name": "new"}, "2 categories have the id 3"),
        ("categories", {"id": 9, "name": "disc "}, "2 categories have the name 'disc'"),
    ],
)
def test_repeated_ids_of_images_and_categories_are_refused(coco, kind, entry, fault):
    change(coco, lambda d: d[kind].append(entry))
    with pytest.raises(DataError, match=fault) as error:
        _scan(coco)
    assert str(annotation_file(coco)) in error.value.where


def test_file_that_vanishes_is_named(coco):
    source, records, _ = _open(coco)
    annotation_file(coco).unlink()
    with pytest.raises(DataError, match="cannot be read") as error:
        source.labels(records[0].id)
    assert error.value.where == annotation_file(coco)


def test_image_that_leaves_the_file_has_no_annotation(coco):
    source, records, _ = _open(coco)
    change(coco, lambda d: d["images"].pop(0))
    assert source.labels(records[0].id) is None


# ---------------------------------------------------------------------------------------- the file


def test_file_is_read_once_and_again_when_changed(coco, monkeypatch, capfd):
    reads = []
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or original(path))
    source, records, faults = _open(coco)
    for _ in range(2):
        _read_from(source, records, FaultCounts())
    assert reads == [annotation_file(coco)]
    change(coco, lambda d: d["annotations"].clear())
    assert _read_from(source, records, faults)[1] == {"annotation missing": 4}
    assert reads == [annotation_file(coco)] * 2
    assert "index" not in capfd.readouterr().out


def test_marks_of_the_encoding_are_accepted(coco):
    text = annotation_file(coco).read_text()
    annotation_file(coco).write_bytes(text.encode("utf-8-sig"))
    assert len(_scan(coco)[0]) == 4


def test_objects_lie_where_they_were_drawn(coco):
    source, records, _ = _open(coco)
    objects = Oracle(source, records).read([records[0].id], CLASSES, FaultCounts())[records[0].id]
    image = load_image(records[0].image_path).float()
    x1, y1, x2, y2 = objects.boxes[0].astype(int)
    inside = image[:, y1 + 2 : y2 - 1, x1 + 2 : x2 - 1].flatten(1)
    assert objects.labels[0] == 1
    assert inside[0].median() > 200 and inside[2].median() < 80  # the square's red
