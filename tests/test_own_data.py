"""The first ten minutes with data of one's own, as the README has them.

There are 60 photos, of which a person has labeled 20 that show five of six classes."""

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest

from miaod_nb.data.layouts.voc import read_voc
from miaod_nb.experiment import open_run
from miaod_nb.toy.toy import make_toy

PROJECT = Path(__file__).resolve().parents[1]
MISSING = "turtle"  # the class that the person has not met yet
# The recipe of minutes in seconds.
QUICK = (
    "image_size=64x64", "label_set_epochs=1", "min_epoch_steps=2", "threads=1", "device=cpu",
    "log_every=1", "controls=random",
)  # fmt: skip

pytestmark = pytest.mark.slow


def classes_in(path: Path) -> set[str]:
    return {one.findtext("name") or "" for one in ET.parse(path).iter("object")}


@pytest.fixture(scope="module")
def truth(tmp_path_factory) -> Path:
    """Photos in path/to/photos, the person's labels in path/to/labels, and the labels that people
    will draw in `later`."""
    folder = tmp_path_factory.mktemp("truth")
    toy = make_toy(folder / "toy", num_pool=60, num_test=1, size=96)
    ids = (toy / "ImageSets/Main/trainval.txt").read_text().split()
    for name in ("photos", "labels"):
        (folder / "path/to" / name).mkdir(parents=True)
    for image_id in ids:
        shutil.copy(toy / f"JPEGImages/{image_id}.jpg", folder / "path/to/photos")
    known = [i for i in ids if MISSING not in classes_in(toy / f"Annotations/{i}.xml")]
    for image_id in known[::2][:20]:
        shutil.copy(toy / f"Annotations/{image_id}.xml", folder / "path/to/labels")
    (toy / "Annotations").rename(folder / "later")
    return folder


@pytest.fixture
def project(truth, tmp_path, monkeypatch) -> Path:
    """A folder as the project's, where a user types the README's lines."""
    shutil.copytree(truth / "path", tmp_path / "path")
    program = tmp_path / ".venv/bin/miaod"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m miaod_nb "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    return tmp_path


def lines_of_readme() -> list[str]:
    """The commands of the part about one's own data."""
    part = (PROJECT / "README.md").read_text().split("## Sixty seconds to your own data")[1]
    block = re.findall(r"```bash\n(.*?)```", part, re.DOTALL)[0]
    return [line.split(" #")[0].strip() for line in block.splitlines() if line.strip()]


def typed(line: str, project: Path) -> str:
    """What a line of the shell says; it must succeed."""
    if "miaod new" in line or "--preset" in line:
        line += "".join(f" --set {one}" for one in QUICK)
    done = subprocess.run(
        ["bash", "-c", line], cwd=project, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def label(labels: Path, truth: Path, asked: list[str]) -> None:
    """People draw the boxes of the images that were asked for; the first shows the new class."""
    for image_id in asked:
        shutil.copy(truth / f"later/{image_id}.xml", labels)
    path = labels / f"{asked[0]}.xml"
    tree = ET.parse(path)
    box = tree.getroot().find("object")
    if box is None:
        shutil.copy(next(p for p in (truth / "later").iterdir() if classes_in(p)), path)
        tree = ET.parse(path)
        box = tree.getroot().find("object")
    box.find("name").text = MISSING
    tree.write(path)


def give_back(project: Path, truth: Path) -> None:
    """The label tool's export: the boxes as people drew them; the first shows the new class."""
    tasks = json.loads((project / "runs/mine/labels/cycle0-label-studio/tasks.json").read_text())
    for number, task in enumerate(tasks):
        labels = read_voc(truth / f"later/{task['data']['image_id']}.xml")
        boxes = [(o.name, o.box) for o in labels.objects] or [(MISSING, (9, 9, 30, 30))]
        if number == 0:
            boxes[0] = MISSING, boxes[0][1]
        task["annotations"] = [{"result": [
            {"type": "rectanglelabels", "origin": "manual", "original_width": 96,
             "original_height": 96, "value": {
                 "x": x1 / 0.96, "y": y1 / 0.96, "width": (x2 - x1) / 0.96,
                 "height": (y2 - y1) / 0.96, "rectanglelabels": [name]}}
            for name, (x1, y1, x2, y2) in boxes
        ]}]  # fmt: skip
    (project / "project-1.json").write_text(json.dumps(tasks))


def test_the_readme_needs_five_commands_and_no_list():
    lines = lines_of_readme()
    assert len(lines) <= 5 and not {"ImageSets", "sed", "ls"} & set(
        re.findall(r"\w+", " ".join(lines))
    )


def test_from_the_command_line(truth, project):
    new, first, out, back, second = lines_of_readme()
    assert "labels: 20 images have some (VOC XML)" in typed(new, project)
    said = typed(first, project)
    record = open_run(run_dir=project / "runs/mine").record
    assert len(record.labeled(0)) == 20 and MISSING not in record.classes
    asked = record.selected(0)
    assert f"to label next: {len(asked)} images: {asked[0]}" in said
    said = typed(out, project)
    assert said.startswith(f"{len(asked)} images of the batch of cycle 0")
    give_back(project, truth)
    said = typed(back, project)
    assert f"{len(asked)} images labeled" in said and "new classes, which join" in said
    said = typed(second, project)
    assert f"new class: '{MISSING}' joins" in said
    record = open_run(run_dir=project / "runs/mine").record
    assert MISSING in record.classes_of(1) and record.labels(1)["labeled"] == 20 + len(asked)


def test_from_the_notebooks(truth, project):
    """01 to 05 on a folder with labels beside the photos, then 01 again for the next cycle."""
    photos = project / "path/to/photos"
    for path in (project / "path/to/labels").iterdir():
        shutil.move(path, photos)
    miaod = ".venv/bin/miaod notebooks"
    typed(f"{miaod} 01 02 03 04 05 --preset voc --data-root path/to/photos --run-dir runs/mine"
          " --set cycles=1", project)  # fmt: skip
    run = open_run(run_dir=project / "runs/mine")
    assert run.record.labels(0)["labeled"] == 20
    label(photos, truth, run.record.selected(0))
    typed(f"{miaod} 01 02 --run-dir runs/mine --parameter cycle=1 --set cycles=2", project)
    assert MISSING in open_run(run_dir=project / "runs/mine").record.classes_of(1)
    shown = nbformat.read(project / "runs/mine/notebooks/01_data.ipynb", 4)
    assert "error" not in {o.output_type for c in shown.cells for o in c.get("outputs", [])}
