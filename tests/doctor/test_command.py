"""`miaod doctor`: what it says, how it ends, its page, and lists that the product takes."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.detector import DETECTORS
from miaod_nb.detector.retinanet import build_retinanet
from miaod_nb.doctor import alike
from tests.conftest import write_voc
from tests.doctor.conftest import begun, scene
from tests.experiment.helpers import miaod


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below, with length and time of change."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


class Addresses(HTMLParser):
    """What a page would load, and the tags in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.add(tag)
        self.found += [value for name, value in attributes if name in ("src", "href", "srcset")]


def spoil(voc: Path) -> None:
    """A copy in the pool, a leak, and a broken file."""
    for name, seed in (("000001", 1), ("000005", 1), ("000003", 3), ("000014", 3)):
        scene(seed).save(voc / f"JPEGImages/{name}.jpg", quality=95 - seed * int(name) % 7)
    (voc / "JPEGImages/000007.jpg").write_bytes(b"broken")


def test_a_run_gets_lines_and_a_page(voc, tmp_path):
    run_dir = begun(voc, tmp_path / "run")
    spoil(voc)
    before = state_of(tmp_path)
    outcome = miaod("doctor", run_dir)
    assert outcome.code == 0 and outcome.err == ""
    first, *rest = outcome.out.splitlines()
    assert re.fullmatch(rf"{run_dir}: \d+ will hurt, \d+ worth knowing", first)
    severities = [line.partition(":")[0] for line in rest if re.match("will|worth|stops", line)]
    assert severities == sorted(severities)  # "will hurt" before "worth knowing"
    assert any("a leak (" in line and "(000014 = 000003)" in line for line in rest)
    assert any("image unreadable (000007)" in line for line in rest)
    assert f"open {run_dir / 'doctor.html'} to see them with pictures" in rest
    after = state_of(tmp_path)
    assert set(after) - set(before) == {str(run_dir / "doctor.html")}
    assert {name: after[name] for name in before} == before


def test_what_stops_training_ends_with_1(voc, tmp_path):
    run_dir = begun(voc, tmp_path / "run")
    with (voc / "ImageSets/Main/test.txt").open("a") as file:
        file.write("000001\n")
    outcome = miaod("doctor", run_dir)
    assert outcome.code == 1 and outcome.err == ""
    assert "stops training: 1 images stand in both lists" in outcome.out
    assert "Training would not begin" in (run_dir / "doctor.html").read_text()
    outcome = miaod("doctor", voc, "--fix", tmp_path / "lists")
    assert outcome.code == 1 and "stops training: 1 x image that is in both lists" in outcome.out
    assert (tmp_path / "lists/test.txt").read_text().split() == [f"{n:06d}" for n in range(13, 17)]


def test_the_page_is_whole_and_takes_names_for_text(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    name = "<img src=x onerror=alert(1)>"
    scene(0).save(folder / f"{name}.png")
    scene(0).save(folder / "plain.jpg", quality=70)
    outcome = miaod("doctor", folder, "--page", tmp_path / "page.html")
    assert outcome.code == 0 and not list(folder.glob("*.html"))
    page = (tmp_path / "page.html").read_text()
    loaded = Addresses(page)
    assert all(one.startswith(("data:image/", "#")) for one in loaded.found)
    assert sum(one.startswith("data:image/jpeg") for one in loaded.found) == 2  # both of the pair
    assert "script" not in loaded.tags and "&lt;img src=x" in page
    assert "prefers-color-scheme: dark" in page


def test_labels_of_a_data_set_are_read_if_asked_for(voc):
    (voc / "Annotations/000002.xml").write_text("<torn")
    closed, opened = miaod("doctor", voc), miaod("doctor", voc, "--audit")
    assert "malformed" not in closed.out and "12 pool images have some; none was read" in closed.out
    assert "malformed: not well-formed XML (000002)" in opened.out
    assert "those of 11 images to train on and 4 to test on were read" in opened.out


def test_look_alikes_wait_for_a_network(voc, tmp_path, reference):
    assert "once a cycle is trained" in miaod("doctor", begun(voc, tmp_path / "run")).out
    shutil.copytree(reference, tmp_path / "trained")
    outcome = miaod("doctor", tmp_path / "trained")
    assert outcome.code == 0
    assert (
        "look-alikes: looked for in the batch of cycle 1, from a cosine of 0.95 on" in outcome.out
    )


def test_a_detector_of_ones_own_that_fails_is_a_finding(voc, tmp_path, monkeypatch):
    def failing(config, num_classes):
        model = build_retinanet(config, num_classes)
        model.features = lambda images: images.no_such_thing
        return model

    monkeypatch.setitem(DETECTORS, "failing", failing)
    outcome = miaod("doctor", begun(voc, tmp_path / "run", detector="failing"))
    assert outcome.code == 1 and outcome.err == ""
    assert "stops training: the detector 'failing' fails: AttributeError" in outcome.out
    assert "images: 12 of the pool" in outcome.out


def test_look_alikes_of_a_batch_are_named(tmp_path, reference, monkeypatch):
    pairs = []

    def look_alikes(run, cycle, ids):
        pairs.append((*ids[:2], 0.97))
        return pairs

    monkeypatch.setattr(alike, "look_alikes", look_alikes)
    shutil.copytree(reference, tmp_path / "run")
    outcome = miaod("doctor", tmp_path / "run")
    words = "worth knowing: 1 x pair of images of the batch of cycle 1 that look alike"
    assert outcome.code == 0 and words in outcome.out
    assert f"({pairs[0][0]} = {pairs[0][1]})" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere"], "there is no such file or folder"), (["run", "--audit"], "are for data sets"),
     (["VOC2007", "--list", "trainvall"], "did you mean 'trainval'"),
     (["VOC2007", "--page", "VOC2007"], "--page is a folder"),
     (["VOC2007", "--fix", "file"], "--fix is a file")],
)  # fmt: skip
def test_refusals(voc, tmp_path, monkeypatch, arguments, words):
    begun(voc, tmp_path / "run")
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    outcome = miaod("doctor", *arguments)
    assert outcome.code == 1 and words in outcome.err


def test_libraries_that_cannot_be_imported_together_are_no_traceback(voc, tmp_path):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator nms does not exist')")
    command = [sys.executable, "-m", "miaod_nb", "doctor", str(voc)]
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    child = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths}
    )
    assert child.returncode == 1 and "Traceback" not in child.stderr
    assert "stops training: the libraries cannot be loaded (operator nms" in child.stderr


# ------------------------------------------------------------------------------------ new lists


def as_folder(voc: Path, root: Path) -> Path:
    shutil.copytree(voc / "JPEGImages", root / "deep")
    shutil.copytree(voc / "Annotations", root / "deep", dirs_exist_ok=True)
    return root


def as_coco(voc: Path, root: Path) -> Path:
    """Images in a folder a list, as COCO has them, and an entry for one that is missing."""
    (root / "annotations").mkdir(parents=True)
    for name in ("trainval", "test"):
        ids = (voc / f"ImageSets/Main/{name}.txt").read_text().split()
        (root / name).mkdir()
        for image_id in ids:
            shutil.copy(voc / f"JPEGImages/{image_id}.jpg", root / name)
        images = [{"id": int(i), "file_name": f"{i}.jpg"} for i in ids]
        boxes = [
            {"id": int(i), "image_id": int(i), "category_id": 1, "bbox": [1, 2, 30, 40]}
            for i in ids
        ]
        content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "a"}]}
        (root / f"annotations/instances_{name}.json").write_text(json.dumps(content))
    return root


def as_yolo(voc: Path, root: Path) -> Path:
    for name, other in (("trainval", "train"), ("test", "val")):
        for kind in ("images", "labels"):
            (root / other / kind).mkdir(parents=True)
        for image_id in (voc / f"ImageSets/Main/{name}.txt").read_text().split():
            shutil.copy(voc / f"JPEGImages/{image_id}.jpg", root / other / "images")
            (root / other / f"labels/{image_id}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (root / "data.yaml").write_text("names: [a]\ntrain: train/images\nval: val/images\n")
    return root


def as_years(voc: Path, root: Path) -> Path:
    """Two years, the copies in the second."""
    write_voc(root / "VOC2007", prefix="2007_", seed=5)
    shutil.copytree(voc, root / "VOC2012")
    return root


LAYOUTS = {"VOC": lambda voc, root: shutil.copytree(voc, root), "folder": as_folder,
           "COCO": as_coco, "YOLO": as_yolo, "years": as_years}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_new_lists_can_be_used_as_it_says(voc, tmp_path, monkeypatch, layout):
    spoil(voc)
    root = LAYOUTS[layout](voc, tmp_path / "data")
    before = state_of(root)
    outcome = miaod("doctor", root, "--fix", tmp_path / "lists")
    assert outcome.code == 0 and state_of(root) == before
    has_test = layout != "folder"  # a folder is one list
    assert ("a leak (" in outcome.out) == has_test and " of another image" in outcome.out

    monkeypatch.chdir(tmp_path)
    (command,) = re.findall("to use them, in a new run: miaod (.*)", outcome.out)
    arguments = shlex.split(
        command.replace("NAME", "clean").replace("--preset voc", "--preset tiny")
    )
    made = miaod(*arguments, "--set", "initial=2", "--set", "budget=1")
    assert made.code == 0, made.err
    again = miaod("doctor", tmp_path / "runs/clean")
    assert again.code == 0
    assert not re.search("another image|a leak|unreadable|missing|by its name", again.out), (
        again.out
    )

    plain = scan_list(open_source(root), *first_list(layout, root), faults := FaultCounts())
    removed = 1 if has_test else 2
    sizes = re.findall(r"images: (\d+) of the pool .*?, (\d+) to test", again.out)
    tested = {"folder": 0, "years": 7}.get(layout, 3)
    assert sizes == [(str(len(plain) - removed), str(tested))] and faults.as_dict()


def first_list(layout: str, root: Path) -> tuple[str]:
    return ("train",) if layout == "YOLO" else ("trainval",)


def test_without_anything_to_leave_out_lists_are_whole(voc, tmp_path):
    outcome = miaod("doctor", voc, "--fix", tmp_path / "lists")
    assert "12 of 12 usable pool images, 4 of 4 to test on" in outcome.out
    assert (tmp_path / "lists/trainval.txt").read_text() == (
        voc / "ImageSets/Main/trainval.txt"
    ).read_text()
