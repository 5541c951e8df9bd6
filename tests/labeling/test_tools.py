"""What the label tools themselves read of an export, and what the package reads of theirs."""

import contextlib
import io
import json

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from miaod_nb.labeling.export import TOOLS
from miaod_nb.labeling.exporting import write_batch
from tests.labeling.batches import (
    CLASSES,
    SIZE,
    bring_back,
    error_of,
    make_batch,
    save_as_yolo,
)
from tests.labeling.tool_envs import ask


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    return make_batch(tmp_path_factory.mktemp("photos"))


def exported(name, batch, folder):
    write_batch(batch, TOOLS[name], folder)
    return folder


def error_of_read(read, batch) -> float:
    """By how many pixels a side of a box that a tool read differs at most; scores must agree."""
    assert read.keys() == {task.id for task in batch.tasks}
    worst = 0.0
    for task in batch.tasks:
        found = {name: (box, float(score)) for name, box, score in read[task.id]}
        assert found.keys() == {*CLASSES} and len(read[task.id]) == len(CLASSES)
        for name, box, score in task.suggestions:
            assert found[name][1] == pytest.approx(score, abs=1e-4)
            worst = max([worst, *(abs(a - b) for a, b in zip(found[name][0], box, strict=True))])
    return worst


# ----------------------------------------------------------------- datumaro, which CVAT is built on

DATUMARO = """
import json, sys
from datumaro.components.dataset import Dataset
path, form, back, out = sys.argv[1:]
data = Dataset.import_from(path, form)
names = data.categories()[next(iter(data.categories()))]
found = {
    item.id: [[names[one.label].name, one.points, one.attributes["score"]]
              for one in item.annotations if one.type.name == "bbox"]
    for item in data
}
data.export(out, back, save_media=False)
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "back"), [("cvat", "cvat"), ("coco", "coco_instances"), ("voc", "voc")]
)
def test_datumaro_reads_an_export_and_gives_it_back(name, back, batch, tmp_path):
    """It keeps two decimals."""
    out = exported(name, batch, tmp_path / "out")
    read = ask("datumaro", DATUMARO, out, name, back, tmp_path / "back")
    assert error_of_read(read, batch) < 0.0051
    states, boxes, counts = bring_back(tmp_path / "back", batch, complete=True)
    assert set(states.values()) == {"labeled"} and counts == {}
    boxes = {image_id: sorted(given, key=lambda one: CLASSES.index(one.name))
             for image_id, given in boxes.items()}  # fmt: skip
    assert error_of(boxes, batch) < 0.0051


# --------------------------------------------------------------------------- labelme, X-AnyLabeling

LABELME = """
import json, sys
from pathlib import Path
from labelme._label_file import read_label_file, write_label_file
root, found = Path(sys.argv[1]), {}
for path in sorted(root.rglob("*.json")):
    one = read_label_file(str(path))
    shapes = [{**s["other_data"], **{k: v for k, v in s.items() if k not in ("other_data", "mask")}}
              for s in one.shapes]
    found[path.relative_to(root).with_suffix("").as_posix()] = [
        [s["label"], [*s["points"][0], *s["points"][1]], s["score"]] for s in shapes]
    write_label_file(str(path), shapes=shapes, image_path=one.image_path, image_height=HEIGHT,
                     image_width=WIDTH, other_data=one.other_data, flags=one.flags)
print(json.dumps(found))
"""
X_ANYLABELING = """
import json, sys
from pathlib import Path
import PyQt6.QtCore
class Point:
    def __init__(self, x, y): self.place = x, y
    def x(self): return self.place[0]
    def y(self): return self.place[1]
PyQt6.QtCore.QPointF = Point
from anylabeling.views.labeling.label_file import LabelFile
root, found = Path(sys.argv[1]), {}
for path in sorted(root.rglob("*.json")):
    one = LabelFile(str(path))
    shapes = [shape.to_dict() for shape in one.shapes]
    found[path.relative_to(root).with_suffix("").as_posix()] = [
        [s["label"], [*s["points"][0], *s["points"][2]], s["score"]] for s in shapes]
    one.save(str(path), shapes, one.image_path, HEIGHT, WIDTH, None, one.other_data, one.flags)
print(json.dumps(found))
"""
WINDOWS = """PyQt5 PyQt6 qimage2ndarray onnxruntime osam imgviz tifffile loguru skimage natsort cv2
shapely termcolor jsonlines json_repair openai scipy lap pyclipper tokenizers darkdetect
importlib_metadata"""


@pytest.mark.slow
@pytest.mark.parametrize(("tool", "code"), [("labelme", LABELME), ("x-anylabeling", X_ANYLABELING)])
def test_a_file_beside_an_image_is_read_and_saved(tool, code, batch, tmp_path):
    out = exported("x-anylabeling", batch, tmp_path / "out") / "images"
    code = f"WIDTH, HEIGHT = {SIZE}\n{code}"
    read = ask(tool, code, out, standing_in=WINDOWS)
    assert error_of_read(read, batch) == 0
    states, boxes, counts = bring_back(out, batch)
    assert set(states.values()) == {"labeled"} and counts == {}
    assert error_of(boxes, batch) == 0
    saved = json.loads((out / "cam2/0001.json").read_text())
    assert saved["version"] in ("6.3.1", "4.2.1")
    assert (saved["rank"], saved["uncertainty"]) == (2, 0.5)  # what a tool does not know it keeps
    assert saved["shapes"][0]["score"] == 0.9


# -------------------------------------------------------------------------------------- ultralytics

ULTRALYTICS = """
import json, sys
from pathlib import Path
from ultralytics.data.utils import check_det_dataset, img2label_paths, verify_image_label
root = Path(sys.argv[1])
data = check_det_dataset(str(root / "data.yaml"), autodownload=False)
images = sorted(str(path) for path in Path(data["train"]).rglob("*.jpg"))
found = {}
for image, label in zip(images, img2label_paths(images)):
    _, rows, shape, _, _, missing, there, empty, corrupt, text = verify_image_label(
        (image, label, "", False, len(data["names"]), 0, 0, False))
    found[image] = [None if rows is None else rows.tolist(), shape, missing, corrupt, text]
print(json.dumps([data["names"], found]))
"""


@pytest.mark.slow
def test_ultralytics_reads_the_folder(batch, tmp_path):
    out = exported("yolo", batch, tmp_path / "out")
    names, found = ask("ultralytics", ULTRALYTICS, out)
    assert [*names.values()] == [*CLASSES] and len(found) == len(batch.tasks)
    assert all(one[2:4] == [1, 0] for one in found.values())  # no label, and nothing is corrupt
    _, found = ask("ultralytics", ULTRALYTICS, save_as_yolo(out))
    for task in batch.tasks:
        rows, shape, missing, corrupt, text = found[str(out / "images/train" / task.file)]
        assert (shape, missing, corrupt, text) == ([*SIZE[::-1]], 0, 0, "")  # upright
        for row, (name, (x1, y1, x2, y2), _) in zip(rows, task.suggestions, strict=True):
            assert CLASSES[int(row[0])] == name
            x, y, width, height = row[1] * 640, row[2] * 480, row[3] * 640, row[4] * 480
            sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            assert sides == pytest.approx((x1, y1, x2, y2), abs=0.001)


# -------------------------------------------------------------------------------------- pycocotools


def test_pycocotools_finds_every_box_of_a_coco_export(batch, tmp_path):
    out = exported("coco", batch, tmp_path / "out")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(out / "annotations/instances_default.json"))
        found = truth.loadRes(truth.dataset["annotations"])
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)
