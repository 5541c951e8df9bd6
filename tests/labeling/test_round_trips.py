"""Out to each label tool and back: nothing moves by more than the format has room for, and what
nobody touched is no label."""

import io
import json
import shutil
import zipfile
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from PIL import Image

from miaod_nb.data.images import load_image
from miaod_nb.errors import DataError
from miaod_nb.labeling.agreement import Agreement
from miaod_nb.labeling.export import TOOLS
from miaod_nb.labeling.exporting import export_batch, suggested, write_batch
from miaod_nb.labeling.exporting import make_batch as prepare_batch
from miaod_nb.labeling.importing import format_of, import_labels
from miaod_nb.runs.label_store import LabelStore
from tests.labeling.batches import (
    CLASSES,
    SAVED,
    SIZE,
    bring_back,
    error_of,
    make_batch,
)


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    return make_batch(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def export(name, batch, out):
    write_batch(batch, TOOLS["x-anylabeling" if name == "labelme" else name], out)


@pytest.mark.parametrize("name", SAVED)
def test_all_boxes_come_back_where_they_were(name, batch, out):
    export(name, batch, out)
    save, most = SAVED[name]
    states, boxes, counts = bring_back(save(out), batch)
    assert set(states.values()) == {"labeled"} and counts == {}
    assert error_of(boxes, batch) <= most


@pytest.mark.parametrize("name", SAVED)
def test_what_a_run_suggests_comes_back_accepted(name, asking, out):
    tool = TOOLS["x-anylabeling" if name == "labelme" else name]
    export_batch(asking, tool, 0, {"": 0.0}, out)
    path = SAVED[name][0](out)
    result = import_labels(asking, path, format_of(path), 0, complete=True)
    boxes = suggested(asking.folder, 0)
    count = sum(map(len, boxes.values()))
    assert count and result.agreement == Agreement(accepted=count)
    assert {*result.labeled} == boxes.keys() and result.missing == []
    answers = LabelStore(asking.folder).answers()
    assert {i: len(one.objects) for i, one in answers.items()} == {
        i: len(given) for i, given in boxes.items()
    }


@pytest.mark.parametrize("name", ["cvat", "x-anylabeling", "coco", "voc"])
def test_suggested_boxes_that_no_tool_saved_are_no_labels(name, batch, out):
    export(name, batch, out)
    states, boxes, counts = bring_back(out, batch, complete=True)
    assert set(states.values()) == {"untouched"} and len(states) == len(batch.tasks)
    assert boxes == {} and counts == {"as it was exported: no tool has saved it": len(batch.tasks)}


def test_suggested_boxes_of_yolo_lie_where_no_labels_do(batch, out):
    export("yolo", batch, out)
    assert not (out / "labels").exists()
    with pytest.raises(DataError, match="not recognized"):
        bring_back(out, batch)
    (out / "labels/train/cam1").mkdir(parents=True)
    (out / "labels/train/cam1/0001.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    (out / "labels/train/a+b.txt").write_text("")
    states, boxes, counts = bring_back(out, batch)
    assert boxes == {"cam1/0001": [("WBC", (240, 120, 400, 360), "")], "a+b": []}
    assert list(states.values()).count("untouched") == len(batch.tasks) - 2
    assert bring_back(out, batch, complete=True)[1].keys() == states.keys()


@pytest.mark.parametrize("name", SAVED)
def test_an_archive_says_what_its_folder_says(name, batch, out, tmp_path):
    export(name, batch, out)
    path = SAVED[name][0](out)
    expected = bring_back(path, batch)
    folder = path if path.is_dir() else path.parent
    if name == "yolo":
        (folder / "labels/train/c#d.txt").unlink()
        expected = bring_back(path, batch)
    archive = shutil.make_archive(str(tmp_path / "back"), "zip", folder)
    assert bring_back(tmp_path / archive, batch) == expected


@pytest.mark.parametrize("name", SAVED)
def test_an_export_again_writes_over_nobodys_work(name, batch, out):
    export(name, batch, out)
    export(name, batch, out)  # nobody has worked
    save, _ = SAVED[name]
    path = save(out)
    if name == "cvat":
        path.replace(out / path.name)
        path = out / path.name
    before = bring_back(path, batch)
    if name == "yolo":  # its labels lie elsewhere
        export(name, batch, out)
    else:
        with pytest.raises(DataError, match="its labels would be lost"):
            export(name, batch, out)
    assert bring_back(path, batch) == before


def test_copies_for_a_tool_that_sees_stored_pixels_are_upright(batch, out):
    export("x-anylabeling", batch, out)
    for task in batch.tasks:
        with Image.open(out / "images" / task.file) as image:
            assert image.size == SIZE and image.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_a_turned_copy_keeps_its_color_profile(kind, batch, out, tmp_path):
    """Phones write one, without which their photos look pale."""
    path, exif = tmp_path / f"photo.{kind}", Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", SIZE).save(path, exif=exif, icc_profile=b"colors of a phone")
    task = replace(batch.tasks[0], file=path.name, path=path, orientation=6)
    export("x-anylabeling", replace(batch, tasks=[task]), out)
    with Image.open(out / "images" / path.name) as image:
        assert image.size == SIZE[::-1] and image.info["icc_profile"] == b"colors of a phone"


@pytest.mark.parametrize("name", ["label-studio", "x-anylabeling"])
def test_what_browsers_do_not_show_goes_out_as_the_detector_sees_it(name, batch, out, tmp_path):
    dark = Image.fromarray(np.array([[1000] * 40, [3000] * 40], np.uint16).repeat(20, axis=0))
    pale, gray = Image.new("RGB", (40, 40), "pink"), (1000, 3000)
    for file, picture in (("a.tif", pale), ("b.v2.tif", dark), ("c.png", dark)):
        picture.save(tmp_path / file)
        task = replace(batch.tasks[0], file=f"cells/{file}", path=tmp_path / file, gray=gray)
        export(name, replace(batch, tasks=[task]), out)
        png = (out / "images" / task.file).with_suffix(".png")
        assert png.name in "".join(path.read_text() for path in out.rglob("*.json"))
        with Image.open(png) as copy:
            seen = load_image(task.path, gray).permute(1, 2, 0).numpy()
            assert copy.mode == "RGB" and np.array_equal(copy, seen)


def test_gray_goes_out_by_the_range_of_the_run(asking):
    image_id = asking.record.selected(0)[0]
    record = replace(asking.dataset.records[image_id], gray=(1000, 3000))
    asking.dataset.records[image_id] = record
    assert prepare_batch(asking, 0, {})[0].tasks[0].gray == (1000, 3000)


# ---------------------------------------------------------------- scores, and why an image is there


def test_cvat_has_scores_and_reasons_as_declared_attributes(batch, out):
    export("cvat", batch, out)
    root = ElementTree.parse(out / "annotations.xml").getroot()
    declared = {
        label.findtext("name"): [one.text for one in label.iterfind("attributes/attribute/name")]
        for label in root.iter("label")
    }
    about = ["rank", "uncertainty", "reason"]
    assert declared == dict.fromkeys(CLASSES, ["score"]) | {"why this image": about}
    raw = json.loads((out / "labels.json").read_text())
    assert {one["name"]: [a["name"] for a in one["attributes"]] for one in raw} == declared
    images = root.findall("image")
    assert [one.get("name") for one in images] == [task.file for task in batch.tasks]
    assert [a.text for a in images[1].iterfind("tag/attribute")] == [
        "2", "0.5", 'it is <cam2/0001>, "quite" & so',
    ]  # fmt: skip
    assert [float(a.text) for a in images[1].iterfind("box/attribute")] == pytest.approx(
        [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    )


def test_x_anylabeling_has_scores_and_reasons(batch, out):
    export("x-anylabeling", batch, out)
    content = json.loads((out / "images/cam2/0001.json").read_text())
    about = [content[key] for key in ("rank", "uncertainty", "reason", "checked")]
    assert about == [2, 0.5, 'it is <cam2/0001>, "quite" & so', False]
    assert content["description"].startswith("Rank 2: it is")
    assert [one["score"] for one in content["shapes"]] == [
        one.score for one in batch.tasks[1].suggestions
    ]
    assert (out / "images" / "cam2" / content["imagePath"]).is_file()
    assert (out / "classes.txt").read_text().splitlines() == [*CLASSES]


def test_coco_has_scores_and_reasons(batch, out):
    export("coco", batch, out)
    content = json.loads((out / "annotations/instances_default.json").read_text())
    assert [one["name"] for one in content["categories"]] == [*CLASSES]
    assert [one["id"] for one in content["categories"]] == [1, 2, 3, 4, 5, 6]
    assert [one["id"] for one in content["annotations"]] == list(range(1, 6 * len(batch.tasks) + 1))
    image = content["images"][1]
    assert [image[key] for key in ("id", "rank", "uncertainty", "image_id")] == [
        2, 2, 0.5, "cam2/0001",
    ]  # fmt: skip
    assert all((out / "images" / one["file_name"]).is_file() for one in content["images"])
    assert content["annotations"][6]["score"] == 0.9


def test_voc_has_scores_and_the_order_of_ranks(batch, out):
    export("voc", batch, out)
    listed = (out / "ImageSets/Main/default.txt").read_text().splitlines()
    assert listed == [task.id for task in batch.tasks]
    root = ElementTree.parse(out / "Annotations/cam2/0001.xml").getroot()
    assert [one.findtext("attributes/attribute/value") for one in root.iter("object")] == [
        "0.9000", "0.8000", "0.7000", "0.6000", "0.5000", "0.4000",
    ]  # fmt: skip
    assert root.findtext("object/bndbox/xmin") == "215.3333"  # from 0, with decimals


def test_yolo_names_its_classes_and_no_path(batch, out):
    export("yolo", batch, out)
    assert yaml.safe_load((out / "data.yaml").read_text()) == {
        "train": "images/train", "val": "images/train", "names": [*CLASSES],
    }  # fmt: skip
    row = (out / "predictions/train/cam2/0001.txt").read_text().splitlines()[1].split()
    assert row[0] == "1" and float(row[5]) == pytest.approx(0.8)
    assert float(row[3]) == pytest.approx((373.3125 - 213.33333) / 640)


# ----------------------------------------------------------------------------------------- archives


def zip_of(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize(
    "name", ["../gone.xml", "a/../../gone.json", "/tmp/gone.txt", "..\\gone.xml"]
)
def test_an_archive_that_would_write_elsewhere_is_refused(name, batch, tmp_path):
    with pytest.raises(DataError, match="leads out of the folder"):
        bring_back(zip_of(tmp_path / "bad.zip", {name: "<annotations/>"}), batch)


def test_a_damaged_archive_is_refused(batch, tmp_path):
    whole = io.BytesIO()
    zip_of(whole, {"annotations.xml": "<annotations>" + " " * 5000})
    for content in (b"no zip", whole.getvalue()[:60], whole.getvalue()[:40] + b"?" * 5100):
        (tmp_path / "bad.zip").write_bytes(content)
        with pytest.raises(DataError, match="archive is damaged"):
            bring_back(tmp_path / "bad.zip", batch)
